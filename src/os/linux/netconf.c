/* SPDX-License-Identifier: MIT */
/* The host's interfaces and their addresses, and the addresses and routes that mlsh adds. */
#include "os/netconf.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <stdlib.h>

#include "os/linux/inventory.h"
#include "os/linux/links.h"
#include "os/linux/own.h"
#include "os/linux/routes.h"

#define DUMP_TRIES 5 /* a dump that a change interrupted begins again */

/* ---- what is added ---- */

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)ifindex,
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };
	(void)h;
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	int code = netlink_change(&r);
	if (code < 0)
		return err_set(err, code, "cannot bring interface %u up: %s", ifindex,
			       strerror(-code));
	return 0;
}

int netconf_link_mtu(struct host *h, unsigned ifindex, unsigned mtu_bytes, struct err *err)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)ifindex };
	(void)h;
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	mnl_attr_put_u32(&r.header, IFLA_MTU, mtu_bytes);
	int code = netlink_change(&r);
	if (code < 0)
		return err_set(err, code, "cannot set the MTU of interface %u: %s", ifindex,
			       strerror(-code));
	return 0;
}

static int link_set(unsigned ifindex, unsigned flags, const char *name)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)ifindex,
				  .ifi_flags = flags,
				  .ifi_change = name ? 0 : IFF_UP };
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	if (name)
		mnl_attr_put_strz(&r.header, IFLA_IFNAME, name);
	return netlink_change(&r);
}

int netconf_link_rename(struct host *h, unsigned ifindex, const char *name, struct err *err)
{
	(void)h;
	int code = link_set(ifindex, 0, name);
	if (code == -EBUSY) { /* before Linux 6.2 only while it is down */
		code = link_set(ifindex, 0, NULL);
		if (code == 0)
			code = link_set(ifindex, 0, name);
		(void)!link_set(ifindex, IFF_UP, NULL);
	}
	if (code < 0)
		return err_set(err, code, "cannot give interface %u the name %s: %s", ifindex, name,
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
		return err_set(err, code, "cannot give interface %u the address %s: %s", ifindex,
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
		r = netlink_dump_routes(AF_INET, RT_TABLE_MAIN, NETCONF_PROTO, on_own_route, &s);
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
	return err_set(err, code, "cannot add a route to %s: %s", prefix4_format(p, text),
		       code == -EEXIST ? "this machine has one already" : strerror(-code));
}

int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p)
{
	struct netlink_request r;
	(void)h;
	route_begin(&r, RTM_DELROUTE, 0, ifindex, p);
	return netlink_change(&r);
}

/* ---- the guard ---- */

static int guard_change(uint16_t type, uint16_t flags, ip4 ip)
{
	struct netlink_request r;
	struct rtmsg route = {
		.rtm_family = AF_INET,
		.rtm_dst_len = 32,
		.rtm_protocol = NETCONF_PROTO,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNREACHABLE,
	};
	netlink_begin(&r, type, flags, &route, sizeof(route));
	mnl_attr_put_u32(&r.header, RTA_DST, htonl(ip));
	mnl_attr_put_u32(&r.header, RTA_TABLE, GUARD_TABLE);
	return netlink_change(&r);
}

int netconf_guard_add(struct host *h, ip4 ip, struct err *err)
{
	char text[IP4_TEXT_MAX];
	int code = guard_change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ip);
	(void)h;
	if (code < 0 && code != -EEXIST)
		return err_set(err, code, "cannot guard %s: %s", ip4_format(ip, text),
			       strerror(-code));
	return 0;
}

int netconf_guard_del(struct host *h, ip4 ip)
{
	(void)h;
	return guard_change(RTM_DELROUTE, 0, ip);
}

