/* SPDX-License-Identifier: MIT */
/*
 * The DNS zone: a query's bytes in, an answer's bytes out. Queries are put together and answers
 * taken apart by hand here, so that c-ares is not checked with itself.
 */
#include "dns_kit.h"

START_TEST(members_have_addresses)
{
	dnskit_check_address("nas.homelab", KIT_NET + 1);
	dnskit_check_address("node1.homelab", KIT_NET + 2);
	dnskit_check_address("node2.homelab", KIT_NET + 3);
}
END_TEST

START_TEST(case_does_not_matter)
{
	dnskit_check_address("NAS.homelab", KIT_NET + 1);
	dnskit_check_address("nOdE1.HoMeLaB", KIT_NET + 2);
	dnskit_check_nothing("NODE9.HOMELAB", A, NXDOMAIN);
}
END_TEST

START_TEST(bare_cluster_name_is_this_node)
{
	dnskit_check_address("homelab", KIT_NET + 1);
	dnskit_check_address("HOMELAB", KIT_NET + 1);
	dnskit_check_nothing("homelab", AAAA, NOERROR);
}
END_TEST

START_TEST(known_name_of_another_type_has_no_data)
{
	static const unsigned types[] = { AAAA, TXT, HTTPS, SOA, PTR, 33, 2 };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		dnskit_check_nothing("nas.homelab", types[i], NOERROR);
		dnskit_check_nothing("node2.homelab", types[i], NOERROR);
	}
}
END_TEST

START_TEST(the_zone_names_its_server)
{
	struct answer a = dnskit_ask("HomeLab", SOA);
	char text[256];

	ck_assert_uint_eq(a.rcode, NOERROR);
	ck_assert(a.flags & AA);
	ck_assert_uint_eq(a.count[1], 1);
	ck_assert_uint_eq(a.count[2], 0);
	ck_assert_uint_eq(a.record[0].type, SOA);
	ck_assert_uint_eq(a.record[0].ttl, DNS_TTL_S);
	ck_assert(strcasecmp(a.record[0].name, "homelab") == 0);
	size_t at = dnskit_get_name(&a.m, a.record[0].at, text);
	ck_assert(strcasecmp(text, "nas.homelab") == 0);
	at = dnskit_get_name(&a.m, at, text);
	ck_assert_uint_eq(load_be32(a.m.data + at), 3); /* serial: entries of the log */
	a = dnskit_ask("homelab", NS);
	ck_assert_uint_eq(a.count[1], 1);
	ck_assert_uint_eq(a.record[0].type, NS);
	dnskit_get_name(&a.m, a.record[0].at, text);
	ck_assert_str_eq(text, "nas.homelab");
	dnskit_check_nothing("homelab", TXT, NOERROR);
	dnskit_check_nothing("www.homelab", SOA, NXDOMAIN);
}
END_TEST

/* Without EDNS an answer has 512 bytes at most (RFC 1035 section 4.2.1): none is cut. */
START_TEST(the_longest_answer_fits_the_oldest_client)
{
	char name[256] = "";

	for (int i = 0; i < 3; i++) {
		memset(name + strlen(name), 'a' + i, 63);
		strcat(name, ".");
	}
	memset(name + strlen(name), 'd', 253 - strlen(name) - strlen(".homelab"));
	strcat(name, ".homelab");
	ck_assert_uint_le(dnskit_ask(name, AAAA).m.len, 512);
}
END_TEST

START_TEST(any_gives_the_address)
{
	struct answer a = dnskit_ask("node1.homelab", ANY);

	ck_assert_uint_eq(a.rcode, NOERROR);
	ck_assert_uint_eq(a.count[1], 1);
	ck_assert_uint_eq(a.record[0].type, A);
	ck_assert_uint_eq(load_be32(a.m.data + a.record[0].at), KIT_NET + 2);
}
END_TEST

START_TEST(unknown_names_do_not_exist)
{
	static const char *const names[] = {
		"nobody.homelab", "www.nas.homelab", "node.homelab",
		"node11.homelab", "_tcp.homelab",    "a.b.c.d.e.f.homelab",
		"xnas.homelab",	  "nas-.homelab",    "*.homelab",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		dnskit_check_nothing(names[i], A, NXDOMAIN);
		dnskit_check_nothing(names[i], AAAA, NXDOMAIN);
	}
}
END_TEST

