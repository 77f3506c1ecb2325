/* SPDX-License-Identifier: MIT */
/* What machines of random schedules do with the membership log. */
#include "random_deeds.h"

struct random_log deeds_log;
struct entry_bytes deeds_pile[PILE]; /* what was signed, to be brought again */
size_t deeds_n_pile;
static struct raw_invite invites[PILE];
size_t deeds_n_invites;
uint8_t deeds_codes[CODES][SIGN_SEED_LEN];
size_t deeds_n_codes;
struct entry_bytes deeds_recovery; /* sent, and perhaps not in order yet */
static size_t recovery_next;	   /* the code that it names */
struct wire_head deeds_answered;   /* the newest that a reply told of, since the last restore */

/* --- whom ------------------------------------------------------------------------------------- */

struct machine *deeds_any_machine(void)
{
	struct machine *x;

	do
		x = &deeds_log.m[random_pick(&deeds_log, MACHINES)];
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
	struct machine *x = deeds_any_machine();

	for (int i = 0; i < 20 && !is_admin(x); i++)
		x = deeds_any_machine();
	return x;
}

/* Mostly a member. */
static const struct member *any_member(const struct mlog *l)
{
	const struct roster *r = mlog_roster(l);
	const struct member *m = NULL;

	for (int i = 0; i < 4; i++) {
		m = roster_at(r, random_pick(&deeds_log, roster_count(r, ROSTER_ALL)));
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

	if (random_chance(&deeds_log, 60) || h.seq == 0)
		return h;
	h.seq -= random_pick(&deeds_log, MIN(h.seq, 5) + 1);
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

static struct entry_bytes deeds_sign(const struct machine *x, const struct entry *e,
				     const struct signer *author, const struct signer *consent)
{
	struct entry_bytes b;
	struct err err = { .code = 0 };

	if (entry_make(e, x->r->cluster_id, author, consent, &b, &err) < 0)
		ck_abort_msg("%s: %s", x->name, err.text);
	if (deeds_n_pile < PILE)
		deeds_pile[deeds_n_pile++] = b;
	else
		deeds_pile[random_pick(&deeds_log, PILE)] = b;
	return b;
}

void deeds_submit(struct machine *by, const struct entry_bytes *b)
{
	struct signal_request rq = { .type = SIGNAL_APPEND, .entry = span_of(b->data, b->len) };
	static struct wire_entries one; /* large */
	struct signal_reply reply;
	struct record r;

	if (!random_sync_with_server(&deeds_log, by) ||
	    !random_ask(&deeds_log, by->r, &rq, &reply) || reply.refusal != REFUSAL_NONE)
		return;
	ck_assert_int_eq(record_decode(reply.record, &r, NULL), 0);
	deeds_answered.generation = r.order.generation;
	deeds_answered.seq = r.order.seq;
	memcpy(deeds_answered.hash, r.hash, HASH_LEN);
	one.n = 1;
	one.item[0] = reply.record;
	random_learn(&deeds_log, by, &one);
}

static void sign_and_submit(struct machine *x, const struct entry *e)
{
	struct signer author = *identity_signer(x->r->id);
	struct entry_bytes b = deeds_sign(x, e, &author, NULL);

	deeds_submit(random_chance(&deeds_log, 80) ? x : deeds_any_machine(), &b);
}

void deeds_remove(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_REMOVE);

	for (uint64_t n = 1 + random_pick(&deeds_log, 2); n > 0; n--)
		e.remove.id[e.remove.n++] = any_member(x->r->log)->id;
	id_list_sort(&e.remove);
	sign_and_submit(x, &e);
}

void deeds_leave(void)
{
	struct machine *x = deeds_any_machine();
	struct entry e = entry_of(x, ENTRY_REMOVE);

	e.remove.id[e.remove.n++] = x->id;
	sign_and_submit(x, &e);
}

void deeds_role(void)
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

void deeds_rename(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_RENAME);

	e.rename.id = any_member(x->r->log)->id;
	snprintf(e.rename.name, sizeof(e.rename.name), "name%u",
		 (unsigned)random_pick(&deeds_log, 60));
	sign_and_submit(x, &e);
}

