/* SPDX-License-Identifier: MIT */
/* The receipts of records that somebody shows: what does the server vouch for? */
#include "membership/take_internal.h"

/* Once: the key follows from the records before it, however many are left of those behind it. */
static bool verify(struct taking *t, size_t i, const uint8_t key[KEY_LEN])
{
	struct shown *s = &t->shown[i];
	const uint8_t *id = mlog_cluster_id(t->l);

	if (s->record.genesis)
		return true;
	if (s->tried)
		return s->verified;
	if (!id)
		id = t->shown[0].record.hash;
	s->tried = true;
	s->verified = s->record.receipt &&
		      receipt_verify(key, id, &s->record.order, s->record.entry_hash,
				     s->record.receipt) == 0;
	return s->verified;
}

/* The order key that an entry names, if it does. *ret_known: our log has the entry. */
static bool key_named(const struct mlog *l, const struct record *r, unsigned type,
		      uint8_t key[KEY_LEN], bool *ret_known)
{
	struct entry e;
	const struct log_server *s;

	*ret_known = false;

	if ((type != ENTRY_GENESIS && type != ENTRY_SIGNAL && type != ENTRY_RECOVER) ||
	    entry_decode(r->entry, &e, NULL) < 0 ||
	    (type == ENTRY_RECOVER && !e.recover.has_server))
		return false;
	s = type == ENTRY_GENESIS  ? &e.genesis.server
	    : type == ENTRY_SIGNAL ? &e.signal
				   : &e.recover.server;
	memcpy(key, s->order_key, KEY_LEN);
	*ret_known = mlog_find(l, e.payload_hash) != 0;
	return true;
}

bool take_verify_receipts(struct taking *t)
{
	const struct record *first = &t->shown[t->first].record;
	uint8_t key[KEY_LEN] = { 0 }, named[KEY_LEN];
	bool known;

	if (!first->genesis)
		memcpy(key, mlog_order_key(t->l, first->order.seq), KEY_LEN);
	for (size_t i = t->first; i < t->n; i++) {
		const struct record *r = &t->shown[i].record;
		unsigned type = entry_peek(r->entry);
		bool changes = key_named(t->l, r, type, named, &known);
		bool needed = i + 1 == t->n || changes || type == ENTRY_RECOVER;

		t->shown[i].own_key = changes && type == ENTRY_RECOVER && !known;
		if (changes && type == ENTRY_RECOVER) {
			/* kept if it is true: nothing else may show who ordered what is before */
			if (i > t->first)
				(void)verify(t, i - 1, key);
			memcpy(key, named, KEY_LEN);
		}
		if (needed && !verify(t, i, key))
			return false;
		if (changes)
			memcpy(key, named, KEY_LEN);
	}
	return true;
}

bool take_is_vouched(const struct taking *t, size_t i)
{
	for (; i < t->n && !t->shown[i].own_key; i++)
		if (t->shown[i].verified)
			return true;
	return false;
}