/* Labels of 63 bytes, a name of 255: the longest there are. */
START_TEST(longest_names_do_not_exist)
{
	char name[256] = "";

	for (int i = 0; i < 3; i++) {
		memset(name + strlen(name), 'a' + i, 63);
		strcat(name, ".");
	}
	memset(name + strlen(name), 'd', 253 - strlen(name) - strlen(".homelab"));
	strcat(name, ".homelab");
	ck_assert_uint_eq(strlen(name), 253);
	dnskit_check_nothing(name, A, NXDOMAIN);
	dnskit_check_nothing(name + 64, A, NXDOMAIN);
	dnskit_check_nothing(name + 3 * 64, A, NXDOMAIN);
}
END_TEST

/* Names that no host has, but services do (RFC 6763 section 4.3). */
START_TEST(odd_names_do_not_exist)
{
	static const char *const names[] = {
		"living room._http._tcp.homelab",
		"a+b.homelab",
		"n\xc3\xa4s.homelab",
		"a\\b.homelab",
		"\x01.homelab",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct answer a = dnskit_ask(names[i], A);

		ck_assert_msg(a.rcode == NXDOMAIN, "%s: %u", names[i], a.rcode);
		ck_assert(a.flags & AA);
		ck_assert_uint_eq(a.count[1], 0);
	}
	ck_assert_uint_eq(dnskit_ask("living room.example.org", A).rcode, REFUSED);
}
END_TEST

