/* SPDX-License-Identifier: MIT */
/*
 * How long to wait before the next attempt: quickly at first, then ever longer, never in step with
 * other nodes. Pure: the random number comes in as a parameter.
 */
#ifndef MLSH_CLIENT_BACKOFF_H
#define MLSH_CLIENT_BACKOFF_H

#include "base/macros.h"

#define BACKOFF_FIRST_MAX (200 * NS_PER_MS)
#define BACKOFF_MAX (5 * NS_PER_S)

/*
 * The delay in ns before the next attempt after `failures` failed ones since the last useful
 * session (1: the first, at most BACKOFF_FIRST_MAX; doubling up to BACKOFF_MAX). Between half and
 * the whole of that, by `random` (64 random bits).
 */
uint64_t backoff_delay(unsigned failures, uint64_t random);
/* A wait that somebody asked for, plus up to a quarter of it (a second at least) of jitter. */
uint64_t backoff_asked(uint64_t asked, uint64_t random);

#endif
