/* SPDX-License-Identifier: MIT */
/* Machines that bring their logs together with a server's, or another machine's. */
#include "random_log.h"

uint64_t random_pick(struct random_log *s, uint64_t below)
{
	return unit_random_below(&s->rng, below);
}

bool random_chance(struct random_log *s, unsigned percent)
{
	return random_pick(s, 100) < percent;
}

/* --- the server ------------------------------------------------------------------------------- */

void random_server_restart(struct random_log *s)
{
	sig_crash(&s->g);
	sig_boot(&s->g);
	s->kills++;
}

struct cluster *random_server_cluster(struct random_log *s)
{
	return registry_find(s->g.s->registry, s->m[0].r->cluster_id);
}

/* --- what a machine believes ------------------------------------------------------------------ */

static bool is_gone(const struct machine *x, const struct node_id *id, size_t *ret)
{
	for (size_t i = 0; i < x->n_gone; i++) {
		if (!node_id_equal(&x->gone[i], id))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

static unsigned first_left(struct random_log *s, const struct node_id *id)
{
	for (size_t i = 0; i < s->n_left; i++)
		if (node_id_equal(&s->left[i], id))
			return s->left_step[i];
	ck_assert_uint_lt(s->n_left, ARRAY_LEN(s->left));
	s->left[s->n_left] = *id;
	s->left_step[s->n_left++] = s->step;
	return s->step;
}

/*
 * It is there again: only a recovery does that, which names it as an admin, or was signed before
 * anybody had heard that it left.
 */
static bool may_return(struct random_log *s, const struct mlog *l, const struct node_id *id)
{
	uint64_t generation = mlog_generation(l), seq;
	struct record r;
	struct entry e;

	if (generation == 0)
		return false;
	for (seq = mlog_count(l) - 1; seq > 0; seq--) {
		ck_assert_int_eq(mlog_get(l, seq, &r, &e), 0);
		if (e.type == ENTRY_RECOVER)
			return id_list_has(&e.recover.admins, id) ||
			       first_left(s, id) >= s->recover_step;
	}
	return false;
}

static void watch(struct random_log *s, struct machine *x)
{
	const struct roster *r = mlog_roster(x->r->log);
	const struct member *m;
	size_t at;

	for (m = NULL; (m = roster_next(r, m, ROSTER_ALL));) {
		bool known = is_gone(x, &m->id, &at);

		if (!member_is_current(m) && !known) {
			ck_assert_uint_lt(x->n_gone, ARRAY_LEN(x->gone));
			x->gone[x->n_gone++] = m->id;
			(void)first_left(s, &m->id);
		} else if (member_is_current(m) && known) {
			ck_assert_msg(may_return(s, x->r->log, &m->id), "%s: %s is back", x->name,
				      m->name);
			x->gone[at] = x->gone[--x->n_gone];
		}
	}
	oracle_check(x->r->log, NULL);
}

enum mlog_taken random_learn(struct random_log *s, struct machine *x, const struct wire_entries *e)
{
	static const uint8_t seed[16];
	struct mlog_take take;

	if (!x->r->log)
		x->r->log = mlog_new(seed);
	mlog_take(x->r->log, e->item, e->n, &take);
	mlog_commit(x->r->log);
	switch (take.result) {
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
		x->proof = true;
		break;
	case TAKEN:
	case TAKEN_OLD:
	case TAKEN_GAP:
	case TAKEN_PARTED:
		break;
	case TAKEN_UNPROVEN: /* everybody here is honest */
	case TAKEN_INVALID:
	case TAKEN_UPGRADE:
	case TAKEN_NO_MEMORY:
		ck_abort_msg("%s: %d: %s", x->name, (int)take.result, take.why.text);
	}
	if (take.added > 0 || take.reorganised)
		watch(s, x);
	return take.result;
}

void random_gossip(struct random_log *s, struct machine *from, struct machine *to)
{
	static struct wire_entries page; /* large */

	if (!from->r || !to->r || !from->r->log || from == to)
		return;
	for (uint64_t seq = 0; seq < mlog_count(from->r->log); seq += page.n) {
		mlog_page(from->r->log, seq, &page);
		if (page.n == 0)
			return;
		random_learn(s, to, &page);
	}
}

/* --- requests --------------------------------------------------------------------------------- */

/* Returns false if the connection has ended. */
static bool send_request(struct raw *r, const struct signal_request *rq)
{
	static uint8_t frame[RAW_FRAME];
	ptrdiff_t len = signal_request_encode(rq, frame, sizeof(frame));

	ck_assert_int_gt(len, 0);
	r->answered = r->reset = false;
	r->reply_len = 0;
	return !r->closed && quic_stream_open(r->c, true, &r->stream) == 0 &&
	       quic_stream_write(r->c, r->stream, frame, (size_t)len, true) == 0;
}

bool random_ask(struct random_log *s, struct raw *r, const struct signal_request *rq,
		struct signal_reply *reply)
{
	struct span message;
	size_t used;

	if (!send_request(r, rq))
		return false;
	if (random_chance(s, s->lose_percent)) {
		world_run(s->g.w, random_pick(s, 30 * NS_PER_MS), NULL, NULL);
		random_server_restart(s);
	} else {
		world_run(s->g.w, 30 * NS_PER_S, raw_is_answered, r);
	}
	if (!r->answered || r->closed)
		return false;
	ck_assert_int_eq(frame_next(span_of(r->reply, r->reply_len), SIGNAL_MESSAGE_MAX, &message,
				    &used),
			 1);
	ck_assert_int_eq(signal_reply_decode(rq->type, message, reply), 0);
	s->refused[MIN((unsigned)reply->refusal, 255u)]++;
	return true;
}

bool random_greet(struct random_log *s, struct machine *x, struct signal_reply *reply)
{
	struct signal_request rq = { .type = SIGNAL_HELLO };

	memcpy(rq.cluster_id, x->r->cluster_id, HASH_LEN);
	return raw_try_connect(x->r) && random_ask(s, x->r, &rq, reply) &&
	       reply->refusal == REFUSAL_NONE;
}

/* Brings what the server lacks, as its head says. */
static void push(struct random_log *s, struct machine *x, const struct wire_head *head)
{
	static struct signal_request rq; /* large */
	struct signal_reply reply = { .refusal = REFUSAL_NONE };
	uint64_t from;

	if (!x->r->log || session_plan(x->r->log, head, &from) != SESSION_PUSH)
		return;
	rq.type = SIGNAL_PUSH;
	memcpy(rq.node_token, x->r->token, HASH_LEN);
	while (from < mlog_count(x->r->log)) {
		mlog_page(x->r->log, from, &rq.entries);
		if (rq.entries.n == 0 || !random_ask(s, x->r, &rq, &reply) ||
		    reply.refusal != REFUSAL_NONE)
			break;
		from += rq.entries.n;
	}
	if (reply.refusal == REFUSAL_BAD_ENTRY || reply.refusal == REFUSAL_TAMPERED)
		ck_abort_msg("%s: %.*s", x->name, (int)reply.text.len,
			     (const char *)reply.text.data);
}

bool random_fetch(struct random_log *s, struct machine *x, struct wire_head *ret)
{
	struct signal_request rq = { .type = SIGNAL_LOG };
	struct signal_reply reply;
	bool whole = false; /* where do they part? */

	for (unsigned i = 0; i < PAGES_MAX; i++) {
		enum mlog_taken taken = TAKEN;
		uint64_t from;

		rq.generation = x->r->log ? mlog_generation(x->r->log) : 0;
		if (!whole)
			rq.from = x->r->log ? mlog_count(x->r->log) : 0;
		if (!random_ask(s, x->r, &rq, &reply) || reply.refusal != REFUSAL_NONE)
			return false;
		*ret = reply.head;
		if (reply.entries.n > 0)
			taken = random_learn(s, x, &reply.entries);
		else if (whole || session_plan(x->r->log, ret, &from) != SESSION_FORKED)
			return true;
		if (taken == TAKEN_OLD || x->proof)
			return true;
		if (!whole && (reply.entries.n == 0 || taken != TAKEN)) {
			whole = true;
			rq.from = 0;
		} else {
			rq.from = reply.first + reply.entries.n;
		}
	}
	ck_abort_msg("%s: no end of the log", x->name);
}

/* Its log and token go with it to another key. */
static void take_key(struct machine *x, struct raw *to)
{
	to->log = x->r->log;
	x->r->log = NULL;
	memcpy(to->token, x->r->token, HASH_LEN);
	x->r = to;
}

/* A session, with what that needs before: both logs become one, if they can. */
static bool meet_server(struct random_log *s, struct machine *x, enum refusal *ret)
{
	struct signal_request rq = { .type = SIGNAL_SESSION };
	struct signal_reply reply;
	struct wire_head theirs;
	struct head head;

	*ret = REFUSAL_NONE;
	if (!random_greet(s, x, &reply))
		return false;
	if (reply.has_head) {
		theirs = reply.head;
		push(s, x, &theirs);
	}
	head = mlog_head(x->r->log);
	memcpy(rq.node_token, x->r->token, HASH_LEN);
	rq.head.generation = mlog_generation(x->r->log);
	rq.head.seq = head.seq;
	memcpy(rq.head.hash, head.hash, HASH_LEN);
	if (!random_ask(s, x->r, &rq, &reply))
		return false;
	*ret = reply.refusal;
	if (reply.refusal == REFUSAL_NONE)
		memcpy(x->r->token, reply.node_token, HASH_LEN);
	if (reply.refusal != REFUSAL_NONE && reply.refusal != REFUSAL_NOT_MEMBER)
		return false;
	if (!random_fetch(s, x, &theirs))
		return false;
	push(s, x, &theirs);
	return true;
}

bool random_sync_with_server(struct random_log *s, struct machine *x)
{
	enum refusal refused;
	struct raw *now = x->r;
	bool met;

	if (!x->r || !x->r->log)
		return false;
	met = meet_server(s, x, &refused);
	for (size_t i = x->n_before; i-- > 0 && !met;) {
		if (refused != REFUSAL_NOT_MEMBER && refused != REFUSAL_BAD_TOKEN)
			break;
		take_key(x, x->before[i]);
		met = meet_server(s, x, &refused);
		take_key(x, now);
	}
	return met;
}

static void keep_key(struct machine *x, struct raw *r)
{
	if (x->n_before == KEYS_MAX) {
		raw_free(x->before[0]);
		memmove(x->before, x->before + 1, sizeof(x->before) - sizeof(x->before[0]));
		x->n_before--;
	}
	x->before[x->n_before++] = r;
}

static bool has_key(const struct raw *r, const struct member *m)
{
	return memcmp(m->key, identity_key(r->id), KEY_LEN) == 0;
}

void random_follow_key(struct machine *x)
{
	const struct member *m = x->r && x->r->log
					 ? roster_by_id(mlog_roster(x->r->log), &x->id, ROSTER_ALL)
					 : NULL;
	struct raw *now = x->r;

	if (m && x->next && has_key(x->next, m)) {
		take_key(x, x->next);
		x->next = NULL;
		keep_key(x, now);
		return;
	}
	for (size_t i = 0; m && !has_key(now, m) && i < x->n_before; i++) {
		if (has_key(x->before[i], m)) {
			take_key(x, x->before[i]);
			x->before[i] = now;
			return;
		}
	}
}

void random_machine_free(struct machine *x)
{
	struct raw *all[] = { x->next, x->r };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (all[i])
			raw_free(all[i]);
	for (size_t i = 0; i < x->n_before; i++)
		raw_free(x->before[i]);
	*x = (struct machine){ .r = NULL };
}
