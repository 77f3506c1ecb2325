/* SPDX-License-Identifier: MIT */
/* A mesh's life without mishaps: from fresh machines to packets and names, and bad networks. */
#include "mesh.h"

/* A server and nas, laptop, phone: set up, adopted, connected. */
static struct mesh *mesh_of_three(uint64_t seed)
{
	struct mesh *m = mesh_new(seed);
	struct mesh_node *nas = mesh_node(m, "nas");

	mesh_setup(nas);
	mesh_connect(nas);
	for (const char *const *name = (const char *const[]){ "laptop", "phone", NULL }; *name;
	     name++) {
		struct mesh_node *n = mesh_node(m, *name);

		mesh_adopt(n, mesh_invite(nas, 3600));
		mesh_connect(n);
	}
	return m;
}

START_TEST(three_nodes_reach_each_other)
{
	struct mesh *m = mesh_of_three(sim_seed());
	uint64_t took;

	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(m->node[i].address, IP(100, 64, 0, 1) + i);
	mesh_all_connected(m, 2 * SECOND);
	took = mesh_reach(m, 3 * SECOND);
	printf("all pairs after %.1f s\n", (double)took / 1e9);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_life", three_nodes_reach_each_other)
