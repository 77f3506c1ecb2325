/* SPDX-License-Identifier: MIT */
/* The host's interfaces and their addresses, and the addresses and routes that mlsh adds. */
#include "os/netconf.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <stdlib.h>

#include "os/linux/defaults.h"
#include "os/linux/links.h"
#include "os/linux/routes.h"

#define DUMP_TRIES 5			/* a dump that a change interrupted begins again */
#define NETIF_ADDRS_MAX 8192
#define UNREACHABLE_METRIC (1u << 30)	/* any other route to the same prefix comes first */

/* ---- what there is ---- */

struct list_state {
	struct links links;
	const struct defaults *defaults;
	struct netif_addr *at;
	size_t n, cap;
};

static uint32_t address_flags(const struct ifaddrmsg *m, const struct nlattr *flags)
{
	return flags ? netlink_u32(flags) : m->ifa_flags;
}

/* Returns false if the entry holds no address of an internet family. */
static bool address_of_entry(const struct ifaddrmsg *m, const struct nlattr **a,
			     const struct links *links, const struct link *link,
			     struct netif_addr *ret)
{
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	const struct nlattr *ip = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	uint32_t flags = address_flags(m, a[IFA_FLAGS]);
	bool pending = (flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC);

	*ret = (struct netif_addr){
		.ifindex = link->index,
		.kind = links_kind(links, link),
		.prefix_bits = m->ifa_prefixlen,
		.up = (link->flags & IFF_UP) && (link->flags & IFF_RUNNING),
		/* For IPv4 this bit means "secondary". */
		.temporary = m->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY),
		.deprecated = (flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED)) || pending,
	};
	memcpy(ret->ifname, link->name, sizeof(ret->ifname));
	if (ip && m->ifa_family == AF_INET && mnl_attr_get_payload_len(ip) == 4) {
		ret->addr = addr_v4(load_be32(mnl_attr_get_payload(ip)), 0);
		return true;
	}
	if (!ip || m->ifa_family != AF_INET6 || mnl_attr_get_payload_len(ip) != 16)
		return false;
	ret->addr = addr_v6(mnl_attr_get_payload(ip), 0);
	if (m->ifa_scope == RT_SCOPE_LINK)
		ret->addr.scope = link->index;
	return true;
}

static int on_address(void *ctx, const struct nlmsghdr *entry)
{
	struct list_state *s = ctx;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFA_FLAGS + 1];
	const struct link *link = links_find(&s->links, m->ifa_index);
	struct netif_addr one;
	if (entry->nlmsg_type != RTM_NEWADDR || !link || s->n == NETIF_ADDRS_MAX)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	if (!address_of_entry(m, a, &s->links, link, &one))
		return 0;
	one.uplink = defaults_lead_through(s->defaults, one.ifindex);
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct netif_addr *more = reallocarray(s->at, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->at = more;
		s->cap = cap;
	}
	s->at[s->n++] = one;
	return 0;
}

static int addresses_load(struct list_state *s)
{
	struct defaults defaults;
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		s->n = 0;
		s->defaults = &defaults;
		r = links_load(&s->links);
		if (r == 0)
			r = defaults_load(&s->links, &defaults);
		if (r == 0)
			r = netlink_dump(RTM_GETADDR, AF_UNSPEC, on_address, s);
		links_fini(&s->links);
	}
	return r;
}

int netif_list(struct host *h, struct netif_addr *out, size_t max)
{
	struct list_state s = { .n = 0 };
	int r = addresses_load(&s);
	(void)h;
	if (r == 0 && s.n > max)
		netif_order(s.at, s.n);
	if (r == 0) {
		r = (int)MIN(s.n, max);
		if (r > 0)
			memcpy(out, s.at, (size_t)r * sizeof(*out));
	}
	free(s.at);
	return r;
}

/* ---- what is added ---- */

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)ifindex, .ifi_flags = IFF_UP,
						.ifi_change = IFF_UP };
	(void)h;
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	int code = netlink_change(&r);
	if (code < 0)
		return err_set(err, code, "can not bring interface %u up: %s", ifindex,
			       strerror(-code));
	return 0;
}

int netconf_addr_add(struct host *h, unsigned ifindex, ip4 ip, uint8_t bits, struct err *err)
{
	struct netlink_request r;
	struct ifaddrmsg addr = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = bits,
		.ifa_index = ifindex,
	};
	(void)h;
	netlink_begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &addr, sizeof(addr));
	mnl_attr_put_u32(&r.header, IFA_LOCAL, htonl(ip));
	mnl_attr_put_u32(&r.header, IFA_ADDRESS, htonl(ip));
	mnl_attr_put_u32(&r.header, IFA_FLAGS,
			 IFA_F_NOPREFIXROUTE); /* routes are added one by one */
	int code = netlink_change(&r);
	if (code < 0 && code != -EEXIST) {
		char text[IP4_TEXT_MAX];
		return err_set(err, code, "can not give interface %u the address %s: %s", ifindex,
			       ip4_format(ip, text), strerror(-code));
	}
	return 0;
}

