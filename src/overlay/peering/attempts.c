/* SPDX-License-Identifier: MIT */
/*
 * Attempts to reach a peer: over the relay, then at its addresses, each a moment after the one
 * before, and all of it again forever. The side with the lower overlay address begins; the other
 * knocks when nothing comes: it connects only to be called back.
 */
#include "overlay/peering/peering.h"

#include <stdio.h>

#define STAGGER (100 * NS_PER_MS)    /* between candidates */
#define RELAY_LEAD (300 * NS_PER_MS) /* of an attempt over the relay before the others */
#define STRANGE_LEAD (3 * NS_PER_S)  /* the same, before addresses that a NAT may be in front of */
#define RELAY_YOUNG NS_PER_S	     /* such an attempt over the relay is not given up */
#define RETRY_MAX (60 * NS_PER_S)
#define KICK_GAP (250 * NS_PER_MS)   /* between attempts that events cause */
#define KNOCK_DELAY NS_PER_S	     /* the side that does not begin waits so long */
#define KNOCK_ANEW (200 * NS_PER_MS) /* the same, just started */

size_t attempts_running(const struct peer *p)
{
	size_t n = 0;

	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		n += p->links[i].conn && !p->links[i].log_only &&
		     !quic_conn_is_server(p->links[i].conn);
	return n;
}

/* Doubling from a second, between half and the whole of it. */
uint64_t attempts_delay(const struct peer *p)
{
	uint64_t d = NS_PER_S << MIN(p->failures ? p->failures - 1 : 0, 10u);

	d = MIN(d, RETRY_MAX);
	return d / 2 + random_below(p->o->h, d / 2 + 1);
}

static void plan_filter(struct peer *p, const struct wire_candidates *in,
			struct wire_candidates *plan)
{
	candidates_filter(in, &p->o->around.own, mlog_genesis(p->o->log)->subnet, plan);
}

static void plan_add(struct peer *p, struct wire_candidates *plan)
{
	plan_filter(p, &p->knock, plan);
	plan_filter(p, &p->from_server, plan);
	plan_filter(p, &p->from_peer, plan);
	plan_filter(p, &p->stored, plan);
}

/* Where it called from comes first, then where it was last. */
static void plan_make(struct peer *p)
{
	struct wire_candidates rest = { 0 }, last = { 0 };

	plan_add(p, &rest);
	candidates_order(&rest, &p->o->around.own);
	p->plan = p->knock;
	p->knock = (struct wire_candidates){ 0 };
	if (!addr_is_unset(&p->last_good))
		candidates_add(&last, &p->last_good);
	plan_filter(p, &last, &p->plan); /* our network may be another one since then */
	p->n_met = p->plan.n;
	for (size_t i = 0; i < rest.n; i++)
		candidates_add(&p->plan, &rest.item[i]);
	p->next = 0;
}

void attempts_failed(struct peer *p, const char *why)
{
	p->failures++;
	p->next_at = TIME_NEVER;
	p->retry_at = clock_now(p->o->h) + attempts_delay(p);
	snprintf(p->detail, sizeof(p->detail), "%s", why);
	peer_set_state(p, p->last_heard ? PEER_LOST : PEER_IDLE);
	peer_schedule(p);
}

void attempts_at_once(struct peer *p)
{
	p->failures = 0;
	if (attempts_allowed(p))
		p->retry_at = MAX(p->began_at + KICK_GAP, clock_now(p->o->h));
	peer_schedule(p);
}

void attempts_knock_heard(struct peer *p, const char *why)
{
	if (p->active || p->state != PEER_CONNECTING)
		return;
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (l->conn && !l->log_only && !quic_conn_is_server(l->conn))
			link_close(l, PEER_CLOSE_BYE, "the knock was heard");
	}
	attempts_failed(p, why);
}

/*
 * A handshake is a datagram that comes unasked. A NAT that remembers strangers would then keep the
 * mapping that is to meet ours from having its port ("Rounds" in docs/protocol/06-paths.md). So
 * that an address which may be such a NAT's has its turn late, when the relay has had time for a
 * tunnel and a round. Returns when that is; 0: now.
 */
static uint64_t held_until(const struct peer *p, uint64_t now)
{
	const struct addr *to = &p->plan.item[p->next];
	bool by_relay = p->relay.on ||
			(p->relay.asked_at && now - p->relay.asked_at < STRANGE_LEAD);

	if (p->next >= p->plan.n || p->next < p->n_met || !by_relay || !addr_is_v4(to) ||
	    addr_is_private(to) || candidate_is_near(to, &p->o->around.home) ||
	    candidates_have(&p->stored, to) || now >= p->began_at + STRANGE_LEAD)
		return 0;
	return p->began_at + STRANGE_LEAD;
}

