/* SPDX-License-Identifier: MIT */
/* Which of the host's own networks an overlay prefix would cover. */
#include <stdio.h>
#include <stdlib.h>

#include "os/file.h"
#include "os/linux/links.h"
#include "os/linux/routes.h"
#include "os/netconf.h"

#define DUMP_TRIES 5
#define WHAT_MAX 64		/* of what callers are told */
#define ADDRS_MAX 1024
#define RESOLV_CONF_MAX 65536

struct conflict {
	struct prefix4 p;
	unsigned ignore_ifindex;
	char *what;
	bool found;
	struct links links;
	struct netif_addr *own;	/* the host's own addresses, n_own of them */
	int n_own;
};

static void found(struct conflict *c, const char *kind, struct prefix4 where, const char *ifname)
{
	char text[PREFIX4_TEXT_MAX];
	if (where.bits == 32)
		ip4_format(where.net, text);
	else
		prefix4_format(where, text);
	if (!c->found)
		snprintf(c->what, WHAT_MAX, "%s %s%s%s", kind, text, ifname ? " on " : "",
			 ifname ? ifname : "");
	c->found = true;
}

static void check_one(struct conflict *c, const char *kind, ip4 ip)
{
	if (prefix4_contains(c->p, ip))
		found(c, kind, (struct prefix4){ ip, 32 }, NULL);
}

static struct prefix4 prefix_around(ip4 ip, uint8_t bits)
{
	struct prefix4 p = { 0, MIN(bits, 32) };
	p.net = ip & prefix4_mask(p);
	return p;
}

/* Another cluster's device: its addresses are handed out so that they do not collide. */
static bool is_own_tunnel(const struct conflict *c, unsigned ifindex)
{
	const struct link *link = links_find(&c->links, ifindex);
	return link_is_tun(link) &&
	       strncmp(link->name, NETCONF_DEVICE, strlen(NETCONF_DEVICE)) == 0;
}

static int check_addresses(struct conflict *c, struct host *h)
{
	free(c->own);
	c->own = calloc(ADDRS_MAX, sizeof(*c->own));
	if (!c->own)
		return -ENOMEM;
	int n = netif_list(h, c->own, ADDRS_MAX);
	c->n_own = MAX(n, 0);
	for (int i = 0; i < n; i++) {
		const struct netif_addr *a = &c->own[i];
		if (a->ifindex == c->ignore_ifindex || !addr_is_v4(&a->addr) ||
		    is_own_tunnel(c, a->ifindex))
			continue;
		struct prefix4 net = prefix_around(addr_ip4(&a->addr), a->prefix_bits);
		if (prefix4_overlaps(c->p, net))
			found(c, "network", net, a->ifname);
	}
	return n < 0 ? n : 0;
}

static void check_gateway(void *ctx, ip4 gateway)
{
	check_one(ctx, "gateway", gateway);
}

static int on_route(void *ctx, const struct nlmsghdr *entry)
{
	struct conflict *c = ctx;
	struct route route;
	if (!route_of_entry(entry, &route))
		return 0;
	if (route.ifindex && route.ifindex == c->ignore_ifindex)
		return 0;
	if (route.protocol == NETCONF_PROTO &&
	    (!route.ifindex || is_own_tunnel(c, route.ifindex)))
		return 0;
	route_each_gateway(&route, check_gateway, c);
	if (route.to.bits && prefix4_overlaps(c->p, route.to)) {
		const struct link *link = links_find(&c->links, route.ifindex);
		found(c, "route", route.to, link ? link->name : NULL);
	}
	return 0;
}

/* A resolver that is this host itself needs no way to it: often it is our own. */
static bool is_own(const struct conflict *c, const struct addr *a)
{
	for (int i = 0; i < c->n_own; i++) {
		if (addr_same_ip(&c->own[i].addr, a))
			return true;
	}
	return false;
}

static void check_resolvers(struct conflict *c, struct host *h, const char *path)
{
	struct buf file = { 0 };
	char *save = NULL;
	if (file_read(h, path, RESOLV_CONF_MAX, NULL, &file) < 0)
		return; /* a machine without resolvers is fine */
	for (char *line = strtok_r((char *)file.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char text[64];
		struct addr a;
		if (sscanf(line, " nameserver %63s", text) == 1 && addr_parse_ip(text, &a) == 0 &&
		    addr_is_v4(&a) && !is_own(c, &a))
			check_one(c, "name server", addr_ip4(&a));
	}
	buf_free(&file);
}

static void check_all_resolvers(struct conflict *c, struct host *h)
{
	check_resolvers(c, h, "/etc/resolv.conf");
	/* The servers that systemd-resolved asks, behind its own address. */
	check_resolvers(c, h, "/run/systemd/resolve/resolv.conf");
}

int netconf_conflict(struct host *h, struct prefix4 p, unsigned ignore_ifindex, char *ret_what)
{
	char what[WHAT_MAX] = "";
	struct conflict c = { .p = p, .ignore_ifindex = ignore_ifindex, .what = what };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		links_fini(&c.links);
		r = links_load(&c.links);
		if (r == 0)
			r = check_addresses(&c, h);
		if (r == 0)
			r = netlink_dump(RTM_GETROUTE, AF_INET, on_route, &c);
	}
	links_fini(&c.links);
	if (r == 0) {
		check_all_resolvers(&c, h);
		r = c.found;
	}
	if (c.found)
		memcpy(ret_what, what, sizeof(what));
	free(c.own);
	return r;
}

struct address_search {
	ip4 ip;
	const char *what;	/* NULL: not found yet */
};

static void match_gateway(void *ctx, ip4 gateway)
{
	struct address_search *s = ctx;
	if (gateway == s->ip)
		s->what = "a gateway of this host";
}

static int search_route(void *ctx, const struct nlmsghdr *entry)
{
	struct address_search *s = ctx;
	struct route route;
	if (!route_of_entry(entry, &route) || route.protocol == NETCONF_PROTO)
		return 0;
	if (route.to.bits == 32 && route.to.net == s->ip && !s->what)
		s->what = "the destination of a route of this host";
	route_each_gateway(&route, match_gateway, s);
	return 0;
}

static int search_address(struct host *h, ip4 ip, unsigned ignore_ifindex, char *ret_what)
{
	struct netif_addr *list = calloc(ADDRS_MAX, sizeof(*list));
	int found = 0;
	if (!list)
		return -ENOMEM;
	int n = netif_list(h, list, ADDRS_MAX);
	for (int i = 0; i < n && !found; i++) {
		const struct netif_addr *a = &list[i];
		if (!addr_is_v4(&a->addr) || addr_ip4(&a->addr) != ip ||
		    a->ifindex == ignore_ifindex)
			continue;
		snprintf(ret_what, WHAT_MAX, "this host's own on %s", a->ifname);
		found = 1;
	}
	free(list);
	return n < 0 ? n : found;
}

int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what)
{
	struct address_search s = { .ip = ip };
	char resolver[WHAT_MAX];
	struct conflict c = { .p = { ip, 32 }, .what = resolver };
	int r = search_address(h, ip, ignore_ifindex, ret_what);
	if (r != 0)
		return r;
	r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++)
		r = netlink_dump(RTM_GETROUTE, AF_INET, search_route, &s);
	if (r < 0)
		return r;
	if (!for_self)
		check_all_resolvers(&c, h);
	if (!s.what && c.found)
		s.what = "a name server of this host";
	if (s.what)
		snprintf(ret_what, WHAT_MAX, "%s", s.what);
	return s.what != NULL;
}
