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

UNIT_MAIN("sim/paths_server", the_relay_is_back_soon_after_the_server,
	  the_relay_is_back_after_a_server_that_crashed_in_a_loop)
