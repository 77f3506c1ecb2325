/* SPDX-License-Identifier: MIT */
/* The list of what the host uses, out of what the kernel and the resolvers' files say. */
#ifndef MLSH_OS_LINUX_USES_H
#define MLSH_OS_LINUX_USES_H

#include "os/linux/inventory.h"
#include "os/linux/mirror.h"
#include "os/netuse.h"

#define RESOLVERS_MAX 16

struct resolvers {
	ip4 at[RESOLVERS_MAX];
	size_t n;
};

/* The IPv4 name servers that this machine asks. None, if their files cannot be read. */
void resolvers_load(struct host *h, struct resolvers *ret);
/* `self`: our own address, at which no foreign resolver can be; 0 if unset. */
int uses_build(const struct inventory *i, const struct mirror *m, const struct resolvers *r,
	       struct prefix4 subnet, ip4 self, struct netuses *ret) MUST_CHECK;

#endif
