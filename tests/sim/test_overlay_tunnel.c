/* SPDX-License-Identifier: MIT */
/* Tunnels between nodes of a cluster: they come up, carry packets, die, and come back. */
#include "overlay_sim.h"

START_TEST(two_nodes_build_a_tunnel_within_a_second_and_ping)
{
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	fleet_send(&m.node[0], &m.node[1], 84, 1);
	fleet_send(&m.node[1], &m.node[0], 84, 2);
	sim_pass(m.w, 100 * NS_PER_MS);
	SIM_CHECK(m.w, fleet_received(&m.node[0], &m.node[1], 84, 1));
	SIM_CHECK(m.w, fleet_received(&m.node[1], &m.node[0], 84, 2));
	SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]) && fleet_tun_silent(&m.node[1]));
	SIM_CHECK(m.w, fleet_all_drops(&m.node[0]) == 0 && fleet_all_drops(&m.node[1]) == 0);

	struct peer_status s = fleet_peer(&m.node[0], &m.node[1]);

	ck_assert_int_eq(s.path, PEER_PATH_DIRECT);
	ck_assert_uint_eq(addr_ip4(&s.endpoint), IP(192, 0, 2, 11));
	ck_assert_str_eq(s.group, "X25519MLKEM768");
	ck_assert_uint_eq(s.tx_packets, 1);
	ck_assert_uint_eq(s.rx_packets, 1);
	ck_assert_uint_eq(s.tx_bytes, 84);
	ck_assert_uint_gt(s.rtt_ns, 5 * NS_PER_MS);
	ck_assert_str_eq(s.detail, "");
	fleet_free(&m);
}
END_TEST

/* Some go over streams and some in records, which may overtake them. */
/* [P4-38] [P6-79] */
START_TEST(full_packets_pass_before_the_path_size_is_known)
{
	struct fleet m;
	uint64_t seen = 0;
	uint8_t got[2000], want[2000];
	size_t len;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	for (unsigned i = 0; i < 40; i++)
		fleet_send(&m.node[0], &m.node[1], OVERLAY_MTU, i);
	sim_pass(m.w, NS_PER_S);
	while (world_tun_take(m.node[1].h, 0, got, sizeof(got), &len) > 0) {
		unsigned seed = load_be16(got + 4);

		SIM_CHECK(m.w, len == OVERLAY_MTU && seed < 40 && !(seen >> seed & 1));
		fleet_udp(want, len, m.node[0].self->address, m.node[1].self->address, seed);
		ck_assert_mem_eq(got, want, len);
		seen |= UINT64_C(1) << seed;
	}
	SIM_CHECK(m.w, seen == (UINT64_C(1) << 40) - 1);
	SIM_CHECK(m.w, fleet_all_drops(&m.node[0]) == 0 && fleet_all_drops(&m.node[1]) == 0);
	fleet_free(&m);
}
END_TEST

START_TEST(packets_that_come_before_the_tunnel_wait_for_it)
{
	struct fleet m;

	fleet_init(&m, 2);
	m.server_down = true;
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	for (unsigned i = 0; i < 10; i++)
		fleet_send(&m.node[0], &m.node[1], 100, i);
	sim_pass(m.w, NS_PER_S);
	SIM_CHECK(m.w, fleet_peer(&m.node[0], &m.node[1]).state == PEER_IDLE);
	fleet_tell(&m.node[1], &m.node[0]);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 100 * NS_PER_MS);
	for (unsigned i = 0; i < 10; i++)
		SIM_CHECK(m.w, fleet_received(&m.node[0], &m.node[1], 100, i));
	fleet_free(&m);
}
END_TEST

START_TEST(a_fleet_of_four_is_complete)
{
	struct fleet m;

	fleet_new(&m, 4);
	fleet_wait_up(&m, 2 * NS_PER_S);
	for (unsigned a = 0; a < 4; a++) {
		for (unsigned b = 0; b < 4; b++) {
			if (a != b)
				fleet_send(&m.node[a], &m.node[b], 200 + a, a);
		}
	}
	sim_pass(m.w, 100 * NS_PER_MS);
	for (unsigned b = 0; b < 4; b++) {
		unsigned got = 0;
		uint8_t p[2000];
		size_t len;

		while (world_tun_take(m.node[b].h, 0, p, sizeof(p), &len) == 1)
			got++;
		ck_assert_uint_eq(got, 3);
	}
	fleet_free(&m);
}
END_TEST