static int rule_change(uint16_t type, uint16_t flags, uint32_t priority, struct prefix4 to)
{
	struct netlink_request r;
	struct fib_rule_hdr rule = {
		.family = AF_INET,
		.dst_len = to.bits,
		.action = FR_ACT_TO_TBL,
	};
	bool of_main = priority == GUARD_RULE_MAIN;
	netlink_begin(&r, type, flags, &rule, sizeof(rule));
	mnl_attr_put_u32(&r.header, FRA_DST, htonl(to.net));
	mnl_attr_put_u32(&r.header, FRA_PRIORITY, priority);
	mnl_attr_put_u32(&r.header, FRA_TABLE, of_main ? (uint32_t)RT_TABLE_MAIN : GUARD_TABLE);
	if (of_main)
		mnl_attr_put_u32(&r.header, FRA_SUPPRESS_PREFIXLEN, 31);
	mnl_attr_put_u8(&r.header, FRA_PROTOCOL, NETCONF_PROTO);
	return netlink_change(&r);
}

int netconf_rules_add(struct host *h, struct prefix4 subnet, struct err *err)
{
	char text[PREFIX4_TEXT_MAX];
	int code = rule_change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, GUARD_RULE_MAIN, subnet);
	(void)h;
	if (code == 0 || code == -EEXIST)
		code = rule_change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, GUARD_RULE_STOP, subnet);
	if (code < 0 && code != -EEXIST)
		return err_set(err, code, "cannot add a routing rule for %s: %s",
			       prefix4_format(subnet, text), strerror(-code));
	return 0;
}

/* ---- after a crash ---- */

#define CLEANUP_MAX 65536

struct cleanup {
	struct inventory inventory;
	struct own_rule rules[OWN_RULES_MAX];
	int n_rules;
	struct route *routes; /* without multipath */
	size_t n, cap;
};

static int on_tagged_route(void *ctx, const struct nlmsghdr *entry)
{
	struct cleanup *c = ctx;
	struct route route;
	if (!route_of_entry(entry, &route) || route.protocol != NETCONF_PROTO ||
	    c->n == CLEANUP_MAX)
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

/* Does a tunnel that lives, of this process or another, have its address in there? */
static bool is_alive(const struct cleanup *c, struct prefix4 p)
{
	for (size_t i = 0; i < c->inventory.n_addrs; i++) {
		const struct netif_addr *a = &c->inventory.addrs[i];
		if (addr_is_v4(&a->addr) && prefix4_contains(p, addr_ip4(&a->addr)) &&
		    link_is_tun(links_find(&c->inventory.links, a->ifindex)))
			return true;
	}
	return false;
}

/*
 * A route through a TUN lives and dies with it. A backstop belongs to a tunnel with an address in
 * it, a guard to one of its subnet, which the rules tell.
 */
static bool is_left_over(const struct cleanup *c, const struct route *route)
{
	if (route->ifindex)
		return !link_is_tun(links_find(&c->inventory.links, route->ifindex));
	if (route->table != GUARD_TABLE)
		return !is_alive(c, route->to);
	for (int i = 0; i < c->n_rules; i++)
		if (prefix4_contains(c->rules[i].to, route->to.net) && is_alive(c, c->rules[i].to))
			return false;
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

static int look_around(struct cleanup *c)
{
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		c->n = 0;
		r = netlink_dump_routes(AF_INET, 0, NETCONF_PROTO, on_tagged_route, c);
	}
	if (r == 0)
		r = inventory_load(&c->inventory);
	if (r < 0)
		return r;
	c->n_rules = own_rules_load(c->rules);
	return MIN(c->n_rules, 0);
}

int netconf_cleanup(struct host *h, struct err *err)
{
	struct cleanup c = { .n = 0 };
	int r = look_around(&c);
	(void)h;
	for (size_t i = 0; r >= 0 && i < c.n; i++)
		if (is_left_over(&c, &c.routes[i]))
			r = route_remove(&c.routes[i]);
	for (int i = 0; r >= 0 && i < c.n_rules; i++)
		if (!is_alive(&c, c.rules[i].to)) {
			r = rule_change(RTM_DELRULE, 0, c.rules[i].priority, c.rules[i].to);
			r = r == -ENOENT ? 0 : r;
		}
	free(c.routes);
	inventory_fini(&c.inventory);
	if (r < 0)
		return err_set(err, r, "cannot remove routes that an earlier run left: %s",
			       strerror(-r));
	return 0;
}
