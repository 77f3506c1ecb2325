/* SPDX-License-Identifier: AGPL-3.0-only */
/* `mlsh-signal token`: a further one-time setup token, also while the server runs. */
#ifndef MLSH_SIGNAL_TOKEN_H
#define MLSH_SIGNAL_TOKEN_H

#include "signal/bootstrap.h"
#include "signal/config.h"

#define TOKEN_TTL_MAX_S (10ull * 365 * 86400)

/* Parses a number of seconds such as "3600". -EINVAL with a message. */
int token_ttl_parse(const char *text, uint64_t *ret, struct err *err) MUST_CHECK;
/*
 * Works on the database file alone. `ttl_s` 0: the token lives until it is used. The caller wipes
 * `ret`.
 */
int token_make(struct host *h, const struct signal_config *cfg, uint64_t ttl_s,
	       char ret[SETUP_TOKEN_TEXT_MAX], struct err *err) MUST_CHECK;

#endif
