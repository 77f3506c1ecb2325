/* SPDX-License-Identifier: MIT */
/*
 * Underlays that carry less than the usual 1500 bytes, over IPv4 and IPv6, directly and over the
 * relay, from the beginning or from some moment on. Nobody sends ICMP here: what is too big for a
 * link vanishes.
 */
#include "mesh.h"
#include "overlay/internal.h"
#include "overlay/peering/path.h"

static const unsigned mtus[] = { 1500, 1492, 1420, 1280 };

struct pair {
	struct mesh *m;
	struct mesh_node *a, *b;
};

static void set_mtu(struct pair *p, unsigned mtu, bool direct)
{
	struct link_params link = { .delay_ns = 5 * MS, .mtu_bytes = mtu };
	struct link_params cut = link;

	cut.down = !direct;
	world_link_both(p->m->w, p->a->host, p->m->server_host, link);
	world_link_both(p->m->w, p->b->host, p->m->server_host, link);
	world_link_both(p->m->w, p->a->host, p->b->host, cut);
}

static void pair_new(struct pair *p, unsigned mtu, bool six, bool direct)
{
	p->m = mesh_new(sim_seed());
	p->a = mesh_node_with(p->m, "nas", six ? MESH_IP6 : MESH_IP4);
	p->b = mesh_node_with(p->m, "laptop", six ? MESH_IP6 : MESH_IP4);
	set_mtu(p, mtu, direct);
	mesh_join_all(p->m);
	mesh_reach(p->m, 3 * SECOND);
}

static size_t limit(struct mesh_node *n)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(n));

	return peer_path_mtu(list_entry(o->peering.peers.next, struct peer, in_overlay));
}

/* The largest size that is tried and fits. */
static size_t fitting(unsigned mtu, bool six, bool direct)
{
	size_t room = mtu - (six ? 48 : 28), overhead = direct ? 0 : RELAY_OVERHEAD, best = 0;

	for (unsigned i = 0; i < MTU_SIZES; i++) {
		if (mtu_size(i, 0) <= room)
			best = mtu_size(i, overhead);
	}
	return MAX(best, MTU_BASE);
}

/* [P7-16] */
START_TEST(full_packets_pass_on_every_underlay)
{
	for (unsigned i = 0; i < 4 * ARRAY_LEN(mtus); i++) {
		unsigned mtu = mtus[i / 4];
		bool six = i & 1, direct = i & 2;
		struct pair p;
		uint32_t lost;

		pair_new(&p, mtu, six, direct);
		p.m->ping_len = MESH_PING_MAX;
		lost = mesh_flow(p.m, 5 * SECOND, 200); /* from the tunnel's first moment on */
		printf("%u bytes, IPv%d, %s: limit %zu, lost %u of 2000\n", mtu, six ? 6 : 4,
		       direct ? "direct" : "relayed", limit(p.a), lost);
		fflush(stdout);
		ck_assert_uint_eq(lost, 0);
		ck_assert_uint_eq(limit(p.a), fitting(mtu, six, direct));
		ck_assert_uint_eq(limit(p.b), fitting(mtu, six, direct));
		mesh_free(p.m);
	}
}
END_TEST

/* Full packets only: how long until they pass again in both directions, without a gap after it. */
static uint64_t silence(struct pair *p)
{
	uint64_t begin = world_now(p->m->w), last = begin;

	while (world_now(p->m->w) - begin < 20 * SECOND) {
		mesh_flow_begin(p->m);
		mesh_ping_pairs(p->m);
		sim_pass(p->m->w, 20 * MS);
		mesh_take(p->m);
		if (p->m->pings_got[0][1] == 0 || p->m->pings_got[1][0] == 0)
			last = world_now(p->m->w);
	}
	return last - begin;
}

/* [P6-77] */
START_TEST(a_path_that_narrows_under_a_live_tunnel_is_noticed)
{
	for (unsigned i = 0; i < 4; i++) {
		bool six = i & 1, direct = i & 2;
		struct pair p;
		uint64_t t;

		pair_new(&p, 1500, six, direct);
		p.m->ping_len = MESH_PING_MAX;
		mesh_flow(p.m, 5 * SECOND, 50);
		ck_assert_uint_eq(limit(p.a), fitting(1500, six, direct));
		set_mtu(&p, 1280, direct);
		t = silence(&p);
		printf("1500 to 1280 bytes, IPv%d, %s: full packets pass again after %llu ms\n",
		       six ? 6 : 4, direct ? "direct" : "relayed", (unsigned long long)(t / MS));
		fflush(stdout);
		ck_assert_uint_lt(t, 3 * SECOND);
		ck_assert_uint_eq(limit(p.a), fitting(1280, six, direct));
		ck_assert(mesh_peer(p.a, p.b).state == PEER_UP);
		/* Wide again: found at the next search. */
		set_mtu(&p, 1500, direct);
		sim_pass(p.m->w, MTU_AGAIN + MINUTE);
		ck_assert_uint_eq(limit(p.a), fitting(1500, six, direct));
		ck_assert_uint_eq(mesh_flow(p.m, 5 * SECOND, 50), 0);
		mesh_free(p.m);
	}
}
END_TEST

