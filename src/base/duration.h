/* SPDX-License-Identifier: MIT */
/* Durations as people type them. */
#ifndef MLSH_BASE_DURATION_H
#define MLSH_BASE_DURATION_H

#include <stdint.h>

#include "base/macros.h"

/* For a message: what duration_parse takes. */
#define DURATION_FORMS "a time such as 30m, 12h, 7d or 90 (seconds)"

/*
 * Seconds ("3600"), or a number with s, m, h or d behind it ("90s", "30m", "12h", "7d"). At most
 * nine digits, so the result is below 2^53 seconds. -EINVAL for anything else; *ret_s is then as
 * before.
 */
int duration_parse(const char *text, uint64_t *ret_s) MUST_CHECK;

#endif
