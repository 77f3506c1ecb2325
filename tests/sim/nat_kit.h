/* SPDX-License-Identifier: MIT */
/* Nodes of a mesh behind NATs of a few kinds (RFC 4787), and whether they talk directly. */
#ifndef MLSH_TESTS_NAT_KIT_H
#define MLSH_TESTS_NAT_KIT_H

#include "mesh.h"
#include "os/sim/nat.h"

#define NAT_OUTER(i) IP(203, 0, 113, 10 + (i)) /* of node i */

/* The same port for all, who only gets in when it was written to. */
extern const struct nat_config nat_by_port;
/* Another port for each destination: any, or the next one. */
extern const struct nat_config nat_hard;
extern const struct nat_config nat_in_turn;

/* Moves the node behind a NAT of its own, as 10.7.i.2. */
struct nat *nat_before(struct mesh_node *n, const struct nat_config *cfg);

/* Nodes 0 and 1 talk directly. For mesh_until, too. */
bool nat_passed(void *mesh);

#endif
