/* SPDX-License-Identifier: MIT */
/* The control stream (docs/protocol/04-peer.md): hello, membership log, observed addresses. */
#include "overlay/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/names.h"

#define PUSH_PAGES_MAX 4 /* of the log, before the other side has acknowledged them */

static int send_message(struct link *l, const struct peer_message *m)
{
	struct overlay *o = l->peer->o;
	ptrdiff_t n = peer_message_encode(m, o->out, sizeof(o->out));

	if (n < 0)
		return (int)n;
	log_trace(host_log(o->h), "%s: -> %s, %td bytes", l->peer->member->name,
		  peer_message_name(m->type), n);
	return quic_stream_write(l->conn, l->control, o->out, (size_t)n, false);
}

/* For messages that may be left out. */
static void send_lossy(struct link *l, const struct peer_message *m)
{
	if (send_message(l, m) < 0)
		log_debug(host_log(l->peer->o->h), "%s reads its control stream too slowly",
			  l->peer->member->name);
}

/*
 * Those that begin with a server's or another member's word are
 * not passed on as often as that comes: the other side ends a tunnel that says too much.
 */
static void send_seldom(struct link *l, const struct peer_message *m)
{
	if (bucket_take(&l->says, 1, clock_now(l->peer->o->h)))
		send_lossy(l, m);
}

static int binding_of(struct link *l, uint8_t out[32])
{
	struct span context = span_of(mlog_cluster_id(l->peer->o->log), HASH_LEN);

	return quic_conn_export(l->conn, PEER_EXPORTER, context, out, 32);
}

void control_start(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct head head = mlog_head(o->log);
	struct peer_message *m = &o->message;

	*m = (struct peer_message){ .type = PEER_HELLO,
				    .head.seq = head.seq,
				    .features = PEER_FEATURES };
	memcpy(m->cluster_id, mlog_cluster_id(o->log), sizeof(m->cluster_id));
	memcpy(m->head.hash, head.hash, sizeof(m->head.hash));
	if (binding_of(l, m->binding) < 0 || send_message(l, m) < 0) {
		link_malformed(l, "hello could not be sent");
		return;
	}
	l->hello_sent = true;
}

/* --- membership log -------------------------------------------------------------------------- */

static void ask(struct link *l, uint64_t from)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_LOG_REQUEST, .first = from };
	l->asked = send_message(l, m) == 0;
	l->asked_from = from;
}

static int send_page(struct link *l, uint64_t from)
{
	struct peer_message *m = &l->peer->o->message;

	m->type = PEER_LOG;
	m->first = from;
	mlog_page(l->peer->o->log, from, &m->entries);
	return send_message(l, m);
}

void control_push(struct link *l)
{
	size_t count = mlog_count(l->peer->o->log);

	for (int i = 0; i < PUSH_PAGES_MAX && !l->log_stopped && l->their_next < count; i++) {
		if (send_page(l, l->their_next) < 0)
			return; /* goes on when the stream is writable */
		l->their_next += l->peer->o->message.entries.n;
	}
}

/* Everything before `next`. */
static void they_have(struct link *l, uint64_t next)
{
	if (l->their_next == UINT64_MAX || l->their_next < next)
		l->their_next = next;
}

static void on_log_request(struct link *l, uint64_t from)
{
	if (send_page(l, from) < 0) {
		link_malformed(l, "asks for more of the log than it reads");
		return;
	}
	they_have(l, from + l->peer->o->message.entries.n);
}

/*
 * An entry that does not fit: it stands where another is (perhaps a fork), or builds on one that we
 * have not (their log branched off earlier: looked for once from the beginning).
 */
static void on_bad_entry(struct link *l, struct span entry, const struct err *err)
{
	struct peer *p = l->peer;
	uint64_t seq;

	if (mlog_is_fork(p->o->log, entry, &seq)) {
		l->log_stopped = true;
		p->o->ops->fork(p->o->ctx, seq, mlog_entry(p->o->log, seq), entry, p->member);
		return;
	}
	if (err->code == -EPROTONOSUPPORT || err->code == -ENOSPC || err->code == -ENOMEM) {
		l->log_stopped = true;
		log_limited(host_log(p->o->h), &p->log_limit, clock_now(p->o->h), LOG_LEVEL_WARN,
			    "entry of %s not taken: %s", p->member->name, err->text);
		return;
	}
	if (!l->asked_all) {
		l->asked_all = true;
		ask(l, 0);
		return;
	}
	link_malformed(l, "its log is not valid");
}

/*
 * No server has put such an entry in order, or its clock is wrong. Time never runs backwards in a
 * log: one entry of the far future, taken from a peer, would be the last.
 */
static bool is_of_the_future(struct link *l, struct span bytes)
{
	struct overlay *o = l->peer->o;
	int64_t now_s = clock_wall_s(o->h);
	struct entry e;

	if (entry_decode(bytes, &e, NULL) < 0 || e.seq < mlog_count(o->log) ||
	    e.time_s <= (uint64_t)MAX(now_s, 0) + CLOCK_AHEAD_MAX_S)
		return false;
	log_limited(host_log(o->h), &l->peer->log_limit, clock_now(o->h), LOG_LEVEL_WARN,
		    "entry of %s not taken: it is dated %llu s ahead of this machine's clock",
		    l->peer->member->name,
		    (unsigned long long)(e.time_s - (uint64_t)MAX(now_s, 0)));
	return true;
}