/* The next candidate that a connection can be begun to. What there is no budget for is left out. */
static bool try_next(struct peer *p)
{
	while (p->next < p->plan.n) {
		struct addr to = p->plan.item[p->next++];
		struct link *l;

		if (!path_affordable(p, &to))
			continue;
		l = link_place(p);
		if (!l)
			return false;
		if (path_connect(l, &to) == 0)
			return true;
		l->conn = NULL;
	}
	return false;
}

/*
 * Over the relay, if there is one. What is under way there already keeps its place while it is
 * young; later it repeats its packets ever more rarely, perhaps since before it could be heard.
 */
static bool try_relay(struct peer *p)
{
	uint64_t now = clock_now(p->o->h);
	struct link *l;

	if (!p->relay.on)
		return false;
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		l = &p->links[i];
		if (!l->conn || !l->relayed || l->log_only)
			continue;
		if (quic_conn_is_server(l->conn) || l->connected || now - l->begun < RELAY_YOUNG)
			return false;
		link_close(l, PEER_CLOSE_REPLACED, "tried again");
	}
	l = link_place(p);
	if (!l)
		return false;
	if (path_connect(l, NULL) == 0)
		return true;
	l->conn = NULL;
	return false;
}

void attempts_next(struct peer *p)
{
	uint64_t held = held_until(p, clock_now(p->o->h));
	bool begun;

	if (held) {
		p->next_at = held;
		peer_schedule(p);
		return;
	}
	begun = try_next(p);

	p->next_at = begun && p->next < p->plan.n ? clock_now(p->o->h) + STAGGER : TIME_NEVER;
	if (!begun && attempts_running(p) == 0)
		attempts_failed(p, "no address of it could be tried");
	else
		peer_schedule(p);
}

void attempts_begin(struct peer *p)
{
	bool relayed;

	p->retry_at = TIME_NEVER;
	p->left = false;
	plan_make(p);
	relay_want(p);
	relayed = try_relay(p);
	if (p->plan.n == 0 && !relayed) {
		snprintf(p->detail, sizeof(p->detail), "no address of it is known yet");
		return;
	}
	p->began_at = clock_now(p->o->h);
	if (p->failures == 0 && p->last_heard == 0)
		snprintf(p->detail, sizeof(p->detail), "trying its addresses, %zu in all",
			 p->plan.n);
	peer_set_state(p, PEER_CONNECTING);
	if (!relayed) {
		attempts_next(p);
		return;
	}
	p->next_at = p->plan.n > 0 ? clock_now(p->o->h) + RELAY_LEAD : TIME_NEVER;
	peer_schedule(p);
}

bool attempts_allowed(const struct peer *p)
{
	return p->wanted && !p->active && p->state != PEER_CONNECTING;
}

void peer_want(struct peer *p)
{
	bool first = !p->wanted;

	if (p->barred || p->expelled)
		return;
	p->wanted = true;
	if (!first && clock_now(p->o->h) < p->asked_at + NS_PER_S)
		return; /* packets may come by the thousand */
	p->asked_at = clock_now(p->o->h);
	if (p->left && p->retry_at != TIME_NEVER)
		return; /* packets do not bring it back */
	peer_kick(p);
}

void peer_kick(struct peer *p)
{
	uint64_t earliest = MAX(p->began_at + KICK_GAP, clock_now(p->o->h));

	if (!p->initiator && peering_is_eager(p->o))
		earliest += KNOCK_DELAY; /* the other side's turn comes first */
	if (p->wanted && !p->active)
		relay_want(p);
	if (attempts_allowed(p)) {
		p->retry_at = MIN(p->retry_at, earliest);
	} else if (p->state == PEER_CONNECTING && !p->active) {
		/* What is new joins the race. */
		size_t before = p->plan.n;

		plan_add(p, &p->plan);
		if (p->plan.n > before && p->next_at == TIME_NEVER)
			p->next_at = clock_now(p->o->h);
	}
	peer_schedule(p);
}

void peer_restarted(struct peer *p)
{
	peer_kick(p);
	if (attempts_allowed(p))
		p->retry_at = MIN(p->retry_at, clock_now(p->o->h) + KNOCK_ANEW);
	peer_schedule(p);
}

/* The other side may have asked for it: it wants a tunnel, then. */
void peer_relay(struct peer *p)
{
	p->wanted = true;
	if (!attempts_by_relay(p))
		peer_kick(p);
}

bool attempts_by_relay(struct peer *p)
{
	if (p->state != PEER_CONNECTING || p->active)
		return false;
	try_relay(p);
	return true;
}
