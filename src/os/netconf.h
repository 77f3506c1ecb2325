/* SPDX-License-Identifier: MIT */
/*
 * The host's network: interfaces and their addresses, a watch for changes, and the addresses and
 * routes that mlsh adds. Everything added carries mlsh's own routing protocol number
 * (NETCONF_PROTO), so that it can be found and undone.
 */
#ifndef MLSH_OS_NETCONF_H
#define MLSH_OS_NETCONF_H

#include "base/addr.h"
#include "os/loop.h"

#define NETCONF_DEVICE "mlsh"	/* what the names of our TUN devices begin with */
#define NETCONF_PROTO 109	/* rtm_protocol of our routes; unassigned in iproute2's rt_protos */

enum netif_kind {
	NETIF_LOOPBACK,
	NETIF_PHYSICAL,		/* wired, wireless, cellular, veth inside a container: candidates */
	NETIF_CONTAINER,	/* bridge of a container or VM engine and its ports */
	NETIF_TUNNEL,		/* TUN, WireGuard, ipip, ...: other overlays and our own */
	NETIF_OTHER		/* TAP and what is not known: candidates, too */
};

struct netif_addr {
	char ifname[16];
	unsigned ifindex;
	enum netif_kind kind;
	struct addr addr;	/* port 0 */
	uint8_t prefix_bits;	/* 0..32 for IPv4, 0..128 for IPv6 */
	bool up;
	bool uplink;		/* a default route leads through the interface */
	bool temporary;		/* RFC 8981 */
	bool deprecated;	/* or tentative or a duplicate: never a candidate */
};

/*
 * Lists the addresses of the host's interfaces. Returns how many were written to `out`, or a
 * negative error. Of more than `max` it leaves out those that netif_order puts last.
 */
int netif_list(struct host *h, struct netif_addr *out, size_t max) MUST_CHECK;
/*
 * Orders addresses by how likely a stranger reaches the host there: those of uplinks, those of
 * other interfaces that may be candidates, then containers, tunnels, loopback and what is down.
 * Of an interface the first two addresses of each family come before all others. Stable.
 */
void netif_order(struct netif_addr *list, size_t n);

struct netwatch;
/*
 * fn after links, addresses or routes of the host (not our own) changed, debounced by 200 ms; not
 * for the state at start.
 */
struct netwatch *netwatch_new(struct host *h, loop_fn fn, void *ctx);
void netwatch_free(struct netwatch *w);

/*
 * Does any prefix that the host itself uses (addresses, routes but the default, gateways,
 * resolvers) overlap `p`? 1/0/negative. `ret_what` (64 bytes) names it. Our own tunnels do not
 * count: a server hands out addresses that are unique over all its clusters.
 */
int netconf_conflict(struct host *h, struct prefix4 p, unsigned ignore_ifindex,
		     char *ret_what) MUST_CHECK;

/*
 * Is this very address one of the host's own (but on `ignore_ifindex`), a gateway, a name server or
 * the only destination of a route that is not ours? 1/0/negative. `ret_what` (64 bytes) says what
 * it is: "a gateway of this host". `for_self`: it is to be our own: a name server at it is meant to
 * be the one that we are.
 */
int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what) MUST_CHECK;

/* The router that packets to the world go to, if it is not the other end of a tunnel. */
struct gateway {
	ip4 ip;
	ip4 source;		/* our address in its network */
	unsigned ifindex;
};

/* That of the default route that comes first. -ENOENT: none, or not by IPv4. */
int netconf_gateway(struct host *h, struct gateway *ret) MUST_CHECK;

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err) MUST_CHECK;
int netconf_addr_add(struct host *h, unsigned ifindex, ip4 ip, uint8_t bits,
		     struct err *err) MUST_CHECK;
/*
 * A route to `p` through the device, or, with ifindex 0, an unreachable route (metric low
 * priority). Adding twice is no error.
 */
int netconf_route_add(struct host *h, unsigned ifindex, struct prefix4 p, ip4 source,
		      struct err *err) MUST_CHECK;
int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p) MUST_CHECK;
/*
 * Removes every route that carries NETCONF_PROTO and belongs to no living device of ours: after a
 * crash, before the start.
 */
int netconf_cleanup(struct host *h, struct err *err) MUST_CHECK;

#endif
