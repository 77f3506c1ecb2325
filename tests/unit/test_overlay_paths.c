/* SPDX-License-Identifier: MIT */
/* Tests of the pure parts of paths: the set, doubt, the choice, the schedule of pings. */
#include "overlay/reach/choose.h"
#include "overlay/reach/liveness.h"
#include "unit.h"

#define NOW (1000 * NS_PER_S)

static struct addr at(uint8_t host)
{
	return addr_v4(0xcb007100u + host, 4433);
}

/* A path that both sides have proven, with this round trip. */
static struct path *good(struct pathset *ps, uint64_t label, enum path_kind kind, uint64_t rtt_ms)
{
	struct addr to = at((uint8_t)label);
	struct path *p = pathset_add(ps, label, kind, &to);

	ck_assert_ptr_nonnull(p);
	p->proven = p->theirs = true;
	p->echoes = PATH_ECHOES_WANTED;
	p->rtt = rtt_ms * NS_PER_MS;
	p->last_echo = NOW;
	return p;
}

/* [P6-66] */
START_TEST(direct_goes_before_the_relay_and_the_lan_before_all)
{
	struct pathset ps = { .current = 1 };

	good(&ps, 1, PATH_RELAY, 2);
	ck_assert_ptr_null(choose_better(&ps, NOW));
	good(&ps, 2, PATH_PUBLIC, 200);
	ck_assert_uint_eq(choose_better(&ps, NOW)->label, 2);
	good(&ps, 3, PATH_LAN, 300);
	ck_assert_uint_eq(choose_better(&ps, NOW)->label, 3);
	ps.current = 3;
	ck_assert_ptr_null(choose_better(&ps, NOW));
}
END_TEST

/* [P6-67] */
START_TEST(a_little_better_is_not_worth_a_move)
{
	struct pathset ps = { .current = 1 };
	struct path *b;

	good(&ps, 1, PATH_PUBLIC, 40);
	b = good(&ps, 2, PATH_PUBLIC, 36);
	ck_assert_ptr_null(choose_better(&ps, NOW)); /* 4 ms */
	b->rtt = 35 * NS_PER_MS;
	ck_assert_ptr_eq(choose_better(&ps, NOW), b); /* 5 ms and more than 10 % */
	b->rtt = 37 * NS_PER_MS;
	b->kind = PATH_IP6; /* 3 ms and its bonus: 6 */
	ck_assert_ptr_eq(choose_better(&ps, NOW), b);
	pathset_current(&ps)->rtt = 200 * NS_PER_MS;
	b->kind = PATH_PUBLIC;
	b->rtt = 190 * NS_PER_MS; /* 10 ms but 5 % */
	ck_assert_ptr_null(choose_better(&ps, NOW));
}
END_TEST

/* [P6-67] [P6-68] */
START_TEST(moves_need_proof_on_both_sides_and_time_between_them)
{
	struct pathset ps = { .current = 1 };
	struct path *d;

	good(&ps, 1, PATH_RELAY, 20);
	d = good(&ps, 2, PATH_PUBLIC, 5);
	d->theirs = false;
	ck_assert_ptr_null(choose_better(&ps, NOW));
	d->theirs = true;
	d->echoes = PATH_ECHOES_WANTED - 1;
	ck_assert_ptr_null(choose_better(&ps, NOW));
	d->echoes = PATH_ECHOES_WANTED;
	ck_assert_ptr_null(choose_better(&ps, NOW + PATH_PROOF_LIFE)); /* too long ago */
	ps.changed_at = NOW - PATH_CHANGE_GAP + 1;
	ck_assert_ptr_null(choose_better(&ps, NOW));
	ck_assert_ptr_eq(choose_better(&ps, NOW + 1), d);
	path_disprove(d);
	ck_assert_ptr_null(choose_better(&ps, NOW + 1));
}
END_TEST

