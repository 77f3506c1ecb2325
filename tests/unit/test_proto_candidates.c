/* SPDX-License-Identifier: MIT */
/* Tests of the one filter of candidates: to which addresses of others may a node send? */
#include "proto/candidates.h"

#include "unit.h"

static const struct prefix4 overlay = { 0x64400000, 10 };

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

static void check_list(const struct wire_candidates *c, const char *const *want, size_t n)
{
	ck_assert_uint_eq(c->n, n);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_MAX];

		ck_assert_str_eq(addr_format(&c->item[i], text), want[i]);
	}
}

/* [P4-33] [P6-50] */
START_TEST(dangerous_addresses_of_others_are_not_tried)
{
	static const char *const bad[] = {
		"127.0.0.1:80",	      "0.0.0.0:80",    "224.0.0.1:80",	     "255.255.255.255:80",
		"169.254.169.254:80", "[::1]:80",      "[fe80::1]:80",	     "[ff02::1]:80",
		"10.0.0.1:0",	      "100.64.0.7:80", "100.127.255.255:80", "[::]:80",
	};
	struct wire_candidates in = { .n = 0 }, own = { .n = 0 }, out = { .n = 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		in.item[0] = at(bad[i]);
		in.n = 1;
		candidates_filter(&in, &own, overlay, &out);
		ck_assert_msg(out.n == 0, "%s", bad[i]);
	}
	in.item[0] = at("100.128.0.1:80");
	candidates_filter(&in, &own, overlay, &out);
	ck_assert_uint_eq(out.n, 1);
}
END_TEST

/* [P4-33] [P6-49] */
START_TEST(one_public_address_is_tried_at_two_ports_only)
{
	struct wire_candidates in = { .n = 0 }, own = { .n = 1 }, out = { .n = 0 };
	static const char *const want[] = { "203.0.113.9:1", "203.0.113.9:2", "192.168.1.1:1",
					    "192.168.1.1:2", "192.168.1.1:3" };

	own.item[0] = at("10.0.0.1:1");
	for (uint16_t port = 1; port <= 3; port++) {
		in.item[in.n] = at("203.0.113.9:1");
		in.item[in.n++].port = port;
	}
	for (uint16_t port = 1; port <= 3; port++) {
		in.item[in.n] = at("192.168.1.1:1");
		in.item[in.n++].port = port;
	}
	in.item[in.n++] = at("10.0.0.1:1");    /* ours */
	in.item[in.n++] = at("203.0.113.9:1"); /* again */
	candidates_filter(&in, &own, overlay, &out);
	check_list(&out, want, ARRAY_LEN(want));
	/* A second list does not get around it. */
	in.n = 1;
	in.item[0] = at("203.0.113.9:9");
	candidates_filter(&in, &own, overlay, &out);
	ck_assert_uint_eq(out.n, ARRAY_LEN(want));
	/* The server has no addresses of its own to leave out. */
	in.item[0] = own.item[0];
	candidates_filter(&in, NULL, overlay, &out);
	ck_assert_uint_eq(out.n, ARRAY_LEN(want) + 1);
}
END_TEST

/* [P4-33] [P6-49] */
START_TEST(lists_are_bounded_and_have_no_doubles)
{
	struct wire_candidates c = { .n = 0 }, d;
	struct addr a = at("203.0.113.1:1");

	ck_assert(candidates_add(&c, &a));
	ck_assert(!candidates_add(&c, &a));
	for (unsigned i = 2; i <= CANDIDATES_MAX; i++) {
		a.port = (uint16_t)i;
		ck_assert(candidates_add(&c, &a));
	}
	a.port = 99;
	ck_assert(!candidates_add(&c, &a));
	ck_assert_uint_eq(c.n, CANDIDATES_MAX);
	d = c;
	ck_assert(wire_candidates_equal(&c, &d));
	d.item[3].port++;
	ck_assert(!wire_candidates_equal(&c, &d));
	d = c;
	d.n--;
	ck_assert(!wire_candidates_equal(&c, &d));
}
END_TEST

UNIT_MAIN("proto/candidates", dangerous_addresses_of_others_are_not_tried,
	  one_public_address_is_tried_at_two_ports_only, lists_are_bounded_and_have_no_doubles)
