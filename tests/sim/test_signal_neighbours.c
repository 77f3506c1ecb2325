/* SPDX-License-Identifier: MIT */
/*
 * Members and strangers behind one address, as behind a carrier's NAT or a container's proxy:
 * whatever the strangers do, the members come in.
 */
#include "signal_steps.h"

static struct sig g;
static struct raw *founder, *member, *stranger;

static void begin(void)
{
	sig_start(&g);
	founder = raw_founder(&g);
	member = raw_member(founder, "laptop");
	raw_hang_up(member);
	stranger = raw_beside(member, 6000);
}

static void end(void)
{
	raw_free(stranger);
	raw_free(member);
	raw_free(founder);
	sig_stop(&g);
}

/* Tries wrong codes until the address has used up what strangers may. */
static void use_up(struct raw *r)
{
	struct signal_reply reply;
	unsigned n = 0;

	raw_greet(r);
	while (raw_offer(r, "AAAA-AAAA-AAAA", NULL, &reply) != REFUSAL_RATE)
		ck_assert_uint_lt(++n, 200);
}

/* [P3-13] */
START_TEST(strangers_requests_are_not_their_neighbours)
{
	begin();
	use_up(stranger);
	for (unsigned n = 0; n < 20; n++)
		raw_session(member);
	end();
}
END_TEST

START_TEST(a_crowd_does_not_keep_its_neighbour_out)
{
	struct raw *crowd[SIGNAL_CONNS_PER_SOURCE_MAX];

	begin();
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++) {
		crowd[i] = raw_clone(stranger);
		raw_connect(crowd[i]);
	}
	raw_try_connect(stranger);
	sim_pass(g.w, NS_PER_S);
	ck_assert(stranger->closed); /* there is no place for another one of them */
	raw_session(member);
	for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
		raw_free(crowd[i]);
	end();
}
END_TEST

/* Greets without ever asking for a session. Returns how many greetings were answered. */
static unsigned greet_on(struct raw *r)
{
	struct signal_reply reply;
	unsigned n = 0;

	for (raw_connect(r); raw_hello(r, r->cluster_id, &reply) == REFUSAL_NONE; raw_connect(r))
		ck_assert_uint_lt(++n, 200);
	ck_assert_int_eq(reply.refusal, REFUSAL_RATE);
	return n;
}

/* [P3-13] */
START_TEST(a_member_has_a_budget_of_its_own)
{
	struct signal_reply reply;
	struct raw *evil;

	begin();
	evil = raw_member(founder, "evil");
	ck_assert_uint_le(greet_on(evil), SIGNAL_REQUESTS_BURST + 10);
	raw_session(member);
	/* and the strangers at the member's address keep theirs */
	ck_assert_uint_le(greet_on(member), SIGNAL_REQUESTS_BURST + 10);
	raw_greet(stranger);
	ck_assert_int_eq(raw_offer(stranger, "AAAA-AAAA-AAAA", NULL, &reply), REFUSAL_BAD_CODE);
	raw_free(evil);
	end();
}
END_TEST

UNIT_MAIN("signal/neighbours", strangers_requests_are_not_their_neighbours,
	  a_crowd_does_not_keep_its_neighbour_out, a_member_has_a_budget_of_its_own)
