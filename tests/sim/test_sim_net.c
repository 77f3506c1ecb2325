/* SPDX-License-Identifier: MIT */
/* Tests of the simulated network: links, sockets, nets and boxes, taps. */
#include "base/log.h"
#include "os/netconf.h"
#include "sim.h"

#define IP_A IP(192, 0, 2, 1)
#define IP_B IP(192, 0, 2, 2)

struct pair {
	struct world *w;
	struct host *a, *b;
	struct addr to_a, to_b;
	struct sim_sink at_a, at_b;
};

static void pair_new(struct pair *p, struct link_params link)
{
	p->w = sim_new();
	p->a = world_host(p->w, "a", IP_A);
	p->b = world_host(p->w, "b", IP_B);
	p->to_a = addr_v4(IP_A, 1000);
	p->to_b = addr_v4(IP_B, 2000);
	world_link(p->w, p->a, p->b, link);
	sim_sink_open(&p->at_a, p->a, 1000);
	sim_sink_open(&p->at_b, p->b, 2000);
}

static void pair_free(struct pair *p)
{
	udp_close(p->at_a.udp);
	udp_close(p->at_b.udp);
	world_free(p->w);
}

static void pair_send(struct pair *p, size_t count, size_t len)
{
	static const uint8_t data[2000];

	for (size_t i = 0; i < count; i++)
		sim_sink_send(&p->at_a, p->to_b, data, len);
}

START_TEST(a_datagram_takes_the_delay_of_its_direction)
{
	struct pair p;

	pair_new(&p, (struct link_params){ .delay_ns = 20 * NS_PER_MS });
	p.at_b.echo = true;
	sim_sink_send(&p.at_a, p.to_b, "hello", 5);
	ck_assert_uint_eq(p.at_b.datagrams, 0);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 1);
	ck_assert_mem_eq(p.at_b.last, "hello", 5);
	ck_assert_uint_eq(p.at_b.first_at, WORLD_START_NS + 20 * NS_PER_MS);
	ck_assert(addr_equal(&p.at_b.from, &p.to_a));
	ck_assert(addr_same_ip(&p.at_b.local, &p.to_b) && p.at_b.local.port == 0);
	/* The way back was not changed: 5 ms. */
	ck_assert_uint_eq(p.at_a.first_at, WORLD_START_NS + 25 * NS_PER_MS);
	pair_free(&p);
}
END_TEST

START_TEST(jitter_spreads_arrivals_and_keeps_the_order_unless_told)
{
	struct pair p;
	struct link_params link = { .delay_ns = NS_PER_MS, .jitter_ns = 10 * NS_PER_MS };
	size_t backwards = 0;

	for (int reorder = 0; reorder < 2; reorder++) {
		uint8_t before = 0;

		link.reorder = reorder;
		pair_new(&p, link);
		for (uint8_t i = 0; i < 100; i++) {
			sim_sink_send(&p.at_a, p.to_b, &i, 1);
			sim_pass(p.w, NS_PER_MS / 2);
			backwards += p.at_b.last_len == 1 && p.at_b.last[0] < before;
			before = p.at_b.last[0];
		}
		sim_pass(p.w, NS_PER_S);
		ck_assert_uint_eq(p.at_b.datagrams, 100);
		ck_assert_uint_gt(p.at_b.last_at - p.at_b.first_at, 30 * NS_PER_MS);
		ck_assert(reorder ? backwards > 5 : backwards == 0);
		pair_free(&p);
	}
}
END_TEST

START_TEST(losses_and_duplicates_come_at_their_rates)
{
	struct pair p;
	struct link_stats s;

	pair_new(&p, (struct link_params){ .loss = 0.1, .duplicate = 0.2 });
	for (int i = 0; i < 100; i++) {
		pair_send(&p, 50, 100);
		sim_pass(p.w, NS_PER_MS);
	}
	s = world_link_stats(p.w, p.a, p.b);
	ck_assert_uint_eq(s.sent, 5000);
	ck_assert(s.lost > 400 && s.lost < 600);
	ck_assert_uint_eq(s.delivered, p.at_b.datagrams);
	ck_assert(s.delivered > 5200 && s.delivered < 5600); /* 0.9 * 1.2 * 5000 */
	pair_free(&p);
}
END_TEST

