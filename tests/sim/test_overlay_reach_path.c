/* SPDX-License-Identifier: MIT */
/* Reach alone: the path in use, and what changes. */
#include "reach_scene.h"

/* --- the path in use ------------------------------------------------------------------------- */

/* [P6-66] [P6-68] */
START_TEST(the_client_role_moves_to_a_path_that_is_proven_on_both_sides)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_name(&s, to);
	scene_forget(&s);
	scene_answers_for(&s, &to, NS_PER_S);
	ck_assert(s.bits & REACH_MIGRATE);
	ck_assert(!s.e.at_once);
	ck_assert_uint_eq(s.e.label, pathset_of_addr(reach_paths(s.r), &to)->label);
	ck_assert_uint_eq(reach_paths(s.r)->current, 1); /* until QUIC says so */
	reach_moved(s.r, s.e.label, clock_now(s.h));
	scene_forget(&s);
	scene_run(&s);
	ck_assert(!(s.bits & REACH_MIGRATE));
	ck_assert_uint_eq(s.r->round_at, TIME_NEVER); /* a direct one is in use */
	ck_assert_uint_eq(s.r->mtu_label, reach_paths(s.r)->current);
	scene_end(&s);
}
END_TEST

START_TEST(the_server_role_moves_nowhere)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, false, NULL);
	scene_name(&s, to);
	scene_forget(&s);
	scene_answers_for(&s, &to, NS_PER_S);
	ck_assert(pathset_of_addr(reach_paths(s.r), &to)->proven);
	ck_assert(!(s.bits & REACH_MIGRATE));
	scene_end(&s);
}
END_TEST

/* QUIC has sent something that stays without an answer. */
static void goes_silent(struct scene *s)
{
	scene_forget(s);
	s->conn.unanswered_since = clock_now(s->h);
	reach_wake(s->r, clock_now(s->h));
}

/* [P6-73] */
START_TEST(a_path_without_answers_is_asked_three_times_then_dead)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, &to);
	goes_silent(&s);
	for (unsigned i = 0; i < 50 && !(s.bits & REACH_DEAD); i++)
		sim_pass(s.w, 10 * NS_PER_MS);
	ck_assert(s.bits & REACH_DEAD);
	ck_assert_uint_eq(scene_count_urgent(&s), DOUBT_PINGS);
	ck_assert(reach_is_dead(s.r));
	ck_assert(s.bits & REACH_ASK_PUNCH); /* a round, which wants the relay, too */
	ck_assert(s.bits & REACH_WANT_RELAY);
	ck_assert(!(s.bits & REACH_MIGRATE)); /* there is nothing to move to */
	/* A relay comes up: the client role flees there at once. */
	s.relay.on = true;
	scene_forget(&s);
	ck_assert(!reach_channel_is_new(s.r));
	ck_assert(reach_relay(s.r, clock_now(s.h)));
	scene_run(&s);
	ck_assert(s.bits & REACH_MIGRATE);
	ck_assert(s.e.at_once);
	ck_assert_uint_eq(s.e.label, s.relay.label);
	reach_moved(s.r, s.relay.label, clock_now(s.h));
	ck_assert(!reach_is_dead(s.r));
	scene_end(&s);
}
END_TEST

START_TEST(an_answer_ends_the_doubt)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, &to);
	goes_silent(&s);
	for (unsigned i = 0; i < 50 && !s.r->set.doubt.since; i++)
		sim_pass(s.w, 10 * NS_PER_MS);
	ck_assert_uint_ne(s.r->set.doubt.since, 0);
	sim_pass(s.w, NS_PER_MS);
	scene_answers_for(&s, &to, NS_PER_MS);
	ck_assert_uint_eq(s.r->set.doubt.since, 0);
	ck_assert(!(s.bits & REACH_DEAD));
	ck_assert_uint_ne(reach_last_echo(s.r), 0);
	scene_end(&s);
}
END_TEST