void deeds_rotate(void)
{
	struct machine *x = deeds_any_machine();
	struct signer old = *identity_signer(x->r->id), new;
	struct entry e = entry_of(x, ENTRY_ROTATE);
	struct entry_bytes b;

	if (!x->next) {
		x->next = raw_new(&deeds_log.g);
		memcpy(x->next->cluster_id, x->r->cluster_id, HASH_LEN);
	}
	new = *identity_signer(x->next->id);
	memcpy(e.rotate.key, identity_key(x->next->id), KEY_LEN);
	b = deeds_sign(x, &e, &old, &new);
	deeds_submit(x, &b);
}

void deeds_cancel(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_CANCEL), removal;

	if (deeds_n_invites > 0 && random_chance(&deeds_log, 60)) {
		memcpy(e.cancel.nonce, invites[random_pick(&deeds_log, deeds_n_invites)].inv.nonce,
		       NONCE_LEN);
	} else {
		e.cancel.what = CANCEL_REMOVAL;
		for (size_t i = 0; i < deeds_n_pile; i++) {
			struct span bytes = span_of(deeds_pile[i].data, deeds_pile[i].len);

			ck_assert_int_eq(entry_decode(bytes, &removal, NULL), 0);
			if (removal.type == ENTRY_REMOVE)
				memcpy(e.cancel.hash, removal.payload_hash, HASH_LEN);
		}
	}
	sign_and_submit(x, &e);
}

void deeds_signal(void)
{
	struct machine *x = any_author();
	struct entry e = entry_of(x, ENTRY_SIGNAL);

	e.signal = *mlog_server(x->r->log);
	snprintf(e.signal.host, sizeof(e.signal.host), "signal%u.example",
		 (unsigned)random_pick(&deeds_log, 1000));
	sign_and_submit(x, &e);
}

/* --- the recovery code ------------------------------------------------------------------------ */

static void code_hash(size_t i, uint8_t ret[HASH_LEN])
{
	raw_code_hash(deeds_codes[i], ret);
}

static size_t new_code(void)
{
	ck_assert_uint_lt(deeds_n_codes, CODES);
	for (size_t i = 0; i < SIGN_SEED_LEN; i++)
		deeds_codes[deeds_n_codes][i] = (uint8_t)random_pick(&deeds_log, 256);
	return deeds_n_codes++;
}

/* The code that the log says is in force. */
static size_t code_of(const struct mlog *l)
{
	uint8_t hash[HASH_LEN];

	for (size_t i = 0; i < deeds_n_codes; i++) {
		code_hash(i, hash);
		if (mlog_recovery_is(l, hash))
			return i;
	}
	ck_abort_msg("nobody has the code of this log");
}

