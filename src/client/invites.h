/* SPDX-License-Identifier: MIT */
/*
 * The invites that this node made and nobody has used yet: nonce and expiry. The sponsor's daemon
 * cancels each in the log when it has run out, so that it is dead by the log's word and not only by
 * the clock.
 */
#ifndef MLSH_CLIENT_INVITES_H
#define MLSH_CLIENT_INVITES_H

#include "membership/entry.h"

#define INVITES_MAX 64

struct invite_note {
	uint8_t nonce[NONCE_LEN];
	uint64_t expiry_s;
};

struct invite_list {
	struct invite_note item[INVITES_MAX];
	size_t n;
};

/* Already there is no error; -ENOSPC when full. */
int invites_add(struct invite_list *l, const struct invite_note *n) MUST_CHECK;
void invites_remove(struct invite_list *l, const uint8_t nonce[NONCE_LEN]);
/* The one that ran out first, if any has at now_s; else NULL. */
const struct invite_note *invites_expired(const struct invite_list *l, uint64_t now_s);
/* Seconds until the next one runs out; UINT64_MAX if there is none. */
uint64_t invites_next_s(const struct invite_list *l, uint64_t now_s);

#endif
