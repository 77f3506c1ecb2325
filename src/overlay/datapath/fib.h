/* SPDX-License-Identifier: MIT */
/* Which peer has an overlay address: one hash on the packet path. Addresses are given out by the
 * membership log, not chosen by strangers, so that a plain hash will do. */
#ifndef MLSH_OVERLAY_FIB_H
#define MLSH_OVERLAY_FIB_H

#include "base/addr.h"

struct dest;

struct fib_entry {
	ip4 to;
	struct dest *dest; /* NULL if the slot is free */
};

struct fib {
	struct fib_entry *slot;
	size_t cap; /* 0 or a power of two, at least twice n */
	size_t n;
};

/* Adds or replaces. -ENOMEM. */
int fib_add(struct fib *t, ip4 to, struct dest *d) MUST_CHECK;
/* Returns false if `to` does not lead to the peer. */
bool fib_remove(struct fib *t, ip4 to, const struct dest *d);
struct dest *fib_lookup(const struct fib *t, ip4 to);
void fib_fini(struct fib *t);

#endif