START_TEST(a_rate_spaces_datagrams_and_its_queue_is_limited)
{
	struct pair p;
	struct link_stats s;

	/* 972 + 28 bytes take a millisecond at 8 Mbit/s. */
	pair_new(&p, (struct link_params){
			     .rate_bps = 8000000, .queue_bytes = 10000, .ecn_bytes = 5000 });
	pair_send(&p, 20, 972);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 10);
	ck_assert_uint_eq(p.at_b.first_at, WORLD_START_NS + NS_PER_MS);
	ck_assert_uint_eq(p.at_b.last_at, WORLD_START_NS + 10 * NS_PER_MS);
	s = world_link_stats(p.w, p.a, p.b);
	ck_assert_uint_eq(s.queue_full, 10);
	ck_assert_uint_eq(s.marked, 0); /* not ECN-capable */
	ck_assert_uint_eq(p.at_b.longest_run, 1);

	/* Those that can are marked: 0 is not marked, what waits behind 5000 bytes is. */
	for (int i = 0; i < 8; i++) {
		struct udp_tx tx = {
			.data = p.at_b.last, .len = 972, .segment = 972, .to = p.to_b, .ecn = 2
		};

		ck_assert_uint_eq(udp_send(p.at_a.udp, &tx, 1), 1);
	}
	sim_pass(p.w, NS_PER_MS);
	ck_assert_uint_eq(p.at_b.ecn, 2);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.ecn, 3);
	ck_assert_uint_eq(world_link_stats(p.w, p.a, p.b).marked, 2);
	pair_free(&p);
}
END_TEST

START_TEST(what_is_bigger_than_the_mtu_vanishes)
{
	struct pair p;

	pair_new(&p, (struct link_params){ .mtu_bytes = 1300 });
	pair_send(&p, 1, 1300 - 28);
	pair_send(&p, 1, 1300 - 28 + 1);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 1);
	ck_assert_uint_eq(p.at_b.last_len, 1272);
	ck_assert_uint_eq(world_link_stats(p.w, p.a, p.b).too_big, 1);
	ck_assert_uint_eq(udp_stats_get(p.at_a.udp).tx_too_big, 0);
	/* What does not even pass the own interface is given up by the socket. */
	pair_send(&p, 1, 1473);
	ck_assert_uint_eq(udp_stats_get(p.at_a.udp).tx_too_big, 1);
	ck_assert_uint_eq(udp_stats_get(p.at_a.udp).tx_datagrams, 2);
	ck_assert_uint_eq(world_link_stats(p.w, p.a, p.b).too_big, 1);
	pair_free(&p);
}
END_TEST

START_TEST(nothing_passes_a_link_that_is_down_or_a_pulled_cable)
{
	struct pair p;

	pair_new(&p, LINK_DEFAULT);
	world_link_cut(p.w, p.a, p.b, true);
	pair_send(&p, 1, 10);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(world_link_stats(p.w, p.a, p.b).down, 1);
	world_link_cut(p.w, p.a, p.b, false);
	world_host_carrier(p.b, false);
	pair_send(&p, 1, 10);
	sim_pass(p.w, NS_PER_S);
	world_host_carrier(p.b, true);
	world_host_carrier(p.a, false);
	pair_send(&p, 1, 10);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 0);
	world_host_carrier(p.a, true);
	pair_send(&p, 1, 10);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 1);
	pair_free(&p);
}
END_TEST

/* Sends one run, cut at `segment`. */
static void run_send(struct pair *p, size_t len, size_t segment, uint8_t ecn)
{
	uint8_t data[20000];
	struct udp_tx tx = {
		.data = data, .len = len, .segment = segment, .to = p->to_b, .ecn = ecn
	};

	ck_assert_uint_le(len, sizeof(data));
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i / segment);
	ck_assert_uint_eq(udp_send(p->at_a.udp, &tx, 1), 1);
}

