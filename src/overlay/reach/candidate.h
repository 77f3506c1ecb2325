/* SPDX-License-Identifier: MIT */
/* Addresses at which a node may be reached: our own, and in which order others are tried. */
#ifndef MLSH_OVERLAY_CANDIDATE_H
#define MLSH_OVERLAY_CANDIDATE_H

#include "os/netconf.h"
#include "proto/candidates.h"

#define NETIFS_MAX 64

/*
 * Our own, out of interface addresses and of what others saw us at: by kind of interface, none of
 * the overlay's, those of the local network first. `port` is our socket's; `observed` come after
 * the interfaces' but keep their place when there are too many. Of too many addresses of interfaces
 * those stay that netif_order puts first: the uplink's.
 */
void candidates_own(const struct netif_addr *ifs, size_t n_ifs, uint16_t port,
		    struct prefix4 overlay, const struct addr *observed, size_t n_observed,
		    struct wire_candidates *ret);

/* Most likely in one of our own networks: the same /24 or /64 as one of ours. */
bool candidate_is_near(const struct addr *a, const struct wire_candidates *own);
/*
 * In the order to be tried: in one of our own networks, other private ones, public ones; IPv6
 * before IPv4 among equals. Stable.
 */
void candidates_order(struct wire_candidates *c, const struct wire_candidates *own);

#endif
