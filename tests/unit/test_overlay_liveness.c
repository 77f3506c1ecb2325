/* SPDX-License-Identifier: MIT */
/* When a path or a tunnel counts as dead: all its times. */
#include "overlay/reach/liveness.h"
#include "unit.h"

#define NOW (1000 * NS_PER_S)
#define MS NS_PER_MS

struct scene {
	struct liveness l;
	struct relay_path relay;
	struct dest d;
	struct pathset ps;
	struct path *path;
};

/* A path in use with a round trip of 50 ms, and all was answered. */
static void begin(struct scene *s)
{
	struct addr to = addr_v4(0xc0000201u, 4433);

	*s = (struct scene){ .l = { .srtt_ns = 50 * MS, .last_heard = NOW } };
	s->d.relay = &s->relay;
	s->path = pathset_add(&s->ps, 7, PATH_PUBLIC, &to);
	s->path->proven = true;
	s->path->rtt = 50 * MS;
	s->path->last_ping = s->path->last_echo = NOW;
	s->ps.current = 7;
	doubt_end(&s->ps.doubt);
}

static enum liveness_verdict verdict(struct scene *s, uint64_t in)
{
	return liveness_verdict(&s->l, &s->d, &s->ps, 0, NOW + in);
}

/* [P6-73] */
START_TEST(silence_alone_proves_nothing)
{
	struct scene s;

	begin(&s);
	ck_assert_int_eq(verdict(&s, 3600 * NS_PER_S), LIVENESS_SAME);
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 3600 * NS_PER_S));
}
END_TEST

START_TEST(what_quic_sent_without_an_answer_raises_doubt_after_three_round_trips)
{
	struct scene s;

	begin(&s);
	s.l.unanswered_since = NOW;
	ck_assert_int_eq(verdict(&s, 150 * MS - 1), LIVENESS_SAME);
	ck_assert_int_eq(verdict(&s, 150 * MS), LIVENESS_DOUBT);
	s.path->rtt = 1 * MS; /* 100 ms at least */
	ck_assert_int_eq(verdict(&s, 100 * MS - 1), LIVENESS_SAME);
	ck_assert_int_eq(verdict(&s, 100 * MS), LIVENESS_DOUBT);
	/* Not sooner than half a second after the last one. */
	ck_assert_int_eq(liveness_verdict(&s.l, &s.d, &s.ps, NOW + 100 * MS, NOW + 600 * MS - 1),
			 LIVENESS_SAME);
	ck_assert_int_eq(liveness_verdict(&s.l, &s.d, &s.ps, NOW + 100 * MS, NOW + 600 * MS),
			 LIVENESS_DOUBT);
	/* What was sent on another path does not count. */
	s.ps.changed_at = NOW + 50 * MS;
	ck_assert_int_eq(verdict(&s, 150 * MS - 1), LIVENESS_SAME);
	ck_assert_int_eq(verdict(&s, 150 * MS), LIVENESS_DOUBT);
}
END_TEST

START_TEST(a_record_without_an_answer_raises_doubt_unless_something_was_heard_since)
{
	struct scene s;

	begin(&s);
	s.d.unanswered = NOW + MS;
	ck_assert_int_eq(verdict(&s, 151 * MS - 1), LIVENESS_SAME);
	ck_assert_int_eq(verdict(&s, 151 * MS), LIVENESS_DOUBT);
	s.l.last_heard = NOW + 2 * MS;
	ck_assert_int_eq(verdict(&s, 151 * MS), LIVENESS_SAME);
	ck_assert_uint_eq(s.d.unanswered, 0);
	s.d.unanswered = NOW + 3 * MS;
	s.path->last_echo = NOW + 4 * MS;
	ck_assert_int_eq(verdict(&s, 200 * MS), LIVENESS_SAME);
	ck_assert_uint_eq(s.d.unanswered, 0);
}
END_TEST

START_TEST(three_pings_without_echo_are_a_doubt_that_only_an_echo_ends)
{
	struct scene s;

	begin(&s);
	s.path->missed = 2;
	ck_assert_int_eq(verdict(&s, NS_PER_S), LIVENESS_SAME);
	s.path->missed = 3;
	ck_assert_int_eq(verdict(&s, 150 * MS - 1), LIVENESS_SAME); /* the last may be answered */
	ck_assert_int_eq(verdict(&s, 150 * MS), LIVENESS_SURE);
	s.path->punch.next = NOW; /* a round asks anyway */
	ck_assert_int_eq(verdict(&s, NS_PER_S), LIVENESS_SAME);
	doubt_begin(&s.ps.doubt, true, NOW + NS_PER_S);
	s.l.last_heard = s.d.heard = NOW + 2 * NS_PER_S;
	ck_assert_int_eq(verdict(&s, 2 * NS_PER_S), LIVENESS_SAME);
	s.path->last_echo = NOW + 2 * NS_PER_S;
	ck_assert_int_eq(verdict(&s, 2 * NS_PER_S), LIVENESS_ANSWERED);
}
END_TEST

START_TEST(whatever_comes_ends_a_doubt_that_is_not_for_sure)
{
	struct scene s;

	begin(&s);
	doubt_begin(&s.ps.doubt, false, NOW + MS);
	ck_assert_int_eq(verdict(&s, 2 * MS), LIVENESS_SAME);
	s.d.heard = NOW + 2 * MS; /* a record */
	ck_assert_int_eq(verdict(&s, 2 * MS), LIVENESS_ANSWERED);
	s.d.heard = 0;
	s.l.last_heard = NOW + 2 * MS; /* QUIC */
	ck_assert_int_eq(verdict(&s, 2 * MS), LIVENESS_ANSWERED);
	s.ps.doubt.dead = true; /* may have come by another path */
	ck_assert_int_eq(verdict(&s, 2 * MS), LIVENESS_SAME);
}
END_TEST

