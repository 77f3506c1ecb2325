/* SPDX-License-Identifier: MIT */
/* A mesh of two nodes behind NATs whose gateways map ports, or do not. */
#include "mapping_kit.h"

const struct portmapd_config mapping_silent;
const struct portmapd_config mapping_by_pcp = { .pcp = true, .natpmp = true };
const struct portmapd_config mapping_by_natpmp = { .natpmp = true };
const struct portmapd_config mapping_by_upnp = { .upnp = true };

struct scene mapping_begin(const struct portmapd_config *a, const struct portmapd_config *b)
{
	const struct portmapd_config *cfg[2] = { a, b };
	struct scene s = { .m = mesh_new(sim_seed()) };

	mesh_nodes(s.m, 2);
	for (unsigned i = 0; i < 2; i++) {
		s.nat[i] = nat_before(&s.m->node[i], &nat_hard);
		if (cfg[i])
			s.gateway[i] = portmapd_new(s.nat[i], i ? "gateway1" : "gateway0",
						    GATEWAY(i), cfg[i]);
	}
	return s;
}

void mapping_end(struct scene *s)
{
	for (unsigned i = 0; i < 2; i++)
		portmapd_free(s->gateway[i]);
	mesh_free(s->m);
}

void mapping_direct(struct scene *s)
{
	mesh_join_all(s->m);
	mesh_reach(s->m, 2 * SECOND);
	mesh_until(s->m, 10 * SECOND, nat_passed, s->m);
}

struct mapper_status mapping_of(struct scene *s, unsigned i)
{
	struct mapper_status st;

	overlay_mapping_status(tunnel_overlay(mesh_tunnel(&s->m->node[i])), &st);
	return st;
}

bool mapping_is_candidate(struct scene *s, unsigned i, const struct addr *a)
{
	struct wire_candidates c;

	overlay_candidates_get(tunnel_overlay(mesh_tunnel(&s->m->node[i])), &c);
	for (size_t k = 0; k < c.n; k++)
		if (addr_same_ip(&c.item[k], a) && c.item[k].port == a->port)
			return true;
	return false;
}

bool mapping_is_there(void *ctx)
{
	return portmapd_mappings(ctx) == 1;
}