START_TEST(datagrams_that_arrive_together_are_joined)
{
	struct pair p;

	pair_new(&p, LINK_DEFAULT);
	run_send(&p, 10 * 1000 + 400, 1000, 1);
	run_send(&p, 1000, 1000, 1); /* behind a shorter one: a run of its own */
	run_send(&p, 1000, 1000, 2); /* other ECN bits: as well */
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.runs, 3);
	ck_assert_uint_eq(p.at_b.longest_run, 11);
	ck_assert_uint_eq(p.at_b.datagrams, 13);
	ck_assert_uint_eq(p.at_b.bytes, 12400);
	ck_assert_uint_eq(p.at_b.last[0], 0);
	ck_assert_uint_eq(udp_stats_get(p.at_b.udp).rx_datagrams, 13);
	run_send(&p, 64 * 100, 100, 0);
	run_send(&p, 10 * 100, 100, 0);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.longest_run, UDP_GSO_SEGMENTS_MAX);
	ck_assert_uint_eq(p.at_b.runs, 5);
	pair_free(&p);
}
END_TEST

START_TEST(a_full_receive_buffer_drops)
{
	struct pair p;

	pair_new(&p, LINK_DEFAULT);
	pair_send(&p, 1000, 1000);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_gt(p.at_b.datagrams, 100);
	ck_assert_uint_lt(p.at_b.datagrams, 212992 / 1000);
	pair_free(&p);
}
END_TEST

static void count(void *ctx)
{
	++*(int *)ctx;
}

START_TEST(a_slow_network_card_fills_the_socket)
{
	struct pair p;
	static const uint8_t data[1000];
	struct udp_tx tx[32];
	int writable = 0;
	size_t sent = 0, n;

	pair_new(&p, LINK_DEFAULT);
	world_host_uplink(p.a, 10000000);
	udp_on_writable(p.at_a.udp, count, &writable);
	for (size_t i = 0; i < ARRAY_LEN(tx); i++)
		tx[i] = (struct udp_tx){ .data = data, .len = 1000, .segment = 1000, .to = p.to_b };
	do {
		n = udp_send(p.at_a.udp, tx, ARRAY_LEN(tx));
		sent += n;
	} while (n == ARRAY_LEN(tx));
	ck_assert(sent > 190 && sent < 230);
	ck_assert_int_eq(writable, 0);
	sim_pass(p.w, NS_PER_S);
	ck_assert_int_eq(writable, 1);
	ck_assert_uint_eq(p.at_b.datagrams, sent);
	ck_assert_uint_eq(udp_send(p.at_a.udp, tx, ARRAY_LEN(tx)), ARRAY_LEN(tx));
	pair_free(&p);
}
END_TEST

START_TEST(sockets_collide_by_port_and_address)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", IP_A), *process = world_host_boot(a);
	struct udp_config cfg = { .bind = addr_v4(IP_A, 53) }, any = { .bind = { .port = 53 } };
	struct udp_config foreign = { .bind = addr_v4(IP_B, 53) }, chosen = { 0 };
	struct udp *u, *v, *x;
	struct err err;

	ck_assert_int_eq(udp_open(a, &cfg, count, NULL, &err, &u), 0);
	ck_assert_int_eq(udp_open(a, &cfg, count, NULL, &err, &v), -EADDRINUSE);
	ck_assert_int_eq(udp_open(process, &any, count, NULL, &err, &v), -EADDRINUSE);
	ck_assert_int_eq(udp_open(a, &foreign, count, NULL, &err, &v), -EADDRNOTAVAIL);
	cfg.bind = addr_v4(IP(127, 0, 0, 1), 53);
	ck_assert_int_eq(udp_open(a, &cfg, count, NULL, &err, &v), 0);
	udp_close(u);
	ck_assert_int_eq(udp_open(a, &chosen, count, NULL, &err, &u), 0);
	ck_assert_int_eq(udp_open(a, &chosen, count, NULL, &err, &x), 0);
	ck_assert(udp_local(u).port != 0 && udp_local(u).port != udp_local(x).port);
	udp_close(u);
	udp_close(v);
	udp_close(x);
	udp_close(NULL);
	world_free(w);
}
END_TEST

