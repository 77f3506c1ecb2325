/* SPDX-License-Identifier: MIT */
/* Tests of the search for the largest datagram of a path, and of the watch over it. */
#include "overlay/reach/mtu_search.h"
#include "unit.h"

#define NOW (1000 * NS_PER_S)
#define NONCE 0x1122334455667788u
#define PATIENCE (100 * NS_PER_MS)
#define ALL ((1u << MTU_SIZES) - 1)

/* A path that carries datagrams of `room` bytes, `overhead` of which are its own. */
struct line {
	struct mtu m;
	size_t room, overhead;
	unsigned lose; /* so many bursts are lost whole */
	unsigned sent, bursts;
	uint64_t now;
};

static void burst(struct line *l)
{
	unsigned bits = mtu_due(&l->m, l->overhead, PATIENCE, l->now);

	if (bits == 0)
		return;
	l->bursts++;
	l->sent += (unsigned)__builtin_popcount(bits);
	if (l->lose > 0) {
		l->lose--;
		return;
	}
	for (unsigned i = 0; i < MTU_SIZES; i++) {
		size_t size = mtu_size(i, l->overhead);

		if ((bits & 1u << i) && size + l->overhead <= l->room)
			ck_assert_uint_eq(mtu_echo(&l->m, l->overhead, l->m.nonce + i), size);
	}
}

static void settle(struct line *l)
{
	l->now = l->now ? l->now : NOW;
	mtu_search(&l->m, NONCE, l->now);
	for (unsigned i = 0; i < 100 && l->m.searching; i++, l->now += 10 * NS_PER_MS)
		burst(l);
	ck_assert(!l->m.searching);
}

/* [P6-75] [P6-76] */
START_TEST(a_wide_path_takes_one_ping)
{
	struct line l = { .room = 1452 };

	ck_assert_uint_eq(mtu_limit(&l.m), MTU_BASE);
	settle(&l);
	ck_assert_uint_eq(mtu_limit(&l.m), 1452);
	ck_assert_uint_eq(l.sent, 1);
	ck_assert_uint_eq(l.m.next, TIME_NEVER);
}
END_TEST

/* [P6-76] */
START_TEST(every_usual_link_is_found)
{
	static const struct {
		size_t room, found;
	} link[] = {
		{ 1472, 1452 }, { 1464, 1452 }, { 1444, 1444 }, { 1392, 1392 }, { 1372, 1372 },
		{ 1252, 1252 }, { 1232, 1232 }, { 1231, 1200 }, { 1443, 1412 },
	};

	for (size_t i = 0; i < ARRAY_LEN(link); i++) {
		struct line l = { .room = link[i].room };
		struct line r = { .room = link[i].room, .overhead = 17 };

		settle(&l);
		ck_assert_uint_eq(mtu_limit(&l.m), link[i].found);
		settle(&r);
		ck_assert_uint_eq(mtu_limit(&r.m), MAX(link[i].found - 17, MTU_BASE));
	}
}
END_TEST

START_TEST(lost_bursts_are_repeated_and_the_search_ends)
{
	struct line l = { .room = 1372, .lose = 2 }, none = { .room = 1372, .lose = 99 };

	settle(&l);
	ck_assert_uint_eq(mtu_limit(&l.m), 1372);
	settle(&none);
	ck_assert_uint_eq(mtu_limit(&none.m), MTU_BASE);
	ck_assert_uint_eq(none.bursts, 1 + MTU_BURSTS);
	ck_assert_uint_eq(none.sent, 1 + MTU_BURSTS * MTU_SIZES);
	ck_assert_uint_ge(none.m.next, none.now + MTU_AGAIN - NS_PER_S);
}
END_TEST

/* [P6-76] */
START_TEST(only_sizes_above_the_limit_are_asked_for)
{
	struct line l = { .room = 1392 };

	settle(&l);
	mtu_search(&l.m, NONCE + 100, l.now);
	ck_assert_uint_eq(mtu_due(&l.m, 0, PATIENCE, l.now), 1u << (MTU_SIZES - 1));
	ck_assert_uint_eq(mtu_due(&l.m, 0, PATIENCE, l.now), 0);
	ck_assert_uint_eq(mtu_due(&l.m, 0, PATIENCE, l.now + PATIENCE), ALL & ~0x3fu);
}
END_TEST

