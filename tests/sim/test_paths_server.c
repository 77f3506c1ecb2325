/* SPDX-License-Identifier: MIT */
/* Two nodes that need the relay, and a server that is away again and again. */
#include "nat_kit.h"

static struct mesh *pair(void)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 2);
	for (unsigned i = 0; i < 2; i++)
		nat_before(&m->node[i], &nat_hard);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	return m;
}

static bool both_up(struct mesh *m)
{
	return mesh_peer(&m->node[0], &m->node[1]).state == PEER_UP &&
	       mesh_peer(&m->node[1], &m->node[0]).state == PEER_UP;
}

/* How long until both have their tunnel. */
static uint64_t until_up(struct mesh *m)
{
	uint64_t begin = world_now(m->w);

	do {
		mesh_ping_pairs(m);
		sim_pass(m->w, 100 * MS);
		mesh_take(m);
	} while (world_now(m->w) - begin < 15 * MINUTE && !both_up(m));
	return world_now(m->w) - begin;
}

START_TEST(the_relay_is_back_soon_after_the_server)
{
	struct mesh *m = pair();
	uint64_t worst = 0;

	for (unsigned k = 0; k < 20; k++) {
		mesh_server_crash(m);
		sim_pass(m->w, (20 + k) * SECOND);
		mesh_server_start(m);
		mesh_all_connected(m, 60 * SECOND);
		worst = MAX(worst, until_up(m));
		sim_pass(m->w, 30 * SECOND);
	}
	printf("after 20 outages: %llu ms at most\n", (unsigned long long)(worst / MS));
	MESH_CHECK(m, worst <= 10 * SECOND);
	mesh_free(m);
}
END_TEST

/* It crashes again and again, every few seconds, then stays. */
START_TEST(the_relay_is_back_after_a_server_that_crashed_in_a_loop)
{
	struct mesh *m = pair();
	uint64_t took;

	for (unsigned k = 0; k < 120; k++) {
		mesh_server_crash(m);
		for (unsigned i = 0; i < 20; i++) {
			if (i == (k * 7) % 20)
				mesh_server_start(m);
			mesh_ping_pairs(m);
			sim_pass(m->w, 100 * MS);
			mesh_take(m);
		}
	}
	took = until_up(m);
	printf("after the loop: %llu ms\n", (unsigned long long)(took / MS));
	MESH_CHECK(m, took <= 30 * SECOND);
	mesh_free(m);
}
END_TEST

/* Where the server's datagrams to nodes come from, and what nodes send to its third port. */
struct third_port {
	ip4 server;
	uint16_t known[2], third; /* the server's two ports that nodes know */
	unsigned from, to;
};

static bool look_for_third(void *ctx, struct host *from, const struct addr *src,
			   const struct addr *dst, uint8_t *data, size_t *len)
{
	struct third_port *t = ctx;

	(void)from, (void)data, (void)len;
	if (addr_is_v4(src) && addr_ip4(src) == t->server && src->port != t->known[0] &&
	    src->port != t->known[1]) {
		t->third = src->port;
		t->from++;
	}
	t->to += t->third && addr_is_v4(dst) && addr_ip4(dst) == t->server && dst->port == t->third;
	return true;
}

/* [P6-37] Nodes get the unasked pings of the third port, and send nothing there. */
START_TEST(nodes_send_nothing_to_the_third_port)
{
	struct mesh *m = mesh_new(sim_seed());
	struct third_port t = { .server = IP(192, 0, 2, 1), .known = { 4433, 4434 } };

	mesh_nodes(m, 2);
	nat_before(&m->node[1], &nat_hard);
	world_tap(m->w, look_for_third, &t);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, MINUTE);
	printf("%u unasked pings\n", t.from);
	MESH_CHECK(m, t.from >= 2);
	MESH_CHECK(m, t.to == 0);
	world_tap(m->w, NULL, NULL);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_server", the_relay_is_back_soon_after_the_server,
	  the_relay_is_back_after_a_server_that_crashed_in_a_loop,
	  nodes_send_nothing_to_the_third_port)