static bool pair_up(void *ctx)
{
	struct fleet *m = ctx;

	return fleet_linked(&m->node[0], &m->node[1]);
}

static bool pair_not_up(void *ctx)
{
	struct fleet *m = ctx;

	return fleet_peer(&m->node[0], &m->node[1]).state != PEER_UP;
}

static void check_ping(struct fleet *m, unsigned a, unsigned b, unsigned seed)
{
	fleet_send(&m->node[a], &m->node[b], 84, seed);
	fleet_send(&m->node[b], &m->node[a], 84, seed + 1);
	sim_pass(m->w, 100 * NS_PER_MS);
	SIM_CHECK(m->w, fleet_received(&m->node[a], &m->node[b], 84, seed));
	SIM_CHECK(m->w, fleet_received(&m->node[b], &m->node[a], 84, seed + 1));
}

/* [P4-12] [P4-13] */
START_TEST(a_dead_path_is_noticed_by_traffic_and_the_tunnel_returns)
{
	struct fleet m;
	uint64_t cut_at;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 15 * NS_PER_S);
	world_link_cut(m.w, m.node[0].h, m.node[1].h, true);
	m.server_down = true;
	cut_at = world_now(m.w);
	fleet_send(&m.node[0], &m.node[1], 84, 1);
	SIM_CHECK(m.w, world_run(m.w, 4 * NS_PER_S, pair_not_up, &m));
	ck_assert_uint_ge(world_now(m.w) - cut_at, 200 * NS_PER_MS);
	ck_assert_uint_le(world_now(m.w) - cut_at, NS_PER_S);
	ck_assert_str_ne(fleet_peer(&m.node[0], &m.node[1]).detail, "");
	sim_pass(m.w, 40 * NS_PER_S);
	ck_assert_int_ne(fleet_peer(&m.node[1], &m.node[0]).state, PEER_UP);
	world_link_cut(m.w, m.node[0].h, m.node[1].h, false);
	SIM_CHECK(m.w, world_run(m.w, 61 * NS_PER_S, pair_up, &m));
	check_ping(&m, 0, 1, 10);
	fleet_free(&m);
}
END_TEST

START_TEST(presence_offline_disturbs_no_tunnel)
{
	struct fleet m;
	struct wire_candidates none = { .n = 0 };
	unsigned changes;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	changes = m.node[0].changes;
	overlay_presence(m.node[0].o, roster_at(mlog_roster(m.node[0].log), 1), false, &none);
	overlay_presence_reset(m.node[1].o);
	ck_assert(!fleet_peer(&m.node[0], &m.node[1]).online);
	sim_pass(m.w, 120 * NS_PER_S);
	SIM_CHECK(m.w, pair_up(&m));
	ck_assert_uint_ge(fleet_peer(&m.node[0], &m.node[1]).up_since, WORLD_START_NS);
	ck_assert_uint_le(m.node[0].changes, changes + 1); /* the path's size was found meanwhile */
	check_ping(&m, 0, 1, 3);
	fleet_free(&m);
}
END_TEST

/* A cable is pulled, another network joined. */
static void roam(struct fleet *m, unsigned i, ip4 to)
{
	world_host_roam(m->node[i].h, to);
	sim_pass(m->w, 200 * NS_PER_MS); /* the watch's debounce */
	overlay_network_changed(m->node[i].o);
}

