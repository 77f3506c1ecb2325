/* SPDX-License-Identifier: MIT */
/* Which peer an address or a member is. */
#include "overlay/peering/peering.h"

struct peer *peer_of_address(const struct peering *g, ip4 address)
{
	struct dest *d = fib_lookup(&g->dp.fib, address);

	return d ? container_of(d, struct peer, dest) : NULL;
}

struct peer *peer_of_member(const struct peering *g, const struct member *m)
{
	struct peer *p = peer_of_address(g, m->address);

	if (p && p->member == m)
		return p;
	list_for_each(it, &g->peers) { /* it may have left, and joined at another address */
		p = list_entry(it, struct peer, in_overlay);
		if (p->member == m)
			return p;
	}
	return NULL;
}
