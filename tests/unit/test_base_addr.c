/* SPDX-License-Identifier: MIT */
/* Tests of base/addr.h: text forms, and which addresses may be used for what. */
#include "base/addr.h"

#include "unit.h"

static struct addr parsed(const char *text)
{
	struct addr a = { .port = 0 };

	ck_assert_msg(addr_parse(text, &a) == 0, "\"%s\" was refused", text);
	return a;
}

START_TEST(endpoints_come_back_as_text)
{
	static const char *const texts[] = {
		"1.2.3.4:5",
		"0.0.0.0:0",
		"255.255.255.255:65535",
		"[::]:0",
		"[::1]:4433",
		"[2001:db8::1]:65535",
		"[fe80::1%3]:1",
		"[fe80::1%4294967295]:1",
		"[2001:db8:1111:2222:3333:4444:5555:6666]:65535",
		"[fe80:1111:1111:2222:3333:4444:5555:6666%4294967295]:65535",
	};
	char out[ADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = parsed(texts[i]);

		ck_assert_str_eq(addr_format(&a, out), texts[i]);
	}
}
END_TEST

START_TEST(mapped_addresses_are_v4)
{
	struct addr a = parsed("[::ffff:1.2.3.4]:5"), b = addr_v4(0x01020304, 5);
	char out[ADDR_TEXT_MAX];

	ck_assert(addr_is_v4(&a));
	ck_assert(addr_equal(&a, &b));
	ck_assert_uint_eq(addr_ip4(&a), 0x01020304);
	ck_assert_str_eq(addr_format(&a, out), "1.2.3.4:5");
	a = parsed("[::1.2.3.4]:5");
	ck_assert(!addr_is_v4(&a));
}
END_TEST

START_TEST(endpoints_that_are_refused)
{
	static const char *const bad[] = {
		"",
		":",
		":5",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"1.2.3.4:+5",
		"1.2.3.4:05",
		"1.2.3.4: 5",
		"1.2.3.4:5 ",
		"1.2.3.4:5x",
		"1.2.3.4:0x5",
		"1.2.3:5",
		"1.2.3.4.5:5",
		"01.2.3.4:5",
		"1.2.3.256:5",
		" 1.2.3.4:5",
		"nas.homelab:5",
		"::1:5",
		"2001:db8::1",
		"[2001:db8::1]",
		"[2001:db8::1]5",
		"[2001:db8::1:5",
		"2001:db8::1]:5",
		"[]:5",
		"[1.2.3.4]:5",
		"[[::1]]:5",
		"[::1%]:5",
		"[::1%3]:5",
		"[2001:db8::1%3]:5",
		"[fe80::1%]:5",
		"[fe80::1%0]:5",
		"[fe80::1%eth0]:5",
		"[fe80::1%03]:5",
		"[fe80::1%4294967296]:5",
		"[fe80::1%3%3]:5",
		"[fe80::1%3 ]:5",
		"[:::1]:5",
		"[1:2:3:4:5:6:7:8:9]:5",
		"[::g]:5",
		"[::1]:5\n",
		"[00000000000000000000000000000000000000000000000000000000000000000000000000::1]:5",
		"1.2.3.4:99999999999999999999",
	};
	struct addr a = addr_v4(7, 7), before = a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(addr_parse(bad[i], &a) == -EINVAL, "\"%s\" was accepted", bad[i]);
		ck_assert(addr_equal(&a, &before));
	}
}
END_TEST

START_TEST(literals_come_back_as_text)
{
	static const char *const texts[][2] = {
		{ "1.2.3.4", "1.2.3.4" },	    { "2001:DB8:0::1", "2001:db8::1" },
		{ "[2001:db8::1]", "2001:db8::1" }, { "::", "::" },
		{ "[fe80::1%12]", "fe80::1%12" },   { "fe80::1%12", "fe80::1%12" },
		{ "::ffff:9.8.7.6", "9.8.7.6" },
	};
	char out[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert_int_eq(addr_parse_ip(texts[i][0], &a), 0);
		ck_assert_str_eq(addr_format_ip(&a, out), texts[i][1]);
		ck_assert_uint_eq(a.port, 0);
	}
}
END_TEST