/* [P6-72] */
START_TEST(the_path_in_use_is_pinged_every_second_while_packets_flow)
{
	struct scene s;

	begin(&s);
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, false), NOW + NS_PER_S);
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), NOW + 15 * NS_PER_S);
	s.path->missed = 1;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), NOW + 300 * MS);
	s.path->rtt = 200 * MS;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), NOW + 400 * MS);
	s.path->missed = 4;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), NOW + 15 * NS_PER_S);
	doubt_begin(&s.ps.doubt, false, NOW); /* its own pings go out */
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), TIME_NEVER);
	s.ps.doubt.dead = true;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), NOW + NS_PER_S);
	s.path->punch.next = NOW;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, s.path, NULL, true), TIME_NEVER);
}
END_TEST

START_TEST(of_the_others_the_relay_and_the_spare_are_kept)
{
	struct addr a = addr_v4(0xc0000202u, 1), b = addr_v4(0xc0000203u, 1);
	struct path *relay, *spare, *other;
	struct scene s;

	begin(&s);
	relay = pathset_add(&s.ps, 8, PATH_RELAY, &a);
	spare = pathset_add(&s.ps, 9, PATH_PUBLIC, &a);
	other = pathset_add(&s.ps, 10, PATH_PUBLIC, &b);
	relay->last_ping = spare->last_ping = other->last_ping = NOW;
	ck_assert_uint_eq(liveness_ping_at(&s.ps, relay, spare, false), NOW + 15 * NS_PER_S);
	ck_assert_uint_eq(liveness_ping_at(&s.ps, spare, spare, false), NOW + 15 * NS_PER_S);
	ck_assert_uint_eq(liveness_ping_at(&s.ps, other, spare, false), TIME_NEVER);
	path_remove(relay);
	ck_assert_uint_eq(liveness_ping_at(&s.ps, relay, spare, false), TIME_NEVER);
	spare->proven = true;
	spare->last_echo = NOW;
	ck_assert(!liveness_is_lapsed(spare, NOW + PATH_PROOF_LIFE - 1));
	ck_assert(liveness_is_lapsed(spare, NOW + PATH_PROOF_LIFE));
	spare->missed = 3;
	ck_assert(!liveness_is_lapsed(spare, NOW));
	spare->missed = 4;
	ck_assert(liveness_is_lapsed(spare, NOW));
	ck_assert(!liveness_is_lapsed(other, NOW)); /* it never was */
}
END_TEST

START_TEST(a_tunnel_is_dead_after_two_seconds_or_four_round_trips)
{
	struct scene s;

	begin(&s);
	s.l.unanswered_since = NOW;
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 2 * NS_PER_S - 1));
	ck_assert(liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 2 * NS_PER_S));
	s.l.srtt_ns = NS_PER_S;
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 4 * NS_PER_S - 1));
	ck_assert(liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 4 * NS_PER_S));
	s.d.heard = NOW + NS_PER_S; /* a record came from somebody alive */
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 4 * NS_PER_S));
	ck_assert(liveness_tunnel_is_dead(&s.l, &s.d, 0, NOW + 5 * NS_PER_S));
}
END_TEST

START_TEST(a_change_of_our_network_makes_it_half_a_second)
{
	struct scene s;

	begin(&s);
	s.l.unanswered_since = NOW;
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, NOW, NOW + 500 * MS - 1));
	ck_assert(liveness_tunnel_is_dead(&s.l, &s.d, NOW, NOW + 500 * MS));
	/* What was sent before the change says nothing of the new network. */
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, NOW + 1, NOW + 500 * MS));
	s.relay.on = true; /* where there is a relay, there is a way */
	ck_assert(!liveness_tunnel_is_dead(&s.l, &s.d, NOW, NOW + 500 * MS));
	ck_assert(liveness_tunnel_is_dead(&s.l, &s.d, NOW, NOW + 2 * NS_PER_S));
}
END_TEST

START_TEST(a_tunnel_begins_with_nothing_heard)
{
	struct scene s;

	begin(&s);
	s.d.heard = NOW + 5;
	s.d.unanswered = NOW;
	ck_assert_uint_eq(liveness_heard(&s.l, &s.d), NOW + 5);
	liveness_begin(&s.d);
	ck_assert_uint_eq(s.d.heard, 0);
	ck_assert_uint_eq(s.d.unanswered, 0);
	ck_assert_uint_eq(liveness_heard(&s.l, &s.d), NOW);
}
END_TEST

UNIT_MAIN("overlay/liveness", silence_alone_proves_nothing,
	  what_quic_sent_without_an_answer_raises_doubt_after_three_round_trips,
	  a_record_without_an_answer_raises_doubt_unless_something_was_heard_since,
	  three_pings_without_echo_are_a_doubt_that_only_an_echo_ends,
	  whatever_comes_ends_a_doubt_that_is_not_for_sure,
	  the_path_in_use_is_pinged_every_second_while_packets_flow,
	  of_the_others_the_relay_and_the_spare_are_kept,
	  a_tunnel_is_dead_after_two_seconds_or_four_round_trips,
	  a_change_of_our_network_makes_it_half_a_second, a_tunnel_begins_with_nothing_heard)
