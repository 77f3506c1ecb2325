/* SPDX-License-Identifier: MIT */
/*
 * A member that left: the one function that takes it out of everything the overlay keeps. Packets
 * under its former keys, tags, channels or connections reach no peer afterwards, and a new
 * handshake is refused because the roster knows no such key. Routes of the host follow in the same
 * turn (repair_look), names and the file of addresses are the owner's.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/link.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/relay.h"
#include "overlay/peering/effects.h"

void peer_take_out(struct peer *p, const char *why)
{
	struct peering *g = p->g;

	p->wanted = p->online = false;
	fib_remove(&g->dp.fib, p->dest.address, &p->dest);
	/* With the active one go reach and the packets that came early. */
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_NOT_MEMBER, why);
	relay_forget(p);
	send_give_up(&p->dest);
	if (surroundings_forget(&g->around, p))
		effects_refresh(g);
	p->from_server = p->from_peer = p->stored = p->knock = (struct wire_candidates){ 0 };
	p->last_good = p->was_at = p->called_from = (struct addr){ 0 };
	p->waiting_until = TIME_NEVER;
}
