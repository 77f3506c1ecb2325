/* SPDX-License-Identifier: MIT */
/* What the server tells of others and of us: presence, our own address; and our candidates. */
#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"
#include "proto/candidates.h"

#define CANDIDATES_INTERVAL NS_PER_S /* candidates are published at most this often */

/* --- presence --------------------------------------------------------------------------------- */

static struct stashed *stash_find(struct session *s, const struct node_id *id)
{
	for (size_t i = 0; i < s->n_stash; i++) {
		if (node_id_equal(&s->stash[i].id, id))
			return &s->stash[i];
	}
	return NULL;
}

/* Keeps presence of a node whose admit entry is still being fetched. Returns false if full. */
static bool stash_put(struct session *s, const struct node_id *id, bool online,
		      const struct wire_candidates *c)
{
	struct stashed *at = stash_find(s, id);

	if (!at) {
		if (s->n_stash == SESSION_STASH_MAX)
			return false;
		at = &s->stash[s->n_stash++];
	}
	*at = (struct stashed){ .id = *id, .online = online, .candidates = *c };
	return true;
}

/* Gives up the relay channels of members that left. */
static void follow_roster(struct session *s)
{
	struct roster_change c;

	while (roster_next_change(mlog_roster(s->log), &s->roster, &c))
		if (c.kind == ROSTER_LEFT)
			relays_member_left(s, &c.member->id);
}

void session_events_log_grew(struct session *s)
{
	follow_roster(s);
	for (size_t i = 0; i < s->n_stash;) {
		struct stashed known = s->stash[i];
		const struct member *m = roster_by_id(mlog_roster(s->log), &known.id,
						      ROSTER_CURRENT);

		if (!m) {
			i++;
			continue;
		}
		s->stash[i] = s->stash[--s->n_stash];
		s->ops->presence(s->ctx, m, known.online, &known.candidates);
	}
}

/* Returns false if the connection was given up. */
static bool one_presence(struct session *s, const struct wire_presence *p)
{
	struct wire_candidates c = { .n = 0 };
	struct node_id id;
	const struct member *m;
	struct err err = { 0 };

	memcpy(id.bytes, p->node_id, NODE_ID_LEN);
	if (node_id_equal(&id, &s->cluster.node_id))
		return true;
	candidates_filter(&p->candidates, NULL, mlog_genesis(s->log)->subnet, &c);
	m = roster_by_id(mlog_roster(s->log), &id, ROSTER_CURRENT);
	if (m) {
		s->ops->presence(s->ctx, m, p->online, &c);
		return true;
	}
	if (s->forked) /* a member of the server's branch only */
		return true;
	if (roster_by_id(mlog_roster(s->log), &id, ROSTER_ALL))
		return true; /* it left: the server's word does not bring it back */
	if (stash_put(s, &id, p->online, &c)) {
		s->fetch_wanted = true;
		return true;
	}
	/* From the beginning, when the log is complete. */
	memset(s->epoch, 0, EPOCH_LEN);
	s->cursor = 0;
	s->n_stash = 0;
	err_set(&err, -ENOSPC,
		"the signal server %s told of more than %d nodes that are not in "
		"the log",
		s->cluster.signal_host, SESSION_STASH_MAX);
	session_lost(s, &err);
	return false;
}

void session_events_presence(struct session *s, const struct signal_event *ev)
{
	if (ev->reset) {
		s->n_stash = 0;
		s->ops->presence(s->ctx, NULL, false, NULL);
	}
	for (size_t i = 0; i < ev->n_presence; i++) {
		if (!one_presence(s, &ev->presence[i]))
			return;
	}
	s->cursor = ev->cursor;
}

/* --- the rest --------------------------------------------------------------------------------- */

void session_events_observed(struct session *s, const struct addr *a)
{
	if (s->spare || addr_equal(&s->observed, a))
		return;
	s->observed = *a;
	s->ops->observed(s->ctx, a, rpc_server(s->rpc));
	session_echo(s);
}

void session_events_shutdown(struct session *s, uint32_t retry_after_s)
{
	struct err err = { 0 };

	refuse(&err, 0, REFUSAL_UNREACHABLE, "the signal server %s is shutting down",
	       s->cluster.signal_host);
	session_lost_for(s, &err, MIN(retry_after_s, SESSION_RETRY_AFTER_MAX_S) * NS_PER_S);
}

/* A server that is too old for beacons refuses them; nothing follows from that. */
static void on_beacon_shown(void *ctx, const struct signal_reply *reply)
{
	(void)ctx;
	(void)reply;
}

int session_beacon(struct session *s, struct span beacon)
{
	struct signal_request m = { .type = SIGNAL_BEACON, .beacon = beacon };

	if (s->phase != PHASE_UP)
		return -ENOTCONN;
	return rpc_request(s->rpc, &m, on_beacon_shown, s);
}

/* --- our candidates --------------------------------------------------------------------------- */

static void on_published(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;

	s->candidates_busy = false;
	if (reply->refusal == REFUSAL_RATE)
		s->candidates_dirty = true; /* with the next tick but one */
	else if (reply->refusal != REFUSAL_NONE)
		session_refused(s, reply);
}

void session_events_publish(struct session *s)
{
	struct signal_request m = { .type = SIGNAL_CANDIDATES, .candidates = s->candidates };
	uint64_t now = clock_now(s->host);

	if (!s->candidates_dirty || s->candidates_busy || s->phase != PHASE_UP ||
	    now - s->candidates_sent < CANDIDATES_INTERVAL)
		return;
	s->candidates_dirty = false;
	s->candidates_sent = now;
	s->candidates_busy = true;
	session_request(s, &m, on_published);
}

void session_set_candidates(struct session *s, const struct wire_candidates *c)
{
	if (wire_candidates_equal(&s->candidates, c))
		return;
	s->candidates = *c;
	s->candidates_dirty = true; /* or they go with the request for the session */
	session_events_publish(s);
}