START_TEST(ipv6_works_beside_ipv4_and_to_itself)
{
	struct pair p;
	struct addr a6, b6, self = addr_v4(IP(127, 0, 0, 1), 1000);

	pair_new(&p, LINK_DEFAULT);
	ck_assert_int_eq(addr_parse("[2001:db8::1]:1000", &a6), 0);
	ck_assert_int_eq(addr_parse("[2001:db8::2]:2000", &b6), 0);
	sim_sink_send(&p.at_a, b6, "x", 1); /* no IPv6 yet: given up */
	ck_assert_uint_eq(udp_stats_get(p.at_a.udp).tx_errors, 1);
	ck_assert_int_eq(world_host_addr(p.a, &a6, "eth0"), 0);
	ck_assert_int_eq(world_host_addr(p.b, &b6, "eth0"), 0);
	ck_assert_int_eq(world_host_addr(p.b, &a6, "eth0"), -EEXIST);
	sim_sink_send(&p.at_a, b6, "x", 1);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 1);
	ck_assert(addr_equal(&p.at_b.from, &a6));
	sim_sink_send(&p.at_a, self, "me", 2);
	sim_pass(p.w, 0);
	ck_assert_uint_eq(p.at_a.datagrams, 1);
	ck_assert(addr_equal(&p.at_a.from, &self));
	pair_free(&p);
}
END_TEST

START_TEST(a_machine_that_roams_is_found_at_its_new_address_only)
{
	struct pair p;
	int changes = 0;
	struct netwatch *watch;
	struct netif_addr list[4];

	pair_new(&p, LINK_DEFAULT);
	watch = netwatch_new(p.b, &(struct netwatch_config){ .changed = count, .ctx = &changes });
	sim_pass(p.w, NS_PER_S);
	ck_assert_int_eq(changes, 0); /* not for the state at start */
	pair_send(&p, 1, 10);	      /* arrives when b has left */
	world_host_roam(p.b, IP(198, 51, 100, 7));
	world_host_carrier(p.b, false);
	world_host_carrier(p.b, true);
	sim_pass(p.w, 199 * NS_PER_MS);
	ck_assert_int_eq(changes, 0);
	sim_pass(p.w, NS_PER_S);
	ck_assert_int_eq(changes, 1);
	ck_assert_uint_eq(p.at_b.datagrams, 0);
	p.to_b = addr_v4(IP(198, 51, 100, 7), 2000);
	pair_send(&p, 1, 10);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_b.datagrams, 1);
	ck_assert_int_eq(netif_list(p.b, list, 4), 1);
	ck_assert_str_eq(list[0].ifname, "eth0");
	ck_assert(list[0].kind == NETIF_PHYSICAL && list[0].up);
	ck_assert(addr_ip4(&list[0].addr) == IP(198, 51, 100, 7));
	netwatch_free(watch);
	pair_free(&p);
}
END_TEST

struct tap {
	size_t seen;
	struct host *from;
	char mode;
};

static bool tap_fn(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		   uint8_t *data, size_t *len)
{
	struct tap *t = ctx;

	t->seen++;
	t->from = from;
	ck_assert_uint_eq(dst->port, 2000);
	ck_assert_uint_ne(src->port, 0);
	if (t->mode == 'c')
		data[0] ^= 0xff;
	if (t->mode == 's')
		*len = 1;
	return t->mode != 'd';
}

START_TEST(a_tap_sees_changes_shortens_and_swallows)
{
	struct pair p;
	struct tap tap = { .mode = '-' };

	pair_new(&p, LINK_DEFAULT);
	world_tap(p.w, tap_fn, &tap);
	for (const char *mode = "-csd"; *mode; mode++) {
		tap.mode = *mode;
		sim_sink_send(&p.at_a, p.to_b, "abc", 3);
		sim_pass(p.w, NS_PER_S);
		if (*mode == '-')
			ck_assert_mem_eq(p.at_b.last, "abc", 3);
		if (*mode == 'c')
			ck_assert_uint_eq(p.at_b.last[0], 'a' ^ 0xff);
		if (*mode == 's')
			ck_assert_uint_eq(p.at_b.last_len, 1);
	}
	ck_assert_uint_eq(tap.seen, 4);
	ck_assert_ptr_eq(tap.from, p.a);
	ck_assert_uint_eq(p.at_b.datagrams, 3);

	tap.mode = '-';
	world_inject(p.w, &p.to_a, &p.to_b, 1, "forged", 6);
	sim_pass(p.w, NS_PER_S);
	ck_assert_ptr_null(tap.from);
	ck_assert(addr_equal(&p.at_b.from, &p.to_a));
	ck_assert_mem_eq(p.at_b.last, "forged", 6);
	ck_assert_uint_eq(p.at_b.ecn, 1);
	pair_free(&p);
}
END_TEST

