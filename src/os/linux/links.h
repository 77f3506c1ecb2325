/* SPDX-License-Identifier: MIT */
/* The table of network interfaces and what each of them is. */
#ifndef MLSH_OS_LINUX_LINKS_H
#define MLSH_OS_LINUX_LINKS_H

#include "os/netconf.h"

#define LINKS_MAX 8192

struct link {
	unsigned index;
	unsigned master; /* the bridge or bond that it is a port of, or 0 */
	char name[16];
	char driver[16];   /* IFLA_INFO_KIND: "bridge", "veth", "tun", ...; "" for hardware */
	uint16_t hardware; /* ARPHRD_... */
	unsigned flags;	   /* IFF_... */
	uint32_t mtu_bytes;
	uint32_t carrier_changes;
	bool is_device; /* the system has hardware behind it */
};

struct links {
	struct link *at;
	size_t n, cap;
};

/* links_fini afterwards, also when it failed. */
int links_load(struct links *l) MUST_CHECK;
void links_fini(struct links *l);
/* NULL when there is none with this index. */
const struct link *links_find(const struct links *l, unsigned index);
enum netif_kind links_kind(const struct links *l, const struct link *link);
/* A bridge with ports of this host's own containers and virtual machines only, or without any. */
bool links_is_inside(const struct links *l, const struct link *link);
/* Is it a TUN device, not a TAP? False for NULL. */
bool link_is_tun(const struct link *link);

#endif