static void on_log(struct link *l, const struct wire_entries *e, uint64_t first, bool solicited)
{
	struct overlay *o = l->peer->o;
	size_t before = mlog_count(o->log), n = e->n;
	struct span bad = { 0 };
	struct err err = { 0 };
	bool future = false;

	l->asked &= !solicited;
	if (l->log_stopped)
		return;
	for (size_t i = 0; i < n; i++) {
		int rc;

		future = is_of_the_future(l, e->item[i]);
		if (future) {
			l->ask_again = clock_now(o->h) + PEER_ASK_AGAIN;
			break;
		}
		rc = mlog_append(o->log, e->item[i], &err);
		if (rc == 0 || rc == -EEXIST)
			continue;
		err.code = rc;
		bad = e->item[i];
		break;
	}
	bool grew = mlog_count(o->log) > before;
	if (bad.len) {
		on_bad_entry(l, bad, &err);
	} else if (n > 0 && !future) {
		they_have(l, first + n);
		if ((solicited || grew) && !l->asked)
			ask(l, first + n); /* until there are no more */
	}
	if (grew)
		overlay_log_learnt(o);
}

void control_watch(struct link *l, uint64_t now)
{
	if (l->ask_again == 0 || now < l->ask_again || l->asked || l->log_stopped)
		return;
	l->ask_again = 0;
	ask(l, mlog_count(l->peer->o->log));
}

/* --- messages -------------------------------------------------------------------------------- */

static void on_hello(struct link *l, const struct peer_message *m)
{
	struct overlay *o = l->peer->o;
	struct head theirs = { .seq = m->head.seq };
	uint8_t binding[32];

	if (memcmp(m->cluster_id, mlog_cluster_id(o->log), HASH_LEN) != 0) {
		struct peer *p = l->peer;
		bool tunnel = !l->log_only;

		link_close(l, PEER_CLOSE_WRONG_CLUSTER, "another cluster");
		if (tunnel)
			peer_lost(p, "it belongs to another cluster", PEER_LOST_FAULT);
		return;
	}
	if (binding_of(l, binding) < 0 || !secret_equal(binding, m->binding, sizeof(binding))) {
		link_malformed(l, "its hello belongs to another connection");
		return;
	}
	l->hello_got = true;
	l->peer->greeted = true;
	l->peer->features = m->features;
	memcpy(theirs.hash, m->head.hash, sizeof(theirs.hash));
	bool known = mlog_has_head(o->log, &theirs);
	bool ahead = theirs.seq > mlog_head(o->log).seq;

	/* What they lack is known only when their log is part of ours. */
	l->their_next = known ? theirs.seq + 1 : UINT64_MAX;
	if (l->log_only)
		control_push(l);
	else
		peer_link_up(l);
	if (l->conn && ahead)
		ask(l, mlog_head(o->log).seq + 1);
	else if (l->conn && !known)
		ask(l, theirs.seq);
}

static void on_candidates(struct link *l, const struct wire_candidates *c)
{
	struct peer *p = l->peer;

	p->from_peer = (struct wire_candidates){ 0 };
	candidates_filter(c, &p->o->own, mlog_genesis(p->o->log)->subnet, &p->from_peer);
	if (p->from_peer.n > 0)
		p->stored.n = 0;
	prober_candidates(p);
}

static void on_message(struct link *l, struct span bytes)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;
	bool solicited;
	int rc;

	rc = peer_message_decode(bytes, m);
	if (rc < 0 && rc != -ENOSYS) {
		link_malformed(l, "a message that cannot be read");
		return;
	}
	if ((rc == 0 && m->type == PEER_HELLO) == l->hello_got) {
		link_malformed(l, l->hello_got ? "a second hello" : "no hello first");
		return;
	}
	if (rc == -ENOSYS) { /* of a later version: it counts, and means nothing here */
		if (!bucket_take(&l->messages, 1, clock_now(o->h)))
			link_malformed(l, "too many messages");
		return;
	}
	log_trace(host_log(o->h), "%s: <- %s, %zu bytes", l->peer->member->name,
		  peer_message_name(m->type), bytes.len);
	if (l->log_only && !log_link_takes(m->type))
		return;
	solicited = m->type == PEER_LOG && l->asked && m->first == l->asked_from;
	if (!solicited && !bucket_take(&l->messages, 1, clock_now(o->h))) {
		link_malformed(l, "too many messages");
		return;
	}
	switch (m->type) {
	case PEER_HELLO:
		on_hello(l, m);
		break;
	case PEER_LOG:
		on_log(l, &m->entries, m->first, solicited);
		break;
	case PEER_LOG_REQUEST:
		on_log_request(l, m->first);
		break;
	case PEER_OBSERVED:
		overlay_observed_by(l->peer, &m->observed);
		break;
	case PEER_CANDIDATES:
		on_candidates(l, &m->candidates);
		break;
	case PEER_PUNCH:
		prober_punched(l->peer);
		break;
	case PEER_NAT:
		l->peer->nat = m->nat;
		break;
	case PEER_PORTS:
		predict_told(l->peer, &m->observed);
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

void control_candidates(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;

	*m = (struct peer_message){ .type = PEER_CANDIDATES, .candidates = o->own };
	send_lossy(l, m);
}

void control_observed(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;
	struct addr seen;

	if (path_remote(l->peer->o, l->conn, &seen))
		*m = (struct peer_message){ .type = PEER_OBSERVED, .observed = seen };
	else
		*m = (struct peer_message){ .type = PEER_PUNCH };
	send_seldom(l, m);
}

void control_punch(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_PUNCH };
	send_seldom(l, m);
}

void control_nat(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_NAT, .nat = nat_told(l->peer->o) };
	send_seldom(l, m);
}

void control_ports(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;

	*m = (struct peer_message){ .type = PEER_PORTS, .observed = o->nat.last_port };
	send_seldom(l, m);
}

void control_up(struct link *l)
{
	struct addr seen;

	if (path_remote(l->peer->o, l->conn, &seen))
		control_observed(l);
	control_candidates(l);
	control_nat(l);
	control_push(l);
}