/* The simplest box there can be: one inner machine, all ports as they are. */
struct one_to_one {
	struct addr inner, outer;
	bool open;
};

static void set_ip(struct addr *a, const struct addr *ip)
{
	memcpy(a->ip, ip->ip, sizeof(a->ip));
}

static bool box_out(void *ctx, struct packet *p)
{
	struct one_to_one *b = ctx;

	set_ip(&p->src, &b->outer);
	b->open = true;
	return true;
}

static bool box_in(void *ctx, struct packet *p)
{
	struct one_to_one *b = ctx;

	set_ip(&p->dst, &b->inner);
	return b->open;
}

static bool box_peek(void *ctx, const struct packet *p, struct addr *ret_inner)
{
	struct one_to_one *b = ctx;

	*ret_inner = p->dst;
	set_ip(ret_inner, &b->inner);
	return true;
}

START_TEST(a_datagram_walks_through_boxes)
{
	static const struct box_ops ops = { .out = box_out, .in = box_in, .peek = box_peek };
	struct pair p;
	struct one_to_one box = { .inner = addr_v4(IP(10, 0, 0, 5), 0),
				  .outer = addr_v4(IP(203, 0, 113, 1), 0) };
	struct addr to_c = addr_v4(IP(203, 0, 113, 1), 3000);
	struct sim_sink at_c;
	struct host *c;
	struct net *home;

	pair_new(&p, LINK_DEFAULT);
	home = world_net(p.w, NULL, &ops, &box);
	ck_assert_int_eq(world_net_addr(home, &box.outer), 0);
	ck_assert_int_eq(world_net_addr(home, &p.to_a), -EEXIST);
	c = world_host_in(home, "c", IP(10, 0, 0, 5));
	world_link(p.w, p.a, c, (struct link_params){ .delay_ns = 50 * NS_PER_MS });
	sim_sink_open(&at_c, c, 3000);

	sim_sink_send(&p.at_a, to_c, "x", 1);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(at_c.datagrams, 0); /* not opened from inside */
	/* It crosses what is sent from inside later, but before it is there: it is let in. */
	sim_sink_send(&p.at_a, to_c, "x", 1);
	sim_pass(p.w, 40 * NS_PER_MS);
	sim_sink_send(&at_c, p.to_a, "y", 1);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(p.at_a.datagrams, 1);
	ck_assert(addr_equal(&p.at_a.from, &to_c));
	ck_assert_uint_eq(at_c.datagrams, 1);
	ck_assert(addr_ip4(&at_c.local) == IP(10, 0, 0, 5));
	ck_assert_uint_eq(world_link_stats(p.w, p.a, c).delivered, 1);
	/* The inner address means nothing outside. */
	sim_sink_send(&p.at_a, addr_v4(IP(10, 0, 0, 5), 3000), "z", 1);
	sim_pass(p.w, NS_PER_S);
	ck_assert_uint_eq(at_c.datagrams, 1);
	udp_close(at_c.udp);
	pair_free(&p);
}
END_TEST

START_TEST(logs_are_kept_for_the_dump)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", IP_A);

	log_info(host_log(a), "a line");
	ck_assert_int_eq(host_name(a, (char[4]){ 0 }, 4), 0);
	ck_assert_int_eq(host_name(a, (char[4]){ 0 }, 1), -ENOSPC);
	world_free(w);
	world_free(NULL);
}
END_TEST

UNIT_MAIN("sim/net", a_datagram_takes_the_delay_of_its_direction,
	  jitter_spreads_arrivals_and_keeps_the_order_unless_told,
	  losses_and_duplicates_come_at_their_rates,
	  a_rate_spaces_datagrams_and_its_queue_is_limited, what_is_bigger_than_the_mtu_vanishes,
	  nothing_passes_a_link_that_is_down_or_a_pulled_cable,
	  datagrams_that_arrive_together_are_joined, a_full_receive_buffer_drops,
	  a_slow_network_card_fills_the_socket, sockets_collide_by_port_and_address,
	  ipv6_works_beside_ipv4_and_to_itself,
	  a_machine_that_roams_is_found_at_its_new_address_only,
	  a_tap_sees_changes_shortens_and_swallows, a_datagram_walks_through_boxes,
	  logs_are_kept_for_the_dump)
