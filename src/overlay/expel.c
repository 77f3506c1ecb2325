/* SPDX-License-Identifier: MIT */
/*
 * A member that left: the one function that takes it out of everything the overlay keeps. What came
 * from it under keys, tags, channels or connections of before finds nobody afterwards, and a new
 * handshake is refused because the roster knows no such key. Routes of the host follow in the same
 * turn (repair_look), names and the file of addresses are the owner's.
 */
#include "overlay/internal.h"

#include <stdio.h>

/* Where it saw us is no candidate of ours any more. */
static void forget_observed(struct peer *p)
{
	struct overlay *o = p->o;
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(o->observed_from); i++) {
		if (o->observed_from[i] != p)
			continue;
		o->observed_from[i] = NULL;
		o->observed_by_peer[i] = (struct addr){ 0 };
		any = true;
	}
	if (any)
		overlay_refresh_candidates(o);
}

void peer_expel(struct peer *p)
{
	struct overlay *o = p->o;

	if (p->expelled)
		return;
	p->expelled = true;
	p->wanted = false;
	route_remove(&o->routes, p->address, p);
	/* With the active one go the prober and packets that came early. */
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_NOT_MEMBER, "not a member any more");
	relay_forget(p);
	outbound_give_up(p);
	forget_observed(p);
	peer_schedule(p);
	snprintf(p->detail, sizeof(p->detail), "it is not a member any more");
	if (p->state == PEER_UP)
		peer_set_state(p, PEER_LOST);
	list_remove(&p->in_overlay);
	list_append(&o->expelled, &p->in_overlay);
	deferred_call(o->bury); /* this may be an event of one of its connections */
}

void expelled_free(void *overlay)
{
	struct overlay *o = overlay;

	list_for_each(it, &o->expelled)
		peer_free(list_entry(it, struct peer, in_overlay));
}
