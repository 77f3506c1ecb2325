/* SPDX-License-Identifier: MIT */
/* Addresses at which a node may be reached: collecting our own, sifting those of others. */
#ifndef MLSH_OVERLAY_CANDIDATE_H
#define MLSH_OVERLAY_CANDIDATE_H

#include "os/netconf.h"
#include "proto/signal.h"

#define NETIFS_MAX 64

bool candidates_have(const struct wire_candidates *c, const struct addr *a);
/* False when it is there already or the list is full. */
bool candidates_add(struct wire_candidates *c, const struct addr *a);

/*
 * Our own, out of interface addresses and of what others saw us at: by kind of interface, none of
 * the overlay's, those of the local network first. `port` is our socket's; `observed` come after
 * the interfaces' but keep their place when there are too many. Of too many addresses of interfaces
 * those stay that netif_order puts first: the uplink's.
 */
void candidates_own(const struct netif_addr *ifs, size_t n_ifs, uint16_t port,
		    struct prefix4 overlay, const struct addr *observed, size_t n_observed,
		    struct wire_candidates *ret);

/*
 * May we send to this address because a member named it? No special addresses, none in the overlay
 * itself.
 */
bool candidate_ok(const struct addr *a, struct prefix4 overlay);
/*
 * Adds those of `in` that are allowed to `ret`: at most CANDIDATES_PER_PUBLIC_IP_MAX for a public
 * address, CANDIDATES_MAX in all; none of our own.
 */
void candidates_filter(const struct wire_candidates *in, const struct wire_candidates *own,
		       struct prefix4 overlay, struct wire_candidates *ret);
/* Most likely in one of our own networks: the same /24 or /64 as one of ours. */
bool candidate_is_near(const struct addr *a, const struct wire_candidates *own);
/*
 * In the order to be tried: in one of our own networks, other private ones, public ones; IPv6
 * before IPv4 among equals. Stable.
 */
void candidates_order(struct wire_candidates *c, const struct wire_candidates *own);

#endif
