/* SPDX-License-Identifier: MIT */
/* A mesh of two nodes behind NATs whose gateways map ports, or do not. */
#ifndef MLSH_TESTS_MAPPING_KIT_H
#define MLSH_TESTS_MAPPING_KIT_H

#include "nat_kit.h"
#include "os/sim/portmapd.h"

#define GATEWAY(i) IP(10, 7, i, 1)

struct scene {
	struct mesh *m;
	struct nat *nat[2];
	struct portmapd *gateway[2]; /* NULL: a plain NAT */
};

extern const struct portmapd_config mapping_silent, mapping_by_pcp, mapping_by_natpmp,
	mapping_by_upnp;

/* Two nodes, each behind a symmetric NAT. */
struct scene mapping_begin(const struct portmapd_config *a, const struct portmapd_config *b);

void mapping_end(struct scene *s);

/* Both join, and talk directly soon after. */
void mapping_direct(struct scene *s);

struct mapper_status mapping_of(struct scene *s, unsigned i);

/* Is this address among those that the node names? */
bool mapping_is_candidate(struct scene *s, unsigned i, const struct addr *a);

bool mapping_is_there(void *ctx);

#endif
