/* SPDX-License-Identifier: MIT */
/* What the two files of the simulated gateway share. */
#ifndef MLSH_OS_SIM_PORTMAPD_INTERNAL_H
#define MLSH_OS_SIM_PORTMAPD_INTERNAL_H

#include "os/sim/portmapd.h"
#include "os/sim/service.h"
#include "os/sim/sim.h"
#include "os/udp.h"
#include "proto/portmap.h"

#define MAPPINGS_MAX 32

struct lease {
	struct addr inner;
	uint16_t outer_port; /* 0: the place is free */
	uint8_t nonce[PORTMAP_NONCE_LEN];
	uint64_t expires;
};

struct portmapd {
	struct nat *nat;
	struct host *host;
	struct udp *udp, *ssdp;
	struct service *control; /* UPnP's */
	struct timer *timer;
	struct portmapd_config cfg;
	struct lease lease[MAPPINGS_MAX];
	uint64_t began;
	size_t requests;
};

/* What was wished for: the result, of PCP; with success the mapping in *a. */
uint16_t portmapd_map(struct portmapd *d, const struct portmap_request *q, const struct addr *inner,
		      struct portmap_answer *a);
void portmapd_upnp_start(struct portmapd *d);

#endif
