/* SPDX-License-Identifier: MIT */
/* Reach alone: pings, pongs and rounds. */
#include "reach_scene.h"

/* --- pings and pongs ------------------------------------------------------------------------- */

/* [P6-27] [P6-30] */
START_TEST(a_ping_gets_an_answer_that_says_where_it_came_from)
{
	struct addr from = scene_lan(7);
	const struct sent *pong;
	struct scene s;
	uint64_t nonce;

	scene_begin(&s, true, NULL);
	scene_forget(&s);
	nonce = scene_pings(&s, &from, 0);
	pong = scene_last_to(&s, &from, PROBE_PONG);
	ck_assert_ptr_nonnull(pong);
	ck_assert_uint_eq(pong->f.nonce, nonce);
	ck_assert(addr_equal(&pong->f.observed, &from));
	ck_assert_uint_eq(pong->hops, 0);
	ck_assert_ptr_nonnull(scene_last_to(&s, &from,
					    PROBE_PING)); /* it may be a path: is it one? */
	ck_assert_uint_eq(s.bits, 0);
	nonce = scene_pings(&s, NULL, 0);
	pong = scene_last_to(&s, NULL, PROBE_PONG);
	ck_assert_ptr_nonnull(pong);
	ck_assert_uint_eq(pong->f.nonce, nonce);
	ck_assert(addr_is_unset(&pong->f.observed));
	scene_end(&s);
}
END_TEST

/* [P6-33] [P6-34] */
START_TEST(a_copy_of_a_ping_from_elsewhere_gets_no_answer)
{
	struct addr from = scene_lan(7), elsewhere = scene_outside(7);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_pings(&s, &from, 0);
	scene_forget(&s);
	s.counter--; /* the same once more */
	scene_pings(&s, &elsewhere, PROBE_URGENT);
	ck_assert_uint_eq(scene_count_to(&s, &elsewhere), 0);
	ck_assert_ptr_null(pathset_of_addr(reach_paths(s.r), &elsewhere));
	ck_assert_uint_eq(s.r->set.doubt.since, 0);
	scene_end(&s);
}
END_TEST

/* [P6-25] */
START_TEST(a_frame_under_another_key_is_not_ours)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN };
	struct addr from = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_forget(&s);
	memcpy(f.tag, s.keys.tag, sizeof(f.tag));
	ck_assert(!scene_arrives(&s, &f, s.keys.client, &from)); /* our own one comes back */
	ck_assert_uint_eq(s.n_sent, 0);
	ck_assert_ptr_null(pathset_of_addr(reach_paths(s.r), &from));
	ck_assert(scene_arrives(&s, &f, s.keys.server, &from));
	scene_end(&s);
}
END_TEST

/* [P6-28] */
START_TEST(answers_to_unproven_addresses_have_a_budget)
{
	size_t answered = 0;
	struct scene s;

	scene_begin(&s, true, NULL);
	for (uint16_t i = 0; i < 2 * REACH_STRANGE_PONGS_BURST; i++) {
		struct addr from = scene_lan((uint16_t)(1000 + i));

		scene_forget(&s);
		scene_pings(&s, &from, 0);
		answered += scene_last_to(&s, &from, PROBE_PONG) != NULL;
	}
	ck_assert_uint_eq(answered, REACH_STRANGE_PONGS_BURST);
	scene_end(&s);
}
END_TEST

START_TEST(an_answer_proves_the_address_and_tells_where_we_are_seen)
{
	struct addr to = scene_lan(7), seen = addr_v4(SCENE_IP, 4000),
		    lie = addr_v4(IP(192, 168, 1, 9), 1);
	struct sent ping;
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_forget(&s);
	scene_name(&s, to);
	ck_assert_uint_eq(s.bits & (REACH_WANT_RELAY | REACH_ASK_PUNCH),
			  REACH_WANT_RELAY | REACH_ASK_PUNCH);
	ck_assert_ptr_nonnull(scene_last_to(&s, &to, PROBE_PING));
	ping = *scene_last_to(&s, &to, PROBE_PING);
	ck_assert_uint_eq(ping.f.flags & PROBE_PROVEN, 0);
	scene_forget(&s);
	scene_pongs(&s, &ping, &to, PROBE_PROVEN, seen);
	ck_assert_uint_eq(s.bits & (REACH_PONG | REACH_SEEN_AT), REACH_PONG | REACH_SEEN_AT);
	ck_assert(addr_equal(&s.e.seen, &seen));
	ck_assert_uint_eq(s.e.pong.nonce, ping.f.nonce);
	ck_assert(!s.e.pong.relay && addr_equal(&s.e.pong.to, &to));
	ck_assert(pathset_of_addr(reach_paths(s.r), &to)->proven);
	/* It counts once, and says nothing of where it did not come from. */
	scene_forget(&s);
	scene_pongs(&s, &ping, &to, PROBE_PROVEN, lie);
	ck_assert_uint_eq(s.bits & (REACH_PONG | REACH_SEEN_AT), 0);
	scene_end(&s);
}
END_TEST

START_TEST(the_same_word_of_where_we_are_seen_is_told_once)
{
	struct addr to = scene_lan(7);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_name(&s, to);
	scene_answers_for(&s, &to, NS_PER_MS);
	scene_forget(&s);
	scene_name(&s, scene_lan(8)); /* a round; the old path stays, as it is proven */
	scene_answers_for(&s, &to, 20 * NS_PER_S);
	ck_assert(s.bits & REACH_PONG);
	ck_assert(!(s.bits & REACH_SEEN_AT));
	scene_end(&s);
}
END_TEST

/* --- rounds ---------------------------------------------------------------------------------- */

