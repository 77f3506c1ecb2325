/* SPDX-License-Identifier: MIT */
/* What machines of random schedules do with the membership log: entries of all types, joins. */
#ifndef MLSH_TESTS_RANDOM_DEEDS_H
#define MLSH_TESTS_RANDOM_DEEDS_H

#include "../unit/roster_kit.h"
#include "random_log.h"

#define PILE 48
#define CODES 24

static struct random_log s;
static struct entry_bytes pile[PILE]; /* what was signed, to be brought again */
static size_t n_pile;
static struct raw_invite invites[PILE];
static size_t n_invites;
static uint8_t codes[CODES][SIGN_SEED_LEN];
static size_t n_codes;
static struct entry_bytes recovery; /* sent, and perhaps not in order yet */
static size_t recovery_next;	    /* the code that it names */
static struct wire_head answered;   /* the newest that a reply told of, since the last restore */

/* --- whom ------------------------------------------------------------------------------------- */

static struct machine *any_machine(void)
{
	struct machine *x;

	do
		x = &s.m[random_pick(&s, MACHINES)];
	while (!x->r || !x->r->log);
	return x;
}

static const struct member *self_of(const struct machine *x)
{
	return roster_by_id(mlog_roster(x->r->log), &x->id, ROSTER_CURRENT);
}

static bool is_admin(const struct machine *x)
{
	const struct member *m = self_of(x);

	return m && m->role == ROLE_ADMIN;
}

/* Mostly an admin. */
static struct machine *any_author(void)
{
	struct machine *x = any_machine();

	for (int i = 0; i < 20 && !is_admin(x); i++)
		x = any_machine();
	return x;
}

/* Mostly a member. */
static const struct member *any_member(const struct mlog *l)
{
	const struct roster *r = mlog_roster(l);
	const struct member *m = NULL;

	for (int i = 0; i < 4; i++) {
		m = roster_at(r, random_pick(&s, roster_count(r, ROSTER_ALL)));
		if (m && member_is_current(m))
			return m;
	}
	return m ? m : roster_at(r, 0);
}

/* --- entries ---------------------------------------------------------------------------------- */

/* The newest head of the log, or an older one. */
static struct head any_head(const struct mlog *l)
{
	struct head h = mlog_head(l);
	struct record r;
	struct entry e;

	if (random_chance(&s, 60) || h.seq == 0)
		return h;
	h.seq -= random_pick(&s, MIN(h.seq, 5) + 1);
	ck_assert_int_eq(mlog_get(l, h.seq, &r, &e), 0);
	memcpy(h.hash, r.hash, HASH_LEN);
	return h;
}

static struct entry entry_of(const struct machine *x, enum entry_type type)
{
	return (struct entry){ .type = type,
			       .time_s = raw_now_s(x->r),
			       .author = x->id,
			       .base = any_head(x->r->log) };
}

static struct entry_bytes sign(const struct machine *x, const struct entry *e,
			       const struct signer *author, const struct signer *consent)
{
	struct entry_bytes b;
	struct err err = { .code = 0 };

	if (entry_make(e, x->r->cluster_id, author, consent, &b, &err) < 0)
		ck_abort_msg("%s: %s", x->name, err.text);
	if (n_pile < PILE)
		pile[n_pile++] = b;
	else
		pile[random_pick(&s, PILE)] = b;
	return b;
}

/* Puts the entry in order, if the server lets it. */
static void submit(struct machine *by, const struct entry_bytes *b)
{
	struct signal_request rq = { .type = SIGNAL_APPEND, .entry = span_of(b->data, b->len) };
	static struct wire_entries one; /* large */
	struct signal_reply reply;
	struct record r;

	if (!random_sync_with_server(&s, by) || !random_ask(&s, by->r, &rq, &reply) ||
	    reply.refusal != REFUSAL_NONE)
		return;
	ck_assert_int_eq(record_decode(reply.record, &r, NULL), 0);
	answered.generation = r.order.generation;
	answered.seq = r.order.seq;
	memcpy(answered.hash, r.hash, HASH_LEN);
	one.n = 1;
	one.item[0] = reply.record;
	random_learn(&s, by, &one);
}

