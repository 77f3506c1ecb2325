/* SPDX-License-Identifier: MIT */
/*
 * A copy of those of the kernel's routes that concern an overlay, kept up to date by what the
 * kernel tells of each change. The others are looked at once and not kept, however many there are.
 */
#ifndef MLSH_OS_LINUX_MIRROR_H
#define MLSH_OS_LINUX_MIRROR_H

#include "base/addr.h"
#include "os/linux/netlink.h"

#define MIRROR_ROUTES_MAX 4096

/* A route, or one of its next hops. */
struct mirror_route {
	uint8_t family, bits, type, protocol, tos;
	bool watched;	  /* leads far, or to a destination */
	unsigned ifindex; /* 0 if missing */
	uint32_t table, metric;
	uint8_t to[16], gateway[16]; /* IPv4 in the first four bytes, zeros behind */
};

struct mirror {
	struct mirror_route *at;
	size_t n, cap;
	bool more; /* there were more than MIRROR_ROUTES_MAX */
};

struct mirror_filter {
	struct prefix4 subnet;
	const struct addr *destinations; /* sorted by mirror_compare_destinations */
	size_t n_destinations;
};

enum mirror_effect {
	MIRROR_SUBNET = 1, /* a route of the subnet */
	MIRROR_WATCHED = 2,
	MIRROR_MISSED = 4, /* a route that we did not know of is gone */
	MIRROR_OWN = 8	   /* one of our own, which are not kept here */
};

void mirror_fini(struct mirror *m);
/* An RTM_NEWROUTE or RTM_DELROUTE: what it changed, enum mirror_effect. -ENOMEM. */
int mirror_apply(struct mirror *m, const struct mirror_filter *f, const struct nlmsghdr *entry)
	MUST_CHECK;
/* Reads everything from the kernel. */
int mirror_load(struct mirror *m, const struct mirror_filter *f) MUST_CHECK;
bool mirror_uses_device(const struct mirror *m, unsigned ifindex);
/* Of the watched routes; their order does not count. */
uint64_t mirror_digest(const struct mirror *m);
int mirror_compare_destinations(const void *a, const void *b); /* struct addr, for qsort */
ip4 mirror_ip4(const uint8_t *bytes);

#endif
