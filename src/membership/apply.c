/* SPDX-License-Identifier: MIT */
/* What a record does, once it obeys the rules. Room was reserved, so nothing here fails. */
#include <stdlib.h>

#include "crypto/hash.h"
#include "membership/internal.h"

/* A mark in maps that say "yes" only. */
static const char mark;
#define MARK ((void *)(uintptr_t)&mark)

void cancel_key(const uint8_t hash[HASH_LEN], const struct node_id *author, uint8_t ret[HASH_LEN])
{
	sha256_2(span_of(hash, HASH_LEN), span_of(author->bytes, NODE_ID_LEN), ret);
}

static const struct member *member_of(const struct mlog *l, const struct node_id *id)
{
	return roster_by_id(l->roster, id, ROSTER_ALL);
}

/* The server, by the record `by`. */
static void set_server(struct mlog *l, const struct log_server *server, uint64_t by)
{
	struct key_epoch *epoch = &l->s.epochs[l->s.n_epochs++];

	l->s.server = *server;
	epoch->by = by;
	memcpy(epoch->key, server->order_key, KEY_LEN);
}

/* The code in force is used up. */
static void past_code(struct mlog *l, const uint8_t hash[HASH_LEN], uint64_t seq)
{
	struct past_code *past = &l->s.past_codes[l->s.n_past_codes++];

	memcpy(past->hash, hash, HASH_LEN);
	past->by = seq;
}

/* The next recovery code is in force. */
static void set_code(struct mlog *l, const uint8_t next[HASH_LEN], uint64_t seq)
{
	l->s.codes++;
	memcpy(l->s.recovery, next, HASH_LEN);
	l->s.code_seq = seq;
}

/* --- genesis, admit ------------------------------------------------------------------------- */

void apply_genesis(struct mlog *l, const struct placed *p)
{
	const struct entry *e = p->entry;
	const struct genesis *g = &e->genesis;
	struct member m = { .id = e->author,
			    .address = g->address,
			    .role = ROLE_ADMIN,
			    .invited_role = ROLE_ADMIN,
			    .sponsor = e->author,
			    .joined_s = e->time_s,
			    .key_since_s = e->time_s };

	memcpy(m.key, g->key, KEY_LEN);
	memcpy(m.name, g->node_name, sizeof(m.name));
	l->s.genesis = *g;
	memcpy(l->s.recovery, g->recovery, HASH_LEN);
	set_server(l, &g->server, 0);
	(void)roster_join(l->roster, &m);
}

void apply_admit(struct mlog *l, const struct placed *p)
{
	const struct admit *a = &p->entry->admit;
	const struct invite *inv = &a->invite_decoded;
	uint64_t seq = p->order->seq, time_s = p->order->time_s;
	struct member m = { .id = p->entry->author,
			    .address = p->order->address,
			    .role = ROLE_NODE,
			    .invited_role = inv->role,
			    .sponsor = inv->sponsor,
			    .joined_s = time_s,
			    .key_since_s = time_s,
			    .joined_seq = seq,
			    .role_seq = seq,
			    .key_seq = seq,
			    .name_seq = seq };
	const struct member *old = inv->replaces ? member_of(l, &inv->replace) : NULL;
	struct roster_leave leave = { LEFT_REPLACED, seq, time_s, inv->sponsor };

	memcpy(m.key, a->key, KEY_LEN);
	memcpy(m.name, old ? old->name : a->node_name, sizeof(m.name));
	if (old)
		m.address = old->address;
	if (old && member_is_current(old))
		roster_leave(l->roster, old, &leave);
	(void)roster_join(l->roster, &m);
	put_reserved(l->s.nonces, inv->nonce, (void *)(uintptr_t)(seq + 1));
}

/* --- the others ----------------------------------------------------------------------------- */

void apply_cancel(struct mlog *l, const struct placed *p)
{
	const struct cancel *c = &p->entry->cancel;
	uint8_t key[HASH_LEN];

	if (c->what == CANCEL_INVITE)
		put_reserved(l->s.nonces, c->nonce, (void *)(uintptr_t)NONCE_CANCELLED);
	else {
		cancel_key(c->hash, &p->entry->author, key);
		put_reserved(l->s.cancelled, key, MARK);
	}
}

static void leave_all(struct mlog *l, const struct id_list *ids, const struct roster_leave *leave)
{
	for (size_t i = 0; i < ids->n; i++) {
		const struct member *m = member_of(l, &ids->id[i]);

		if (m && member_is_current(m))
			roster_leave(l->roster, m, leave);
	}
}