void deeds_renew(void)
{
	struct machine *x = any_author(), *second = any_author();
	struct signer author = *identity_signer(x->r->id),
		      consent = *identity_signer(second->r->id);
	struct entry e = entry_of(x, ENTRY_RENEW);
	struct entry_bytes b;

	if (deeds_n_codes == CODES || deeds_recovery.len > 0 || x == second)
		return; /* a person who has just used the code does not renew it */
	code_hash(new_code(), e.renew.next);
	e.renew.second = second->id;
	b = deeds_sign(x, &e, &author, &consent);
	deeds_submit(x, &b);
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
	for (size_t i = 0; i < deeds_log.n_left; i++) {
		const struct member *m = roster_by_id(mlog_roster(past), &deeds_log.left[i],
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
	struct signer author = { .seed = deeds_codes[code] };
	struct entry_bytes before = deeds_recovery;

	e.base = base;
	ck_assert_int_eq(seed_public(deeds_codes[code], e.recover.key), 0);
	e.author = key_node_id(e.recover.key);
	e.recover.admins.id[e.recover.admins.n++] = x->id;
	list_removed(x, past, &e.recover);
	reserve_dropped(x->r->log, past, &e.recover);
	recovery_next = new_code();
	code_hash(recovery_next, e.recover.next);
	e.recover.supersedes = span_of(before.data, before.len);
	deeds_recovery = deeds_sign(x, &e, &author, NULL);
	deeds_log.recover_step = deeds_log.step;
}

/* The first attempt, with the code in force. */
static void begin_recovery(const struct machine *x)
{
	struct head base = any_head(x->r->log);
	struct mlog *past = log_at(x->r->log, base.seq);
	size_t code = code_of(past);

	if (code == code_of(x->r->log) && deeds_n_codes < CODES &&
	    roster_by_id(mlog_roster(past), &x->id, ROSTER_ALL))
		sign_recovery(x, past, base, code);
	mlog_free(past);
}

/* Another one on the same base, with the code that the last attempt names. */
static void supersede_recovery(const struct machine *x)
{
	struct mlog *past;
	struct entry e;

	ck_assert_int_eq(entry_decode(span_of(deeds_recovery.data, deeds_recovery.len), &e, NULL),
			 0);
	if (e.recover.depth >= 3 || deeds_n_codes == CODES || !mlog_has_head(x->r->log, &e.base) ||
	    mlog_find(x->r->log, e.payload_hash) != 0)
		return;
	past = log_at(x->r->log, e.base.seq);
	if (roster_by_id(mlog_roster(past), &x->id, ROSTER_ALL))
		sign_recovery(x, past, e.base, recovery_next);
	mlog_free(past);
}

void deeds_recover(void)
{
	struct signal_request rq = { .type = SIGNAL_RECOVER };
	struct machine *x = deeds_any_machine();
	struct signal_reply reply;

	if (!random_sync_with_server(&deeds_log, x) || x->proof)
		return;
	if (deeds_recovery.len == 0)
		begin_recovery(x);
	else if (random_chance(&deeds_log, 40))
		supersede_recovery(x);
	if (deeds_recovery.len == 0)
		return;
	rq.entry = span_of(deeds_recovery.data, deeds_recovery.len);
	if (!random_ask(&deeds_log, x->r, &rq, &reply))
		return;
	deeds_recovery.len = 0; /* in order, or of no use */
	if (reply.refusal == REFUSAL_NONE)
		deeds_answered = reply.head;
	random_sync_with_server(&deeds_log, x);
}

/* --- joining ---------------------------------------------------------------------------------- */

static struct raw_invite *an_invite(void)
{
	struct machine *x = any_author();
	struct raw_invite *i;

	if (deeds_n_invites > 0 && random_chance(&deeds_log, 15))
		return &invites[random_pick(&deeds_log, deeds_n_invites)];
	if (!x->r->connected)
		raw_connect(x->r); /* the invite pins the server's key */
	i = &invites[deeds_n_invites < PILE ? deeds_n_invites++ : random_pick(&deeds_log, PILE)];
	*i = raw_invite_fields(x->r, 3600);
	i->inv.sponsor = x->id;
	i->inv.head = any_head(x->r->log);
	if (random_chance(&deeds_log, 25)) {
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
	if (!random_greet(&deeds_log, x, &reply) || !random_ask(&deeds_log, x->r, &rq, &reply))
		return;
	if (reply.refusal == REFUSAL_NONE) {
		deeds_answered = reply.head;
		memcpy(x->r->token, reply.node_token, HASH_LEN);
		if (random_fetch(&deeds_log, x, &head))
			x->admit.len = 0;
	} else if (reply.refusal != REFUSAL_RESTORED && reply.refusal != REFUSAL_RATE) {
		x->admit.len = 0;
	}
	if (x->admit.len == 0 && !x->r->log) {
		raw_free(x->r);
		x->r = NULL;
	}
}

void deeds_join(void)
{
	struct machine *x = &deeds_log.m[random_pick(&deeds_log, MACHINES)];
	struct raw_invite *i;
	static unsigned number;

	if (x->r && x->admit.len > 0)
		send_admit(x);
	if (x->r)
		return;
	i = an_invite();
	*x = (struct machine){ .r = raw_new(&deeds_log.g) };
	x->id = identity_node_id(x->r->id);
	snprintf(x->name, sizeof(x->name), "node%u", ++number);
	memcpy(x->r->cluster_id, deeds_log.m[0].r->cluster_id, HASH_LEN);
	x->admit = raw_admit_entry(x->r, i, i->inv.replaces ? "" : x->name);
	send_admit(x);
}

void deeds_forget(void)
{
	struct machine *x = &deeds_log.m[1 + random_pick(&deeds_log, MACHINES - 1)];

	if (!x->r || !x->r->log || self_of(x) || x->proof)
		return;
	random_machine_free(x);
}
