/* SPDX-License-Identifier: MIT */
/* Which peer has an overlay address: one hash on the packet path. Addresses are given out by the
 * membership log, not chosen by strangers, so that a plain hash will do. */
#ifndef MLSH_OVERLAY_ROUTE_H
#define MLSH_OVERLAY_ROUTE_H

#include "base/addr.h"

struct peer;

struct route {
	ip4 to;
	struct peer *peer; /* NULL: free */
};

struct route_table {
	struct route *slot;
	size_t cap; /* 0 or a power of two, at least twice n */
	size_t n;
};

/* Adds or replaces. -ENOMEM. */
int route_add(struct route_table *t, ip4 to, struct peer *p) MUST_CHECK;
/* Returns false if `to` does not lead to the peer. */
bool route_remove(struct route_table *t, ip4 to, const struct peer *p);
struct peer *route_lookup(const struct route_table *t, ip4 to);
void route_table_fini(struct route_table *t);

#endif
