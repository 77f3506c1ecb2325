/* SPDX-License-Identifier: MIT */
/* The host's default gateway, out of the routes that the kernel has. */
#include <stdlib.h>

#include "os/linux/links.h"
#include "os/linux/routes.h"
#include "os/netconf.h"

#define DUMP_TRIES 5
#define ADDRS_MAX 256

struct search {
	struct links links;
	struct route best;
	bool found;
	ip4 gateway;	/* of the route being looked at */
};

static void take_gateway(void *ctx, ip4 gateway)
{
	struct search *s = ctx;
	if (!s->gateway)
		s->gateway = gateway;
}

static int on_route(void *ctx, const struct nlmsghdr *entry)
{
	struct search *s = ctx;
	struct route r;
	if (!route_of_entry(entry, &r) || r.to.bits != 0 || r.type != RTN_UNICAST ||
	    r.table != RT_TABLE_MAIN || r.protocol == NETCONF_PROTO)
		return 0;
	const struct link *link = links_find(&s->links, r.ifindex);
	if (link && links_kind(&s->links, link) == NETIF_TUNNEL)
		return 0;
	s->gateway = 0;
	route_each_gateway(&r, take_gateway, s);
	if (!s->gateway || (s->found && s->best.metric <= r.metric))
		return 0;
	s->best = r;
	s->best.gateway = s->gateway;
	s->best.multipath = NULL; /* of this message only */
	s->found = true;
	return 0;
}

/* Our address in the gateway's network; of several networks that hold it the smallest. */
static int find_source(struct host *h, const struct route *r, struct gateway *ret)
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
	struct search s = { .found = false };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		links_fini(&s.links);
		s = (struct search){ .found = false };
		r = links_load(&s.links);
		if (r == 0)
			r = netlink_dump(RTM_GETROUTE, AF_INET, on_route, &s);
	}
	links_fini(&s.links);
	if (r < 0)
		return r;
	return s.found ? find_source(h, &s.best, ret) : -ENOENT;
}
