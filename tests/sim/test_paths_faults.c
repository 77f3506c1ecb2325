/* SPDX-License-Identifier: MIT */
/* NATs that forget, servers that die, members that lie: what becomes of paths. */
#include "mesh.h"
#include "os/sim/nat.h"
#include "overlay/internal.h"
#include "overlay/peering/control.h"

struct house {
	struct mesh *m;
	struct nat *nat[2];
};

/* Two nodes, each behind a NAT that filters by address and port. */
static void house_new(struct house *h)
{
	struct nat_config cfg = { .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };

	h->m = mesh_new(sim_seed());
	mesh_nodes(h->m, 2);
	for (unsigned i = 0; i < 2; i++) {
		h->nat[i] = nat_new(h->m->w, NULL, &cfg, IP(203, 0, 113, 10 + i));
		world_host_move(h->m->node[i].host, nat_net(h->nat[i]), IP(10, 7, i, 2));
	}
	mesh_join_all(h->m);
	mesh_reach(h->m, 2 * SECOND);
	sim_pass(h->m->w, 10 * SECOND);
}

static bool is_path(struct mesh *m, enum peer_path want)
{
	return mesh_peer(&m->node[0], &m->node[1]).path == want &&
	       mesh_peer(&m->node[1], &m->node[0]).path == want;
}

/* Traffic goes on while it happens: how long nothing came through in one of the directions. */
static uint64_t silence(struct mesh *m)
{
	uint64_t begin = world_now(m->w);
	uint32_t got[2];

	mesh_flow_begin(m);
	mesh_ping_pairs(m);
	sim_pass(m->w, MS);
	mesh_take(m);
	got[0] = m->pings_got[0][1];
	got[1] = m->pings_got[1][0];
	while (m->pings_got[0][1] == got[0] || m->pings_got[1][0] == got[1]) {
		MESH_CHECK(m, world_now(m->w) - begin < 10 * SECOND);
		mesh_ping_pairs(m);
		sim_pass(m->w, 10 * MS);
		mesh_take(m);
	}
	return world_now(m->w) - begin;
}

/* [P6-74] */
START_TEST(nats_that_forget_or_move_are_got_over)
{
	struct house h;

	house_new(&h);
	MESH_CHECK(h.m, is_path(h.m, PEER_PATH_DIRECT));
	for (unsigned i = 0; i < 6; i++) {
		uint64_t t;

		mesh_flow(h.m, 10 * SECOND, 20);
		if (i % 3 == 2)
			SIM_CHECK_OK(h.m->w, nat_renumber(h.nat[i % 2], IP(203, 0, 113, 40 + i)));
		else
			nat_reboot(h.nat[i % 2]);
		t = silence(h.m);
		printf("%s of node %u: back after %llu ms\n", i % 3 == 2 ? "renumbering" : "reboot",
		       i % 2, (unsigned long long)(t / MS));
		fflush(stdout);
		MESH_CHECK(h.m, t < 5 * SECOND);
		mesh_flow(h.m, 40 * SECOND, 20);
		MESH_CHECK(h.m, is_path(h.m, PEER_PATH_DIRECT));
	}
	mesh_free(h.m);
}
END_TEST

START_TEST(a_dead_server_disturbs_no_direct_tunnel)
{
	struct house h;

	house_new(&h);
	MESH_CHECK(h.m, is_path(h.m, PEER_PATH_DIRECT));
	mesh_server_crash(h.m);
	MESH_CHECK(h.m, mesh_flow(h.m, 10 * MINUTE, 5) == 0);
	sim_pass(h.m->w, 30 * MINUTE); /* idle: the NATs' mappings are kept */
	MESH_CHECK(h.m, mesh_flow(h.m, 10 * SECOND, 20) == 0);
	MESH_CHECK(h.m, is_path(h.m, PEER_PATH_DIRECT));
	mesh_free(h.m);
}
END_TEST

START_TEST(a_relayed_tunnel_returns_with_the_server)
{
	struct house h;
	uint64_t begin;

	house_new(&h);
	nat_only(h.nat[0], IP(192, 0, 2, 1));
	mesh_flow(h.m, 10 * SECOND, 20);
	MESH_CHECK(h.m, is_path(h.m, PEER_PATH_RELAY));
	mesh_server_crash(h.m);
	sim_pass(h.m->w, 5 * SECOND);
	mesh_server_start(h.m);
	begin = world_now(h.m->w);
	mesh_all_connected(h.m, 30 * SECOND);
	mesh_reach(h.m, 30 * SECOND);
	printf("relayed again %llu ms after the server's start\n",
	       (unsigned long long)((world_now(h.m->w) - begin) / MS));
	MESH_CHECK(h.m, is_path(h.m, PEER_PATH_RELAY));
	mesh_free(h.m);
}
END_TEST