START_TEST(the_fallback_is_what_answered_in_the_doubt_else_the_relay)
{
	struct pathset ps = { .current = 1 };
	struct path *other;

	good(&ps, 1, PATH_LAN, 1);
	ck_assert_ptr_null(choose_fallback(&ps, NOW));
	other = good(&ps, 2, PATH_PUBLIC, 5);
	ck_assert_ptr_eq(choose_fallback(&ps, NOW), other);
	other->missed = 1; /* pinged when the doubt began */
	ck_assert_ptr_null(choose_fallback(&ps, NOW));
	good(&ps, 3, PATH_RELAY, 20)->missed = 1;
	ck_assert_uint_eq(choose_fallback(&ps, NOW)->label, 3);
	other->missed = 0;
	ck_assert_ptr_eq(choose_fallback(&ps, NOW), other);
}
END_TEST

/* [P6-29] [P6-35] */
START_TEST(only_its_own_fresh_nonce_proves_a_path)
{
	struct pathset ps = { .current = 0 };
	struct addr a = at(1), b = at(2);
	struct path *p = pathset_add(&ps, 1, PATH_PUBLIC, &a);
	struct path *q = pathset_add(&ps, 2, PATH_PUBLIC, &b);

	ck_assert(!p->proven && !path_echo(p, 0, NOW));
	path_pinged(p, 77, NOW);
	ck_assert_uint_eq(p->missed, 1);
	ck_assert(!path_echo(q, 77, NOW + 1)); /* sent to another address */
	ck_assert(!path_echo(p, 78, NOW + 1));
	ck_assert(path_echo(p, 77, NOW + 30 * NS_PER_MS));
	ck_assert(p->proven && p->echoes == 1 && p->missed == 0);
	ck_assert_uint_eq(p->rtt, 30 * NS_PER_MS);
	ck_assert(!path_echo(p, 77, NOW + 31 * NS_PER_MS)); /* once */
	path_pinged(p, 79, NOW);
	ck_assert(!path_echo(p, 79, NOW + PATH_NONCE_LIFE + 1));
	for (uint64_t i = 0; i <= PATH_NONCES; i++)
		path_pinged(p, 100 + i, NOW);
	ck_assert(!path_echo(p, 100, NOW)); /* pushed out */
	ck_assert(path_echo(p, 100 + PATH_NONCES, NOW));
}
END_TEST

START_TEST(a_full_set_gives_up_what_never_answered)
{
	struct pathset ps = { .current = 1 };
	struct addr a = at(200);

	good(&ps, 1, PATH_PUBLIC, 5)->proven = false; /* in use */
	for (uint64_t i = 2; i <= PATHS_MAX; i++)
		good(&ps, i, i == 2 ? PATH_RELAY : PATH_PUBLIC, 5);
	ck_assert_ptr_null(pathset_add(&ps, 50, PATH_PUBLIC, &a));
	path_disprove(pathset_of_label(&ps, 2)); /* a relay stays */
	ck_assert_ptr_null(pathset_add(&ps, 50, PATH_PUBLIC, &a));
	pathset_of_label(&ps, 7)->proven = false;
	pathset_of_label(&ps, 7)->pongs = 3;
	pathset_of_label(&ps, 9)->proven = false;
	ck_assert_ptr_nonnull(pathset_add(&ps, 50, PATH_PUBLIC, &a));
	ck_assert_ptr_null(pathset_of_label(&ps, 9)); /* never answered */
	ck_assert_ptr_nonnull(pathset_of_label(&ps, 7));
	ck_assert_ptr_eq(pathset_of_addr(&ps, &a), pathset_of_label(&ps, 50));
}
END_TEST

/* [P6-73] */
START_TEST(doubt_takes_three_pings_and_their_time)
{
	struct doubt d = { .since = 0 };
	uint64_t rtt = 80 * NS_PER_MS;

	doubt_begin(&d, false, NOW);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW), DOUBT_PING);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW), DOUBT_WAIT);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + 30 * NS_PER_MS), DOUBT_PING);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + 60 * NS_PER_MS), DOUBT_PING);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + 219 * NS_PER_MS), DOUBT_WAIT);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + 220 * NS_PER_MS), DOUBT_DEAD);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + NS_PER_S), DOUBT_WAIT);
	ck_assert(d.dead);
	doubt_end(&d);
	ck_assert(!d.dead && d.since == 0);
	ck_assert_int_eq(doubt_next(&d, rtt, NOW + NS_PER_S), DOUBT_WAIT);
}
END_TEST

