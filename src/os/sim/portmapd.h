/* SPDX-License-Identifier: MIT */
/*
 * A gateway that gives its NAT's ports away to those who ask: a machine in the net behind the NAT
 * that answers PCP (RFC 6887), NAT-PMP (RFC 6886) and UPnP.
 */
#ifndef MLSH_OS_SIM_PORTMAPD_H
#define MLSH_OS_SIM_PORTMAPD_H

#include "os/sim/nat.h"

struct portmapd_config {
	bool pcp, natpmp, upnp;	 /* none: it is silent */
	bool upnp_mute;		 /* UPnP: maps and takes away, and says nothing of it */
	bool upnp_permanent;	 /* UPnP: error 725 for mappings with a lease */
	uint32_t lifetime_max_s; /* 0: as long as asked for */
	uint16_t refuse;	 /* this result for every wish of a mapping */
};

struct portmapd;

/* The machine has the address `inner`, which becomes the default gateway of the NAT's net. */
struct portmapd *portmapd_new(struct nat *n, const char *name, ip4 inner,
			      const struct portmapd_config *cfg);
void portmapd_free(struct portmapd *d); /* before the world; NULL allowed */
/* As after a power cut: the NAT's mappings are gone, its own too, its epoch begins again. */
void portmapd_reboot(struct portmapd *d);
void portmapd_configure(struct portmapd *d, const struct portmapd_config *cfg);
struct host *portmapd_host(struct portmapd *d);
size_t portmapd_mappings(const struct portmapd *d);
size_t portmapd_requests(const struct portmapd *d); /* for mappings, so far */

#endif
