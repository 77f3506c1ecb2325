/* SPDX-License-Identifier: MIT */
/* Requests to the kernel's routing netlink (rtnetlink(7)), one at a time, answered at once. */
#ifndef MLSH_OS_LINUX_NETLINK_H
#define MLSH_OS_LINUX_NETLINK_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/macros.h"

/*
 * Opens a socket of this family (NETLINK_ROUTE, NETLINK_NETFILTER) whose reads end after two
 * seconds. Returns NULL with errno.
 */
struct mnl_socket *netlink_open(int family);

/* A request being built; zeroed behind its header by netlink_begin. */
struct netlink_request {
	union {
		uint8_t data[1024];
		struct nlmsghdr header;
	};
};

/* `family_header` is what follows the netlink header: struct ifinfomsg, ifaddrmsg or rtmsg. */
void netlink_begin(struct netlink_request *r, uint16_t type, uint16_t flags,
		   const void *family_header, size_t len);
/* Sends it and waits for the kernel's word: 0, or its negative errno. */
int netlink_change(struct netlink_request *r) MUST_CHECK;

#define NETLINK_ENOUGH 1 /* of a netlink_entry_fn: no further entries are wanted */
/* Called for each entry. A negative return ends the dump with this error. */
typedef int (*netlink_entry_fn)(void *ctx, const struct nlmsghdr *entry);
/*
 * Every entry of a dump (RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETRULE). -EINTR: something
 * changed meanwhile; begin again with an empty result.
 */
int netlink_dump(uint16_t type, uint8_t family, netlink_entry_fn fn, void *ctx) MUST_CHECK;

/*
 * Dumps routes of one table (0: of all) and one protocol (0: of all). Kernels since 4.20 leave the
 * others out themselves; before, `fn` is called for them, too.
 */
int netlink_dump_routes(uint8_t family, uint32_t table, uint8_t protocol, netlink_entry_fn fn,
			void *ctx) MUST_CHECK;
/*
 * Dumps all routes of all families, also while they change: for callers that are told of the
 * changes, too.
 */
int netlink_dump_moving_routes(netlink_entry_fn fn, void *ctx) MUST_CHECK;
/*
 * Calls fn for each entry of a received piece of a dump. NETLINK_ENOUGH at the dump's end, else 0
 * or a negative error.
 */
int netlink_each(const void *data, size_t len, netlink_entry_fn fn, void *ctx) MUST_CHECK;
/* One link. -ENODEV. */
int netlink_get_link(unsigned ifindex, netlink_entry_fn fn, void *ctx) MUST_CHECK;
/* IPv4 addresses of one link; kernels before 4.20 give those of all. */
int netlink_dump_addresses(unsigned ifindex, netlink_entry_fn fn, void *ctx) MUST_CHECK;
/*
 * Asks which route packets to this address take: `fn` is called with it. `ip` has 4 or 16 bytes, by
 * the family. -ENETUNREACH and others: packets to it leave by no route.
 */
int netlink_lookup_route(uint8_t family, const void *ip, netlink_entry_fn fn, void *ctx) MUST_CHECK;

/* The attributes of an entry by number, NULL where absent; `n` is the number of elements. */
void netlink_attributes(const struct nlmsghdr *entry, size_t family_header_len,
			const struct nlattr **ret, size_t n);
/* The same for a nested attribute. */
void netlink_nested(const struct nlattr *nest, const struct nlattr **ret, size_t n);
/* The same for attributes within other bytes. */
void netlink_payload(const void *data, size_t len, const struct nlattr **ret, size_t n);
uint32_t netlink_u32(const struct nlattr *a); /* 0 when absent or of another size */

#endif
