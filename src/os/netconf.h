/* SPDX-License-Identifier: MIT */
/*
 * The host's network: interfaces and their addresses, a watch for changes, and the addresses and
 * routes that mlsh adds. Everything added is marked as mlsh's own, so that it can be found and
 * undone.
 */
#ifndef MLSH_OS_NETCONF_H
#define MLSH_OS_NETCONF_H

#include "base/addr.h"
#include "os/loop.h"
#include "os/netuse.h"

#define NETCONF_DEVICE "mlsh" /* what the names of our TUN devices begin with */

enum netif_kind {
	NETIF_LOOPBACK,
	NETIF_PHYSICAL,	 /* wired, wireless, cellular, veth inside a container: candidates */
	NETIF_CONTAINER, /* bridge of a container or VM engine and its ports */
	NETIF_TUNNEL,	 /* TUN, WireGuard, ipip, ...: other overlays and our own */
	NETIF_OTHER	 /* TAP and what is not known: candidates, too */
};

struct netif_addr {
	char ifname[16];
	unsigned ifindex;
	enum netif_kind kind;
	struct addr addr;    /* port 0 */
	uint8_t prefix_bits; /* 0..32 for IPv4, 0..128 for IPv6 */
	bool up;
	bool uplink;	 /* a default route leads through the interface */
	bool temporary;	 /* RFC 8981 */
	bool deprecated; /* or tentative or a duplicate: never a candidate */
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

/*
 * What is left of our own part of the host's network: other software can take each of it away.
 * `routes` are those that netconf_route_add and netconf_guard_add made, sorted by netown_compare.
 */
enum netroute_kind { NETROUTE_MEMBER, NETROUTE_BACKSTOP, NETROUTE_GUARD };

struct netown_route {
	enum netroute_kind kind;
	struct prefix4 to;
};

struct netown {
	bool link; /* the device is there */
	bool up, address, rules;
	unsigned mtu_bytes;
	char ifname[16];
	struct netown_route *routes;
	size_t n_routes;
};

int netown_compare(const void *a, const void *b); /* for qsort and bsearch */
bool netown_has(const struct netown *own, enum netroute_kind kind, struct prefix4 to);

struct netwatch;

struct netwatch_config {
	struct prefix4 subnet; /* the overlay's: what the host uses of it is listed */
	/*
	 * After the host's links, addresses or routes (not our own) changed, debounced by 200 ms;
	 * not for the state at the start. Routes count that lead far (to a /8 or more) or to one of
	 * `destinations`, and no others.
	 */
	loop_fn changed;
	/*
	 * netwatch_look gives something else than before: what the host uses of the subnet, or what
	 * there is of our own. At once, and also after changes that we made ourselves. May be NULL.
	 */
	loop_fn touched;
	/* Writes the addresses that packets are sent to, at most `max`; how many. May be NULL. */
	size_t (*destinations)(void *ctx, struct addr *out, size_t max);
	void *ctx;
};

#define NETWATCH_DESTINATIONS_MAX 1024

/*
 * Watches the host's network. The watch follows what the kernel tells and reads the whole table of
 * routes at the start only, and in pieces when the kernel had to drop messages. Returns
 * NULL without memory, and if the system does not let us.
 */
struct netwatch *netwatch_new(struct host *h, const struct netwatch_config *cfg);
void netwatch_free(struct netwatch *w); /* NULL allowed */
/* The device that is ours, and our address on it. Again after it was made again. */
int netwatch_own(struct netwatch *w, unsigned ifindex, ip4 self) MUST_CHECK;
/*
 * What holds now. Everything that happened before the call is in it. Both are valid until the next
 * call for this watch.
 */
int netwatch_look(struct netwatch *w, const struct netuses **ret_uses,
		  const struct netown **ret_own) MUST_CHECK;

/*
 * Does any prefix that the host itself uses overlap `p`, or does other software claim it? 1, 0 or a
 * negative error. `ret_what` (NETUSE_WHAT_MAX) names it. Our own tunnels do not count.
 */
int netconf_conflict(struct host *h, struct prefix4 p, char *ret_what) MUST_CHECK;

/* netuses_address, asked once. 1, 0 or a negative error. */
int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what) MUST_CHECK;

/* The router that packets to the world go to, if it is not the other end of a tunnel. */
struct gateway {
	ip4 ip;
	ip4 source; /* our address in its network */
	unsigned ifindex;
};

/* That of the default route that comes first. -ENOENT: none, or not by IPv4. */
int netconf_gateway(struct host *h, struct gateway *ret) MUST_CHECK;

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err) MUST_CHECK;
int netconf_link_mtu(struct host *h, unsigned ifindex, unsigned mtu_bytes, struct err *err)
	MUST_CHECK;
/* Gives the device this name, taking it down for a moment if it must be. */
int netconf_link_rename(struct host *h, unsigned ifindex, const char *name, struct err *err)
	MUST_CHECK;
int netconf_addr_add(struct host *h, unsigned ifindex, ip4 ip, uint8_t bits, struct err *err)
	MUST_CHECK;
/*
 * A route to `p` through the device, or, with ifindex 0, an unreachable route of low priority.
 * Adding it again is no error. -EEXIST: the host has another one to the same destination.
 */
int netconf_route_add(struct host *h, unsigned ifindex, struct prefix4 p, ip4 source,
		      struct err *err) MUST_CHECK;
int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p) MUST_CHECK;
/*
 * The guard: what is sent to a guarded address leaves by its own route in the main table (by any
 * route to this one address) or not at all, whatever becomes of that route. It lies in a table of
 * its own and outlives a flush of the main one. netconf_rules_add makes guards of a subnet count.
 */
int netconf_rules_add(struct host *h, struct prefix4 subnet, struct err *err) MUST_CHECK;
int netconf_guard_add(struct host *h, ip4 ip, struct err *err) MUST_CHECK;
int netconf_guard_del(struct host *h, ip4 ip) MUST_CHECK;
/*
 * Removes every route and rule that is marked as ours and belongs to no living device of ours:
 * after a crash, before the start.
 */
int netconf_cleanup(struct host *h, struct err *err) MUST_CHECK;

#endif
