/* SPDX-License-Identifier: MIT */
/* Asks for relay channels, and forgets them. Their frames: demux.c. */
#include <errno.h>

#include "overlay/peering/peering.h"
#include "overlay/peering/path.h"
#include "overlay/peering/relay.h"

#define RELAY_ASK_GAP (5 * NS_PER_S) /* between requests for a channel */

/* Channels whose counters run out are replaced by the server when they are asked for again. */
void relay_renew(struct peering *g)
{
	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->relay.on && p->relay.counter >= RELAY_RENEW_AT && g->ops->relay_wanted)
			(void)g->ops->relay_wanted(g->ctx, p->member);
	}
}

void relay_want(struct peer *p)
{
	struct peering *g = p->g;
	uint64_t now = clock_now(g->h);

	if (p->relay.on || !g->ops->relay_wanted ||
	    (p->relay.asked_at && now - p->relay.asked_at < RELAY_ASK_GAP))
		return;
	if (g->ops->relay_wanted(g->ctx, p->member))
		p->relay.asked_at = now;
}

void relay_forget(struct peer *p)
{
	if (!p->relay.on)
		return;
	map_remove(p->g->channels, p->relay.end.channel);
	secret_wipe(&p->relay.end, sizeof(p->relay.end));
	p->relay.on = false;
	peer_push(p);
}
