/* SPDX-License-Identifier: MIT */
/*
 * What a daemon knows of the invites that its node made: it says who used one, and promotes that
 * node if the sponsor has agreed to it.
 */
#ifndef MLSH_CLIENT_INVITES_H
#define MLSH_CLIENT_INVITES_H

#include "membership/entry.h"

#define INVITES_MAX 1024 /* open ones of one cluster on one machine */

struct invite_note {
	uint8_t nonce[NONCE_LEN];
	uint64_t expiry_s;
	bool promote; /* make an admin of the node that joins with it */
};

struct invite_list {
	struct invite_note item[INVITES_MAX];
	size_t n;
};

/* Already there is no error; -ENOSPC when full. */
int invites_add(struct invite_list *l, const struct invite_note *n) MUST_CHECK;
void invites_remove(struct invite_list *l, const uint8_t nonce[NONCE_LEN]);
/* Drops those that ran out before `now_s`. Returns true if there were any. */
bool invites_drop_expired(struct invite_list *l, uint64_t now_s);

#endif
