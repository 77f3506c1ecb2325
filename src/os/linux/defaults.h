/* SPDX-License-Identifier: MIT */
/* The host's default routes, without reading the others. */
#ifndef MLSH_OS_LINUX_DEFAULTS_H
#define MLSH_OS_LINUX_DEFAULTS_H

#include "os/linux/links.h"

#define DEFAULTS_MAX 32

struct default_route {
	unsigned ifindex;
	bool v4;
	ip4 gateway; /* 0: IPv6, or a link without one */
	uint32_t metric;
};

/* Of the main table and without our own and those through tunnels, in the order of the kernel. */
struct defaults {
	struct default_route at[DEFAULTS_MAX];
	size_t n;
};

int defaults_load(const struct links *links, struct defaults *ret) MUST_CHECK;
bool defaults_lead_through(const struct defaults *d, unsigned ifindex);

#endif
