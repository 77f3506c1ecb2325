/* SPDX-License-Identifier: MIT */
/* What people see of a peer's lifecycle, and its timer: what the rest of peering stands on. */
#include "overlay/peering/peering.h"
#include "overlay/peering/peer.h"

#include "base/assert.h"

#define USEFUL_AFTER (10 * NS_PER_S)

enum peer_state peer_state(const struct peer *p)
{
	switch (p->phase) {
	case PEERING_RACING:
	case PEERING_CHOSEN:
		return PEER_CONNECTING;
	case PEERING_UP:
	case PEERING_SUSPECT:
		return PEER_UP;
	case PEERING_IDLE:
	case PEERING_WAITING:
	case PEERING_LEFT:
	case PEERING_BARRED:
	case PEERING_GONE:
	case N_PEERING:
		return p->last_heard ? PEER_LOST : PEER_IDLE;
	}
	UNREACHABLE();
}

bool peer_tunnel_was_useful(const struct peer *p)
{
	return p->up_since && clock_now(p->g->h) - p->up_since >= USEFUL_AFTER;
}

void peer_schedule(struct peer *p)
{
	uint64_t at = MIN(p->next_at, MIN(p->retry_at, p->waiting_until));

	if (p->phase == PEERING_GONE) {
		timer_set(p->timer, TIME_NEVER);
		return;
	}
	at = MIN(at, MIN(p->silent_at, p->restart_test_at));
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		if (p->links[i].conn)
			at = MIN(at, p->links[i].deadline);
	}
	timer_set(p->timer, at);
}