/* Idle while it happens: the first full packets find out. */
START_TEST(a_path_that_narrowed_while_idle_is_noticed)
{
	struct pair p;
	uint64_t t;

	pair_new(&p, 1500, false, true);
	p.m->ping_len = MESH_PING_MAX;
	mesh_flow(p.m, 5 * SECOND, 50);
	set_mtu(&p, 1420, true);
	sim_pass(p.m->w, 5 * MINUTE);
	t = silence(&p);
	printf("after five idle minutes: full packets pass again after %llu ms\n",
	       (unsigned long long)(t / MS));
	ck_assert_uint_lt(t, 2 * SECOND);
	mesh_free(p.m);
}
END_TEST

/* Another network with less room, by an address change that QUIC hears nothing of, and by one. */
START_TEST(moving_to_a_narrower_network_loses_nothing_for_long)
{
	for (unsigned i = 0; i < 2; i++) {
		struct pair p;
		uint64_t t;

		pair_new(&p, 1500, false, true);
		p.m->ping_len = MESH_PING_MAX;
		mesh_flow(p.m, 5 * SECOND, 50);
		set_mtu(&p, 1280, true);
		world_host_roam(i ? p.a->host : p.b->host, IP(203, 0, 113, 77));
		t = silence(&p);
		printf("node %u moves to 1280 bytes: full packets pass again after %llu ms\n",
		       1 - i, (unsigned long long)(t / MS));
		fflush(stdout);
		ck_assert_uint_lt(t, 3 * SECOND);
		ck_assert_uint_eq(limit(p.a), fitting(1280, false, true));
		mesh_free(p.m);
	}
}
END_TEST

/* The machine's own interface refuses what is too big, at once. */
START_TEST(a_narrow_interface_is_found_out)
{
	struct pair p;

	pair_new(&p, 1500, false, true);
	world_host_mtu(p.a->host, 1400);
	mesh_daemon_stop(p.a);
	mesh_daemon_start(p.a);
	mesh_reach(p.m, 10 * SECOND);
	p.m->ping_len = MESH_PING_MAX;
	ck_assert_uint_eq(mesh_flow(p.m, 5 * SECOND, 50), 0);
	ck_assert_uint_eq(limit(p.a), fitting(1400, false, true));
	ck_assert_uint_eq(limit(p.b), 1452);
	mesh_free(p.m);
}
END_TEST

/* How often reach of `n` looks while nothing happens, for a minute. */
static unsigned looks(struct pair *p, struct mesh_node *n)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(n));
	struct reach *r = list_entry(o->peering.peers.next, struct peer, in_overlay)->reach;
	uint64_t end = world_now(p->m->w) + MINUTE, last = 0;
	unsigned count = 0;

	while (world_now(p->m->w) < end) {
		sim_pass(p->m->w, MS / 2);
		count += r->next_at != last;
		last = r->next_at;
	}
	return count;
}

/* A check that was not answered when another path took over is nobody's business any more. */
START_TEST(a_check_of_a_path_that_was_left_keeps_nobody_busy)
{
	struct pair p;
	struct link_params gone = { .delay_ns = 5 * MS, .down = true };
	unsigned n;

	pair_new(&p, 1500, false, false);
	p.m->ping_len = MESH_PING_MAX;
	mesh_flow(p.m, 5 * SECOND, 50);
	ck_assert_int_eq(mesh_peer(p.a, p.b).path, PEER_PATH_RELAY);
	/* The relay is lost for a moment under full packets, and the direct path is there then. */
	set_mtu(&p, 1500, true);
	world_link_both(p.m->w, p.a->host, p.m->server_host, gone);
	world_link_both(p.m->w, p.b->host, p.m->server_host, gone);
	mesh_flow(p.m, 2 * SECOND, 50);
	set_mtu(&p, 1500, true);
	mesh_flow(p.m, 10 * SECOND, 50);
	ck_assert_int_eq(mesh_peer(p.a, p.b).path, PEER_PATH_DIRECT);
	sim_pass(p.m->w, 2 * MINUTE);
	n = looks(&p, p.a);
	printf("looks in an idle minute: %u\n", n);
	ck_assert_uint_lt(n, 200);
	n = looks(&p, p.b);
	printf("looks in an idle minute: %u\n", n);
	ck_assert_uint_lt(n, 200);
	mesh_free(p.m);
}
END_TEST

UNIT_MAIN("sim/paths_mtu", full_packets_pass_on_every_underlay,
	  a_path_that_narrows_under_a_live_tunnel_is_noticed,
	  a_path_that_narrowed_while_idle_is_noticed,
	  moving_to_a_narrower_network_loses_nothing_for_long, a_narrow_interface_is_found_out,
	  a_check_of_a_path_that_was_left_keeps_nobody_busy)