static void sign_and_submit(struct machine *x, const struct entry *e)
{
	struct signer author = *identity_signer(x->r->id);
	struct entry_bytes b = sign(x, e, &author, NULL);

	submit(random_chance(&s, 80) ? x : any_machine(), &b);
}

static void do_remove(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_REMOVE);

	for (uint64_t n = 1 + random_pick(&s, 2); n > 0; n--)
		e.remove.id[e.remove.n++] = any_member(x->r->log)->id;
	id_list_sort(&e.remove);
	sign_and_submit(x, &e);
}

static void do_leave(void)
{
	struct machine *x = any_machine();
	struct entry e = entry_of(x, ENTRY_REMOVE);

	e.remove.id[e.remove.n++] = x->id;
	sign_and_submit(x, &e);
}

static void do_role(void)
{
	struct machine *x = any_author();
	const struct member *m = any_member(x->r->log);
	struct entry e = entry_of(x, m->role == ROLE_ADMIN ? ENTRY_DEMOTE : ENTRY_PROMOTE);

	if (e.type == ENTRY_DEMOTE) {
		e.demote.id = m->id;
	} else {
		e.promote.id = m->id;
		memcpy(e.promote.key_sha256, m->key_sha256, HASH_LEN);
	}
	sign_and_submit(x, &e);
}

static void do_rename(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_RENAME);

	e.rename.id = any_member(x->r->log)->id;
	snprintf(e.rename.name, sizeof(e.rename.name), "name%u", (unsigned)random_pick(&s, 60));
	sign_and_submit(x, &e);
}

static void do_rotate(void)
{
	struct machine *x = any_machine();
	struct signer old = *identity_signer(x->r->id), new;
	struct entry e = entry_of(x, ENTRY_ROTATE);
	struct entry_bytes b;

	if (!x->next) {
		x->next = raw_new(&s.g);
		memcpy(x->next->cluster_id, x->r->cluster_id, HASH_LEN);
	}
	new = *identity_signer(x->next->id);
	memcpy(e.rotate.key, identity_key(x->next->id), KEY_LEN);
	b = sign(x, &e, &old, &new);
	submit(x, &b);
}

static void do_cancel(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_CANCEL), removal;

	if (n_invites > 0 && random_chance(&s, 60)) {
		memcpy(e.cancel.nonce, invites[random_pick(&s, n_invites)].inv.nonce, NONCE_LEN);
	} else {
		e.cancel.what = CANCEL_REMOVAL;
		for (size_t i = 0; i < n_pile; i++) {
			struct span bytes = span_of(pile[i].data, pile[i].len);

			ck_assert_int_eq(entry_decode(bytes, &removal, NULL), 0);
			if (removal.type == ENTRY_REMOVE)
				memcpy(e.cancel.hash, removal.payload_hash, HASH_LEN);
		}
	}
	sign_and_submit(x, &e);
}

/* The same server by another name: it goes on ordering. */
static void do_signal(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_SIGNAL);

	e.signal = *mlog_server(x->r->log);
	snprintf(e.signal.host, sizeof(e.signal.host), "signal%u.example",
		 (unsigned)random_pick(&s, 1000));
	sign_and_submit(x, &e);
}

/* --- the recovery code ------------------------------------------------------------------------ */

static void code_hash(size_t i, uint8_t ret[HASH_LEN])
{
	raw_code_hash(codes[i], ret);
}

static size_t new_code(void)
{
	ck_assert_uint_lt(n_codes, CODES);
	for (size_t i = 0; i < SIGN_SEED_LEN; i++)
		codes[n_codes][i] = (uint8_t)random_pick(&s, 256);
	return n_codes++;
}

