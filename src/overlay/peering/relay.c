/* SPDX-License-Identifier: MIT */
/* Relay channels: asking for them, and what the owner says of them. Their frames: demux.c. */
#include <errno.h>

#include "overlay/internal.h"

/* Channels whose counters run out are replaced by the server when they are asked for again. */
void relay_renew(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->relay.on && p->relay.counter >= RELAY_RENEW_AT && o->ops->relay_wanted)
			(void)o->ops->relay_wanted(o->ctx, p->member);
	}
}

void relay_want(struct peer *p)
{
	struct overlay *o = p->o;
	uint64_t now = clock_now(o->h);

	if (p->relay.on || !o->ops->relay_wanted ||
	    (p->relay.asked_at && now - p->relay.asked_at < PEER_RELAY_ASK_GAP))
		return;
	if (o->ops->relay_wanted(o->ctx, p->member))
		p->relay.asked_at = now;
}

void relay_forget(struct peer *p)
{
	if (!p->relay.on)
		return;
	map_remove(p->o->channels, p->relay.end.channel);
	secret_wipe(&p->relay.end, sizeof(p->relay.end));
	p->relay.on = false;
	peer_push(p);
}

static bool same_end(const struct relay_path *r, const struct relay_end *end)
{
	return r->on && memcmp(r->end.channel, end->channel, sizeof(end->channel)) == 0 &&
	       secret_equal(r->end.key, end->key, sizeof(end->key));
}

void overlay_relay(struct overlay *o, const struct member *m, const struct relay_end *end,
		   const struct addr *server)
{
	struct peer *p = peer_of_address(o, m->address);

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
	if (end && map_put(o->channels, end->channel, p) == 0) {
		p->relay.on = true;
		p->relay.end = *end;
		p->relay.server = *server;
		p->relay.counter = 0;
		p->relay.next_rate = 0;
		p->relay.window = (struct relay_window){ .begun = false };
		peer_push(p);
		peer_relay(p);
		deferred_call(o->relay_work);
	}
	prober_candidates(p);
}

void overlay_relay_possible(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		p->relay.asked_at = 0;
		if (p->wanted || p->active)
			relay_want(p);
	}
}

void overlay_relay_reset(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		relay_forget(p);
		p->relay.asked_at = 0;
		prober_candidates(p);
	}
}
