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

bool invites_drop_expired(struct invite_list *l, uint64_t now_s)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->item[i].expiry_s >= now_s)
			l->item[kept++] = l->item[i];
	bool any = kept < l->n;

	l->n = kept;
	return any;
}
