/* SPDX-License-Identifier: MIT */
/* A person asks whether a peer answers: one ping by the path in use. */
#include "overlay/internal.h"
#include "overlay/peering/peer.h"

int overlay_ping(struct overlay *o, const struct member *m, uint64_t *ret_nonce)
{
	struct peer *p = peer_of_address(&o->peering, m->address);
	struct path *path;

	if (!p || p->member != m)
		return -ENOENT;
	path = p->reach ? pathset_current(&p->reach->set) : NULL;
	if (!path) {
		peer_want(p);
		peer_kick(p);
		return -ENOTCONN;
	}
	*ret_nonce = reach_ping(p->reach, path, false, clock_now(o->peering.h));
	return 0;
}