/* The code that the log says is in force. */
static size_t code_of(const struct mlog *l)
{
	uint8_t hash[HASH_LEN];

	for (size_t i = 0; i < n_codes; i++) {
		code_hash(i, hash);
		if (mlog_recovery_is(l, hash))
			return i;
	}
	ck_abort_msg("nobody has the code of this log");
}

static void do_renew(void)
{
	struct machine *x = any_author(), *second = any_author();
	struct signer author = *identity_signer(x->r->id),
		      consent = *identity_signer(second->r->id);
	struct entry e = entry_of(x, ENTRY_RENEW);
	struct entry_bytes b;

	if (n_codes == CODES || recovery.len > 0 || x == second)
		return; /* a person who has just used the code does not renew it */
	code_hash(new_code(), e.renew.next);
	e.renew.second = second->id;
	b = sign(x, &e, &author, &consent);
	submit(x, &b);
}

/* The log up to and with a head. */
static struct mlog *log_at(const struct mlog *l, uint64_t seq)
{
	static const uint8_t seed[16];
	struct mlog *past = mlog_new(seed);

	for (uint64_t i = 0; i <= seq; i++)
		ck_assert_int_eq(mlog_reload(past, mlog_record(l, i), NULL), 0);
	mlog_commit(past);
	return past;
}

/* All that anybody reaches saw leave, as far as they are members at the base. */
static void list_removed(const struct machine *x, const struct mlog *past, struct recover *c)
{
	for (size_t i = 0; i < s.n_left; i++) {
		const struct member *m = roster_by_id(mlog_roster(past), &s.left[i],
						      ROSTER_CURRENT);

		if (m && !node_id_equal(&m->id, &x->id) && !id_list_has(&c->removed, &m->id))
			c->removed.id[c->removed.n++] = m->id;
	}
	id_list_sort(&c->removed);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct reserved *)a)->name, ((const struct reserved *)b)->name);
}

static void reserve_dropped(const struct mlog *l, const struct mlog *past, struct recover *c)
{
	struct record r;
	struct entry e;

	for (uint64_t seq = mlog_count(past); mlog_get(l, seq, &r, &e) == 0; seq++) {
		struct reserved *to = &c->reserved[c->n_reserved];

		if (c->n_reserved == RECOVER_RESERVED_MAX || e.type != ENTRY_ADMIT ||
		    r.order.address == 0)
			continue;
		snprintf(to->name, sizeof(to->name), "%s", e.admit.node_name);
		to->address = r.order.address;
		c->n_reserved++;
	}
	qsort(c->reserved, c->n_reserved, sizeof(c->reserved[0]), by_name);
}

/* As `mlsh recover` does: what was signed is sent until it is in order, or superseded. */
static void sign_recovery(const struct machine *x, const struct mlog *past, struct head base,
			  size_t code)
{
	struct entry e = entry_of(x, ENTRY_RECOVER);
	struct signer author = { .seed = codes[code] };
	struct entry_bytes before = recovery;

	e.base = base;
	ck_assert_int_eq(seed_public(codes[code], e.recover.key), 0);
	e.author = key_node_id(e.recover.key);
	e.recover.admins.id[e.recover.admins.n++] = x->id;
	list_removed(x, past, &e.recover);
	reserve_dropped(x->r->log, past, &e.recover);
	recovery_next = new_code();
	code_hash(recovery_next, e.recover.next);
	e.recover.supersedes = span_of(before.data, before.len);
	recovery = sign(x, &e, &author, NULL);
	s.recover_step = s.step;
}

/* The first attempt, with the code in force. */
static void begin_recovery(const struct machine *x)
{
	struct head base = any_head(x->r->log);
	struct mlog *past = log_at(x->r->log, base.seq);
	size_t code = code_of(past);

	if (code == code_of(x->r->log) && n_codes < CODES &&
	    roster_by_id(mlog_roster(past), &x->id, ROSTER_ALL))
		sign_recovery(x, past, base, code);
	mlog_free(past);
}