START_TEST(the_side_that_connects_moves_and_the_tunnel_goes_on)
{
	struct fleet m;
	uint64_t since;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 12 * NS_PER_S);
	m.server_down = true;
	since = fleet_peer(&m.node[0], &m.node[1]).up_since;
	roam(&m, 0, IP(198, 51, 100, 7));
	sim_pass(m.w, 2 * NS_PER_S);
	SIM_CHECK(m.w, pair_up(&m));
	check_ping(&m, 0, 1, 5);
	struct peer_status s = fleet_peer(&m.node[1], &m.node[0]);
	ck_assert_uint_eq(addr_ip4(&s.endpoint), IP(198, 51, 100, 7));
	ck_assert_uint_eq(fleet_peer(&m.node[0], &m.node[1]).up_since, since);
	fleet_free(&m);
}
END_TEST

/* [P4-8] */
START_TEST(the_side_that_waits_moves_and_is_found_without_a_server)
{
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 12 * NS_PER_S);
	m.server_down = true;
	roam(&m, 1, IP(198, 51, 100, 8));
	sim_pass(m.w, 2 * NS_PER_S);
	SIM_CHECK(m.w, pair_up(&m));
	check_ping(&m, 0, 1, 5);
	struct peer_status s = fleet_peer(&m.node[0], &m.node[1]);
	ck_assert_uint_eq(addr_ip4(&s.endpoint), IP(198, 51, 100, 8));
	fleet_free(&m);
}
END_TEST

START_TEST(either_side_restarts_and_both_do)
{
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	for (unsigned i = 0; i < 6; i++) {
		sim_pass(m.w, 12 * NS_PER_S);
		if (i % 3 != 1)
			fleet_restart(&m.node[0]);
		if (i % 3 != 0)
			fleet_restart(&m.node[1]);
		SIM_CHECK(m.w, world_run(m.w, 3 * NS_PER_S, pair_up, &m));
		sim_pass(m.w, 100 * NS_PER_MS);
		check_ping(&m, 0, 1, 5);
	}
	fleet_free(&m);
}
END_TEST

START_TEST(a_machine_that_slept_is_back_at_once)
{
	struct fleet m;

	fleet_new(&m, 2);
	for (unsigned i = 0; i < 2; i++) {
		fleet_wait_up(&m, 2 * NS_PER_S);
		sim_pass(m.w, 12 * NS_PER_S);
		m.server_down = true;
		world_host_suspend(m.node[i].h);
		sim_pass(m.w, 3600 * NS_PER_S);
		SIM_CHECK(m.w, !pair_up(&m));
		world_host_resume(m.node[i].h);
		overlay_network_changed(m.node[i].o);
		SIM_CHECK(m.w, world_run(m.w, 3 * NS_PER_S, pair_up, &m));
		check_ping(&m, 0, 1, 5);
	}
	fleet_free(&m);
}
END_TEST

START_TEST(a_node_that_stops_says_so)
{
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 12 * NS_PER_S);
	fleet_stop(&m.node[1]);
	sim_pass(m.w, 50 * NS_PER_MS);
	struct peer_status s;
	ck_assert(overlay_peer_status(m.node[0].o, roster_at(mlog_roster(m.node[0].log), 1), &s));
	SIM_CHECK(m.w, s.state != PEER_UP);
	fleet_start(&m.node[1]);
	SIM_CHECK(m.w, world_run(m.w, 2 * NS_PER_S, pair_up, &m));
	fleet_free(&m);
}
END_TEST

struct bytes_from {
	struct host *h;
	uint64_t bytes;
};

static bool count_bytes(void *ctx, struct host *from, const struct addr *src,
			const struct addr *dst, uint8_t *data, size_t *len)
{
	struct bytes_from *b = ctx;

	(void)src, (void)dst, (void)data;
	b->bytes += from == b->h ? *len : 0;
	return true;
}

