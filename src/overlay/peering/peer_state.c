/* SPDX-License-Identifier: MIT */
/* A peer's state, and its timer: what the rest of peering stands on. */
#include "overlay/peering/peering.h"

#include "base/assert.h"

void peer_set_state(struct peer *p, enum peer_state s)
{
	bool told = (p->state == PEER_UP) != (s == PEER_UP);

	ASSERT(s != PEER_UP || p->active);
	if (p->state == s)
		return;
	log_debug(host_log(p->o->h), "%s: %s -> %s", p->member->name, peer_state_name(p->state),
		  peer_state_name(s));
	p->state = s;
	p->up_since = s == PEER_UP ? clock_now(p->o->h) : 0;
	peer_push(p);
	if (told)
		peer_tell(p);
}

void peer_schedule(struct peer *p)
{
	uint64_t at = MIN(p->next_at, MIN(p->retry_at, p->waiting_until));

	if (p->expelled) {
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
