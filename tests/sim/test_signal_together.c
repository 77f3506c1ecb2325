/* SPDX-License-Identifier: MIT */
/*
 * A hundred machines behind one address adopt at the same moment, as when a classroom is set up:
 * all are members within seconds. What a source may do at once is for those that come to nothing.
 */
#include "signal_steps.h"

#define JOINERS 100
#define CONNECT_AGAIN NS_PER_S /* after a connection that was refused */

enum step { WAITS, CONNECTS, GREETS, ADMITS, FETCHES, IS_MEMBER };

struct joiner {
	struct raw *r;
	struct entry_bytes entry;
	enum step step;
	uint64_t until; /* WAITS */
};

static struct sig g;
static struct joiner joiner[JOINERS];
static unsigned refused_connections, refused_requests;

static void connect_begin(struct joiner *j)
{
	struct quic_pin pin = { .by_cert = true };
	struct raw *r = j->r;

	memcpy(pin.cert_sha256, g.cert, sizeof(pin.cert_sha256));
	r->connected = r->closed = false;
	ck_assert_int_eq(quic_connect(r->socket, &signal_profile, &pin, 0, &g.at, &raw_ops, r, NULL,
				      &r->c),
			 0);
	j->step = CONNECTS;
}

static void wait_for(struct joiner *j, uint64_t ns)
{
	raw_hang_up(j->r);
	j->until = world_now(g.w) + ns;
	j->step = WAITS;
}

static void say_hello(struct joiner *j)
{
	struct signal_request rq = { .type = SIGNAL_HELLO, .agent = span_str("raw/1") };

	memcpy(rq.cluster_id, j->r->cluster_id, HASH_LEN);
	raw_send(j->r, &rq);
	j->step = GREETS;
}

static void say_admit(struct joiner *j)
{
	struct signal_request rq = { .type = SIGNAL_ADMIT,
				     .entry = span_of(j->entry.data, j->entry.len) };

	raw_send(j->r, &rq);
	j->step = ADMITS;
}

static void ask_log(struct joiner *j)
{
	struct signal_request rq = { .type = SIGNAL_LOG, .from = mlog_count(j->r->log) };

	raw_send(j->r, &rq);
	j->step = FETCHES;
}

/* Reads the reply. Returns false if it has to wait. */
static bool accepted(struct joiner *j, enum signal_request_type to, struct signal_reply *reply)
{
	enum refusal refused = raw_reply(j->r, to, reply);

	if (refused == REFUSAL_NONE)
		return true;
	ck_assert_int_eq(refused, REFUSAL_RATE);
	refused_requests++;
	wait_for(j, reply->retry_after_s * NS_PER_S);
	return false;
}

static void fetched(struct joiner *j, const struct signal_reply *reply)
{
	struct node_id id = identity_node_id(j->r->id);

	raw_take(j->r, &reply->entries);
	if (reply->entries.n > 0) {
		ask_log(j);
		return;
	}
	ck_assert_ptr_nonnull(roster_by_id(mlog_roster(j->r->log), &id, ROSTER_CURRENT));
	j->step = IS_MEMBER;
	raw_hang_up(j->r);
}

static void go_on(struct joiner *j)
{
	static const uint8_t seed[16];
	struct signal_reply reply;
	struct raw *r = j->r;

	if (j->step == WAITS && world_now(g.w) >= j->until) {
		connect_begin(j);
	} else if (j->step == WAITS || j->step == IS_MEMBER) {
		return;
	} else if (r->closed) {
		refused_connections++;
		wait_for(j, CONNECT_AGAIN);
	} else if (j->step == CONNECTS && r->connected) {
		say_hello(j);
	} else if (j->step == GREETS && r->answered) {
		if (accepted(j, SIGNAL_HELLO, &reply))
			say_admit(j);
	} else if (j->step == ADMITS && r->answered) {
		if (!accepted(j, SIGNAL_ADMIT, &reply))
			return;
		memcpy(r->token, reply.node_token, HASH_LEN);
		r->log = mlog_new(seed);
		ask_log(j);
	} else if (j->step == FETCHES && r->answered) {
		ck_assert_int_eq(raw_reply(r, SIGNAL_LOG, &reply), REFUSAL_NONE);
		fetched(j, &reply);
	}
}

static unsigned members(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < JOINERS; i++)
		n += joiner[i].step == IS_MEMBER;
	return n;
}

/* [P3-14] */
START_TEST(a_hundred_machines_behind_one_address_join_at_once)
{
	static bool used[JOINERS + 2];
	struct raw *founder, *gateway;
	uint64_t begin;
	char name[16];

	sig_start(&g);
	founder = raw_founder(&g);
	gateway = raw_new(&g);
	for (unsigned i = 0; i < JOINERS; i++) {
		struct raw_invite invite = raw_invite(founder);

		snprintf(name, sizeof(name), "seat%u", i);
		joiner[i].r = raw_beside(gateway, (uint16_t)(10000 + i));
		memcpy(joiner[i].r->cluster_id, founder->cluster_id, HASH_LEN);
		joiner[i].entry = raw_admit_entry(joiner[i].r, &invite, name);
	}
	begin = world_now(g.w);
	while (members() < JOINERS) {
		for (unsigned i = 0; i < JOINERS; i++)
			go_on(&joiner[i]);
		sim_pass(g.w, 5 * NS_PER_MS);
		ck_assert_msg(world_now(g.w) - begin < 5 * NS_PER_S, "%u of %d after 5 s",
			      members(), JOINERS);
	}
	printf("%u ms, %u connections and %u requests refused\n",
	       (unsigned)((world_now(g.w) - begin) / NS_PER_MS), refused_connections,
	       refused_requests);
	ck_assert_uint_gt(refused_connections, 0); /* the limit was reached, and did no harm */

	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 1 + JOINERS);
	for (unsigned i = 0; i < JOINERS; i++) {
		struct node_id id = identity_node_id(joiner[i].r->id);
		const struct member *m = roster_by_id(mlog_roster(founder->log), &id,
						      ROSTER_CURRENT);
		size_t last = m->address - IP(100, 64, 0, 0);

		ck_assert_uint_le(last, JOINERS + 1); /* no address is lost */
		ck_assert(!used[last]);
		used[last] = true;
		raw_session(joiner[i].r); /* each comes in as what it is now */
		raw_free(joiner[i].r);
	}
	raw_free(gateway);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

UNIT_MAIN("signal/together", a_hundred_machines_behind_one_address_join_at_once)
