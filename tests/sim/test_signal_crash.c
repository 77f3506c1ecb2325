/* SPDX-License-Identifier: MIT */
/*
 * A server that is killed at random moments while nodes are adopted over a bad line: whatever was
 * acknowledged holds, and whoever repeats the identical request gets there.
 */
#include "signal_steps.h"

#define JOINERS 20

struct joiner {
	struct raw *r;
	struct raw_invite invite;
	struct entry_bytes pending; /* what was sent and perhaps not answered, or len 0 */
	char name[16];
};

static struct sig g;
static unsigned kills;

static bool lucky(struct unit_rng *rng, unsigned percent)
{
	return unit_random_below(rng, 100) < percent;
}

/* Asks; the server may be killed before or after its answer. Returns false without an answer. */
static bool ask(struct unit_rng *rng, struct raw *r, const struct signal_request *rq,
		struct signal_reply *reply)
{
	struct span message;
	size_t used;
	bool killed = lucky(rng, 25);

	raw_send(r, rq);
	if (killed) {
		world_run(g.w, unit_random_below(rng, 40 * NS_PER_MS), NULL, NULL);
		sig_crash(&g);
		sig_boot(&g);
		kills++;
	} else {
		world_run(g.w, 60 * NS_PER_S, raw_is_answered, r);
	}
	if (!r->answered || r->closed)
		return false;
	ck_assert_int_eq(frame_next(span_of(r->reply, r->reply_len), SIGNAL_MESSAGE_MAX, &message,
				    &used),
			 1);
	ck_assert_int_eq(signal_reply_decode(rq->type, message, reply), 0);
	return reply->refusal != REFUSAL_RATE;
}

/* Connects and greets with patience. */
static void greet(struct raw *r)
{
	struct signal_request rq = { .type = SIGNAL_HELLO };
	struct signal_reply reply;

	memcpy(rq.cluster_id, r->cluster_id, HASH_LEN);
	for (unsigned tries = 0;; tries++) {
		ck_assert_uint_lt(tries, 50);
		if (!raw_try_connect(r))
			continue;
		raw_send(r, &rq);
		world_run(g.w, 60 * NS_PER_S, raw_is_answered, r);
		if (r->answered && raw_reply(r, SIGNAL_HELLO, &reply) == REFUSAL_NONE)
			return;
		sim_pass(g.w, 10 * NS_PER_S);
	}
}

static bool fetch(struct unit_rng *rng, struct raw *r)
{
	static const uint8_t seed[16];
	struct signal_request rq = { .type = SIGNAL_LOG };
	struct signal_reply reply;

	if (!r->log)
		r->log = mlog_new(seed);
	do {
		rq.from = mlog_count(r->log);
		if (!ask(rng, r, &rq, &reply))
			return false;
		ck_assert_int_eq(reply.refusal, REFUSAL_NONE);
		raw_take(r, &reply.entries);
	} while (reply.entries.n > 0);
	return true;
}

/* One attempt at adoption, up to the node token and the log. */
static bool attempt(struct unit_rng *rng, struct joiner *j)
{
	struct signal_request admit = { .type = SIGNAL_ADMIT };
	struct signal_reply reply, acknowledged;
	struct raw *r = j->r;

	greet(r);
	if (j->pending.len == 0)
		j->pending = raw_admit_entry(r, &j->invite, j->name);
	admit.entry = span_of(j->pending.data, j->pending.len);
	if (!ask(rng, r, &admit, &reply))
		return false;
	ck_assert_int_eq(reply.refusal, REFUSAL_NONE);
	acknowledged = reply;
	if (!fetch(rng, r))
		return false;
	ck_assert_uint_lt(acknowledged.head.seq, mlog_count(r->log));
	memcpy(r->token, acknowledged.node_token, HASH_LEN);
	return true;
}

/* [P2-68] [P3-46] */
START_TEST(what_was_acknowledged_holds)
{
	static struct joiner joiner[JOINERS];
	struct unit_rng rng = { sim_seed() };
	struct link_params bad = LINK_DEFAULT;
	bool used[256] = { false };
	struct raw *founder, *reader;
	unsigned waiting = JOINERS;

	sig_start(&g);
	founder = raw_founder(&g);
	bad.loss = 0.05;
	bad.duplicate = 0.05;
	bad.jitter_ns = 10 * NS_PER_MS;
	for (unsigned i = 0; i < JOINERS; i++) {
		joiner[i] = (struct joiner){ .r = raw_new(&g), .invite = raw_invite(founder) };
		snprintf(joiner[i].name, sizeof(joiner[i].name), "node%u", i);
		memcpy(joiner[i].r->cluster_id, founder->cluster_id, HASH_LEN);
		world_link_both(g.w, joiner[i].r->h, g.h, bad);
	}
	for (unsigned turn = 0; waiting > 0; turn++) {
		struct joiner *j = &joiner[unit_random_below(&rng, JOINERS)];
		static const uint8_t none[HASH_LEN];

		ck_assert_uint_lt(turn, 2000);
		if (memcmp(j->r->token, none, HASH_LEN) != 0)
			continue;
		waiting -= attempt(&rng, j);
		raw_hang_up(j->r);
		sim_pass(g.w, 5 * NS_PER_S);
	}
	ck_assert_uint_gt(kills, 5);

	/* everybody is a member, once, with an address of its own */
	reader = raw_clone(joiner[0].r);
	raw_session(reader);
	raw_fetch(reader);
	ck_assert_uint_eq(mlog_count(reader->log), 1 + JOINERS);
	for (const struct member *m = NULL;
	     (m = roster_next(mlog_roster(reader->log), m, ROSTER_CURRENT));) {
		uint8_t last = m->address & 0xff;

		ck_assert(!used[last]);
		used[last] = true;
	}
	for (unsigned i = 0; i < JOINERS; i++) {
		raw_session(joiner[i].r);
		sim_pass(g.w, NS_PER_S);
	}
	raw_free(reader);
	for (unsigned i = 0; i < JOINERS; i++)
		raw_free(joiner[i].r);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

UNIT_MAIN("signal/crash", what_was_acknowledged_holds)