START_TEST(other_zones_are_refused)
{
	static const char *const names[] = {
		"example.org", "homelab.example.org", "nas.homelab.example.org", "nas", "org",
		"nashomelab",  "nas.homelabs",	      "homelab.homelab2",	 "",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		dnskit_check_refused(names[i], A);
}
END_TEST

START_TEST(addresses_have_names)
{
	static const char *const names[] = { "nas.homelab", "node1.homelab", "node2.homelab" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char name[64], text[256];

		snprintf(name, sizeof(name), "%zu.0.96.100.%s", i + 1,
			 i == 1 ? "IN-ADDR.ARPA" : "in-addr.arpa");
		struct answer a = dnskit_ask(name, PTR);

		ck_assert_uint_eq(a.rcode, NOERROR);
		ck_assert(a.flags & AA);
		ck_assert_uint_eq(a.count[1], 1);
		ck_assert_uint_eq(a.record[0].type, PTR);
		ck_assert_uint_eq(a.record[0].ttl, DNS_TTL_S);
		ck_assert_uint_eq(dnskit_get_name(&a.m, a.record[0].at, text),
				  a.record[0].at + a.record[0].len);
		ck_assert_str_eq(text, names[i]);
	}
	dnskit_check_nothing("1.0.96.100.in-addr.arpa", A, NOERROR);
	dnskit_check_nothing("99.0.96.100.in-addr.arpa", PTR, NXDOMAIN);
	dnskit_check_nothing("255.255.96.100.in-addr.arpa", PTR, NXDOMAIN);
}
END_TEST

START_TEST(other_reverse_names_are_refused)
{
	static const char *const names[] = {
		"1.0.97.100.in-addr.arpa",
		"8.8.8.8.in-addr.arpa",
		"in-addr.arpa",
		"0.96.100.in-addr.arpa",
		"96.100.in-addr.arpa",
		"1.1.0.96.100.in-addr.arpa",
		"01.0.96.100.in-addr.arpa",
		"256.0.96.100.in-addr.arpa",
		"257.0.96.100.in-addr.arpa",
		"-1.0.96.100.in-addr.arpa",
		"+1.0.96.100.in-addr.arpa",
		"1.0.96.100x.in-addr.arpa",
		"1.0.96.1e2.in-addr.arpa",
		"1x.0.96.100.in-addr.arpa",
		"1000.96.100.in-addr.arpa",
		"1.0.96.100.ip6.arpa",
		"a.b.c.d.in-addr.arpa",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		dnskit_check_refused(names[i], PTR);
}
END_TEST

START_TEST(other_classes_are_refused)
{
	struct message q = dnskit_header(0, 1, 0);
	struct answer a;

	dnskit_put_question(&q, "nas.homelab", A, CH);
	a = dnskit_ask_message(&q);
	ck_assert_uint_eq(a.rcode, REFUSED);
	ck_assert_uint_eq(a.count[1], 0);
	ck_assert(!(a.flags & RD)); /* as it was asked */
}
END_TEST

static struct message edns_query(const char *name, unsigned size, uint32_t ttl)
{
	struct message q = dnskit_header(RD, 1, 1);

	dnskit_put_question(&q, name, A, IN);
	dnskit_put_name(&q, "");
	dnskit_put16(&q, OPT);
	dnskit_put16(&q, size);
	dnskit_put16(&q, ttl >> 16);
	dnskit_put16(&q, ttl & 0xffff);
	dnskit_put16(&q, 0);
	return q;
}

START_TEST(edns_is_answered_with_edns)
{
	static const unsigned sizes[] = { 0, 512, 1232, 4096, 65535 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct message q = edns_query("nas.homelab", sizes[i], 0x8000); /* DO */
		struct answer a = dnskit_ask_message(&q);

		ck_assert_uint_eq(a.rcode, NOERROR);
		ck_assert_uint_eq(a.count[1], 1);
		ck_assert_uint_eq(a.count[3], 1);
		ck_assert_uint_eq(a.record[1].type, OPT);
		ck_assert_str_eq(a.record[1].name, "");
		ck_assert_uint_eq(a.record[1].class, DNS_MESSAGE_MAX);
		ck_assert_uint_eq(a.record[1].ttl >> 16, 0); /* no extended code, version 0 */
	}
}
END_TEST

/* RFC 6891 section 6.1.3 */
START_TEST(later_edns_version_is_told_ours)
{
	struct message q = edns_query("nas.homelab", 1232, 1u << 16);
	struct answer a = dnskit_ask_message(&q);

	ck_assert_uint_eq(a.rcode, BADVERS);
	ck_assert_uint_eq(a.count[1], 0);
	ck_assert_uint_eq(a.count[3], 1);
	ck_assert_uint_eq(a.record[0].ttl >> 16 & 255, 0);
}
END_TEST

static void check_header_only(const struct message *q, unsigned rcode)
{
	struct answer a = dnskit_ask_message(q);

	ck_assert_uint_eq(a.m.len, 12);
	ck_assert_uint_eq(a.id, 0xbeef);
	ck_assert_uint_eq(a.rcode, rcode);
	ck_assert(a.flags & QR);
	ck_assert(!(a.flags & (AA | TC | RA)));
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(a.count[i], 0);
}

START_TEST(other_operations_are_not_implemented)
{
	for (unsigned opcode = 1; opcode < 16; opcode++) {
		struct message q = dnskit_header(opcode << 11, 1, 0);

		dnskit_put_question(&q, "nas.homelab", A, IN);
		check_header_only(&q, NOTIMP);
	}
}
END_TEST

START_TEST(one_question_it_must_be)
{
	struct message none = dnskit_header(RD, 0, 0), two = dnskit_header(RD, 2, 0);

	dnskit_put_question(&two, "nas.homelab", A, IN);
	dnskit_put_question(&two, "node1.homelab", A, IN);
	check_header_only(&none, FORMERR);
	check_header_only(&two, FORMERR);
}
END_TEST

START_TEST(broken_names_are_format_errors)
{
	static const struct {
		const char *bytes;
		size_t len;
	} names[] = {
		{ "\xc0\x0c", 2 },		   /* points at itself */
		{ "\x03nas\xc0\x0c", 6 },	   /* and at its own beginning */
		{ "\xc0\xff", 2 },		   /* past the end */
		{ "\xc0\x20\x00\x01\x00\x01", 6 }, /* forward */
		{ "\x3fnas\x07homelab", 12 },	   /* a label longer than the rest */
		{ "\x80nas\x00", 5 },		   /* a reserved kind of label */
		{ "\x41"
		  "aaa\x00",
		  5 },					      /* another */
		{ "\x03nas\x07homelab", 12 },		      /* no end, no type */
		{ "\x03nas\x07homelab\x00\x00", 14 },	      /* half a type */
		{ "\x03nas\x07homelab\x00\x00\x01\x00", 16 }, /* half a class */
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct message q = dnskit_header(RD, 1, 0);

		memcpy(q.data + q.len, names[i].bytes, names[i].len);
		q.len += names[i].len;
		if (i == 0 || i == 1 || i == 2) {
			dnskit_put16(&q, A);
			dnskit_put16(&q, IN);
		}
		check_header_only(&q, FORMERR);
	}
}
END_TEST

START_TEST(counts_that_lie_are_format_errors)
{
	for (size_t section = 1; section < 4; section++) {
		struct message q = dnskit_query("nas.homelab", A);

		store_be16(q.data + 4 + 2 * section, 1);
		check_header_only(&q, FORMERR);
		store_be16(q.data + 4 + 2 * section, 0xffff);
		check_header_only(&q, FORMERR);
	}
}
END_TEST

/* They cost next to nothing: this would run into the time limit if room were made for all. */
START_TEST(counts_are_looked_at_first)
{
	struct message q = dnskit_query("nas.homelab", A), m;
	struct kit k = dnskit_zone_open();
	struct dns_names names = dnskit_zone_names(&k);

	memset(q.data + 6, 0xff, 6);
	memset(q.data + q.len, 0, 1000);
	q.len += 1000;
	for (int i = 0; i < 200000; i++) {
		m.len = dns_answer(&names, span_of(q.data, q.len), m.data, DNS_MESSAGE_MAX);
		ck_assert_uint_eq(m.len, 12);
	}
	kit_close(&k);
}
END_TEST

START_TEST(names_too_long_are_format_errors)
{
	struct message q = dnskit_header(RD, 1, 0);

	for (int i = 0; i < 5; i++) {
		q.data[q.len++] = 60;
		memset(q.data + q.len, 'a', 60);
		q.len += 60;
	}
	dnskit_put_question(&q, "homelab", A, IN);
	check_header_only(&q, FORMERR);
}
END_TEST

/* Or two servers would answer each other forever. */
START_TEST(answers_are_never_answered)
{
	struct kit k = dnskit_zone_open();
	struct message q = dnskit_query("nas.homelab", A), m;

	q.data[2] |= 0x80;
	m = dnskit_reply(&k, &q);
	ck_assert_uint_eq(m.len, 0);
	for (q.len = 0; q.len < 12; q.len++) {
		q.data[2] &= 0x7f;
		m = dnskit_reply(&k, &q);
		ck_assert_uint_eq(m.len, 0);
	}
	kit_close(&k);
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
	struct message q = dnskit_query("nas.homelab", A);
	struct kit k = dnskit_zone_open();
	struct dns_names names = dnskit_zone_names(&k);
	uint8_t out[64];

	for (size_t cap = 0; cap < 45; cap++) {
		memset(out, 0xee, sizeof(out));
		size_t n = dns_answer(&names, span_of(q.data, q.len), out, cap);

		ck_assert(n == 0 || n == 12 || cap >= 45);
		for (size_t i = cap; i < sizeof(out); i++)
			ck_assert_uint_eq(out[i], 0xee);
	}
	kit_close(&k);
}
END_TEST

/* Whatever comes in: no crash, an answer to nobody but who asked, never longer than allowed. */
START_TEST(garbage_is_survived)
{
	struct unit_rng rng = unit_rng_new("garbage_is_survived");
	struct kit k = dnskit_zone_open();

	for (int i = 0; i < 20000; i++) {
		struct message q = { .len = unit_random_below(&rng, 300) }, m;

		if (i % 2) {
			q = i % 4 == 1 ? dnskit_query("nas.homelab", A)
				       : edns_query("homelab", 1232, 0);
			for (uint64_t n = unit_random_below(&rng, 4) + 1; n > 0; n--)
				q.data[unit_random_below(&rng, q.len)] = (uint8_t)unit_random(&rng);
			if (i % 3 == 0)
				q.len = unit_random_below(&rng, q.len + 1);
		} else {
			unit_random_bytes(&rng, q.data, q.len);
		}
		m = dnskit_reply(&k, &q);
		if (q.len < 12 || q.data[2] & 0x80)
			ck_assert_uint_eq(m.len, 0);
		else
			ck_assert(m.len >= 12 && m.len <= DNS_MESSAGE_MAX);
		if (m.len) {
			ck_assert_mem_eq(m.data, q.data, 2);
			(void)dnskit_take_apart(&m);
		}
	}
	kit_close(&k);
}
END_TEST

static struct answer ask_of(const struct kit *k, const char *name, unsigned type)
{
	struct message q = dnskit_query(name, type), m = dnskit_reply(k, &q);

	return dnskit_take_apart(&m);
}

static void check_leads_to(const struct kit *k, const char *name, ip4 address)
{
	struct answer a = ask_of(k, name, A);

	ck_assert_uint_eq(a.rcode, NOERROR);
	ck_assert_uint_eq(a.count[1], 1);
	ck_assert_uint_eq(load_be32(a.m.data + a.record[0].at), address);
}

/* A member's names end and change with the roster, at once. */
START_TEST(names_follow_the_members)
{
	struct kit k = dnskit_zone_open();
	struct roster *r = k.log->roster;
	const struct member *first = roster_at(r, 1), *second = roster_at(r, 2);
	struct roster_leave left = { LEFT_REMOVED, 5, KIT_TIME, roster_at(r, 0)->id };
	struct answer a;
	char text[256];

	ck_assert_int_eq(roster_reserve(r, 1), 0);
	roster_rename(r, second, "tv", 4);
	ck_assert_uint_eq(ask_of(&k, "node2.homelab", A).rcode, NXDOMAIN);
	check_leads_to(&k, "tv.homelab", KIT_NET + 3);
	a = ask_of(&k, "3.0.96.100.in-addr.arpa", PTR);
	dnskit_get_name(&a.m, a.record[0].at, text);
	ck_assert_str_eq(text, "tv.homelab");

	check_leads_to(&k, "node1.homelab", KIT_NET + 2);
	ck_assert_int_eq(roster_reserve(r, 1), 0);
	roster_leave(r, first, &left);
	ck_assert_uint_eq(ask_of(&k, "node1.homelab", A).rcode, NXDOMAIN);
	ck_assert_uint_eq(ask_of(&k, "2.0.96.100.in-addr.arpa", PTR).rcode, NXDOMAIN);
	check_leads_to(&k, "tv.homelab", KIT_NET + 3);
	kit_close(&k);
}
END_TEST

static bool is_second(void *ctx, const struct member *m)
{
	return m == ctx;
}

/* A removal without order denies it: it has no name, and its address has none. */
/* [P2-60] */
START_TEST(denied_members_have_no_names)
{
	struct kit k = dnskit_zone_open();
	struct dns_names names = dnskit_zone_names(&k);
	struct message q = dnskit_query("node1.homelab", A), m;
	struct answer a;

	names.denied = is_second;
	names.ctx = (void *)roster_at(k.log->roster, 1);
	m.len = dns_answer(&names, span_of(q.data, q.len), m.data, DNS_MESSAGE_MAX);
	a = dnskit_take_apart(&m);
	ck_assert_uint_eq(a.rcode, NXDOMAIN);
	q = dnskit_query("2.0.96.100.in-addr.arpa", PTR);
	m.len = dns_answer(&names, span_of(q.data, q.len), m.data, DNS_MESSAGE_MAX);
	a = dnskit_take_apart(&m);
	ck_assert_uint_eq(a.rcode, NXDOMAIN);
	q = dnskit_query("node2.homelab", A);
	m.len = dns_answer(&names, span_of(q.data, q.len), m.data, DNS_MESSAGE_MAX);
	a = dnskit_take_apart(&m);
	ck_assert_uint_eq(a.rcode, NOERROR);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("tund/dns", denied_members_have_no_names, names_follow_the_members,
	  members_have_addresses, case_does_not_matter, bare_cluster_name_is_this_node,
	  known_name_of_another_type_has_no_data, the_zone_names_its_server,
	  the_longest_answer_fits_the_oldest_client, any_gives_the_address,
	  unknown_names_do_not_exist, longest_names_do_not_exist, odd_names_do_not_exist,
	  other_zones_are_refused, addresses_have_names, other_reverse_names_are_refused,
	  other_classes_are_refused, edns_is_answered_with_edns, later_edns_version_is_told_ours,
	  other_operations_are_not_implemented, one_question_it_must_be,
	  broken_names_are_format_errors, counts_that_lie_are_format_errors,
	  counts_are_looked_at_first, names_too_long_are_format_errors, answers_are_never_answered,
	  what_does_not_fit_is_not_written, garbage_is_survived)