/* Times of all pings of a round in ms. */
static unsigned run(struct punch *p, uint64_t from, uint64_t *ms)
{
	unsigned n = 0;

	for (uint64_t now = from; now <= from + 3 * NS_PER_S; now += NS_PER_MS) {
		if (!punch_due(p, now))
			continue;
		ms[n++] = (now - from) / NS_PER_MS;
		punch_sent(p, now);
	}
	return n;
}

/* [P6-57] */
START_TEST(a_round_has_eight_pings_or_one)
{
	static const uint64_t want[] = { 40, 60, 90, 140, 240, 440, 840, 1640 };
	uint64_t ms[16];
	struct punch p;

	punch_begin(&p, NOW + 40 * NS_PER_MS, 0, true);
	ck_assert_uint_eq(run(&p, NOW, ms), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_uint_eq(ms[i], want[i]);
	/* whatever else asks, ten is the end */
	ck_assert(punch_extra(&p) && punch_extra(&p) && !punch_extra(&p));
	punch_begin(&p, NOW, 0, false);
	ck_assert_uint_eq(run(&p, NOW, ms), 1);
}
END_TEST

/* [P6-58] */
START_TEST(an_opener_goes_before_the_others)
{
	static const uint64_t want[] = { 0, 70, 90, 120, 170, 270, 470, 870, 1670 };
	uint64_t ms[16];
	struct punch p;

	punch_begin(&p, NOW, 70 * NS_PER_MS, true);
	ck_assert(p.opener);
	ck_assert_uint_eq(run(&p, NOW, ms), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		ck_assert_uint_eq(ms[i], want[i]);
	ck_assert(!p.opener && punch_extra(&p) && !punch_extra(&p));
	/* The others wait as long when the opener is late. */
	punch_begin(&p, NOW, 70 * NS_PER_MS, false);
	punch_sent(&p, NOW + NS_PER_S);
	ck_assert_uint_eq(p.next, NOW + NS_PER_S + 70 * NS_PER_MS);
	punch_sent(&p, p.next);
	ck_assert_uint_eq(p.next, TIME_NEVER);
	punch_begin(&p, NOW, 70 * NS_PER_MS, false);
	punch_end(&p);
	ck_assert(!p.opener);
}
END_TEST

/* [P6-60] */
START_TEST(pings_wait_for_word_of_the_other_sides_openers)
{
	static const uint64_t want[] = { 0, 20, 50, 100, 200, 400, 800, 1600 };
	uint64_t ms[16], at = NOW + 30 * NS_PER_MS;
	struct punch p;

	for (unsigned at_home = 0; at_home < 2; at_home++) {
		if (at_home) {
			punch_begin_open(&p, NOW, NS_PER_S, true);
		} else {
			punch_begin(&p, NOW, NS_PER_S, true);
			punch_word(&p, NOW); /* our own opener is yet to come */
			ck_assert(p.opener && punch_due(&p, NOW));
			punch_sent(&p, NOW);
		}
		ck_assert(!punch_due(&p, NOW + 999 * NS_PER_MS) && punch_due(&p, NOW + NS_PER_S));
		punch_word(&p, at);
		punch_word(&p, at + 10 * NS_PER_MS); /* once */
		ck_assert_uint_eq(run(&p, at, ms), ARRAY_LEN(want));
		for (size_t i = 0; i < ARRAY_LEN(want); i++)
			ck_assert_uint_eq(ms[i], want[i]);
		punch_word(&p, at + 5 * NS_PER_S);
		ck_assert_uint_eq(p.next, TIME_NEVER);
	}
}
END_TEST

/* Whatever part of a round trip word takes in either direction, and whoever is first. */
/* [P6-60] */
START_TEST(word_comes_before_the_wait_is_over)
{
	for (uint64_t rtt = 0; rtt <= 900 * NS_PER_MS; rtt += 10 * NS_PER_MS) {
		for (uint64_t way = 0; way <= rtt; way += 10 * NS_PER_MS) {
			for (unsigned n = 0; n < 6; n++) {
				struct punch_plan plan = punch_plan(n, rtt);
				uint64_t ours = plan.begin_in, theirs = plan.tell_in + way;

				ck_assert_uint_lt(theirs + rtt - way, ours + punch_wait(rtt));
				ck_assert_uint_lt(ours + way, theirs + punch_wait(rtt));
			}
		}
	}
	ck_assert_uint_eq(punch_wait(100 * NS_PER_S), 3 * NS_PER_S);
}
END_TEST

START_TEST(the_order_changes_from_round_to_round)
{
	static const enum punch_order want[] = { PUNCH_CROSS,	 PUNCH_CROSS,	   PUNCH_CROSS,
						 PUNCH_WE_FIRST, PUNCH_THEY_FIRST, PUNCH_CROSS };
	unsigned hops = 0, orders = 0; /* that openers past the first router come with */

	for (unsigned i = 0; i < 2 * ARRAY_LEN(want); i++) {
		struct punch_plan plan = punch_plan(i, 40 * NS_PER_MS);
		uint64_t theirs = plan.tell_in + 20 * NS_PER_MS;

		if (i < ARRAY_LEN(want))
			ck_assert_int_eq(plan.order, want[i]);
		ck_assert_int_eq(plan.hops == 2, i < 2 || i % 2 == 0);
		orders |= (unsigned)(plan.hops == 2) << plan.order;
		if (plan.order == PUNCH_CROSS)
			ck_assert_uint_eq(plan.begin_in, theirs);
		else if (plan.order == PUNCH_WE_FIRST)
			ck_assert_uint_ge(theirs, plan.begin_in + 100 * NS_PER_MS);
		else
			ck_assert_uint_ge(plan.begin_in, theirs + 100 * NS_PER_MS);
		hops |= 1u << plan.hops;
	}
	ck_assert_uint_eq(hops, 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5);
	ck_assert_uint_eq(orders,
			  1u << PUNCH_CROSS | 1u << PUNCH_WE_FIRST | 1u << PUNCH_THEY_FIRST);
}
END_TEST

START_TEST(a_late_timer_makes_no_burst)
{
	struct punch p;

	punch_begin(&p, NOW, 0, true);
	punch_sent(&p, NOW + NS_PER_S);
	ck_assert_uint_eq(p.next, NOW + 1600 * NS_PER_MS);
	punch_sent(&p, NOW + 1600 * NS_PER_MS);
	ck_assert_uint_eq(p.next, TIME_NEVER);
}
END_TEST

START_TEST(rounds_become_rare)
{
	static const uint64_t want_s[] = { 5, 40, 40, 40, 80, 160, 320, 600, 600 };

	for (unsigned i = 0; i < ARRAY_LEN(want_s); i++)
		ck_assert_uint_eq(punch_gap(i), want_s[i] * NS_PER_S);
	ck_assert_uint_eq(punch_gap(1000000), 600 * NS_PER_S);
}
END_TEST

UNIT_MAIN("overlay/paths", direct_goes_before_the_relay_and_the_lan_before_all,
	  a_little_better_is_not_worth_a_move, moves_need_proof_on_both_sides_and_time_between_them,
	  the_fallback_is_what_answered_in_the_doubt_else_the_relay,
	  only_its_own_fresh_nonce_proves_a_path, a_full_set_gives_up_what_never_answered,
	  doubt_takes_three_pings_and_their_time, a_round_has_eight_pings_or_one,
	  an_opener_goes_before_the_others, pings_wait_for_word_of_the_other_sides_openers,
	  word_comes_before_the_wait_is_over, the_order_changes_from_round_to_round,
	  a_late_timer_makes_no_burst, rounds_become_rare)
