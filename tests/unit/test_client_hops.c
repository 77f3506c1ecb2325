/* SPDX-License-Identifier: MIT */
/* Which places a client follows a server to that says that it has moved. */
#include "client/hops.h"
#include "proto/refusal.h"
#include "unit.h"

#define NOW (1000 * NS_PER_S)

static struct hops from_home(void)
{
	struct place home = place_of("signal.example.org", 4433);
	struct hops h;

	hops_begin(&h, &home);
	return h;
}

static int follow_from(struct hops *h, const char *host, uint16_t port, struct hops_day *day,
		       uint64_t now)
{
	struct err err = { 0 };
	int r = hops_follow(h, span_str(host), port, "homelab", day, now, &err);

	if (r < 0) {
		ck_assert_int_eq(err.reason, REFUSAL_MOVED);
		ck_assert_uint_gt(strlen(err.text), 40);
	}
	return r;
}

static bool is_followed(const char *host, uint16_t port)
{
	struct hops h = from_home();

	return follow_from(&h, host, port, NULL, NOW) == 0;
}

START_TEST(places_that_all_nodes_can_reach_are_followed)
{
	ck_assert(is_followed("signal2.example.org", 4433));
	ck_assert(is_followed("signal.example.org", 4434));
	ck_assert(is_followed("192.0.2.7", 1));
	ck_assert(is_followed("10.1.2.3", 65535));
	ck_assert(is_followed("2001:db8::7", 4433));
}
END_TEST

/* [P3-26] [P3-27] */
START_TEST(other_places_are_not)
{
	static const char *const bad[] = {
		"",
		"Signal2.example.org",
		"signal2.example.org.",
		"signal2..org",
		"-a.org",
		"1.2.3",
		"signal2.example.org:4433",
		"[2001:db8::7]",
		"2001:DB8::7",
		"2001:db8:0::7",
		"https://a.org",
		"a b",
		"localhost",
		"127.0.0.1",
		"::1",
		"0.0.0.0",
		"::",
		"169.254.1.1",
		"fe80::1",
		"server.local",
		"a.localhost",
		"homelab",
		"nas.homelab",
	};
	struct hops h = from_home();
	struct err err = { 0 };
	char with_nul[] = "a\0b.example.org";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!is_followed(bad[i], 4433), "%s", bad[i]);
	ck_assert_int_lt(hops_follow(&h, span_of(with_nul, sizeof(with_nul) - 1), 4433, "homelab",
				     NULL, NOW, &err),
			 0);
	ck_assert_uint_eq(h.n, 1);
	ck_assert(!is_followed("signal.example.org", 4433)); /* there it is already */
}
END_TEST

/* [P3-28] */
START_TEST(circles_and_long_ways_end)
{
	struct hops h = from_home();

	ck_assert_int_eq(follow_from(&h, "b.example.org", 1, NULL, NOW), 0);
	ck_assert_int_lt(follow_from(&h, "b.example.org", 1, NULL, NOW), 0);
	ck_assert_int_lt(follow_from(&h, "signal.example.org", 4433, NULL, NOW), 0);
	ck_assert_int_eq(follow_from(&h, "b.example.org", 2, NULL, NOW), 0);
	ck_assert_str_eq(hops_last(&h)->host, "b.example.org");
	ck_assert_uint_eq(hops_last(&h)->port, 2);
	ck_assert_int_eq(follow_from(&h, "b.example.org", 3, NULL, NOW), 0);
	ck_assert_int_lt(follow_from(&h, "b.example.org", 4, NULL, NOW), 0);
	ck_assert_uint_eq(h.n, HOPS_MAX + 1);
}
END_TEST

/* [P3-28] */
START_TEST(a_day_has_so_many)
{
	struct hops_day day = { 0 };
	uint64_t now = 0; /* a clock may begin there */

	for (unsigned i = 0; i < HOPS_PER_DAY_MAX; i++) {
		struct hops h = from_home();

		now += NS_PER_S;
		ck_assert_int_eq(follow_from(&h, "b.example.org", 1, &day, now), 0);
	}
	struct hops h = from_home();
	ck_assert_int_lt(follow_from(&h, "b.example.org", 1, &day, 86400 * NS_PER_S), 0);
	ck_assert_int_lt(follow_from(&h, "::1", 1, &day, 86400 * NS_PER_S), 0);
	ck_assert_int_eq(follow_from(&h, "b.example.org", 1, &day, 86401 * NS_PER_S), 0);
}
END_TEST

START_TEST(places_in_words)
{
	struct place a = place_of("2001:db8::7", 4433), b = place_of("b.example.org", 1);
	char text[PLACE_TEXT_MAX];

	ck_assert_str_eq(place_format(&a, text), "[2001:db8::7]:4433");
	ck_assert_str_eq(place_format(&b, text), "b.example.org:1");
	ck_assert(place_equal(&a, &a));
	ck_assert(!place_equal(&a, &b));
}
END_TEST

UNIT_MAIN("client/hops", places_that_all_nodes_can_reach_are_followed, other_places_are_not,
	  circles_and_long_ways_end, a_day_has_so_many, places_in_words)