/* A peer that has said goodbye is not called at once, and is found soon when it comes back. */
/* [P4-15] */
START_TEST(those_that_stop_are_left_in_peace)
{
	struct bytes_from sent;
	struct fleet m;

	fleet_new(&m, FLEET_NODES);
	fleet_wait_up(&m, 2 * NS_PER_S);
	sim_pass(m.w, 12 * NS_PER_S);
	for (size_t i = 1; i < m.n; i++)
		fleet_stop(&m.node[i]);
	sent = (struct bytes_from){ .h = m.node[0].h };
	world_tap(m.w, count_bytes, &sent);
	sim_pass(m.w, 2 * NS_PER_S);
	printf("%llu bytes in 2 s", (unsigned long long)sent.bytes);
	ck_assert_uint_le(sent.bytes, 1000 * m.n);
	sim_pass(m.w, 28 * NS_PER_S);
	printf(", %llu in 30 s, to %zu that stopped\n", (unsigned long long)sent.bytes, m.n - 1);
	ck_assert_uint_le(sent.bytes, 60000 * m.n);
	fleet_start(&m.node[1]);
	SIM_CHECK(m.w, world_run(m.w, 2 * NS_PER_S, pair_up, &m));
	fleet_free(&m);
}
END_TEST

START_TEST(packets_for_an_absent_peer_are_answered_with_unreachable)
{
	struct fleet m;
	uint8_t p[200];
	size_t len;

	fleet_new(&m, 3);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 12 * NS_PER_S);
	fleet_stop(&m.node[2]);
	sim_pass(m.w, NS_PER_S);
	fleet_udp(p, 100, m.node[0].self->address, m.node[2].self->address, 1);
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 100), 0);
	sim_pass(m.w, 1500 * NS_PER_MS);
	SIM_CHECK(m.w, fleet_tun_silent(&m.node[0]));
	sim_pass(m.w, 1500 * NS_PER_MS);
	ck_assert_int_eq(world_tun_take(m.node[0].h, 0, p, sizeof(p), &len), 1);
	ck_assert_uint_eq(len, 56);
	ck_assert_uint_eq(p[9], IPPROTO_ICMP4);
	ck_assert_uint_eq(load_be16(p + 20), 0x0301);
	ck_assert_uint_eq(load_be32(p + 12), m.node[2].self->address);
	ck_assert_uint_eq(load_be32(p + 16), m.node[0].self->address);
	ck_assert_uint_eq(checksum_add(p + 20, 36, 0), 0xffff);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_no_tunnel), 1);
	/* A flood is dropped and answered a few times only; the other peer does not notice. */
	for (unsigned i = 0; i < 1000; i++)
		fleet_send(&m.node[0], &m.node[2], 100, i);
	fleet_send(&m.node[0], &m.node[1], 100, 7);
	sim_pass(m.w, 2500 * NS_PER_MS);
	SIM_CHECK(m.w, fleet_received(&m.node[0], &m.node[1], 100, 7));
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_no_tunnel), 1001);
	unsigned answers = 0;
	while (world_tun_take(m.node[0].h, 0, p, sizeof(p), &len) == 1)
		answers++;
	ck_assert_uint_ge(answers, 20);
	ck_assert_uint_le(answers, 80);
	m.node[2].o = NULL;
	fleet_free(&m);
}
END_TEST

START_TEST(bad_packets_of_our_own_host_are_counted)
{
	struct fleet m;
	uint8_t p[1500] = { 0 };

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	fleet_udp(p, 100, m.node[0].self->address + 5, m.node[1].self->address, 1);
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 100), 0);
	fleet_udp(p, 100, m.node[0].self->address, m.node[1].self->address + 50, 1);
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 100), 0);
	fleet_udp(p, 100, m.node[0].self->address, m.node[1].self->address, 1);
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 99), 0);
	fleet_udp(p, 1401, m.node[0].self->address, m.node[1].self->address, 1);
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 1401), 0);
	p[0] = 0x60;
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 100), 0);
	fleet_udp(p, 100, m.node[0].self->address, 0xe00000fc, 1); /* LLMNR */
	ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, 100), 0);
	sim_pass(m.w, 100 * NS_PER_MS);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_source), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_multicast), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_no_member), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_header), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_too_big), 1);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_not_ip4), 1);
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]), 6);
	SIM_CHECK(m.w, fleet_tun_silent(&m.node[1]));
	fleet_free(&m);
}
END_TEST

