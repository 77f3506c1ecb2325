/* SPDX-License-Identifier: MIT */
/* IPv4 routes as the kernel tells them. */
#ifndef MLSH_OS_LINUX_ROUTES_H
#define MLSH_OS_LINUX_ROUTES_H

#include <stdbool.h>

#include "base/addr.h"
#include "os/linux/netlink.h"

#define NETCONF_PROTO 109 /* of our routes and rules; unassigned in iproute2's rt_protos */

struct route {
	struct prefix4 to;
	unsigned ifindex; /* 0 if missing or not unique */
	uint32_t table, metric;
	uint8_t protocol, type;
	ip4 gateway;			/* 0 if there is none, or several */
	const struct nlattr *multipath; /* several, in the entry; else NULL */
};

/* False for what decides nothing about packets that this machine sends to others. */
bool route_of_entry(const struct nlmsghdr *entry, struct route *ret);
/* Calls fn for the gateways of the route, one or several. */
void route_each_gateway(const struct route *r, void (*fn)(void *ctx, ip4 gateway), void *ctx);

#endif
