/* SPDX-License-Identifier: MIT */
/* What follows from where others see us. */
#include "overlay/reach/nat.h"
#include "unit.h"

static struct nat_view view(const char *from, const char *seen)
{
	struct nat_view v;

	ck_assert_int_eq(addr_parse(from, &v.from), 0);
	ck_assert_int_eq(addr_parse(seen, &v.seen), 0);
	return v;
}

START_TEST(one_word_is_no_comparison)
{
	struct nat_view v = view("192.0.2.1:4433", "198.51.100.4:7001");

	ck_assert_int_eq(nat_mapping_of(NULL, 0, false), MAPPING_UNKNOWN);
	ck_assert_int_eq(nat_mapping_of(&v, 1, false), MAPPING_UNKNOWN);
	ck_assert_int_eq(nat_mapping_of(&v, 1, true), MAPPING_NONE);
}
END_TEST

/* [P6-40] */
START_TEST(all_must_agree)
{
	struct nat_view v[3] = { view("192.0.2.1:4433", "198.51.100.4:7001"),
				 view("192.0.2.1:50000", "198.51.100.4:7001"),
				 view("203.0.113.1:600", "198.51.100.4:7001") };

	ck_assert_int_eq(nat_mapping_of(v, 3, false), MAPPING_SAME);
	v[1].seen.port++;
	ck_assert_int_eq(nat_mapping_of(v, 3, false), MAPPING_VARIES);
	v[1].seen.port--;
	ck_assert_int_eq(nat_mapping_of(v, 2, false), MAPPING_SAME);
	v[2] = view("203.0.113.1:600", "198.51.100.5:7001"); /* a pool of addresses */
	ck_assert_int_eq(nat_mapping_of(v, 3, false), MAPPING_VARIES);
}
END_TEST

/* Towards a peer whose ping came first, a NAT that remembers strangers uses another port. */
/* [P6-40] */
START_TEST(a_peer_that_came_first_proves_nothing)
{
	struct nat_view v[5] = { view("192.0.2.1:4433", "198.51.100.4:7001"),
				 view("192.0.2.1:50000", "198.51.100.4:7001"),
				 view("203.0.113.1:600", "198.51.100.4:7002"),
				 view("203.0.113.2:600", "198.51.100.4:7003"),
				 view("203.0.113.3:600", "198.51.100.4:7001") };
	struct nat_view alone[2] = { v[0], v[2] };

	ck_assert_int_eq(nat_mapping_of(alone, 2, false), MAPPING_UNKNOWN);
	ck_assert_int_eq(nat_mapping_of(v, 3, false), MAPPING_SAME);
	ck_assert_int_eq(nat_mapping_of(v, 5, false), MAPPING_SAME);
	v[4].seen.port = 7004;
	ck_assert_int_eq(nat_mapping_of(v, 5, false), MAPPING_VARIES);
	v[3].seen.port = 7002; /* the other port is the same one for both */
	ck_assert_int_eq(nat_mapping_of(v, 4, false), MAPPING_SAME);
}
END_TEST

/* [P6-41] */
START_TEST(a_server_with_a_public_address_sees_public_ones)
{
	static const struct {
		const char *observed, *server;
		bool rewritten;
	} cases[] = {
		{ "172.17.0.1:7001", "203.0.113.1:4433", true },
		{ "[fd00::1]:7001", "[2001:db8::1]:4433", true },
		{ "172.17.0.1:7001", "[2001:db8::1]:4433", true },
		{ "203.0.113.1:7001", "203.0.113.1:4433", true }, /* its own */
		{ "198.51.100.4:7001", "203.0.113.1:4433", false },
		{ "192.168.1.4:7001", "192.168.1.1:4433", false }, /* in a LAN */
		{ "198.51.100.4:7001", "192.168.1.1:4433", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a, s;

		ck_assert_int_eq(addr_parse(cases[i].observed, &a), 0);
		ck_assert_int_eq(addr_parse(cases[i].server, &s), 0);
		ck_assert_int_eq(nat_is_rewritten(&a, &s), cases[i].rewritten);
	}
}
END_TEST

UNIT_MAIN("overlay/nat", one_word_is_no_comparison, all_must_agree,
	  a_peer_that_came_first_proves_nothing, a_server_with_a_public_address_sees_public_ones)