/* A node that is started again is reached as soon as it has its session, whoever begins. */
static void restart(bool relayed, unsigned which, bool crash)
{
	struct house h;
	uint64_t t;

	house_new(&h);
	if (relayed) {
		nat_only(h.nat[0], IP(192, 0, 2, 1));
		mesh_flow(h.m, 10 * SECOND, 20);
	}
	MESH_CHECK(h.m, is_path(h.m, relayed ? PEER_PATH_RELAY : PEER_PATH_DIRECT));
	if (crash)
		mesh_daemon_crash(&h.m->node[which]);
	else
		mesh_daemon_stop(&h.m->node[which]);
	sim_pass(h.m->w, 300 * MS);
	mesh_daemon_start(&h.m->node[which]);
	t = silence(h.m);
	printf("%s node %u %s: back after %llu ms\n", relayed ? "relayed" : "direct", which,
	       crash ? "killed" : "stopped", (unsigned long long)(t / MS));
	fflush(stdout);
	MESH_CHECK(h.m, t < 1500 * MS);
	mesh_free(h.m);
}

START_TEST(a_restarted_node_is_back_at_once)
{
	for (unsigned i = 0; i < 8; i++)
		restart(i & 1, i >> 1 & 1, i >> 2 & 1);
}
END_TEST

struct victim {
	struct addr addr;
	unsigned frames;
};

static bool count_frames(void *ctx, struct host *from, const struct addr *src,
			 const struct addr *dst, uint8_t *data, size_t *len)
{
	struct victim *v = ctx;

	(void)from, (void)src, (void)data, (void)len;
	v->frames += addr_equal(dst, &v->addr);
	return true;
}

/* A member names somebody else's address, and asks for rounds as often as it can. */
/* [P6-30] */
START_TEST(a_forged_candidate_floods_nobody)
{
	struct victim v = { .addr = addr_v4(IP(198, 18, 0, 99), 53) };
	struct wire_candidates forged = { .item = { v.addr }, .n = 1 };
	struct house h;
	struct overlay *liar;
	struct peer *p;

	house_new(&h);
	world_tap(h.m->w, count_frames, &v);
	liar = tunnel_overlay(mesh_tunnel(&h.m->node[1]));
	p = list_entry(liar->peering.peers.next, struct peer, in_overlay);
	for (unsigned i = 0; i < 600; i++) { /* a minute */
		forged.n = i % 2;	     /* gone and there again */
		liar->peering.around.own = forged;
		control_candidates(p->active);
		control_punch(p->active, PUNCH_HOPS_MIN);
		sim_pass(h.m->w, 100 * MS);
	}
	printf("%u pings a minute to a forged candidate\n", v.frames);
	ck_assert_uint_gt(v.frames, 0);
	ck_assert_uint_le(v.frames, 60 + REACH_GUESSES_BURST);
	mesh_free(h.m);
}
END_TEST

static struct reach *reach_of(struct mesh_node *n, struct mesh_node *to)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(n));
	struct overlay *other = tunnel_overlay(mesh_tunnel(to));

	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->member->address == other->peering.self->address)
			return p->reach;
	}
	return NULL;
}

static void ping_times(struct reach *r, unsigned n, uint64_t now)
{
	for (unsigned i = 0; i < n; i++)
		reach_ping(r, pathset_current(&r->set), false, now);
}

struct pongs {
	unsigned n;
};

static bool count_pongs(void *ctx, struct host *from, const struct addr *src,
			const struct addr *dst, uint8_t *data, size_t *len)
{
	struct pongs *p = ctx;

	(void)src, (void)dst, (void)from;
	p->n += *len == PROBE_PONG_LEN && data[0] == PROBE_PONG;
	return true;
}

/* A member that pings by the thousand does not take their answers from the others. */
/* [P6-28] */
START_TEST(a_loud_member_leaves_pongs_for_others)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct reach *loud, *quiet;
	struct pongs sent = { .n = 0 };
	uint32_t pongs;

	mesh_reach(m, 2 * SECOND);
	sim_pass(m->w, 10 * SECOND);
	loud = reach_of(&m->node[1], &m->node[0]);
	quiet = reach_of(&m->node[2], &m->node[0]);
	ck_assert(loud && quiet);
	pongs = pathset_current(&quiet->set)->pongs;
	world_tap(m->w, count_pongs, &sent);
	for (unsigned ms = 0; ms < 5000; ms++) {
		ping_times(loud, 10, clock_now(m->node[1].host));
		if (ms % 50 == 0)
			ping_times(quiet, 1, clock_now(m->node[2].host));
		sim_pass(m->w, MS);
	}
	sim_pass(m->w, 100 * MS);
	pongs = pathset_current(&quiet->set)->pongs - pongs;
	printf("pongs: %u of 100 for a quiet member, %u for both\n", pongs, sent.n);
	ck_assert_uint_ge(pongs, 100);
	ck_assert_uint_le(sent.n, 100 + REACH_PONGS_BURST + 6 * REACH_PONGS_PER_S);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_faults", nats_that_forget_or_move_are_got_over,
	  a_dead_server_disturbs_no_direct_tunnel, a_relayed_tunnel_returns_with_the_server,
	  a_restarted_node_is_back_at_once, a_forged_candidate_floods_nobody,
	  a_loud_member_leaves_pongs_for_others)
