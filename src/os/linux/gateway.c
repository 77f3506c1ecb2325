/* SPDX-License-Identifier: MIT */
/* The host's default gateway, out of the routes that the kernel has. */
#include <stdlib.h>

#include "os/linux/defaults.h"
#include "os/netconf.h"

#define DUMP_TRIES 5
#define ADDRS_MAX 256

/* Our address in the gateway's network; of several networks that hold it the smallest. */
static int find_source(struct host *h, const struct default_route *r, struct gateway *ret)
{
	struct netif_addr *list = calloc(ADDRS_MAX, sizeof(*list));
	uint8_t bits = 0;
	bool found = false;
	if (!list)
		return -ENOMEM;
	int n = netif_list(h, list, ADDRS_MAX);
	for (int i = 0; i < n; i++) {
		const struct netif_addr *a = &list[i];
		if (!addr_is_v4(&a->addr) || !a->up || a->prefix_bits > 32 ||
		    a->kind == NETIF_TUNNEL || a->kind == NETIF_LOOPBACK ||
		    (r->ifindex && a->ifindex != r->ifindex))
			continue;
		struct prefix4 net = { 0, a->prefix_bits };
		net.net = addr_ip4(&a->addr) & prefix4_mask(net);
		if (!prefix4_contains(net, r->gateway) || (found && a->prefix_bits <= bits))
			continue;
		*ret = (struct gateway){ r->gateway, addr_ip4(&a->addr), a->ifindex };
		bits = a->prefix_bits;
		found = true;
	}
	free(list);
	return n < 0 ? n : found ? 0 : -ENOENT;
}

int netconf_gateway(struct host *h, struct gateway *ret)
{
	struct links links = { 0 };
	struct defaults defaults;
	const struct default_route *best = NULL;
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		links_fini(&links);
		r = links_load(&links);
		if (r == 0)
			r = defaults_load(&links, &defaults);
	}
	links_fini(&links);
	if (r < 0)
		return r;
	for (size_t i = 0; i < defaults.n; i++) {
		const struct default_route *d = &defaults.at[i];
		if (d->gateway && (!best || d->metric < best->metric))
			best = d;
	}
	return best ? find_source(h, best, ret) : -ENOENT;
}
