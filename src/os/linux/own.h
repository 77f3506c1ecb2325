/* SPDX-License-Identifier: MIT */
/* What the kernel has of our own: device, address, routes, guard. */
#ifndef MLSH_OS_LINUX_OWN_H
#define MLSH_OS_LINUX_OWN_H

#include "os/linux/netlink.h"
#include "os/netconf.h"

/*
 * The guard's table and its two rules, before those that other software is known to add (Tailscale
 * begins at 5210). The number of the table is above the 8-bit ones that people name.
 */
#define GUARD_TABLE 10964
#define GUARD_RULE_MAIN 5190	      /* to the subnet: the main table, single addresses only */
#define GUARD_RULE_STOP 5191	      /* to the subnet: GUARD_TABLE */
#define UNREACHABLE_METRIC (1u << 30) /* any other route to the same prefix comes first */

struct own_rule {
	uint32_t priority;
	struct prefix4 to;
};

#define OWN_RULES_MAX 256

/* Rules that carry NETCONF_PROTO: how many were written to `out` (at most OWN_RULES_MAX). */
int own_rules_load(struct own_rule *out) MUST_CHECK;
/* Frees what `own` held before. */
int own_load(unsigned ifindex, ip4 self, struct prefix4 subnet, struct netown *own) MUST_CHECK;
void own_fini(struct netown *own);

#endif
