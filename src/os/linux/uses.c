/* SPDX-License-Identifier: MIT */
/* Which addresses of an overlay's subnet the host uses itself. */
#include "os/linux/uses.h"

#include <stdio.h>

#include "os/file.h"
#include "os/netconf.h"

#define RESOLV_CONF_MAX 65536
#define WIDE_BITS 7 /* a route to so much of the world or more is a kind of default route */

static const struct prefix4 shared_space = { 0x64400000, 10 }; /* RFC 6598 */

/* ---- resolvers ---- */

static void resolvers_of_file(struct host *h, const char *path, struct resolvers *ret)
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
		    addr_is_v4(&a) && ret->n < RESOLVERS_MAX)
			ret->at[ret->n++] = addr_ip4(&a);
	}
	buf_free(&file);
}

void resolvers_load(struct host *h, struct resolvers *ret)
{
	ret->n = 0;
	resolvers_of_file(h, "/etc/resolv.conf", ret);
	/* The servers that systemd-resolved asks, behind its own address. */
	resolvers_of_file(h, "/run/systemd/resolve/resolv.conf", ret);
}

/* ---- the list ---- */

struct build {
	const struct inventory *i;
	struct prefix4 subnet;
	ip4 self;
	struct netuses *ret;
};

/* Another cluster's device: its addresses are handed out so that they do not collide. */
static bool is_own_tunnel(const struct build *b, unsigned ifindex)
{
	const struct link *link = links_find(&b->i->links, ifindex);
	return link_is_tun(link) &&
	       strncmp(link->name, NETCONF_DEVICE, strlen(NETCONF_DEVICE)) == 0;
}

static int add(struct build *b, enum netuse_kind kind, struct prefix4 p, unsigned ifindex)
{
	struct netuse use = { .kind = kind, .p = p, .ifindex = ifindex };
	const struct link *link = links_find(&b->i->links, ifindex);
	if (!prefix4_overlaps(p, b->subnet))
		return 0;
	if (link)
		snprintf(use.name, sizeof(use.name), "%s", link->name);
	return netuses_add(b->ret, &use);
}

static int add_address(struct build *b, const struct netif_addr *a)
{
	struct prefix4 net = { .bits = MIN(a->prefix_bits, 32) };
	int r = add(b, NETUSE_ADDRESS, (struct prefix4){ addr_ip4(&a->addr), 32 }, a->ifindex);
	net.net = addr_ip4(&a->addr) & prefix4_mask(net);
	if (r == 0 && !is_own_tunnel(b, a->ifindex))
		r = add(b, NETUSE_NETWORK, net, a->ifindex);
	if (r == 0 && !is_own_tunnel(b, a->ifindex) && a->kind == NETIF_TUNNEL &&
	    prefix4_contains(shared_space, addr_ip4(&a->addr)))
		r = add(b, NETUSE_CLAIM, shared_space, a->ifindex);
	return r;
}

static int add_route(struct build *b, const struct mirror_route *route)
{
	struct prefix4 to = { mirror_ip4(route->to), route->bits };
	ip4 gateway = mirror_ip4(route->gateway);
	int r = 0;
	if (route->family != AF_INET || is_own_tunnel(b, route->ifindex))
		return 0;
	if (gateway)
		r = add(b, NETUSE_GATEWAY, (struct prefix4){ gateway, 32 }, 0);
	if (r == 0 && route->bits > WIDE_BITS)
		r = add(b, NETUSE_ROUTE, to, route->ifindex);
	return r;
}

/* A resolver that is this host itself needs no way to it: often it is our own. */
static bool is_host(const struct build *b, ip4 ip)
{
	for (size_t i = 0; i < b->i->n_addrs; i++) {
		const struct addr *a = &b->i->addrs[i].addr;
		if (addr_is_v4(a) && addr_ip4(a) == ip)
			return true;
	}
	return ip == b->self;
}

int uses_build(const struct inventory *i, const struct mirror *m, const struct resolvers *r,
	       struct prefix4 subnet, ip4 self, struct netuses *ret)
{
	struct build b = { i, subnet, self, ret };
	int rc = 0;
	ret->more |= m->more;
	for (size_t k = 0; rc == 0 && k < i->n_addrs; k++)
		if (addr_is_v4(&i->addrs[k].addr))
			rc = add_address(&b, &i->addrs[k]);
	for (size_t k = 0; rc == 0 && k < m->n; k++)
		rc = add_route(&b, &m->at[k]);
	for (size_t k = 0; rc == 0 && k < r->n; k++)
		if (!is_host(&b, r->at[k]))
			rc = add(&b, NETUSE_RESOLVER, (struct prefix4){ r->at[k], 32 }, 0);
	return rc;
}

int netuses_load(struct host *h, struct prefix4 about, struct netuses *ret)
{
	struct mirror_filter f = { .subnet = about };
	struct mirror m = { 0 };
	struct inventory i;
	struct resolvers resolvers;
	int r = inventory_load(&i);
	*ret = (struct netuses){ 0 };
	if (r == 0)
		r = mirror_load(&m, &f);
	resolvers_load(h, &resolvers);
	if (r == 0)
		r = uses_build(&i, &m, &resolvers, about, 0, ret);
	mirror_fini(&m);
	inventory_fini(&i);
	return r;
}
