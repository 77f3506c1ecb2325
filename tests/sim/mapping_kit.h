/* SPDX-License-Identifier: MIT */
/* A mesh of two nodes behind NATs whose gateways map ports, or do not. */
#ifndef MLSH_TESTS_MAPPING_KIT_H
#define MLSH_TESTS_MAPPING_KIT_H

#include "mesh.h"
#include "os/sim/nat.h"
#include "os/sim/portmapd.h"

#define GATEWAY(i) IP(10, 7, i, 1)
#define OUTER(i) IP(203, 0, 113, 10 + (i))

struct scene {
	struct mesh *m;
	struct nat *nat[2];
	struct portmapd *gateway[2]; /* NULL: a plain NAT */
};

static const struct portmapd_config silent, by_pcp = { .pcp = true, .natpmp = true },
					    by_natpmp = { .natpmp = true },
					    by_upnp = { .upnp = true };

/* Two nodes, each behind a symmetric NAT. */
static inline struct scene scene_begin(const struct portmapd_config *a,
				       const struct portmapd_config *b)
{
	const struct portmapd_config *cfg[2] = { a, b };
	struct nat_config sym = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };
	struct scene s = { .m = mesh_new(sim_seed()) };

	mesh_nodes(s.m, 2);
	for (unsigned i = 0; i < 2; i++) {
		s.nat[i] = nat_new(s.m->w, NULL, &sym, OUTER(i));
		world_host_move(s.m->node[i].host, nat_net(s.nat[i]), IP(10, 7, i, 2));
		if (cfg[i])
			s.gateway[i] = portmapd_new(s.nat[i], i ? "gateway1" : "gateway0",
						    GATEWAY(i), cfg[i]);
	}
	return s;
}

static inline void scene_end(struct scene *s)
{
	for (unsigned i = 0; i < 2; i++)
		portmapd_free(s->gateway[i]);
	mesh_free(s->m);
}

static inline bool is_direct(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_peer(&m->node[0], &m->node[1]).path == PEER_PATH_DIRECT &&
	       mesh_peer(&m->node[1], &m->node[0]).path == PEER_PATH_DIRECT;
}

/* Both join, and talk directly soon after. */
static inline void scene_direct(struct scene *s)
{
	mesh_join_all(s->m);
	mesh_reach(s->m, 2 * SECOND);
	mesh_until(s->m, 10 * SECOND, is_direct, s->m);
}

static inline struct mapper_status mapping(struct scene *s, unsigned i)
{
	struct mapper_status st;

	overlay_mapping_status(tunnel_overlay(mesh_tunnel(&s->m->node[i])), &st);
	return st;
}

/* Is this address among those that the node names? */
static inline bool is_candidate(struct scene *s, unsigned i, const struct addr *a)
{
	struct wire_candidates c;

	overlay_candidates_get(tunnel_overlay(mesh_tunnel(&s->m->node[i])), &c);
	for (size_t k = 0; k < c.n; k++)
		if (addr_same_ip(&c.item[k], a) && c.item[k].port == a->port)
			return true;
	return false;
}

static inline bool has_mapping(void *ctx)
{
	return portmapd_mappings(ctx) == 1;
}

#endif
