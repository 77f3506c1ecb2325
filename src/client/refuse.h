/* SPDX-License-Identifier: MIT */
/*
 * Refusals in plain language: for each reason (enum refusal) what failed, why, and what to do. The
 * same words whether the server refused or we found out ourselves.
 */
#ifndef MLSH_CLIENT_REFUSE_H
#define MLSH_CLIENT_REFUSE_H

#include "base/bytes.h"
#include "base/err.h"
#include "os/udp.h"
#include "proto/refusal.h"

/* One or two sentences without a subject, beginning with a small letter; never NULL. */
const char *refuse_words(enum refusal reason);
/*
 * Does the reason tell that the server looked at the request? Then it was not carried out, and
 * never will be as it is.
 */
enum refuse_answer { REFUSE_LOOKED_AT, REFUSE_NOT_LOOKED_AT, REFUSE_UNCLEAR };
enum refuse_answer refuse_answer(enum refusal reason);
/*
 * The server's refusal: "<server> refused: <words>", its own text marked as such. `server` is what
 * the user calls it.
 */
int refuse_by_server(struct err *err, enum refusal reason, const char *server, struct span text,
		     uint32_t retry_after_s);

/*
 * What the kernel of this machine refuses to send (udp_refused) has the reason REFUSAL_UNREACHABLE,
 * too, and the kernel's code in place of the usual one.
 */

/* Will it go on refusing until somebody changes something? Not so for lack of memory. */
bool refuse_is_final(int code);
/* The code for struct err: of those for a missing route only one, which no other cause has. */
int refuse_code_local(int code);
bool refuse_is_local(const struct err *err);
/* Why the kernel refused and what to do about it: sentences that begin with a small letter. */
void refuse_words_local(int code, const struct addr *to, char *out, size_t cap);
/* What an ICMP message said, as a sentence behind a blank: a hint, since anybody can forge it. */
void refuse_words_network(const struct udp_refusal *why, char *out, size_t cap);

#endif
