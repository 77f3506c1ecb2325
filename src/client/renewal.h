/* SPDX-License-Identifier: MIT */
/*
 * A new recovery code by two admins, for a paper that is lost (docs/protocol/02-membership-log.md,
 * "Renewal by two admins"). One admin makes the code and a request, a line of text that it signs;
 * the other one reads the request, consents, and has the entry ordered that follows from both. The
 * request holds no secret. It is worth nothing without the second signature, and nothing 10 minutes
 * later.
 */
#ifndef MLSH_CLIENT_RENEWAL_H
#define MLSH_CLIENT_RENEWAL_H

#include "client/govern.h"

#define RENEWAL_TEXT_MAX 400

struct renewal {
	uint8_t cluster_id[HASH_LEN];
	struct entry_bytes half; /* a renew entry of two admins, without the second signature */
};

/*
 * The request of the author of `g` to `second`, an admin, for a code with the public key `next`.
 * On failure err->reason tells the cause (enum refusal): -EACCES, -EINVAL.
 */
int renewal_ask(const struct govern *g, const struct member *second, const uint8_t next[KEY_LEN],
		struct renewal *ret, struct err *err) MUST_CHECK;
void renewal_format(const struct renewal *r, char ret[RENEWAL_TEXT_MAX]);
/* -EBADMSG; -EPROTONOSUPPORT: a later version made it. No signature is verified. */
int renewal_parse(const char *text, struct renewal *ret, struct err *err) MUST_CHECK;

/* The admin that asks. -EACCES: it is not a member by this log, or the request is of another
 * cluster or for another admin; -ESTALE: this log has no such base yet. */
int renewal_author(const struct govern *g, const struct renewal *r, const struct member **ret,
		   struct err *err) MUST_CHECK;
/*
 * The whole entry, with the signature of the author of `g`. The log's rules are checked, the first
 * signature among them. The entry is good for the server at once: the caller asks a person before
 * it gives it away. As the functions of client/govern.h; GOVERN_DONE: it is in the log already.
 */
int renewal_consent(const struct govern *g, const struct renewal *r, struct entry_bytes *ret,
		    struct err *err) MUST_CHECK;

#endif