START_TEST(the_host_is_set_up_and_left_as_it_was)
{
	struct fleet m;
	struct prefix4 cover = { KIT_NET, 24 }, host = { KIT_NET + 2, 32 };
	struct world_route r[8];
	struct addr self = addr_v4(KIT_NET + 1, 0);

	fleet_init(&m, 3);
	world_host_uses(m.node[1].h, (struct prefix4){ KIT_NET, 10 }, "the carrier's network");
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	ck_assert(world_tun_up(m.node[0].h, 0));
	ck_assert(world_has_addr(m.node[0].h, &self));
	ck_assert(world_has_route(m.node[0].h, cover, 0));
	ck_assert(world_has_route(m.node[0].h, host, overlay_ifindex(m.node[0].o)));
	ck_assert_uint_eq(world_routes(m.node[0].h, r, 8), 3);
	ck_assert_str_eq(m.node[0].warning, "");
	ck_assert(!world_has_route(m.node[1].h, cover, 0));
	ck_assert_uint_eq(world_routes(m.node[1].h, r, 8), 2);
	ck_assert_uint_eq(r[0].source, KIT_NET + 2);
	ck_assert_ptr_nonnull(strstr(m.node[1].warning, "the carrier's network"));
	fleet_stop(&m.node[0]);
	fleet_stop(&m.node[1]);
	ck_assert_uint_eq(world_routes(m.node[0].h, r, 8), 0);
	ck_assert(!world_has_addr(m.node[0].h, &self));
	fleet_free(&m);
}
END_TEST

static bool routed(const struct fleet_node *n, unsigned at)
{
	return world_has_route(n->h, (struct prefix4){ KIT_NET + at, 32 }, overlay_ifindex(n->o));
}

static void fleet_join(struct fleet *m, struct fleet_node *seen_by, unsigned n)
{
	uint64_t at = mlog_count(m->kit.log);

	kit_join(&m->kit, n);
	fleet_learn(seen_by, m->kit.log, at);
	overlay_log_grew(seen_by->o);
}

START_TEST(an_address_that_the_host_uses_is_left_to_it)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct addr lan = addr_v4(KIT_NET + 3, 0);

	fleet_init(&m, 4);
	world_host_uses(n->h, (struct prefix4){ KIT_NET + 2, 32 }, "a gateway of this host");
	ck_assert_int_eq(world_host_addr(n->h, &lan, "eth0"), 0);
	fleet_start(n);
	ck_assert(!routed(n, 2) && !routed(n, 3) && routed(n, 4));
	ck_assert_ptr_nonnull(strstr(n->warning, "is a gateway of this host"));
	world_host_uses(n->h, (struct prefix4){ KIT_NET + 5, 32 }, "a name server of this host");
	fleet_join(&m, n, 4);
	fleet_join(&m, n, 5);
	ck_assert(!routed(n, 5) && routed(n, 6));
	fleet_free(&m);
}
END_TEST

START_TEST(the_signal_servers_address_is_left_to_it)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct prefix4 cover = { KIT_NET, 24 };
	struct addr elsewhere = addr_v4(IP(192, 0, 2, 200), 443);
	struct addr inside[] = { addr_v4(KIT_NET + 2, 443), addr_v4(KIT_NET + 4, 443) };
	struct addr proven = addr_v4(KIT_NET + 6, 443);

	fleet_init(&m, 3);
	fleet_start(n);
	overlay_signal_addrs(n->o, &elsewhere, 1);
	ck_assert(world_has_route(n->h, cover, 0));
	overlay_signal_addrs(n->o, inside, 2);
	ck_assert(!world_has_route(n->h, cover, 0));
	ck_assert(routed(n, 2)); /* whatever DNS says of it */
	fleet_join(&m, n, 3);
	ck_assert(routed(n, 4)); /* a name server could have a member's packets otherwise */
	overlay_observed(n->o, &elsewhere, &proven);
	fleet_join(&m, n, 4);
	fleet_join(&m, n, 5);
	ck_assert(routed(n, 5) && !routed(n, 6));
	ck_assert(!world_has_route(n->h, cover, 0));
	for (unsigned i = 0; i < 20; i++) { /* more than are kept */
		elsewhere = addr_v4(IP(192, 0, 2, 200) + i, 443);
		overlay_signal_addrs(n->o, &elsewhere, 1);
	}
	fleet_free(&m);
}
END_TEST