START_TEST(answers_to_others_count_nothing)
{
	struct mtu m = { .limit = 0 };

	ck_assert_uint_eq(mtu_echo(&m, 0, 0), 0);
	ck_assert_uint_eq(mtu_echo(&m, 0, MTU_SIZES - 1), 0);
	mtu_search(&m, NONCE, NOW);
	ck_assert_uint_eq(mtu_echo(&m, 0, NONCE - 1), 0);
	ck_assert_uint_eq(mtu_echo(&m, 0, NONCE + MTU_SIZES), 0);
	ck_assert_uint_eq(mtu_limit(&m), MTU_BASE);
}
END_TEST

START_TEST(an_answer_counts_once_for_each_question)
{
	struct mtu m = { .limit = 0 };

	mtu_search(&m, NONCE, NOW);
	ck_assert_uint_eq(mtu_echo(&m, 0, NONCE + MTU_SIZES - 1), 0); /* not asked yet */
	ck_assert_uint_eq(mtu_due(&m, 0, PATIENCE, NOW), 1u << (MTU_SIZES - 1));
	ck_assert_uint_ne(mtu_due(&m, 0, PATIENCE, NOW + PATIENCE), 0);
	for (unsigned i = 0; i < MTU_SIZES; i++) {
		ck_assert_uint_eq(mtu_echo(&m, 0, NONCE + i), mtu_size(i, 0));
		ck_assert_uint_eq(mtu_echo(&m, 0, NONCE + i), 0);
	}
	ck_assert_uint_eq(mtu_due(&m, 0, PATIENCE, NOW + 10 * NS_PER_S), 0); /* the end of it */
	ck_assert(mtu_check_due(&m, NONCE + 100, true, PATIENCE, NOW + 20 * NS_PER_S));
	ck_assert_uint_ne(mtu_echo(&m, 0, NONCE + 100), 0);
	ck_assert_uint_eq(mtu_echo(&m, 0, NONCE + 100), 0);
}
END_TEST

/* Checks until there are no more to be sent; the first is due at l->now. */
static void check_in_vain(struct line *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 100; i++, l->now += 10 * NS_PER_MS)
		n += mtu_check_due(&l->m, NONCE + 1000 * i, false, PATIENCE, l->now);
	ck_assert_uint_eq(n, MTU_CHECKS);
}

/* [P6-77] */
START_TEST(a_narrower_path_is_noticed)
{
	struct line l = { .room = 1452 };
	uint64_t begun;

	settle(&l);
	begun = l.now;
	check_in_vain(&l);
	/* A path that answers nothing at all is dead, not narrow. */
	ck_assert(!mtu_is_black_hole(&l.m, begun - 1, PATIENCE, l.now));
	ck_assert(mtu_is_black_hole(&l.m, begun + 1, PATIENCE, l.now));
	mtu_forget(&l.m);
	ck_assert_uint_eq(mtu_limit(&l.m), MTU_BASE);
	ck_assert(!mtu_check_due(&l.m, NONCE, true, PATIENCE, l.now));
	/* An answer that comes now is to an earlier ping. */
	ck_assert_uint_eq(mtu_echo(&l.m, 0, NONCE), 0);
}
END_TEST

START_TEST(a_check_that_is_answered_is_all_there_is)
{
	struct line l = { .room = 1452 };

	settle(&l);
	ck_assert(mtu_check_due(&l.m, 77, false, PATIENCE, l.now));
	ck_assert_uint_eq(mtu_echo(&l.m, 0, 78), 0);
	ck_assert_uint_eq(mtu_echo(&l.m, 0, 77), 1452);
	ck_assert(!mtu_check_due(&l.m, 177, false, PATIENCE, l.now + PATIENCE));
	ck_assert(mtu_check_due(&l.m, 277, true, PATIENCE, l.now + PATIENCE));
	ck_assert_uint_eq(mtu_echo(&l.m, 0, 277), 1452);
	ck_assert(mtu_check_due(&l.m, 377, false, PATIENCE, l.now + PATIENCE + MTU_CHECK_GAP));
	ck_assert(!mtu_is_black_hole(&l.m, l.now + 10 * NS_PER_S, PATIENCE, l.now + 10 * NS_PER_S));
}
END_TEST

UNIT_MAIN("overlay/mtu", a_wide_path_takes_one_ping, every_usual_link_is_found,
	  lost_bursts_are_repeated_and_the_search_ends, only_sizes_above_the_limit_are_asked_for,
	  answers_to_others_count_nothing, an_answer_counts_once_for_each_question,
	  a_narrower_path_is_noticed, a_check_that_is_answered_is_all_there_is)
