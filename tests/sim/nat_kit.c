/* SPDX-License-Identifier: MIT */
/* Nodes of a mesh behind NATs of a few kinds. */
#include "nat_kit.h"

const struct nat_config nat_by_port = { .mapping = NAT_ENDPOINT_INDEPENDENT,
					.filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
					.timeout_ns = 30 * SECOND };
const struct nat_config nat_hard = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
				     .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				     .timeout_ns = 30 * SECOND };
const struct nat_config nat_in_turn = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
					.filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
					.in_turn = true,
					.timeout_ns = 30 * SECOND };

struct nat *nat_before(struct mesh_node *n, const struct nat_config *cfg)
{
	struct nat *nat = nat_new(n->mesh->w, NULL, cfg, NAT_OUTER(n->index));

	world_host_move(n->host, nat_net(nat), IP(10, 7, n->index, 2));
	return nat;
}

bool nat_passed(void *mesh)
{
	struct mesh *m = mesh;

	return mesh_peer(&m->node[0], &m->node[1]).path == PEER_PATH_DIRECT &&
	       mesh_peer(&m->node[1], &m->node[0]).path == PEER_PATH_DIRECT;
}
