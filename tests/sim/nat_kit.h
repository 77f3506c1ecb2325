/* SPDX-License-Identifier: MIT */
/* Nodes of a mesh behind NATs of a few kinds (RFC 4787), and whether they talk directly. */
#ifndef MLSH_TESTS_NAT_KIT_H
#define MLSH_TESTS_NAT_KIT_H

#include "mesh.h"
#include "os/sim/nat.h"

#define NAT_OUTER(i) IP(203, 0, 113, 10 + (i)) /* of node i */

/* The same port for all, who only gets in when it was written to. */
static const struct nat_config nat_by_port = { .mapping = NAT_ENDPOINT_INDEPENDENT,
					       .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
					       .timeout_ns = 30 * SECOND };
/* Another port for each destination: any, or the next one. */
static const struct nat_config nat_hard = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
					    .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
					    .timeout_ns = 30 * SECOND };
static const struct nat_config nat_in_turn = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
					       .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
					       .in_turn = true,
					       .timeout_ns = 30 * SECOND };

/* Moves the node behind a NAT of its own, as 10.7.i.2. */
static inline struct nat *nat_before(struct mesh_node *n, const struct nat_config *cfg)
{
	struct nat *nat = nat_new(n->mesh->w, NULL, cfg, NAT_OUTER(n->index));

	world_host_move(n->host, nat_net(nat), IP(10, 7, n->index, 2));
	return nat;
}

/* Nodes 0 and 1 talk directly. For mesh_until, too. */
static inline bool nat_passed(void *mesh)
{
	struct mesh *m = mesh;

	return mesh_peer(&m->node[0], &m->node[1]).path == PEER_PATH_DIRECT &&
	       mesh_peer(&m->node[1], &m->node[0]).path == PEER_PATH_DIRECT;
}

#endif
