/* SPDX-License-Identifier: MIT */
/* The host's interfaces and their addresses, all of them. */
#ifndef MLSH_OS_LINUX_INVENTORY_H
#define MLSH_OS_LINUX_INVENTORY_H

#include "os/linux/links.h"

struct inventory {
	struct links links;
	struct netif_addr *addrs;
	size_t n_addrs;
};

/* inventory_fini afterwards, also after an error. */
int inventory_load(struct inventory *ret) MUST_CHECK;
void inventory_fini(struct inventory *i);

#endif
