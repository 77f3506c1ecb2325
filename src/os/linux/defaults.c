/* SPDX-License-Identifier: MIT */
/*
 * The host's default routes. The kernel lists the IPv4 routes of a table in the order of their
 * destinations, 0.0.0.0 first, so that a host with a hundred thousand routes is asked for
 * the first few only: the dump ends at the first other destination.
 */
#include "os/linux/defaults.h"

#include "os/linux/routes.h"

struct search {
	const struct links *links;
	struct defaults *ret;
	ip4 gateway; /* of the route that is looked at */
};

static void take_gateway(void *ctx, ip4 gateway)
{
	struct search *s = ctx;
	if (!s->gateway)
		s->gateway = gateway;
}

static void add(struct search *s, unsigned ifindex, bool v4, uint32_t metric)
{
	const struct link *link = links_find(s->links, ifindex);
	if (s->ret->n == DEFAULTS_MAX || (link && links_kind(s->links, link) == NETIF_TUNNEL))
		return;
	s->ret->at[s->ret->n++] = (struct default_route){ ifindex, v4, s->gateway, metric };
}

static void add_hops(struct search *s, const struct nlattr *multipath, bool v4, uint32_t metric)
{
	const uint8_t *at = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);
	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			return;
		add(s, (unsigned)hop.rtnh_ifindex, v4, metric);
		size_t step = MIN(left, (size_t)RTNH_ALIGN(hop.rtnh_len));
		at += step;
		left -= step;
	}
}

static int on_route4(void *ctx, const struct nlmsghdr *entry)
{
	struct search *s = ctx;
	struct route r;
	const struct rtmsg *m = mnl_nlmsg_get_payload(entry);
	if (!route_of_entry(entry, &r))
		return 0;
	if (r.to.net != 0 && m->rtm_table == RT_TABLE_MAIN)
		return NETLINK_ENOUGH;
	if (r.to.bits != 0 || r.table != RT_TABLE_MAIN || r.type != RTN_UNICAST ||
	    r.protocol == NETCONF_PROTO)
		return 0;
	s->gateway = 0;
	route_each_gateway(&r, take_gateway, s);
	if (r.multipath)
		add_hops(s, r.multipath, true, r.metric);
	else
		add(s, r.ifindex, true, r.metric);
	return 0;
}

static int on_route6(void *ctx, const struct nlmsghdr *entry)
{
	struct search *s = ctx;
	const struct rtmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[RTA_PRIORITY + 1];
	if (entry->nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_UNICAST)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	s->gateway = 0;
	add(s, netlink_u32(a[RTA_OIF]), false, netlink_u32(a[RTA_PRIORITY]));
	return 0;
}

int defaults_load(const struct links *links, struct defaults *ret)
{
	/* Of 2001:db8::/32 (RFC 3849): nobody has a route there but the default one. */
	static const uint8_t anywhere[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct search s = { .links = links, .ret = ret };
	ret->n = 0;
	int r = netlink_dump_routes(AF_INET, RT_TABLE_MAIN, 0, on_route4, &s);
	/* The kernel lists the default routes of IPv6 last: ask for the one in use only. */
	if (r == 0)
		(void)!netlink_lookup_route(AF_INET6, anywhere, on_route6, &s);
	return r;
}

bool defaults_lead_through(const struct defaults *d, unsigned ifindex)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->at[i].ifindex == ifindex)
			return true;
	return false;
}