/* [P6-58] [P6-59] [P6-60] */
START_TEST(an_opener_goes_first_and_the_others_wait_for_word)
{
	struct addr to = scene_outside(7);
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_forget(&s);
	scene_name(&s, to);
	ck_assert_uint_eq(scene_count_to(&s, &to), 1);
	ck_assert_uint_eq(scene_last_to(&s, &to, PROBE_PING)->hops, PUNCH_HOPS_MIN);
	ck_assert_uint_eq(s.bits & (REACH_ASK_PUNCH | REACH_SAY_OPENED),
			  REACH_ASK_PUNCH | REACH_SAY_OPENED);
	ck_assert_uint_eq(s.r->effects.bits, 0);
	sim_pass(s.w, 500 * NS_PER_MS);
	ck_assert_uint_eq(scene_count_to(&s, &to), 1);
	reach_opened(s.r, clock_now(s.h));
	scene_run(&s);
	sim_pass(s.w, NS_PER_MS);
	ck_assert_uint_eq(scene_count_to(&s, &to), 2);
	ck_assert_uint_eq(scene_last_to(&s, &to, PROBE_PING)->hops, 0);
	sim_pass(s.w, 2 * NS_PER_S);
	ck_assert_uint_ge(scene_count_to(&s, &to), PUNCH_STEPS);
	scene_end(&s);
}
END_TEST

START_TEST(word_that_did_not_get_out_is_tried_again)
{
	struct scene s;
	uint64_t now;

	scene_begin(&s, true, NULL);
	scene_name(&s, scene_outside(7));
	now = clock_now(s.h);
	s.r->word_due = true;
	reach_work(s.r, now);
	ck_assert(reach_effects_take(s.r).bits & REACH_SAY_OPENED);
	reach_said_opened(s.r, false, now);
	reach_work(s.r, now);
	ck_assert(!(reach_effects_take(s.r).bits & REACH_SAY_OPENED)); /* not at once */
	reach_arm(s.r, now);
	scene_forget(&s);
	sim_pass(s.w, 100 * NS_PER_MS);
	ck_assert(s.bits & REACH_SAY_OPENED);
	ck_assert(!s.r->word_due);
	scene_end(&s);
}
END_TEST

/* [P6-62] */
START_TEST(a_round_that_is_asked_for_begins_once_a_second)
{
	struct addr to = scene_lan(7);
	struct scene s;
	uint64_t begun;

	scene_begin(&s, false, NULL);
	scene_name(&s, to);
	sim_pass(s.w, 2 * NS_PER_S);
	scene_forget(&s);
	reach_punched(s.r, 200, clock_now(s.h));
	scene_take(&s);
	ck_assert(s.bits & REACH_WANT_RELAY);
	ck_assert(!(s.bits & REACH_ASK_PUNCH)); /* the other side does it already */
	ck_assert_uint_eq(s.r->hops, PUNCH_HOPS_MAX);
	begun = s.r->round_begun;
	ck_assert_uint_eq(begun, clock_now(s.h));
	scene_run(&s);
	sim_pass(s.w, 500 * NS_PER_MS);
	reach_punched(s.r, 3, clock_now(s.h));
	ck_assert_uint_eq(s.r->round_begun, begun);
	ck_assert_uint_eq(s.r->hops, PUNCH_HOPS_MAX);
	scene_end(&s);
}
END_TEST

/* [P6-65] */
START_TEST(pings_to_what_never_answered_have_a_budget)
{
	size_t sent = 0;
	struct scene s;

	scene_begin(&s, true, NULL);
	for (uint16_t i = 0; i < 200; i++) {
		struct addr to = scene_lan((uint16_t)(1000 + i));

		scene_forget(&s);
		scene_name(&s, to);
		sent += scene_count_to(&s, &to);
	}
	ck_assert_uint_gt(sent, 10);
	ck_assert_uint_le(sent, REACH_GUESSES_BURST);
	scene_end(&s);
}
END_TEST

/* [P6-31] Each bit is now 0, now 1, and no nonce follows from the two before it. */
START_TEST(nobody_can_guess_the_nonce_of_a_ping)
{
	uint64_t ones = 0, zeros = 0, last[2] = { 0 };
	const struct addr to = scene_lan(7);
	const struct sent *ping;
	size_t n = 0;
	struct scene s;

	scene_begin(&s, true, NULL);
	scene_name(&s, to);
	for (unsigned i = 0; i < 1000 && n < 40; i++) {
		ping = scene_last_to(&s, &to, PROBE_PING);
		if (ping && ping->f.nonce != last[0]) {
			ones |= ping->f.nonce;
			zeros |= ~ping->f.nonce;
			ck_assert_uint_ne(ping->f.nonce - last[0], last[0] - last[1]);
			last[1] = last[0];
			last[0] = ping->f.nonce;
			n++;
			scene_pongs(&s, ping, &to, 0, scene_lan(9));
		}
		scene_forget(&s);
		sim_pass(s.w, NS_PER_S);
		scene_run(&s);
	}
	ck_assert_uint_eq(n, 40);
	ck_assert_uint_eq(ones & zeros, UINT64_MAX);
	scene_end(&s);
}
END_TEST

UNIT_MAIN("overlay/reach", a_ping_gets_an_answer_that_says_where_it_came_from,
	  a_copy_of_a_ping_from_elsewhere_gets_no_answer, a_frame_under_another_key_is_not_ours,
	  answers_to_unproven_addresses_have_a_budget,
	  an_answer_proves_the_address_and_tells_where_we_are_seen,
	  the_same_word_of_where_we_are_seen_is_told_once,
	  an_opener_goes_first_and_the_others_wait_for_word,
	  word_that_did_not_get_out_is_tried_again, a_round_that_is_asked_for_begins_once_a_second,
	  pings_to_what_never_answered_have_a_budget, nobody_can_guess_the_nonce_of_a_ping)
