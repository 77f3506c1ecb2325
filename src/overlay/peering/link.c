/* SPDX-License-Identifier: MIT */
/* The places for connections with a peer. What QUIC says of them: link_events.c. */
#include "overlay/peering/peering.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/link.h"

#define SENDS_PER_S 20 /* messages that may be left out; others end at 100 */
#define SENDS_BURST 200

struct link *link_place(struct peer *p)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (l->conn)
			continue;
		*l = (struct link){
			.peer = p, .control = -1, .deadline = TIME_NEVER, .admitted_at = TIME_NEVER
		};
		bucket_init(&l->messages, 100, 2048, clock_now(p->g->h));
		bucket_init(&l->send_budget, SENDS_PER_S, SENDS_BURST, clock_now(p->g->h));
		return l;
	}
	return NULL;
}

void link_close(struct link *l, uint64_t app_error, const char *phrase)
{
	struct quic_conn *c = l->conn;

	if (!c)
		return;
	l->conn = NULL;
	quic_conn_close(c, app_error, phrase);
	quic_conn_free(c);
	if (l->peer->active == l) {
		dest_close(&l->peer->dest);
		l->peer->active = NULL;
		peer_reach_end(l->peer);
	}
}