/* Another one on the same base, with the code that the last attempt names. */
static void supersede_recovery(const struct machine *x)
{
	struct mlog *past;
	struct entry e;

	ck_assert_int_eq(entry_decode(span_of(recovery.data, recovery.len), &e, NULL), 0);
	if (e.recover.depth >= 3 || n_codes == CODES || !mlog_has_head(x->r->log, &e.base) ||
	    mlog_find(x->r->log, e.payload_hash) != 0)
		return;
	past = log_at(x->r->log, e.base.seq);
	if (roster_by_id(mlog_roster(past), &x->id, ROSTER_ALL))
		sign_recovery(x, past, e.base, recovery_next);
	mlog_free(past);
}

static void do_recover(void)
{
	struct signal_request rq = { .type = SIGNAL_RECOVER };
	struct machine *x = any_machine();
	struct signal_reply reply;

	if (!random_sync_with_server(&s, x) || x->proof)
		return;
	if (recovery.len == 0)
		begin_recovery(x);
	else if (random_chance(&s, 40))
		supersede_recovery(x);
	if (recovery.len == 0)
		return;
	rq.entry = span_of(recovery.data, recovery.len);
	if (!random_ask(&s, x->r, &rq, &reply))
		return;
	recovery.len = 0; /* in order, or of no use */
	if (reply.refusal == REFUSAL_NONE)
		answered = reply.head;
	random_sync_with_server(&s, x);
}

/* --- joining ---------------------------------------------------------------------------------- */

static struct raw_invite *an_invite(void)
{
	struct machine *x = any_author();
	struct raw_invite *i;

	if (n_invites > 0 && random_chance(&s, 15))
		return &invites[random_pick(&s, n_invites)];
	if (!x->r->connected)
		raw_connect(x->r); /* the invite pins the server's key */
	i = &invites[n_invites < PILE ? n_invites++ : random_pick(&s, PILE)];
	*i = raw_invite_fields(x->r, 3600);
	i->inv.sponsor = x->id;
	i->inv.head = any_head(x->r->log);
	if (random_chance(&s, 25)) {
		i->inv.replaces = true;
		i->inv.replace = any_member(x->r->log)->id;
	}
	raw_invite_sign(i, x->r);
	return i;
}

/* Sends the admission that it has signed, as often as it takes. */
static void send_admit(struct machine *x)
{
	struct signal_request rq = { .type = SIGNAL_ADMIT };
	struct signal_reply reply;
	struct wire_head head;

	rq.entry = span_of(x->admit.data, x->admit.len);
	if (!random_greet(&s, x, &reply) || !random_ask(&s, x->r, &rq, &reply))
		return;
	if (reply.refusal == REFUSAL_NONE) {
		answered = reply.head;
		memcpy(x->r->token, reply.node_token, HASH_LEN);
		if (random_fetch(&s, x, &head))
			x->admit.len = 0;
	} else if (reply.refusal != REFUSAL_RESTORED && reply.refusal != REFUSAL_RATE) {
		x->admit.len = 0;
	}
	if (x->admit.len == 0 && !x->r->log) {
		raw_free(x->r);
		x->r = NULL;
	}
}

static void do_join(void)
{
	struct machine *x = &s.m[random_pick(&s, MACHINES)];
	struct raw_invite *i;
	static unsigned number;

	if (x->r && x->admit.len > 0)
		send_admit(x);
	if (x->r)
		return;
	i = an_invite();
	*x = (struct machine){ .r = raw_new(&s.g) };
	x->id = identity_node_id(x->r->id);
	snprintf(x->name, sizeof(x->name), "node%u", ++number);
	memcpy(x->r->cluster_id, s.m[0].r->cluster_id, HASH_LEN);
	x->admit = raw_admit_entry(x->r, i, i->inv.replaces ? "" : x->name);
	send_admit(x);
}

/* Makes room for others. */
static void do_forget(void)
{
	struct machine *x = &s.m[1 + random_pick(&s, MACHINES - 1)];

	if (!x->r || !x->r->log || self_of(x) || x->proof)
		return;
	random_machine_free(x);
}

#endif
