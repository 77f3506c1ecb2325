/* SPDX-License-Identifier: MIT */
/* The list of name servers of a container. */
#include "unit.h"

#include "cli/resolv_conf.h"

#define OURS(ip) "# the next line is by mlsh container\nnameserver " ip "\n"

static void check_made(const char *old, const char *servers, const char *expected)
{
	struct buf made = { 0 };
	ip4 server[4];
	size_t n = 0;

	for (const char *s = servers; *s; s++)
		server[n++] = 0x64400000u + (unsigned)(*s - '0');
	ck_assert_int_eq(resolv_conf_make(span_str(old), server, n, &made), 0);
	ck_assert_str_eq((const char *)made.data, expected);
	ck_assert_uint_eq(made.len, strlen(expected));
	buf_free(&made);
}

START_TEST(own_servers_come_first)
{
	check_made("search a\nnameserver 10.0.0.1\n", "1",
		   OURS("100.64.0.1") "search a\nnameserver 10.0.0.1\n");
	check_made("nameserver 10.0.0.1", "12",
		   OURS("100.64.0.1") OURS("100.64.0.2") "nameserver 10.0.0.1");
	check_made("", "3", OURS("100.64.0.3"));
}
END_TEST

START_TEST(a_second_call_takes_the_place_of_the_first)
{
	check_made(OURS("100.64.0.1") OURS("100.64.0.2") "nameserver 10.0.0.1\n", "3",
		   OURS("100.64.0.3") "nameserver 10.0.0.1\n");
	check_made("nameserver 10.0.0.1\n" OURS("100.64.0.1"), "", "nameserver 10.0.0.1\n");
	check_made("# the next line is by mlsh container\n", "1", OURS("100.64.0.1"));
}
END_TEST

START_TEST(what_others_wrote_stays)
{
	static const char others[] = "# the next line is by somebody\nnameserver 100.64.0.1\n"
				     "\n\noptions edns0\n";
	char expected[256];

	snprintf(expected, sizeof(expected), OURS("100.64.0.1") "%s", others);
	check_made(others, "1", expected);
}
END_TEST

/* Resolvers read three: one of the others has to be among them. */
START_TEST(room_is_left_for_one_of_the_others)
{
	ck_assert_uint_eq(resolv_conf_room(span_str("")), 3);
	ck_assert_uint_eq(resolv_conf_room(span_str("search a\n#nameserver 10.0.0.1\n")), 3);
	ck_assert_uint_eq(resolv_conf_room(span_str("search a\nnameserver 10.0.0.1\n")), 2);
	ck_assert_uint_eq(resolv_conf_room(span_str("nameserver 10.0.0.1\nnameserver ::1")), 2);
	ck_assert_uint_eq(resolv_conf_room(span_str(OURS("100.64.0.1") OURS("100.64.0.2"))), 3);
	ck_assert_uint_eq(resolv_conf_room(span_str(OURS("100.64.0.1") "nameserver ::1\n")), 2);
	ck_assert_uint_eq(resolv_conf_room(span_str("# the next line is by mlsh container\n")), 3);
}
END_TEST

UNIT_MAIN("cli/resolv_conf", own_servers_come_first, a_second_call_takes_the_place_of_the_first,
	  what_others_wrote_stays, room_is_left_for_one_of_the_others)