START_TEST(a_route_of_another_overlay_is_no_failure)
{
	struct fleet m;

	fleet_init(&m, 3);
	m.node[1].h = m.node[0].h;
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	ck_assert(routed(&m.node[0], 3) && !routed(&m.node[1], 3));
	ck_assert(!routed(&m.node[1], 1)); /* it is the other device's own */
	ck_assert_ptr_nonnull(strstr(m.node[1].warning, "cannot be reached from here"));
	fleet_free(&m);
}
END_TEST

/* Clusters of one server may have the same prefix, and a machine may be in several. */
START_TEST(one_of_two_overlays_on_a_host_ends)
{
	struct fleet m;
	struct prefix4 cover = { KIT_NET, 24 };

	fleet_init(&m, 2);
	m.node[1].h = m.node[0].h;
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	ck_assert_str_eq(overlay_ifname(m.node[0].o), "mlsh0");
	ck_assert_str_eq(overlay_ifname(m.node[1].o), "mlsh1");
	ck_assert(world_has_route(m.node[0].h, cover, 0));
	fleet_stop(&m.node[0]);
	ck_assert(world_has_route(m.node[1].h, cover, 0));
	fleet_stop(&m.node[1]);
	ck_assert(!world_has_route(m.node[1].h, cover, 0));
	fleet_free(&m);
}
END_TEST

/* Nothing of an inner packet is to be seen on the wire. */
#define MARKER "mlsh-inner-plaintext"

static bool tap_looks(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		      uint8_t *data, size_t *len)
{
	unsigned *seen = ctx;

	(void)from;
	(void)src;
	(void)dst;
	seen[0]++;
	seen[1] += memmem(data, *len, MARKER, strlen(MARKER)) != NULL;
	return true;
}

START_TEST(the_wire_holds_no_inner_plaintext)
{
	struct fleet m;
	unsigned seen[2] = { 0 };
	uint8_t p[OVERLAY_MTU], got[2000];
	size_t len, taken = 0;

	fleet_new(&m, 2);
	world_tap(m.w, tap_looks, seen);
	fleet_wait_up(&m, NS_PER_S);
	for (unsigned i = 0; i < 100; i++) { /* over streams at first, then in records */
		len = 100 + i * 13;
		fleet_udp(p, len, m.node[0].self->address, m.node[1].self->address, i);
		memcpy(p + 40, MARKER, strlen(MARKER));
		ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, p, len), 0);
		sim_pass(m.w, 20 * NS_PER_MS);
		while (world_tun_take(m.node[1].h, 0, got, sizeof(got), &len) == 1)
			taken += memmem(got, len, MARKER, strlen(MARKER)) != NULL;
	}
	ck_assert_uint_eq(taken, 100);
	ck_assert_uint_gt(seen[0], 100);
	ck_assert_uint_eq(seen[1], 0);
	world_tap(m.w, NULL, NULL);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/tunnel", two_nodes_build_a_tunnel_within_a_second_and_ping,
	  full_packets_pass_before_the_path_size_is_known,
	  packets_that_come_before_the_tunnel_wait_for_it, a_fleet_of_four_is_complete,
	  a_dead_path_is_noticed_by_traffic_and_the_tunnel_returns,
	  presence_offline_disturbs_no_tunnel, the_side_that_connects_moves_and_the_tunnel_goes_on,
	  the_side_that_waits_moves_and_is_found_without_a_server, either_side_restarts_and_both_do,
	  a_machine_that_slept_is_back_at_once, a_node_that_stops_says_so,
	  those_that_stop_are_left_in_peace,
	  packets_for_an_absent_peer_are_answered_with_unreachable,
	  bad_packets_of_our_own_host_are_counted, the_host_is_set_up_and_left_as_it_was,
	  an_address_that_the_host_uses_is_left_to_it, the_signal_servers_address_is_left_to_it,
	  a_route_of_another_overlay_is_no_failure, one_of_two_overlays_on_a_host_ends,
	  the_wire_holds_no_inner_plaintext)