void apply_remove(struct mlog *l, const struct placed *p)
{
	const struct entry *e = p->entry;
	bool leaves = e->remove.n == 1 && node_id_equal(&e->remove.id[0], &e->author);
	struct roster_leave leave = { leaves ? LEFT_BY_ITSELF : LEFT_REMOVED, p->order->seq,
				      p->order->time_s, e->author };

	leave_all(l, &e->remove, &leave);
}

void apply_promote(struct mlog *l, const struct placed *p)
{
	roster_set_role(l->roster, member_of(l, &p->entry->promote.id), ROLE_ADMIN, p->order->seq);
}

void apply_demote(struct mlog *l, const struct placed *p)
{
	roster_set_role(l->roster, member_of(l, &p->entry->demote.id), ROLE_NODE, p->order->seq);
}

void apply_rename(struct mlog *l, const struct placed *p)
{
	roster_rename(l->roster, member_of(l, &p->entry->rename.id), p->entry->rename.name,
		      p->order->seq);
}

void apply_rotate(struct mlog *l, const struct placed *p)
{
	roster_rekey(l->roster, member_of(l, &p->entry->author), p->entry->rotate.key,
		     p->order->seq, p->order->time_s);
}

void apply_signal(struct mlog *l, const struct placed *p)
{
	set_server(l, &p->entry->signal, p->order->seq);
}

void apply_renew(struct mlog *l, const struct placed *p)
{
	past_code(l, l->s.recovery, p->order->seq);
	set_code(l, p->entry->renew.next, p->order->seq);
}

void apply_skipped(struct mlog *l, const struct placed *p)
{
	(void)l;
	(void)p;
}

/* --- recover -------------------------------------------------------------------------------- */

/* The members that the code names are admins since this record, all others plain nodes. */
static void recover_roles(struct mlog *l, const struct recover *c, uint64_t seq)
{
	const struct member *m = NULL;

	while ((m = roster_next(l->roster, m, ROSTER_CURRENT))) {
		if (id_list_has(&c->admins, &m->id))
			roster_set_role(l->roster, m, ROLE_ADMIN, seq);
		else if (m->role != ROLE_NODE)
			roster_set_role(l->roster, m, ROLE_NODE, seq);
	}
}

/* Somebody who had left is a member again. */
static void rejoin(struct mlog *l, const struct member *former, const struct order *o)
{
	struct member m = *former;

	m.joined_s = o->time_s;
	m.joined_seq = m.role_seq = m.key_seq = m.name_seq = o->seq;
	(void)roster_join(l->roster, &m);
}

/* The codes of all attempts are used up, and none of those that were superseded counts any more. */
static void recover_attempts(struct mlog *l, const struct entry *e, uint64_t seq)
{
	struct entry earlier;
	uint8_t hash[HASH_LEN];

	if (entry_superseded(e, &earlier) == 0) {
		recover_attempts(l, &earlier, seq);
		put_reserved(l->s.superseded, earlier.payload_hash, MARK);
	}
	sha256(span_of(e->recover.key, KEY_LEN), hash);
	past_code(l, hash, seq);
}

void apply_recover(struct mlog *l, const struct placed *p)
{
	const struct recover *c = &p->entry->recover;
	struct roster_leave leave = { LEFT_BY_RECOVERY, p->order->seq, p->order->time_s,
				      p->entry->author };
	struct generation *g = &l->s.generations[l->s.n_generations++];

	g->number = p->order->generation;
	g->seq = p->order->seq;
	place_hash(p->order, p->entry->hash, g->hash);
	recover_attempts(l, p->entry, p->order->seq);
	set_code(l, c->next, p->order->seq);
	leave_all(l, &c->removed, &leave);
	for (size_t i = 0; i < c->admins.n; i++) {
		const struct member *m = member_of(l, &c->admins.id[i]);

		if (!member_is_current(m))
			rejoin(l, m, p->order);
	}
	recover_roles(l, c, p->order->seq);
	for (size_t i = 0; i < c->n_reserved; i++) {
		uint8_t hash[HASH_LEN];

		sha256(span_str(c->reserved[i].name), hash);
		put_reserved(l->s.names, hash, MARK);
		if (c->reserved[i].address)
			put_reserved(l->s.addresses, &c->reserved[i].address, MARK);
	}
	if (c->has_server)
		set_server(l, &c->server, p->order->seq);
}
