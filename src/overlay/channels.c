/* SPDX-License-Identifier: MIT */
/* The owner says that a relay channel is there, is gone, or may be asked for. */
#include "overlay/internal.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/relay.h"

static bool same_end(const struct relay_path *r, const struct relay_end *end)
{
	return r->on && memcmp(r->end.channel, end->channel, sizeof(end->channel)) == 0 &&
	       secret_equal(r->end.key, end->key, sizeof(end->key));
}

void overlay_relay(struct overlay *o, const struct member *m, const struct relay_end *end,
		   const struct addr *server)
{
	struct peer *p = peer_of_address(&o->peering, m->address);

	if (!p || p->member != m)
		return;
	if (!server)
		end = NULL;
	if (end && same_end(&p->relay, end)) {
		p->relay.server = *server;
		peer_push(p);
		return;
	}
	relay_forget(p);
	if (end && map_put(o->peering.channels, end->channel, p) == 0) {
		p->relay.on = true;
		p->relay.end = *end;
		p->relay.server = *server;
		p->relay.counter = 0;
		p->relay.next_rate = 0;
		p->relay.window = (struct relay_window){ .begun = false };
		peer_push(p);
		peer_step(p, PEER_EV_CHANNEL, NULL);
		deferred_call(o->peering.relay_work);
	}
	peer_reach_candidates(p);
}

void overlay_relay_possible(struct overlay *o)
{
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		p->relay.asked_at = 0;
		if (p->wanted || p->active)
			relay_want(p);
	}
}

void overlay_relay_reset(struct overlay *o)
{
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		relay_forget(p);
		p->relay.asked_at = 0;
		peer_reach_candidates(p);
	}
}