static void route_begin(struct netlink_request *r, uint16_t type, uint16_t flags, unsigned ifindex,
			struct prefix4 p)
{
	struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_dst_len = p.bits,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = NETCONF_PROTO,
		.rtm_scope = ifindex ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
		.rtm_type = ifindex ? RTN_UNICAST : RTN_UNREACHABLE,
	};
	netlink_begin(r, type, flags, &route, sizeof(route));
	mnl_attr_put_u32(&r->header, RTA_DST, htonl(p.net));
	if (ifindex)
		mnl_attr_put_u32(&r->header, RTA_OIF, ifindex);
	else
		mnl_attr_put_u32(&r->header, RTA_PRIORITY, UNREACHABLE_METRIC);
}

struct search {
	struct prefix4 to;
	unsigned ifindex;
	bool found;
};

static int on_own_route(void *ctx, const struct nlmsghdr *entry)
{
	struct search *s = ctx;
	struct route route;
	if (route_of_entry(entry, &route) && route.protocol == NETCONF_PROTO &&
	    route.table == RT_TABLE_MAIN && route.to.net == s->to.net &&
	    route.to.bits == s->to.bits && route.ifindex == s->ifindex)
		s->found = true;
	return 0;
}

static bool is_our_route(unsigned ifindex, struct prefix4 p)
{
	struct search s = { .to = p, .ifindex = ifindex };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++)
		r = netlink_dump(RTM_GETROUTE, AF_INET, on_own_route, &s);
	return s.found;
}

int netconf_route_add(struct host *h, unsigned ifindex, struct prefix4 p, ip4 source,
		      struct err *err)
{
	struct netlink_request r;
	char text[PREFIX4_TEXT_MAX];
	(void)h;
	/* Never NLM_F_REPLACE: that would take a route of the host's owner away. */
	route_begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, p);
	if (ifindex && source)
		mnl_attr_put_u32(&r.header, RTA_PREFSRC, htonl(source));
	int code = netlink_change(&r);
	if (code == 0 || (code == -EEXIST && is_our_route(ifindex, p)))
		return 0;
	return err_set(err, code, "can not add a route to %s: %s", prefix4_format(p, text),
		       code == -EEXIST ? "this machine has one already" : strerror(-code));
}

int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p)
{
	struct netlink_request r;
	(void)h;
	route_begin(&r, RTM_DELROUTE, 0, ifindex, p);
	return netlink_change(&r);
}

/* ---- after a crash ---- */

#define CLEANUP_MAX 4096

struct cleanup {
	struct links links;
	struct netif_addr addrs[512];
	size_t n_addrs;
	struct route *routes;	/* without multipath */
	size_t n, cap;
};

static int on_tagged_route(void *ctx, const struct nlmsghdr *entry)
{
	struct cleanup *c = ctx;
	struct route route;
	if (!route_of_entry(entry,
	    &route) || route.protocol != NETCONF_PROTO || c->n == CLEANUP_MAX)
		return 0;
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct route *more = reallocarray(c->routes, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->routes = more;
		c->cap = cap;
	}
	route.multipath = NULL;
	c->routes[c->n++] = route;
	return 0;
}

/*
 * A route through a TUN lives and dies with it. An unreachable one belongs to a tunnel that lives
 * (of another process) if a TUN has its address within.
 */
static bool is_left_over(const struct cleanup *c, const struct route *route)
{
	if (route->ifindex)
		return !link_is_tun(links_find(&c->links, route->ifindex));
	for (size_t i = 0; i < c->n_addrs; i++) {
		const struct netif_addr *a = &c->addrs[i];
		if (addr_is_v4(&a->addr) && prefix4_contains(route->to, addr_ip4(&a->addr)) &&
		    link_is_tun(links_find(&c->links, a->ifindex)))
			return false;
	}
	return true;
}

static int route_remove(const struct route *route)
{
	struct netlink_request r;
	struct rtmsg m = {
		.rtm_family = AF_INET,
		.rtm_dst_len = route->to.bits,
		.rtm_protocol = NETCONF_PROTO,
		.rtm_scope = RT_SCOPE_NOWHERE, /* any */
		.rtm_type = route->type,
	};
	netlink_begin(&r, RTM_DELROUTE, 0, &m, sizeof(m));
	mnl_attr_put_u32(&r.header, RTA_DST, htonl(route->to.net));
	mnl_attr_put_u32(&r.header, RTA_TABLE, route->table);
	if (route->metric)
		mnl_attr_put_u32(&r.header, RTA_PRIORITY, route->metric);
	if (route->ifindex)
		mnl_attr_put_u32(&r.header, RTA_OIF, route->ifindex);
	int code = netlink_change(&r);
	return code == -ESRCH ? 0 : code;
}

int netconf_cleanup(struct host *h, struct err *err)
{
	struct cleanup c = { 0 };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		c.n = 0;
		links_fini(&c.links);
		r = links_load(&c.links);
		if (r == 0)
			r = netlink_dump(RTM_GETROUTE, AF_INET, on_tagged_route, &c);
	}
	if (r == 0) {
		r = netif_list(h, c.addrs, ARRAY_LEN(c.addrs));
		c.n_addrs = r > 0 ? (size_t)r : 0;
	}
	for (size_t i = 0; r >= 0 && i < c.n; i++)
		if (is_left_over(&c, &c.routes[i]))
			r = route_remove(&c.routes[i]);
	free(c.routes);
	links_fini(&c.links);
	if (r < 0)
		return err_set(err, r, "can not remove routes that an earlier run left: %s",
			       strerror(-r));
	return 0;
}
