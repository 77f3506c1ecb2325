/* SPDX-License-Identifier: MIT */
/*
 * What a host uses of a range of addresses: its own addresses, networks, routes, gateways and name
 * servers. Each system fills the array (netuses_load); what follows from it is the same for all.
 */
#ifndef MLSH_OS_NETUSE_H
#define MLSH_OS_NETUSE_H

#include "base/addr.h"
#include "os/host.h"

#define NETUSES_MAX 1024
#define NETUSE_WHAT_MAX 64 /* bytes of what callers are told */

enum netuse_kind {
	NETUSE_ADDRESS, /* one of the host's own, those of our devices included */
	NETUSE_NETWORK, /* around such an address; never of our devices */
	NETUSE_ROUTE,	/* not a default route, not ours */
	NETUSE_GATEWAY,
	NETUSE_RESOLVER, /* one that is not the host itself */
	/*
	 * An overlay of other software has an address in 100.64.0.0/10 (RFC 6598). Tailscale's
	 * firewall drops packets from that range that come by any other interface.
	 */
	NETUSE_CLAIM,
	NETUSE_OTHER /* `name` says what it is */
};

struct netuse {
	enum netuse_kind kind;
	struct prefix4 p;
	unsigned ifindex;	    /* 0 if missing or not unique */
	char name[NETUSE_WHAT_MAX]; /* of the interface, or "" */
};

struct netuses {
	struct netuse *at;
	size_t n, cap;
	bool more; /* there were more than NETUSES_MAX */
};

/* Lists what the host uses of `about`. netuses_fini afterwards, also after an error. */
int netuses_load(struct host *h, struct prefix4 about, struct netuses *ret) MUST_CHECK;
void netuses_fini(struct netuses *u);
/* For those who fill it: adds a copy. -ENOMEM. */
int netuses_add(struct netuses *u, const struct netuse *one) MUST_CHECK;
/* Removes what follows from a device that is ours, by whatever name; its addresses stay. */
void netuses_own_device(struct netuses *u, unsigned ifindex);

/*
 * Does the host use addresses of `p` itself? Devices of ours do not count: a server hands out
 * addresses that are unique over all its clusters. `ret_what` (NETUSE_WHAT_MAX) names it.
 */
bool netuses_conflict(const struct netuses *u, struct prefix4 p, char *ret_what);
/* Does other software claim `p` (NETUSE_CLAIM)? `ret_what` is its interface's name. */
bool netuses_claimed(const struct netuses *u, struct prefix4 p, char *ret_what);
/*
 * Is this very address one that the host uses: its own (but on `ignore_ifindex`), a gateway, a name
 * server or the only destination of a route? `ret_what` says which: "a gateway of this host".
 * `for_self`: the address is to be our own; then a name server at it is the one that we will be.
 */
bool netuses_address(const struct netuses *u, ip4 ip, unsigned ignore_ifindex, bool for_self,
		     char *ret_what);

#endif
