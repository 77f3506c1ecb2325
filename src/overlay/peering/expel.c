/* SPDX-License-Identifier: MIT */
/*
 * A member that left: the one function that takes it out of everything the overlay keeps. What came
 * from it under keys, tags, channels or connections of before finds nobody afterwards, and a new
 * handshake is refused because the roster knows no such key. Routes of the host follow in the same
 * turn (repair_look), names and the file of addresses are the owner's.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/effects.h"

#include <stdio.h>

static void take_out(struct peer *p, const char *why)
{
	struct peering *o = p->o;

	p->wanted = p->online = p->left = false;
	fib_remove(&o->dp.fib, p->dest.address, &p->dest);
	/* With the active one go reach and the packets that came early. */
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_NOT_MEMBER, why);
	relay_forget(p);
	send_give_up(&p->dest);
	if (surroundings_forget(&o->around, p))
		effects_refresh(o);
	p->from_server = p->from_peer = p->stored = p->knock = (struct wire_candidates){ 0 };
	p->last_good = p->called_from = (struct addr){ 0 };
	p->next_at = p->retry_at = p->silent_at = p->restart_test_at = TIME_NEVER;
	p->waiting_until = TIME_NEVER;
	snprintf(p->detail, sizeof(p->detail), "%s", why);
	peer_set_state(p, p->last_heard ? PEER_LOST : PEER_IDLE);
	peer_schedule(p);
}

void peer_expel(struct peer *p)
{
	struct peering *o = p->o;

	if (p->expelled)
		return;
	p->expelled = true;
	take_out(p, "not a member any more");
	list_remove(&p->in_overlay);
	list_append(&o->expelled, &p->in_overlay);
	deferred_call(o->bury); /* this may be an event of one of its connections */
}

/* What the server told of it is kept: nobody tells it again when the denial ends. */
void peer_bar(struct peer *p)
{
	struct wire_candidates from_server = p->from_server;
	bool online = p->online;

	p->barred = true;
	take_out(p, "a removal that waits for its order denies it");
	p->from_server = from_server;
	p->online = online;
}

void peer_unbar(struct peer *p)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_BYE, "a tunnel may be built again");
	if (fib_add(&p->o->dp.fib, p->dest.address, &p->dest) < 0) {
		log_error(host_log(p->o->h), "%s: no memory for its route", p->member->name);
		return;
	}
	p->barred = false;
	p->failures = 0;
	if (peering_is_eager(p->o))
		peer_want(p);
}

void expelled_free(void *peering)
{
	struct peering *o = peering;

	list_for_each(it, &o->expelled)
		peer_free(list_entry(it, struct peer, in_overlay));
}