START_TEST(literals_that_are_refused)
{
	static const char *const bad[] = {
		"",
		"[",
		"]",
		"[]",
		"[::1",
		"::1]",
		"[1.2.3.4]",
		"1.2.3.4:5",
		"[::1]:5",
		"1.2.3",
		"0x7f.0.0.1",
		"2130706433",
		"localhost",
		"1.2.3.4 ",
		" ::1",
		"::1%1",
		"1.2.3.04",
		"[::1]]",
		"1.2.3.4/32",
		"::1/128",
		"\xc2\xb2.2.3.4",
		"fe80::1%lo",
		"0000000000000000000000000000000000000000000000000000000000000000::1",
	};
	struct addr a = addr_v4(7, 7), before = a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(addr_parse_ip(bad[i], &a) == -EINVAL, "\"%s\" was accepted", bad[i]);
		ck_assert(addr_equal(&a, &before));
	}
}
END_TEST

START_TEST(comparison_sees_every_part)
{
	struct addr a = parsed("[fe80::1%3]:5"), port = parsed("[fe80::1%3]:6");
	struct addr scope = parsed("[fe80::1%4]:5"), ip = parsed("[fe80::2%3]:5");
	struct addr unset = { .port = 0 }, any = parsed("0.0.0.0:0"), only_port = { .port = 1 };

	ck_assert(addr_equal(&a, &a));
	ck_assert(!addr_equal(&a, &port));
	ck_assert(!addr_equal(&a, &scope));
	ck_assert(!addr_equal(&a, &ip));
	ck_assert(addr_same_ip(&a, &port));
	ck_assert(!addr_same_ip(&a, &ip));
	ck_assert(addr_is_unset(&unset));
	ck_assert(!addr_is_unset(&any));
	ck_assert(!addr_is_unset(&only_port));
}
END_TEST

START_TEST(candidates_that_are_refused)
{
	static const char *const bad[] = {
		"1.2.3.4:0",
		"[2001:db8::1]:0",
		"0.0.0.0:5",
		"0.1.2.3:5",
		"127.0.0.1:5",
		"127.255.255.255:5",
		"169.254.169.254:80",
		"169.254.0.1:5",
		"224.0.0.1:5",
		"239.255.255.255:5",
		"240.0.0.1:5",
		"255.255.255.255:5",
		"100.100.100.200:80",
		"168.63.129.16:80",
		"[::]:5",
		"[::1]:5",
		"[::127.0.0.1]:5",
		"[::8.8.8.8]:5",
		"[::ffff:127.0.0.1]:5",
		"[ff02::1]:5",
		"[ff0e::1]:5",
		"[fe80::1]:5",
		"[fe80::1%2]:5",
		"[febf::1]:5",
		"[fd00:ec2::254]:80",
		"[fd20:ce::254]:80",
		"[64:ff9b::127.0.0.1]:5",
		"[64:ff9b::a9fe:a9fe]:80",
		"[2002:7f00:1::1]:5",
		"[2002:e000:1::1]:5",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct addr a = parsed(bad[i]);

		ck_assert_msg(!addr_is_candidate_ok(&a), "%s was accepted", bad[i]);
	}
}
END_TEST

START_TEST(candidates_that_are_accepted)
{
	static const char *const good[] = {
		"1.0.0.0:1",	     "8.8.8.8:65535",	     "10.0.0.1:5",	    "100.64.0.1:5",
		"126.255.255.255:5", "128.0.0.1:5",	     "169.253.255.255:5",   "169.255.0.0:5",
		"192.168.1.1:5",     "223.255.255.255:5",    "[2001:db8::1]:5",	    "[fd00::1]:5",
		"[fec0::1]:5",	     "[64:ff9b::8.8.8.8]:5", "[2002:808:808::1]:5",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct addr a = parsed(good[i]);

		ck_assert_msg(addr_is_candidate_ok(&a), "%s was refused", good[i]);
	}
}
END_TEST

