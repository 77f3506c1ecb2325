/* SPDX-License-Identifier: MIT */
/*
 * The membership log towards a peer (docs/protocol/04-peer.md): records, removals without order and
 * beacons are pushed, and records that we lack are asked for.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/peer_log.h"

#define PUSH_PAGES_MAX 4 /* of the log, before the other side has acknowledged them */

void peer_log_ask(struct link *l, uint64_t from)
{
	struct peer_message *m = &l->peer->g->message;

	*m = (struct peer_message){ .type = PEER_LOG_REQUEST,
				    .generation = mlog_generation(l->peer->g->log),
				    .first = from };
	l->asked = control_send(l, m) == 0;
	l->asked_from = from;
}

int log_send_page(struct link *l, uint64_t from)
{
	struct peer_message *m = &l->peer->g->message;

	m->type = PEER_LOG;
	m->first = from;
	mlog_page(l->peer->g->log, from, &m->entries);
	return control_send(l, m);
}

/* A recovery dropped records that they may have: they need it, and what follows it. */
static void push_recovery(struct link *l)
{
	const struct mlog *log = l->peer->g->log;

	if (l->their_generation >= mlog_generation(log))
		return;
	if (l->log_stopped)
		l->log_stopped = l->search.on = false; /* it ends what they differed in */
	l->their_next = MIN(l->their_next, mlog_generation_start(log, l->their_generation));
	l->their_generation = mlog_generation(log);
}

/* Do they have, or have they been sent, the records that we have? */
static bool is_log_pushed(const struct link *l)
{
	return l->log_stopped || l->their_next >= mlog_count(l->peer->g->log);
}

/* Goes on when the stream is writable, or the next time that the tunnel is looked after. */
static void push_removals(struct link *l)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;
	uint64_t now = clock_now(g->h), serial = l->shown_removal;

	if (!g->ops->removal_next)
		return;
	*m = (struct peer_message){ .type = PEER_REMOVAL };
	while (bucket_has(&l->send_budget, 1, now)) {
		m->removal = g->ops->removal_next(g->ctx, &serial);
		if (m->removal.len == 0 || control_send(l, m) < 0)
			return;
		(void)bucket_take(&l->send_budget, 1, now);
		l->shown_removal = serial;
	}
}

void control_removals(struct link *l)
{
	if (l->hello_got && is_log_pushed(l)) /* behind the records that they build on */
		push_removals(l);
}

void control_beacons(struct link *l)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;
	uint64_t now = clock_now(g->h), serial = l->shown_beacon;

	if (!l->hello_got || !g->ops->beacon_next)
		return;
	*m = (struct peer_message){ .type = PEER_BEACON };
	while (bucket_has(&l->send_budget, 1, now)) {
		m->beacon = g->ops->beacon_next(g->ctx, &serial);
		if (m->beacon.len == 0 || control_send(l, m) < 0)
			return;
		(void)bucket_take(&l->send_budget, 1, now);
		l->shown_beacon = serial;
	}
}

void control_ask_log(struct link *l)
{
	if (l->hello_got && !l->asked && !l->log_stopped)
		peer_log_ask(l, mlog_count(l->peer->g->log));
}

void control_push(struct link *l)
{
	size_t count = mlog_count(l->peer->g->log);

	push_recovery(l);
	for (int i = 0; i < PUSH_PAGES_MAX && !l->log_stopped && l->their_next < count; i++) {
		if (log_send_page(l, l->their_next) < 0)
			return; /* goes on when the stream is writable */
		if (l->peer->g->message.entries.n == 0) {
			push_removals(l); /* no receipt vouches for those records */
			return;
		}
		l->their_next += l->peer->g->message.entries.n;
	}
	control_removals(l);
}
