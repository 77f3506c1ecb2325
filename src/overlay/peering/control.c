/* SPDX-License-Identifier: MIT */
/*
 * What comes by the control stream (docs/protocol/04-peer.md). What it brings of the log goes to
 * peer_log.c; control_send.c writes to the stream.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/link.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"
#include "overlay/peering/effects.h"

#include "proto/names.h"

/* Its hello says that we cannot talk. */
static void end_link(struct link *l, enum peer_close code, const char *why)
{
	struct peer *p = l->peer;
	bool tunnel = !l->log_only;

	link_close(l, code, why);
	if (tunnel)
		peer_lost(p, why, PEER_LOST_FAULT);
}

static void on_hello(struct link *l, const struct peer_message *m)
{
	struct peering *g = l->peer->g;
	struct head theirs = { .seq = m->head.seq };
	uint8_t binding[32];

	if (memcmp(m->cluster_id, mlog_cluster_id(g->log), HASH_LEN) != 0) {
		end_link(l, PEER_CLOSE_WRONG_CLUSTER, "it belongs to another cluster");
		return;
	}
	if (control_binding(l, binding) < 0 ||
	    !secret_equal(binding, m->binding, sizeof(binding))) {
		link_malformed(l, "its hello belongs to another connection");
		return;
	}
	l->hello_got = true;
	l->peer->greeted = true;
	l->peer->features = m->features;
	memcpy(theirs.hash, m->head.hash, sizeof(theirs.hash));
	uint64_t generation = mlog_generation(g->log);
	bool known = mlog_has_head(g->log, &theirs);
	bool ahead = m->head.generation != generation ? m->head.generation > generation
						      : theirs.seq > mlog_head(g->log).seq;
	uint64_t seq = theirs.seq;

	/* What they lack is known only when their log is part of ours. */
	l->their_next = known ? seq + 1 : UINT64_MAX;
	l->their_generation = m->head.generation;
	if (l->log_only)
		control_push(l);
	else
		peer_link_up(l);
	if (l->conn && ahead)
		peer_log_ask(l, mlog_count(g->log));
	else if (l->conn && !known && l->their_generation == generation)
		peer_log_search(l, seq + 1);
}

static void on_candidates(struct link *l, const struct wire_candidates *c)
{
	struct peer *p = l->peer;

	l->candidates_heard++;
	p->from_peer = (struct wire_candidates){ 0 };
	candidates_filter(c, &p->g->around.home, mlog_genesis(p->g->log)->subnet, &p->from_peer);
	if (p->from_peer.n > 0)
		p->stored.n = 0;
	peer_reach_candidates(p);
}

/* Returns false if there were too many: the link is closed. */
static bool count_message(struct link *l)
{
	if (bucket_take(&l->messages, 1, clock_now(l->peer->g->h)))
		return true;
	link_malformed(l, "too many messages");
	return false;
}

/* Is the message looked at on a connection for the log only? */
static bool log_link_takes(enum peer_message_type type)
{
	return type == PEER_HELLO || type == PEER_LOG || type == PEER_LOG_REQUEST ||
	       type == PEER_REMOVAL;
}

static void on_message(struct link *l, struct span bytes)
{
	struct peering *g = l->peer->g;
	struct peer_message *m = &g->message;
	bool solicited;
	int rc;

	rc = peer_message_decode(bytes, m);
	if (rc == -EPROTONOSUPPORT && !l->hello_got) {
		end_link(l, PEER_CLOSE_VERSION, PEER_OTHER_VERSION);
		return;
	}
	if (rc < 0 && rc != -ENOSYS) {
		link_malformed(l, "a message that cannot be read");
		return;
	}
	if ((rc == 0 && m->type == PEER_HELLO) == l->hello_got) {
		link_malformed(l, l->hello_got ? "a second hello" : "no hello first");
		return;
	}
	if (rc == -ENOSYS) { /* of a later version: it counts, and means nothing here */
		(void)count_message(l);
		return;
	}
	log_trace(host_log(g->h), "%s: <- %s, %zu bytes", l->peer->member->name,
		  peer_message_name(m->type), bytes.len);
	if (l->log_only && !log_link_takes(m->type))
		return;
	solicited = m->type == PEER_LOG && l->asked && m->first <= l->asked_from;
	if (!solicited && !count_message(l))
		return;
	switch (m->type) {
	case PEER_HELLO:
		on_hello(l, m);
		break;
	case PEER_LOG:
		if (!peer_log_shown(l, &m->entries, solicited) && solicited && l->conn)
			(void)count_message(l); /* each may make us ask for the next one */
		break;
	case PEER_LOG_REQUEST:
		peer_log_requested(l, m);
		break;
	case PEER_OBSERVED:
		effects_observed_by(l->peer, &m->observed);
		break;
	case PEER_CANDIDATES:
		on_candidates(l, &m->candidates);
		break;
	case PEER_PUNCH:
		peer_reach_punched(l->peer, m->hops);
		break;
	case PEER_OPENED:
		peer_reach_opened(l->peer, m->heard);
		break;
	case PEER_NAT:
		l->peer->nat = m->nat;
		break;
	case PEER_PORTS:
		peer_reach_told_port(l->peer, &m->observed);
		break;
	case PEER_REMOVAL:
		peer_log_removal(l, m->removal);
		break;
	case PEER_BEACON:
		if (g->ops->beacon)
			g->ops->beacon(g->ctx, l->peer->member, m->beacon);
		break;
	case PEER_BYE:
		break; /* CONNECTION_CLOSE follows */
	}
}

void control_readable(struct link *l)
{
	while (l->conn) {
		struct span message;
		size_t used;
		bool fin;
		struct span in = quic_stream_peek(l->conn, l->control, &fin);
		int rc = frame_next(in, PEER_MESSAGE_MAX, &message, &used);

		if (rc < 0 || (rc == 0 && fin)) {
			link_malformed(l, rc < 0 ? "a message that is too long"
						 : "the end of the control stream");
			return;
		}
		if (rc == 0)
			return;
		on_message(l, message);
		if (l->conn)
			quic_stream_consume(l->conn, l->control, used);
	}
}
