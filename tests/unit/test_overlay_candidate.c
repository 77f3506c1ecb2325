/* SPDX-License-Identifier: MIT */
/* Tests of candidates: which of ours are told, and in which order others are tried. */
#include "overlay/reach/candidate.h"

#include "unit.h"

static const struct prefix4 overlay = { 0x64400000, 10 };

static struct addr at(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(text, &a), 0);
	return a;
}

static struct netif_addr netif(const char *ip, enum netif_kind kind)
{
	struct netif_addr n = { .kind = kind, .up = true, .ifname = "eth0" };

	ck_assert_int_eq(addr_parse_ip(ip, &n.addr), 0);
	return n;
}

static void check_list(const struct wire_candidates *c, const char *const *want, size_t n)
{
	ck_assert_uint_eq(c->n, n);
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_MAX];

		ck_assert_str_eq(addr_format(&c->item[i], text), want[i]);
	}
}

START_TEST(own_candidates_follow_the_kind_of_interface)
{
	struct netif_addr ifs[] = {
		netif("127.0.0.1", NETIF_LOOPBACK),   netif("203.0.113.5", NETIF_PHYSICAL),
		netif("192.168.1.5", NETIF_PHYSICAL), netif("172.17.0.1", NETIF_CONTAINER),
		netif("100.64.0.1", NETIF_TUNNEL),    netif("10.8.0.1", NETIF_TUNNEL),
		netif("169.254.1.1", NETIF_PHYSICAL), netif("fe80::1", NETIF_PHYSICAL),
		netif("2001:db8::5", NETIF_PHYSICAL), netif("2001:db8::6", NETIF_PHYSICAL),
		netif("2001:db8::7", NETIF_PHYSICAL), netif("10.0.0.5", NETIF_PHYSICAL),
		netif("100.64.3.1", NETIF_PHYSICAL),  netif("10.1.0.1", NETIF_OTHER),
	};
	struct addr seen[] = { at("198.51.100.7:4000"), { .port = 0 }, at("203.0.113.5:777") };
	static const char *const want[] = { "192.168.1.5:777", "10.1.0.1:777", "203.0.113.5:777",
					    "[2001:db8::5]:777", "198.51.100.7:4000" };
	struct wire_candidates c;

	ifs[9].temporary = true;
	ifs[10].deprecated = true;
	ifs[11].up = false;
	candidates_own(ifs, ARRAY_LEN(ifs), 777, overlay, seen, ARRAY_LEN(seen), &c);
	check_list(&c, want, ARRAY_LEN(want));
}
END_TEST

START_TEST(observed_addresses_keep_their_place)
{
	struct netif_addr ifs[20];
	struct addr seen[] = { at("198.51.100.7:4000"), at("198.51.100.8:4000") };
	struct wire_candidates c;

	for (unsigned i = 0; i < 20; i++) {
		ifs[i] = netif("192.168.1.1", NETIF_PHYSICAL);
		ifs[i].addr.ip[15] = (uint8_t)(i + 1);
	}
	candidates_own(ifs, 20, 777, overlay, seen, 2, &c);
	ck_assert_uint_eq(c.n, CANDIDATES_MAX);
	ck_assert(addr_equal(&c.item[6], &seen[0]));
	ck_assert(addr_equal(&c.item[7], &seen[1]));
}
END_TEST

/* Many addresses of other interfaces, and of the uplink itself, push neither family of it out. */
START_TEST(uplink_is_told_whatever_else_there_is)
{
	struct netif_addr ifs[NETIFS_MAX];
	struct addr up4 = at("203.0.113.5:777"), up6 = at("[2001:db8::5]:777");
	struct wire_candidates c;

	for (unsigned i = 0; i < NETIFS_MAX; i++) {
		ifs[i] = netif("192.168.1.1", NETIF_PHYSICAL);
		ifs[i].addr.ip[14] = (uint8_t)(i + 1);
		ifs[i].ifindex = 10 + i;
	}
	for (unsigned i = 40; i < NETIFS_MAX; i++) {
		ifs[i].ifindex = 5;
		ifs[i].uplink = true;
	}
	ifs[40].addr = up4;
	ifs[NETIFS_MAX - 1].addr = up6;
	ifs[40].addr.port = ifs[NETIFS_MAX - 1].addr.port = 0;
	candidates_own(ifs, NETIFS_MAX, 777, overlay, NULL, 0, &c);
	ck_assert_uint_eq(c.n, CANDIDATES_MAX);
	ck_assert(candidates_have(&c, &up4));
	ck_assert(candidates_have(&c, &up6));
	ck_assert(addr_is_private(&c.item[0])); /* the local network's first, as ever */
}
END_TEST

START_TEST(neighbours_come_first_and_public_addresses_last)
{
	struct wire_candidates c = { .n = 6 }, own = { .n = 2 };
	static const char *const want[] = {
		"[2001:db8:0:1::9]:1", "192.168.1.9:1",	      "[fd00::1]:1",
		"10.0.0.9:1",	       "[2001:db8:0:2::9]:1", "203.0.113.9:1",
	};
	static const size_t shuffled[] = { 5, 3, 0, 4, 1, 2 };

	own.item[0] = at("192.168.1.5:7");
	own.item[1] = at("[2001:db8:0:1::5]:7");
	for (size_t i = 0; i < 6; i++)
		c.item[i] = at(want[shuffled[i]]);
	candidates_order(&c, &own);
	check_list(&c, want, 6);
}
END_TEST

UNIT_MAIN("overlay/candidate", own_candidates_follow_the_kind_of_interface,
	  observed_addresses_keep_their_place, uplink_is_told_whatever_else_there_is,
	  neighbours_come_first_and_public_addresses_last)