START_TEST(records_that_stay_without_an_answer_raise_doubt)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, &to);
	scene_forget(&s);
	s.dest.tx_packets++;
	s.dest.unanswered = clock_now(s.h);
	reach_wake(s.r, clock_now(s.h));
	sim_pass(s.w, 200 * NS_PER_MS);
	ck_assert_uint_ne(s.r->set.doubt.since, 0);
	scene_end(&s);
	/* What was heard since answers them. */
	scene_begin(&s, true, &to);
	s.dest.unanswered = clock_now(s.h);
	sim_pass(s.w, NS_PER_MS);
	s.conn.last_heard = clock_now(s.h);
	reach_wake(s.r, clock_now(s.h));
	sim_pass(s.w, 200 * NS_PER_MS);
	ck_assert_uint_eq(s.r->set.doubt.since, 0);
	ck_assert_uint_eq(s.dest.unanswered, 0);
	scene_end(&s);
}
END_TEST

/* [P6-74] */
START_TEST(a_peer_whose_packets_come_from_a_proven_address_is_followed)
{
	struct addr was = scene_outside(7), now_at = scene_outside(8);
	struct scene s;

	scene_begin(&s, false, &was);
	scene_forget(&s);
	scene_pings(&s, &now_at, 0);
	scene_answers_for(&s, &now_at, NS_PER_MS);
	ck_assert(pathset_of_addr(reach_paths(s.r), &now_at)->proven);
	reach_paths(s.r)->stray = now_at;
	reach_paths(s.r)->stray_since = clock_now(s.h);
	scene_forget(&s);
	scene_run(&s);
	ck_assert(!(s.bits & REACH_TELL_MOVED));
	scene_answers_for(&s, &now_at, 300 * NS_PER_MS);
	ck_assert(s.bits & REACH_TELL_MOVED);
	ck_assert(!(s.bits & REACH_MIGRATE)); /* below QUIC's sight */
	ck_assert(addr_equal(&scene_current(&s)->to, &now_at));
	ck_assert_uint_eq(scene_current(&s)->label, 1);
	scene_end(&s);
}
END_TEST

START_TEST(an_urgent_ping_makes_us_look_at_the_path_in_use)
{
	struct addr in_use = scene_lan(7), other = scene_lan(8);
	struct scene s;

	scene_begin(&s, true, &in_use);
	scene_forget(&s);
	scene_pings(&s, &other, PROBE_URGENT);
	ck_assert_uint_ne(s.r->set.doubt.since, 0);
	ck_assert_ptr_nonnull(scene_last_to(&s, &in_use, PROBE_PING));
	ck_assert(scene_last_to(&s, &in_use, PROBE_PING)->f.flags & PROBE_URGENT);
	scene_end(&s);
}
END_TEST

/* --- what changes ---------------------------------------------------------------------------- */

START_TEST(another_channel_of_the_relay_in_use_is_noticed)
{
	struct scene s;

	scene_begin(&s, true, NULL);
	ck_assert(!reach_channel_is_new(s.r));
	s.relay.end.channel[0] ^= 1;
	ck_assert(reach_channel_is_new(s.r));
	ck_assert(reach_relay(s.r, clock_now(s.h)));
	ck_assert(!reach_channel_is_new(s.r));
	ck_assert(!scene_current(&s)->proven);
	/* Without a channel the path is in doubt. */
	s.relay.on = false;
	ck_assert(!reach_relay(s.r, clock_now(s.h)));
	ck_assert_uint_ne(s.r->set.doubt.since, 0);
	scene_end(&s);
}
END_TEST

START_TEST(another_network_begins_a_round_and_a_check)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, &to);
	sim_pass(s.w, 2 * NS_PER_S);
	scene_forget(&s);
	reach_network_changed(s.r, clock_now(s.h));
	scene_take(&s);
	ck_assert_uint_eq(s.bits, REACH_WANT_RELAY | REACH_ASK_PUNCH);
	scene_run(&s);
	ck_assert_uint_eq(scene_count_urgent(&s), 1);
	ck_assert(s.r->set.doubt.forced); /* QUIC's word is not enough */
	scene_end(&s);
}
END_TEST

UNIT_MAIN("overlay/reach_path", the_client_role_moves_to_a_path_that_is_proven_on_both_sides,
	  the_server_role_moves_nowhere, a_path_without_answers_is_asked_three_times_then_dead,
	  an_answer_ends_the_doubt, records_that_stay_without_an_answer_raise_doubt,
	  a_peer_whose_packets_come_from_a_proven_address_is_followed,
	  an_urgent_ping_makes_us_look_at_the_path_in_use,
	  another_channel_of_the_relay_in_use_is_noticed,
	  another_network_begins_a_round_and_a_check)
