/* SPDX-License-Identifier: MIT */
/* The list of open invites. */
#include "client/invites.h"

int invites_add(struct invite_list *l, const struct invite_note *n)
{
	for (size_t i = 0; i < l->n; i++)
		if (memcmp(l->item[i].nonce, n->nonce, NONCE_LEN) == 0)
			return 0;
	if (l->n == INVITES_MAX)
		return -ENOSPC;
	l->item[l->n++] = *n;
	return 0;
}

void invites_remove(struct invite_list *l, const uint8_t nonce[NONCE_LEN])
{
	for (size_t i = 0; i < l->n; i++) {
		if (memcmp(l->item[i].nonce, nonce, NONCE_LEN) != 0)
			continue;
		l->item[i] = l->item[--l->n];
		return;
	}
}

const struct invite_note *invites_expired(const struct invite_list *l, uint64_t now_s)
{
	const struct invite_note *first = NULL;

	for (size_t i = 0; i < l->n; i++)
		if (l->item[i].expiry_s < now_s &&
		    (!first || l->item[i].expiry_s < first->expiry_s))
			first = &l->item[i];
	return first;
}

uint64_t invites_next_s(const struct invite_list *l, uint64_t now_s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < l->n; i++) {
		uint64_t expiry = l->item[i].expiry_s;

		next = MIN(next, expiry < now_s ? 0 : expiry - now_s + 1);
	}
	return next;
}
