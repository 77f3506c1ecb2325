/* SPDX-License-Identifier: MIT */
/*
 * A packet every millisecond both ways while the path changes under it: from the relay to a direct
 * path and back, to another uplink, by choice and by force. What is lost, doubled, and how long
 * nothing came.
 */
#include "mesh.h"
#include "overlay/internal.h"

#define RATE 1000

struct stream {
	struct mesh *m;
	struct mesh_node *a, *b;
	uint32_t last_a, last_b;   /* received at the last look */
	uint64_t heard_a, heard_b; /* when something new had come */
	uint64_t gap_a, gap_b;	   /* the longest silence */
};

static void look(struct stream *s)
{
	uint32_t a = s->m->pings_got[0][1], b = s->m->pings_got[1][0];
	uint64_t now = world_now(s->m->w);

	if (a != s->last_a)
		s->heard_a = now;
	if (b != s->last_b)
		s->heard_b = now;
	s->last_a = a;
	s->last_b = b;
	s->gap_a = MAX(s->gap_a, now - s->heard_a);
	s->gap_b = MAX(s->gap_b, now - s->heard_b);
}

static void flow(struct stream *s, uint64_t ns)
{
	uint64_t end = world_now(s->m->w) + ns;

	while (world_now(s->m->w) < end) {
		mesh_ping(s->a, s->b);
		mesh_ping(s->b, s->a);
		sim_pass(s->m->w, SECOND / RATE);
		mesh_take(s->m);
		look(s);
	}
}

static void begin(struct stream *s)
{
	mesh_flow_begin(s->m);
	s->last_a = s->last_b = 0;
	s->heard_a = s->heard_b = world_now(s->m->w);
	s->gap_a = s->gap_b = 0;
}

static uint32_t end(struct stream *s, const char *what)
{
	uint32_t lost = mesh_flow_end(s->m);

	printf("%-44s lost %5u  longest gap %4llu / %4llu ms\n", what, lost,
	       (unsigned long long)(s->gap_a / MS), (unsigned long long)(s->gap_b / MS));
	fflush(stdout);
	MESH_CHECK(s->m, s->m->doubled == 0);
	return lost;
}

static void cut(struct stream *s, bool down)
{
	world_link_cut(s->m->w, s->a->host, s->b->host, down);
}

/* Two machines that cannot reach each other directly at first; the relay is 20 ms away. */
static void stream_new(struct stream *s)
{
	struct mesh *m = mesh_new(sim_seed());
	struct link_params relay = { .delay_ns = 10 * MS, .rate_bps = 300 * 1000 * 1000 };
	struct link_params direct = { .delay_ns = 2 * MS, .rate_bps = 1000 * 1000 * 1000 };

	*s = (struct stream){ .m = m };
	mesh_nodes(m, 2);
	s->a = &m->node[0];
	s->b = &m->node[1];
	world_link_both(m->w, s->a->host, m->server_host, relay);
	world_link_both(m->w, s->b->host, m->server_host, relay);
	world_link_both(m->w, s->a->host, s->b->host, direct);
	cut(s, true);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
}

static enum peer_path path(struct mesh_node *n, struct mesh_node *to)
{
	return mesh_peer(n, to).path;
}

static void check_path(struct stream *s, enum peer_path want)
{
	MESH_CHECK(s->m, path(s->a, s->b) == want && path(s->b, s->a) == want);
}

START_TEST(relay_to_direct_to_relay_to_another_uplink)
{
	struct stream s;

	stream_new(&s);
	check_path(&s, PEER_PATH_RELAY);
	begin(&s);
	flow(&s, 3 * SECOND);
	ck_assert_uint_eq(end(&s, "relay"), 0);

	cut(&s, false);
	begin(&s);
	flow(&s, 60 * SECOND);
	check_path(&s, PEER_PATH_DIRECT);
	ck_assert_uint_eq(end(&s, "relay to direct"), 0);
	ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), 50 * MS);

	begin(&s);
	flow(&s, 2 * SECOND);
	cut(&s, true);
	flow(&s, 8 * SECOND);
	check_path(&s, PEER_PATH_RELAY);
	ck_assert_uint_lt(end(&s, "direct dies, to the relay"), 2 * 500);
	ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), SECOND / 2);

	cut(&s, false);
	begin(&s);
	flow(&s, 60 * SECOND);
	check_path(&s, PEER_PATH_DIRECT);
	ck_assert_uint_eq(end(&s, "comes back, relay to direct"), 0);

	begin(&s);
	flow(&s, 2 * SECOND);
	world_host_roam(s.b->host, IP(203, 0, 113, 77));
	flow(&s, 10 * SECOND);
	check_path(&s, PEER_PATH_DIRECT);
	end(&s, "the server role takes another uplink");
	ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), SECOND);

	begin(&s);
	flow(&s, 2 * SECOND);
	world_host_roam(s.a->host, IP(203, 0, 113, 78));
	flow(&s, 10 * SECOND);
	check_path(&s, PEER_PATH_DIRECT);
	end(&s, "the client role takes another uplink");
	ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), SECOND);
	mesh_free(s.m);
}
END_TEST

