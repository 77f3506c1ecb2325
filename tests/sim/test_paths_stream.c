/* SPDX-License-Identifier: MIT */
/*
 * A packet every millisecond both ways while the path changes under it: from the relay to a direct
 * path and back, to another uplink, by choice and by force. What is lost, doubled, and how long
 * nothing came.
 */
#include "mesh.h"

#define RATE 1000

struct stream {
	struct mesh *m;
	struct mesh_node *a, *b;
	uint32_t last_a, last_b;	/* received at the last look */
	uint64_t heard_a, heard_b;	/* when something new had come */
	uint64_t gap_a, gap_b;		/* the longest silence */
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

/* Two machines that can not reach each other directly at first; the relay is 20 ms away. */
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

UNIT_MAIN("sim/paths_stream", relay_to_direct_to_relay_to_another_uplink)
