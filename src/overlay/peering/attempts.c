/* SPDX-License-Identifier: MIT */
/*
 * Attempts to reach a peer: over the relay, then at its addresses, each a moment after the one
 * before, and all of it again forever. The side with the lower overlay address begins; the other
 * knocks when nothing comes: it connects only to be called back. When that is done: peer_fsm.c.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/attempts.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/relay.h"

#include <stdio.h>

#define STAGGER (100 * NS_PER_MS)    /* between candidates */
#define RELAY_LEAD (300 * NS_PER_MS) /* of an attempt over the relay before the others */
#define STRANGE_LEAD (3 * NS_PER_S)  /* the same, before addresses that a NAT may be in front of */
#define RELAY_YOUNG NS_PER_S	     /* such an attempt over the relay is not given up */
#define RETRY_MAX (60 * NS_PER_S)
#define KICK_GAP (250 * NS_PER_MS)   /* between attempts that events cause */
#define CALL_GAP (250 * NS_PER_MS)   /* a younger attempt is not given up for a knock */
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
static uint64_t delay(const struct peer *p)
{
	uint64_t d = NS_PER_S << MIN(p->failures ? p->failures - 1 : 0, 10u);

	d = MIN(d, RETRY_MAX);
	return d / 2 + random_below(p->g->h, d / 2 + 1);
}

static void plan_filter(struct peer *p, const struct wire_candidates *in,
			struct wire_candidates *plan)
{
	candidates_filter(in, &p->g->around.home, mlog_genesis(p->g->log)->subnet, plan);
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
	candidates_order(&rest, &p->g->around.own);
	p->plan = p->knock;
	p->knock = (struct wire_candidates){ 0 };
	if (!addr_is_unset(&p->was_at))
		candidates_add(&last, &p->was_at);
	plan_filter(p, &last, &p->plan); /* our network may be another one since then */
	p->n_met = p->plan.n;
	for (size_t i = 0; i < rest.n; i++)
		candidates_add(&p->plan, &rest.item[i]);
	p->next = 0;
}

void attempts_back_off(struct peer *p)
{
	p->retry_at = clock_now(p->g->h) + delay(p);
}

void attempts_at_once(struct peer *p)
{
	if (!p->wanted)
		return;
	p->failures = 0;
	p->retry_at = MAX(p->began_at + KICK_GAP, clock_now(p->g->h));
}

void attempts_sooner(struct peer *p)
{
	uint64_t earliest = MAX(p->began_at + KICK_GAP, clock_now(p->g->h));

	if (!p->initiator && peering_is_eager(p->g))
		earliest += KNOCK_DELAY; /* the other side's turn comes first */
	p->retry_at = MIN(p->retry_at, earliest);
}

void attempts_soon(struct peer *p)
{
	p->retry_at = MIN(p->retry_at, clock_now(p->g->h) + KNOCK_ANEW);
}

void attempts_end_knocks(struct peer *p)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (l->conn && !l->log_only && !quic_conn_is_server(l->conn))
			link_close(l, PEER_CLOSE_BYE, "the knock was heard");
	}
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
	    addr_is_private(to) || candidate_is_near(to, &p->g->around.home) ||
	    now >= p->began_at + STRANGE_LEAD)
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
bool attempts_try_relay(struct peer *p)
{
	uint64_t now = clock_now(p->g->h);
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

const char *attempts_next(struct peer *p, const char *why)
{
	uint64_t now = clock_now(p->g->h), held = held_until(p, now);
	bool begun;

	if (held) {
		p->next_at = held;
		return NULL;
	}
	if (p->next < p->plan.n)
		why = "no address of it could be tried";
	begun = try_next(p);
	p->next_at = begun && p->next < p->plan.n ? now + STAGGER : TIME_NEVER;
	return begun || attempts_running(p) > 0 ? NULL : why;
}

enum attempt attempts_prepare(struct peer *p)
{
	plan_make(p);
	relay_want(p);
	if (attempts_try_relay(p))
		return ATTEMPT_RELAY;
	return p->plan.n > 0 ? ATTEMPT_DIRECT : ATTEMPT_NOTHING;
}

void attempts_begin(struct peer *p)
{
	p->began_at = clock_now(p->g->h);
	if (p->failures == 0 && p->last_heard == 0)
		snprintf(p->detail, sizeof(p->detail), "trying its addresses, %zu in all",
			 p->plan.n);
}

void attempts_lead(struct peer *p)
{
	p->next_at = p->plan.n > 0 ? clock_now(p->g->h) + RELAY_LEAD : TIME_NEVER;
}

void attempts_join(struct peer *p)
{
	size_t before = p->plan.n;

	plan_add(p, &p->plan);
	if (p->plan.n > before && p->next_at == TIME_NEVER)
		p->next_at = clock_now(p->g->h);
}

/*
 * An attempt that was begun before it could be heard repeats its packets ever more rarely: another
 * one takes its place.
 */
void attempts_call_back(struct peer *p, const struct addr *from)
{
	uint64_t now = clock_now(p->g->h);

	if (p->next == 0 || now - p->began_at < CALL_GAP)
		return;
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (l->conn && !l->log_only && !l->relayed && addr_same_ip(&l->to, from) &&
		    l->to.port == from->port)
			link_close(l, PEER_CLOSE_REPLACED, "called back");
	}
	p->plan.item[--p->next] = *from; /* in place of one that was begun with */
	p->n_met = MAX(p->n_met, p->next + 1);
	p->began_at = p->next_at = now;
}
