/* SPDX-License-Identifier: MIT */
/* Reading IPv4 routes out of rtnetlink messages. */
#include "os/linux/routes.h"

#include <arpa/inet.h>

bool route_of_entry(const struct nlmsghdr *entry, struct route *ret)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[RTA_TABLE + 1];
	if (entry->nlmsg_type != RTM_NEWROUTE || m->rtm_family != AF_INET ||
	    (m->rtm_flags & RTM_F_CLONED) || m->rtm_dst_len > 32)
		return false;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	*ret = (struct route){
		.to = { ntohl(netlink_u32(a[RTA_DST])), m->rtm_dst_len },
		.ifindex = netlink_u32(a[RTA_OIF]),
		.table = a[RTA_TABLE] ? netlink_u32(a[RTA_TABLE]) : m->rtm_table,
		.metric = netlink_u32(a[RTA_PRIORITY]),
		.protocol = m->rtm_protocol,
		.type = m->rtm_type,
		.gateway = ntohl(netlink_u32(a[RTA_GATEWAY])),
		.multipath = a[RTA_MULTIPATH],
	};
	return ret->table != RT_TABLE_LOCAL;
}

void route_each_gateway(const struct route *r, void (*fn)(void *ctx, ip4 gateway), void *ctx)
{
	if (r->gateway)
		fn(ctx, r->gateway);
	if (!r->multipath)
		return;
	const uint8_t *at = mnl_attr_get_payload(r->multipath);
	size_t left = mnl_attr_get_payload_len(r->multipath);
	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			return;
		const struct nlattr *a[RTA_GATEWAY + 1];
		netlink_payload(at + sizeof(hop), hop.rtnh_len - sizeof(hop), a, ARRAY_LEN(a));
		if (netlink_u32(a[RTA_GATEWAY]))
			fn(ctx, ntohl(netlink_u32(a[RTA_GATEWAY])));
		size_t step = MIN(left, (size_t)RTNH_ALIGN(hop.rtnh_len));
		at += step;
		left -= step;
	}
}
