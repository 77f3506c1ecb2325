/* SPDX-License-Identifier: MIT */
/* Reading what the kernel has of our own, without the rest. */
#include "os/linux/own.h"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <stdlib.h>

#include "os/linux/routes.h"

#define DUMP_TRIES 5

/* ---- rules ---- */

struct rules {
	struct own_rule *out;
	size_t n;
};

static int on_rule(void *ctx, const struct nlmsghdr *entry)
{
	struct rules *s = ctx;
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[FRA_PROTOCOL + 1];
	if (entry->nlmsg_type != RTM_NEWRULE || m->family != AF_INET || m->dst_len > 32)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	if (!a[FRA_PROTOCOL] || mnl_attr_get_payload_len(a[FRA_PROTOCOL]) != 1 ||
	    mnl_attr_get_u8(a[FRA_PROTOCOL]) != NETCONF_PROTO || s->n == OWN_RULES_MAX)
		return 0;
	s->out[s->n++] = (struct own_rule){
		.priority = netlink_u32(a[FRA_PRIORITY]),
		.to = { ntohl(netlink_u32(a[FRA_DST])), m->dst_len },
	};
	return 0;
}

int own_rules_load(struct own_rule *out)
{
	struct rules s = { .out = out };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		s.n = 0;
		r = netlink_dump(RTM_GETRULE, AF_INET, on_rule, &s);
	}
	return r < 0 ? r : (int)s.n;
}

static int rules_look(struct prefix4 subnet, bool *ret_both)
{
	struct own_rule rules[OWN_RULES_MAX];
	bool have_main = false, have_stop = false;
	int n = own_rules_load(rules);
	for (int i = 0; i < n; i++) {
		if (rules[i].to.net != subnet.net || rules[i].to.bits != subnet.bits)
			continue;
		have_main |= rules[i].priority == GUARD_RULE_MAIN;
		have_stop |= rules[i].priority == GUARD_RULE_STOP;
	}
	*ret_both = have_main && have_stop;
	return MIN(n, 0);
}

/* ---- device and address ---- */

struct look {
	unsigned ifindex;
	ip4 self;
	struct netown *own;
	size_t cap;
};

static int on_link(void *ctx, const struct nlmsghdr *entry)
{
	struct look *l = ctx;
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFLA_MTU + 1];
	if (entry->nlmsg_type != RTM_NEWLINK || (unsigned)m->ifi_index != l->ifindex)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	l->own->link = true;
	l->own->up = m->ifi_flags & IFF_UP;
	l->own->mtu_bytes = netlink_u32(a[IFLA_MTU]);
	if (a[IFLA_IFNAME] && mnl_attr_validate(a[IFLA_IFNAME], MNL_TYPE_NUL_STRING) == 0)
		snprintf(l->own->ifname, sizeof(l->own->ifname), "%s",
			 mnl_attr_get_str(a[IFLA_IFNAME]));
	return 0;
}

static int on_address(void *ctx, const struct nlmsghdr *entry)
{
	struct look *l = ctx;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFA_LOCAL + 1];
	if (entry->nlmsg_type != RTM_NEWADDR || m->ifa_family != AF_INET ||
	    m->ifa_index != l->ifindex)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	if (ntohl(netlink_u32(a[IFA_LOCAL])) == l->self)
		l->own->address = true;
	return 0;
}

/* ---- routes ---- */

static int on_route(void *ctx, const struct nlmsghdr *entry)
{
	struct look *l = ctx;
	struct netown *own = l->own;
	struct route r;
	struct netown_route one;
	if (!route_of_entry(entry, &r) || r.protocol != NETCONF_PROTO)
		return 0;
	one.to = r.to;
	if (r.table == RT_TABLE_MAIN && r.type == RTN_UNICAST && r.ifindex == l->ifindex)
		one.kind = NETROUTE_MEMBER;
	else if (r.table == RT_TABLE_MAIN && r.type == RTN_UNREACHABLE)
		one.kind = NETROUTE_BACKSTOP;
	else if (r.table == GUARD_TABLE && r.type == RTN_UNREACHABLE)
		one.kind = NETROUTE_GUARD;
	else
		return 0;
	if (own->n_routes == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct netown_route *more = reallocarray(own->routes, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		own->routes = more;
		l->cap = cap;
	}
	own->routes[own->n_routes++] = one;
	return 0;
}

void own_fini(struct netown *own)
{
	free(own->routes);
	*own = (struct netown){ 0 };
}

int own_load(unsigned ifindex, ip4 self, struct prefix4 subnet, struct netown *own)
{
	struct look l = { .ifindex = ifindex, .self = self, .own = own };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		own_fini(own);
		l.cap = 0;
		r = netlink_get_link(ifindex, on_link, &l);
		if (r == -ENODEV)
			r = 0;
		if (r == 0 && own->link)
			r = netlink_dump_addresses(ifindex, on_address, &l);
		if (r == 0)
			r = netlink_dump_routes(AF_INET, 0, NETCONF_PROTO, on_route, &l);
		if (r == 0)
			r = rules_look(subnet, &own->rules);
	}
	if (r == 0 && own->n_routes > 0)
		qsort(own->routes, own->n_routes, sizeof(*own->routes), netown_compare);
	return r;
}
