/* SPDX-License-Identifier: MIT */
/*
 * Refusals in plain language: for each reason (enum refusal) what failed, why, and what to do. The
 * same words whether the server refused or we found out ourselves.
 */
#ifndef MLSH_CLIENT_REFUSE_H
#define MLSH_CLIENT_REFUSE_H

#include "base/bytes.h"
#include "base/err.h"
#include "proto/refusal.h"

/* The errno value (negative) that goes with a reason. */
int refuse_code(enum refusal reason);
/* One or two sentences without a subject, beginning with a small letter; never NULL. */
const char *refuse_words(enum refusal reason);
/* Sets message and reason, and returns the code: for refusals with words of their own. */
int refuse_set(struct err *err, enum refusal reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * The server's refusal: "<server> refused: <words>", its own text marked as such. `server` is what
 * the user calls it.
 */
int refuse_by_server(struct err *err, enum refusal reason, const char *server, struct span text,
		     uint32_t retry_after_s);

#endif