START_TEST(private_addresses)
{
	static const char *const private[] = {
		"10.0.0.0:1",	 "10.255.255.255:1",  "172.16.0.0:1", "172.31.255.255:1",
		"192.168.0.0:1", "192.168.255.255:1", "100.64.0.0:1", "100.127.255.255:1",
		"[fc00::]:1",	 "[fdff:ffff::1]:1",
	};
	static const char *const public[] = {
		"9.255.255.255:1",   "11.0.0.0:1",    "172.15.255.255:1", "172.32.0.0:1",
		"192.167.255.255:1", "192.169.0.0:1", "100.63.255.255:1", "100.128.0.0:1",
		"[fbff::1]:1",	     "[fe00::1]:1",   "[2001:db8::1]:1",  "[::10.0.0.1]:1",
	};

	for (size_t i = 0; i < ARRAY_LEN(private); i++) {
		struct addr a = parsed(private[i]);

		ck_assert_msg(addr_is_private(&a), "%s", private[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(public); i++) {
		struct addr a = parsed(public[i]);

		ck_assert_msg(!addr_is_private(&a), "%s", public[i]);
	}
}
END_TEST

START_TEST(ip4_refuses_other_forms)
{
	static const char *const bad[] = {
		"",
		".",
		"1",
		"1.2",
		"1.2.3",
		"1.2.3.",
		".1.2.3",
		"1..2.3",
		"1.2.3.4.",
		"1.2.3.4.5",
		"256.0.0.1",
		"1.2.3.999",
		"00.0.0.0",
		"1.02.3.4",
		"1.2.3.4 ",
		" 1.2.3.4",
		"+1.2.3.4",
		"-1.2.3.4",
		"1.2.3.4/8",
		"1,2,3,4",
		"0x1.2.3.4",
		"1.2.3.a",
		"1.2.3.4294967297",
		"1.2.3.18446744073709551617",
	};
	ip4 ip = 7;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(ip4_parse(bad[i], &ip) == -EINVAL, "\"%s\" was accepted", bad[i]);
		ck_assert_uint_eq(ip, 7);
	}
}
END_TEST

START_TEST(random_addresses_come_back)
{
	struct unit_rng rng = unit_rng_new("random_addresses_come_back");

	for (int round = 0; round < 5000; round++) {
		char text[ADDR_TEXT_MAX];
		ip4 ip = (ip4)unit_random(&rng), ip_again;
		struct addr a, again;
		uint8_t bytes[16];

		ck_assert_int_eq(ip4_parse(ip4_format(ip, text), &ip_again), 0);
		ck_assert_uint_eq(ip, ip_again);
		unit_random_bytes(&rng, bytes, sizeof(bytes));
		memset(bytes + unit_random_below(&rng, 8), 0, unit_random_below(&rng, 9));
		a = round % 4 == 0 ? addr_v4(ip, (uint16_t)ip) : addr_v6(bytes, (uint16_t)ip);
		if (a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80)
			a.scope = (uint32_t)unit_random(&rng);
		ck_assert_int_eq(addr_parse(addr_format(&a, text), &again), 0);
		ck_assert_msg(addr_equal(&a, &again), "%s", text);
	}
}
END_TEST

static struct prefix4 prefix(const char *text)
{
	struct prefix4 p = { 0, 0 };
	struct err err = { .code = 0 };

	ck_assert_msg(prefix4_parse(text, &p, &err) == 0, "\"%s\": %s", text, err.text);
	return p;
}

START_TEST(prefixes_come_back_as_text)
{
	static const char *const texts[] = {
		"0.0.0.0/0",   "128.0.0.0/1", "100.64.0.0/10",
		"10.1.2.0/24", "1.2.3.4/32",  "255.255.255.254/31",
	};
	char out[PREFIX4_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_str_eq(prefix4_format(prefix(texts[i]), out), texts[i]);
	ck_assert_str_eq(prefix4_format((struct prefix4){ UINT32_MAX, 255 }, out),
			 "255.255.255.255/255");
}
END_TEST

START_TEST(prefixes_that_are_refused)
{
	/* text, and what the message tells to write */
	static const char *const bad[][2] = {
		{ "", "such as 100.64.0.0/10" },
		{ "homelab", "such as 100.64.0.0/10" },
		{ "10/8", "such as 100.64.0.0/10" },
		{ "fd00::/8", "such as 100.64.0.0/10" },
		{ "256.0.0.0/8", "such as 100.64.0.0/10" },
		{ "010.0.0.0/8", "such as 100.64.0.0/10" },
		{ "10.0.0.0", "such as 10.0.0.0/24" },
		{ "10.0.0.0/", "a number from 0 to 32" },
		{ "10.0.0.0/33", "a number from 0 to 32" },
		{ "10.0.0.0/-1", "a number from 0 to 32" },
		{ "10.0.0.0/08", "a number from 0 to 32" },
		{ "10.0.0.0/8 ", "a number from 0 to 32" },
		{ "10.0.0.0/8/8", "a number from 0 to 32" },
		{ "10.0.0.0/255.0.0.0", "a number from 0 to 32" },
		{ "10.0.0.0.0/8", "a number from 0 to 32" },
		{ "10.1.2.3/8", "the subnet itself, 10.0.0.0/8" },
		{ "100.64.0.1/10", "the subnet itself, 100.64.0.0/10" },
		{ "0.0.0.1/0", "the subnet itself, 0.0.0.0/0" },
		{ "1.1.1.1/31", "the subnet itself, 1.1.1.0/31" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct prefix4 p = { 7, 7 };
		struct err err = { .code = 0 };

		ck_assert_msg(prefix4_parse(bad[i][0], &p, &err) == -EINVAL, "\"%s\" was accepted",
			      bad[i][0]);
		ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "\"%s\" says: %s", bad[i][0],
			      err.text);
		ck_assert(p.net == 7 && p.bits == 7);
		ck_assert_int_eq(prefix4_parse(bad[i][0], &p, NULL), -EINVAL);
	}
}
END_TEST

START_TEST(prefixes_contain_and_overlap)
{
	struct prefix4 ten = prefix("10.0.0.0/8"), part = prefix("10.9.0.0/16");
	struct prefix4 all = prefix("0.0.0.0/0"), eleven = prefix("11.0.0.0/8");
	struct prefix4 one = prefix("10.9.8.7/32");

	ck_assert(prefix4_contains(ten, 0x0a000000));
	ck_assert(prefix4_contains(ten, 0x0affffff));
	ck_assert(!prefix4_contains(ten, 0x09ffffff));
	ck_assert(!prefix4_contains(ten, 0x0b000000));
	ck_assert(prefix4_contains(all, 0));
	ck_assert(prefix4_contains(all, UINT32_MAX));
	ck_assert(prefix4_contains(one, 0x0a090807));
	ck_assert(!prefix4_contains(one, 0x0a090806));
	ck_assert(prefix4_overlaps(ten, part) && prefix4_overlaps(part, ten));
	ck_assert(prefix4_overlaps(ten, one) && prefix4_overlaps(one, part));
	ck_assert(prefix4_overlaps(all, eleven) && prefix4_overlaps(eleven, all));
	ck_assert(!prefix4_overlaps(ten, eleven) && !prefix4_overlaps(eleven, part));
}
END_TEST

START_TEST(first_and_last_host)
{
	ck_assert_uint_eq(prefix4_first(prefix("10.0.0.0/24")), 0x0a000001);
	ck_assert_uint_eq(prefix4_last(prefix("10.0.0.0/24")), 0x0a0000fe);
	ck_assert_uint_eq(prefix4_first(prefix("10.0.0.4/30")), 0x0a000005);
	ck_assert_uint_eq(prefix4_last(prefix("10.0.0.4/30")), 0x0a000006);
	ck_assert_uint_eq(prefix4_first(prefix("10.0.0.4/31")), 0x0a000004);
	ck_assert_uint_eq(prefix4_last(prefix("10.0.0.4/31")), 0x0a000005);
	ck_assert_uint_eq(prefix4_first(prefix("10.0.0.4/32")), 0x0a000004);
	ck_assert_uint_eq(prefix4_last(prefix("10.0.0.4/32")), 0x0a000004);
	ck_assert_uint_eq(prefix4_last(prefix("0.0.0.0/0")), 0xfffffffe);
}
END_TEST

START_TEST(overlay_subnets)
{
	static const char *const good[] = {
		"100.64.0.0/10", "100.127.255.248/29", "10.0.0.0/8",	 "10.1.2.0/24",
		"172.16.0.0/12", "172.31.0.0/16",      "192.168.0.0/16", "192.168.1.0/24",
		"198.18.0.0/15", "198.19.255.0/24",
	};
	static const char *const bad[][2] = {
		{ "0.0.0.0/0", "from /8 to /29" },     { "10.0.0.0/7", "from /8 to /29" },
		{ "10.0.0.0/30", "from /8 to /29" },   { "10.0.0.1/32", "from /8 to /29" },
		{ "100.0.0.0/8", "Choose one in" },    { "100.0.0.0/9", "Choose one in" },
		{ "100.128.0.0/10", "Choose one in" }, { "11.0.0.0/8", "Choose one in" },
		{ "172.0.0.0/11", "Choose one in" },   { "172.32.0.0/12", "Choose one in" },
		{ "192.168.0.0/15", "Choose one in" }, { "192.0.2.0/24", "Choose one in" },
		{ "198.16.0.0/14", "Choose one in" },  { "198.20.0.0/15", "Choose one in" },
		{ "8.8.8.0/24", "Choose one in" },     { "127.0.0.0/8", "Choose one in" },
		{ "169.254.0.0/16", "Choose one in" }, { "224.0.0.0/8", "Choose one in" },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(overlay_subnet_check(prefix(good[i]), &err) == 0, "%s", err.text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(overlay_subnet_check(prefix(bad[i][0]), &err) == -EINVAL, "%s",
			      bad[i][0]);
		ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s says: %s", bad[i][0],
			      err.text);
	}
}
END_TEST

/* A subnet may come from a remote machine's log, not only through prefix4_parse. */
START_TEST(overlay_subnets_that_no_text_makes)
{
	struct err err = { .code = 0 };

	ck_assert_int_eq(overlay_subnet_check((struct prefix4){ 0x0a000000, 33 }, &err), -EINVAL);
	ck_assert_int_eq(overlay_subnet_check((struct prefix4){ 0x0a000000, 255 }, &err), -EINVAL);
	ck_assert_int_eq(overlay_subnet_check((struct prefix4){ 0x0a010203, 16 }, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "Choose 10.1.0.0/16"));
	ck_assert_int_eq(overlay_subnet_check((struct prefix4){ 0x0a010203, 16 }, NULL), -EINVAL);
}
END_TEST

UNIT_MAIN("base/addr", endpoints_come_back_as_text, mapped_addresses_are_v4,
	  endpoints_that_are_refused, literals_come_back_as_text, literals_that_are_refused,
	  comparison_sees_every_part, candidates_that_are_refused, candidates_that_are_accepted,
	  private_addresses, ip4_refuses_other_forms, random_addresses_come_back,
	  prefixes_come_back_as_text, prefixes_that_are_refused, prefixes_contain_and_overlap,
	  first_and_last_host, overlay_subnets, overlay_subnets_that_no_text_makes)