/* Both uplinks are known to the other side, and tried out, before one is lost. */
static void lose_uplink(struct stream *s, struct mesh_node *n, unsigned other, const char *what)
{
	struct addr second = addr_v4(IP(203, 0, 113, other), 0);

	SIM_CHECK_OK(s->m->w, world_host_addr(n->host, &second, "wlan0"));
	flow(s, 20 * SECOND);
	begin(s);
	flow(s, 2 * SECOND);
	world_host_interface(n->host, "eth0", false);
	flow(s, 10 * SECOND);
	check_path(s, PEER_PATH_DIRECT);
	end(s, what);
	ck_assert_uint_lt(MAX(s->gap_a, s->gap_b), SECOND);
	begin(s);
	flow(s, 2 * SECOND);
	world_host_interface(n->host, "eth0", true);
	flow(s, 30 * SECOND);
	check_path(s, PEER_PATH_DIRECT);
	ck_assert_uint_eq(end(s, "... and it comes back"), 0);
}

/* [P6-73] */
START_TEST(one_of_two_uplinks_is_lost)
{
	struct stream s;

	stream_new(&s);
	cut(&s, false);
	begin(&s);
	lose_uplink(&s, s.b, 90, "the server role loses one of two uplinks");
	lose_uplink(&s, s.a, 91, "the client role loses one of two uplinks");
	mesh_free(s.m);
}
END_TEST

/* No second uplink: nothing passes until it is there again, and then soon. */
START_TEST(the_only_uplink_is_lost_and_comes_back)
{
	struct stream s;

	stream_new(&s);
	cut(&s, false);
	begin(&s);
	flow(&s, 20 * SECOND);
	for (unsigned i = 0; i < 2; i++) {
		struct mesh_node *n = i ? s.a : s.b;

		world_host_interface(n->host, "eth0", false);
		flow(&s, 20 * SECOND);
		begin(&s);
		world_host_interface(n->host, "eth0", true);
		flow(&s, 10 * SECOND);
		check_path(&s, PEER_PATH_DIRECT);
		end(&s, i ? "the client role's only uplink is back"
			  : "the server role's only uplink is back");
		ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), 5 * SECOND);
	}
	mesh_free(s.m);
}
END_TEST

/* Moves the connection of the client role as reach does, without its patience. */
static void move(struct stream *s, bool to_relay)
{
	struct overlay *o = tunnel_overlay(mesh_tunnel(s->a));
	struct peer *p = list_entry(o->peering.peers.next, struct peer, in_overlay);
	struct pathset *ps = reach_paths(p->reach);
	struct path *to = NULL;
	int rc = -EAGAIN;

	MESH_CHECK(s->m, !quic_conn_is_server(p->active->conn));
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *x = &ps->path[i];

		if (x->label && x->proven && (x->kind == PATH_RELAY) == to_relay)
			to = x;
	}
	MESH_CHECK(s->m, to);
	for (int tries = 0; tries < 100; tries++) {
		rc = quic_conn_migrate(p->active->conn, to->label, false);
		if (rc != -EAGAIN)
			break;
		flow(s, MS);
	}
	MESH_CHECK(s->m, rc == 0);
}

START_TEST(fifty_switches_under_load)
{
	struct stream s;

	stream_new(&s);
	cut(&s, false);
	begin(&s);
	flow(&s, 30 * SECOND);
	check_path(&s, PEER_PATH_DIRECT);
	for (unsigned i = 0; i < 50; i++) {
		move(&s, i % 2 == 0);
		flow(&s, 300 * MS);
		check_path(&s, i % 2 == 0 ? PEER_PATH_RELAY : PEER_PATH_DIRECT);
	}
	ck_assert_uint_eq(end(&s, "50 switches"), 0);
	ck_assert_uint_lt(MAX(s.gap_a, s.gap_b), 50 * MS);
	mesh_free(s.m);
}
END_TEST

/* Ten minutes on a lossy line with jitter: no path is taken for dead without reason for long. */
START_TEST(a_bad_line_does_not_flap)
{
	struct stream s;
	struct link_params bad = { .delay_ns = 20 * MS, .jitter_ns = 20 * MS, .loss = 0.05 };
	uint64_t direct = 0, looks = 0;

	stream_new(&s);
	cut(&s, false);
	world_link_both(s.m->w, s.a->host, s.b->host, bad);
	sim_pass(s.m->w, MINUTE);
	for (unsigned i = 0; i < 600; i++) {
		mesh_flow_run(s.m, SECOND, 20);
		direct += path(s.a, s.b) == PEER_PATH_DIRECT && path(s.b, s.a) == PEER_PATH_DIRECT;
		looks++;
	}
	printf("direct in %llu of %llu seconds of a line that loses 5 %%\n",
	       (unsigned long long)direct, (unsigned long long)looks);
	MESH_CHECK(s.m, direct >= looks * 95 / 100);
	mesh_free(s.m);
}
END_TEST

/* By a packet of the tunnel as well as by a probe or a packet of its connection. */
START_TEST(what_comes_is_heard)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *a = &m->node[0], *b = &m->node[1];

	mesh_reach(m, 5 * SECOND);
	for (int i = 0; i < 600; i++) {
		mesh_ping(a, b);
		sim_pass(m->w, 100 * MS);
		mesh_take(m);
		MESH_CHECK(m, world_now(m->w) - mesh_peer(b, a).last_heard <= 100 * MS);
	}
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_stream", relay_to_direct_to_relay_to_another_uplink,
	  one_of_two_uplinks_is_lost, the_only_uplink_is_lost_and_comes_back,
	  fifty_switches_under_load, a_bad_line_does_not_flap, what_comes_is_heard)
