/* SPDX-License-Identifier: MIT */
/* The control stream (docs/protocol/04-peer.md): hello, membership log, observed addresses. */
#include "overlay/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/names.h"

#define PUSH_PAGES_MAX 4 /* of the log, before the other side has acknowledged them */
#define REOPEN_GAP (60 * NS_PER_S)

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
static bool send_lossy(struct link *l, const struct peer_message *m)
{
	bool sent = send_message(l, m) >= 0;

	if (!sent)
		log_debug(host_log(l->peer->o->h), "%s reads its control stream too slowly",
			  l->peer->member->name);
	return sent;
}

/*
 * Messages that begin with a server's or another member's word are not passed on as often as that
 * comes: the other side ends a tunnel that says too much. Returns false if the message is left out.
 */
static bool send_seldom(struct link *l, const struct peer_message *m)
{
	return bucket_take(&l->says, 1, clock_now(l->peer->o->h)) && send_lossy(l, m);
}

static int binding_of(struct link *l, uint8_t out[32])
{
	struct span context = span_of(mlog_cluster_id(l->peer->o->log), HASH_LEN);

	return quic_conn_export(l->conn, PEER_EXPORTER, context, out, 32);
}

void control_start(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;

	*m = (struct peer_message){ .type = PEER_HELLO,
				    .head = mlog_wire_head(o->log),
				    .features = PEER_FEATURES };
	memcpy(m->cluster_id, mlog_cluster_id(o->log), sizeof(m->cluster_id));
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

	*m = (struct peer_message){ .type = PEER_LOG_REQUEST,
				    .generation = mlog_generation(l->peer->o->log),
				    .first = from };
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

/* A recovery dropped records that they may have: they need it, and what follows it. */
static void push_recovery(struct link *l)
{
	const struct mlog *log = l->peer->o->log;

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
	return l->log_stopped || l->their_next >= mlog_count(l->peer->o->log);
}

/* Goes on when the stream is writable, or the next time that the tunnel is looked after. */
static void push_removals(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;
	uint64_t now = clock_now(o->h), serial = l->shown_removal;

	if (!o->ops->removal_next)
		return;
	*m = (struct peer_message){ .type = PEER_REMOVAL };
	while (bucket_has(&l->says, 1, now)) {
		m->removal = o->ops->removal_next(o->ctx, &serial);
		if (m->removal.len == 0 || send_message(l, m) < 0)
			return;
		(void)bucket_take(&l->says, 1, now);
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
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;
	uint64_t now = clock_now(o->h), serial = l->shown_beacon;

	if (!l->hello_got || !o->ops->beacon_next)
		return;
	*m = (struct peer_message){ .type = PEER_BEACON };
	while (bucket_has(&l->says, 1, now)) {
		m->beacon = o->ops->beacon_next(o->ctx, &serial);
		if (m->beacon.len == 0 || send_message(l, m) < 0)
			return;
		(void)bucket_take(&l->says, 1, now);
		l->shown_beacon = serial;
	}
}

void control_ask_log(struct link *l)
{
	if (l->hello_got && !l->asked && !l->log_stopped)
		ask(l, mlog_count(l->peer->o->log));
}

void control_push(struct link *l)
{
	size_t count = mlog_count(l->peer->o->log);

	push_recovery(l);
	for (int i = 0; i < PUSH_PAGES_MAX && !l->log_stopped && l->their_next < count; i++) {
		if (send_page(l, l->their_next) < 0)
			return; /* goes on when the stream is writable */
		if (l->peer->o->message.entries.n == 0) {
			push_removals(l); /* no receipt vouches for those records */
			return;
		}
		l->their_next += l->peer->o->message.entries.n;
	}
	control_removals(l);
}

/* Everything before `next`, which we have as well. */
static void they_have(struct link *l, uint64_t next)
{
	if (l->their_next == UINT64_MAX || l->their_next < next)
		l->their_next = next;
}

static void on_log_request(struct link *l, const struct peer_message *m)
{
	const struct mlog *log = l->peer->o->log;
	uint64_t from = MIN(m->first, mlog_generation_start(log, m->generation));

	if (send_page(l, from) < 0) {
		link_malformed(l, "asks for more of the log than it reads");
		return;
	}
	they_have(l, from + l->peer->o->message.entries.n);
}

/* Nothing is taken from its log any more; the tunnel stays. */
static void stop_log(struct link *l, const char *why)
{
	struct peer *p = l->peer;

	l->log_stopped = true;
	log_limited(host_log(p->o->h), &p->log_limit, clock_now(p->o->h), LOG_LEVEL_WARN,
		    "records of %s are not taken: %s", p->member->name, why);
}

/* Their record `seq` does not follow ours: where do the two logs part? */
static void search(struct link *l, uint64_t seq)
{
	if (!log_search_parted(&l->search, seq))
		stop_log(l, "they do not follow each other");
	else if (!l->asked)
		ask(l, log_search_next(&l->search));
}

/* What was shown proves that two logs exist, whoever shows it. */
static void on_proof(struct link *l, const struct mlog_take *take, const struct wire_entries *e)
{
	struct overlay *o = l->peer->o;
	struct log_proof proof = mlog_proof(o->log, take, e->item, e->n);

	l->log_stopped = true;
	o->ops->fork(o->ctx, &proof, l->peer->member);
}

/* Judges records that came from `first` on. Returns false if no more of them is to be looked at. */
static bool on_taken(struct link *l, const struct mlog_take *take, const struct wire_entries *e)
{
	switch (take->result) {
	case TAKEN:
		return true;
	case TAKEN_OLD:
		control_push(l);
		return false;
	case TAKEN_GAP:
		if (!l->asked)
			ask(l, take->ask_from);
		return false;
	case TAKEN_PARTED:
		search(l, take->seq);
		return false;
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
		on_proof(l, take, e);
		return false;
	case TAKEN_UPGRADE:
		stop_log(l, "this version of mlsh does not know one of them: upgrade it");
		return false;
	case TAKEN_NO_MEMORY:
		stop_log(l, take->why.text);
		return false;
	case TAKEN_UNPROVEN:
	case TAKEN_INVALID:
		break;
	}
	link_malformed(l, "its log is not valid");
	return false;
}

/* The last of the records is in our log, and so is all before it. */
static void note_theirs(struct link *l, const struct wire_entries *e)
{
	struct record last;

	if (record_decode(e->item[e->n - 1], &last, NULL) < 0)
		return;
	l->their_generation = MAX(l->their_generation, last.order.generation);
	they_have(l, last.order.seq + 1);
}

/* All that they showed is ours. What else is there? */
static void ask_on(struct link *l)
{
	if (!l->search.on)
		ask(l, l->their_next);
	else if (log_search_same(&l->search, l->their_next - 1))
		ask(l, log_search_next(&l->search));
	else
		stop_log(l, "they do not follow each other");
}

/* A removal that is refused costs a signature: a peer may show few of them. */
static bool may_show_removal(struct peer *p)
{
	return p->o->ops->removal && bucket_has(&p->removals, 1, clock_now(p->o->h));
}

static enum removal_shown removal_shown(struct peer *p, struct span entry)
{
	struct overlay *o = p->o;
	enum removal_shown shown = o->ops->removal(o->ctx, p->member, entry);

	if (shown != REMOVAL_TAKEN)
		(void)bucket_take(&p->removals, 1, clock_now(o->h));
	return shown;
}

/* Those among the records from `seq` on: at most as many as a node holds. */
static size_t removals_from(const struct wire_entries *e, uint64_t seq, struct span *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n && n < DENIALS_MAX; i++)
		n += removal_of_record(e->item[i], seq, &ret[n]);
	return n;
}

/*
 * Some of what they showed is dated too far ahead. The owner asks for it again, later. Removals
 * among it count at once, as those do that nobody has ordered. The link may be gone afterwards.
 */
static void on_held(struct link *l, const struct mlog_held *held, const struct wire_entries *e)
{
	struct overlay *o = l->peer->o;
	struct span removal[DENIALS_MAX]; /* what is sent meanwhile overwrites `e` */
	size_t n = removals_from(e, held->seq, removal);

	l->search.on = false;
	if (o->ops->held)
		o->ops->held(o->ctx, held, l->peer->member);
	for (size_t i = 0; i < n && l->conn && may_show_removal(l->peer); i++)
		(void)removal_shown(l->peer, removal[i]);
}

static bool has_later_recovery(const struct link *l, const struct wire_entries *e)
{
	struct record last;

	return e->n > 0 && record_decode(e->item[e->n - 1], &last, NULL) == 0 &&
	       last.order.generation > mlog_generation(l->peer->o->log);
}

/*
 * A recovery that we lack ends what the two logs differed in, also where that was a proof. But any
 * record can claim to stand behind one: a member that shows the same lie with such a record behind
 * it has it judged again. So a claim is looked at once in a while.
 */
static void reopen_log(struct link *l, const struct wire_entries *e)
{
	uint64_t now = clock_now(l->peer->o->h);

	if (!l->log_stopped || now < l->reopen_at || !has_later_recovery(l, e))
		return;
	l->reopen_at = now + REOPEN_GAP;
	l->log_stopped = l->search.on = false;
}

/* Returns false if they have brought nothing that our log lacked. The link may be gone then. */
static bool on_log(struct link *l, const struct wire_entries *e, bool solicited)
{
	struct overlay *o = l->peer->o;
	struct mlog_take take;
	bool grew;

	l->asked &= !solicited;
	reopen_log(l, e);
	if (l->log_stopped || e->n == 0)
		return false;
	mlog_take_until(o->log, e->item, e->n,
			o->ops->latest_s ? o->ops->latest_s(o->ctx) : UINT64_MAX, &take);
	mlog_commit(o->log);
	grew = take.added > 0 || take.reorganised;
	l->search.on &= !take.reorganised;
	if (on_taken(l, &take, e) && take.held.seq == 0) {
		note_theirs(l, e);
		if ((solicited || grew) && !l->asked)
			ask_on(l);
	}
	if (take.held.seq > 0)
		on_held(l, &take.held, e);
	if (grew)
		overlay_log_learnt(o);
	return grew;
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
	uint64_t generation = mlog_generation(o->log);
	bool known = mlog_has_head(o->log, &theirs);
	bool ahead = m->head.generation != generation ? m->head.generation > generation
						      : theirs.seq > mlog_head(o->log).seq;
	uint64_t seq = theirs.seq;

	/* What they lack is known only when their log is part of ours. */
	l->their_next = known ? seq + 1 : UINT64_MAX;
	l->their_generation = m->head.generation;
	if (l->log_only)
		control_push(l);
	else
		peer_link_up(l);
	if (l->conn && ahead)
		ask(l, mlog_count(o->log));
	else if (l->conn && !known && l->their_generation == generation)
		search(l, seq + 1);
}

static void on_candidates(struct link *l, const struct wire_candidates *c)
{
	struct peer *p = l->peer;

	l->candidates_heard++;
	p->from_peer = (struct wire_candidates){ 0 };
	candidates_filter(c, &p->o->own, mlog_genesis(p->o->log)->subnet, &p->from_peer);
	if (p->from_peer.n > 0)
		p->stored.n = 0;
	prober_candidates(p);
}

/* The link may be gone afterwards: what the removal says may be about this very peer. */
static void on_removal(struct link *l, struct span entry)
{
	struct overlay *o = l->peer->o;

	if (!may_show_removal(l->peer) || removal_shown(l->peer, entry) != REMOVAL_LACKING)
		return;
	if (l->conn && !l->asked && !l->log_stopped)
		ask(l, mlog_count(o->log));
}

/* Returns false if there were too many: the link is closed. */
static bool count_message(struct link *l)
{
	if (bucket_take(&l->messages, 1, clock_now(l->peer->o->h)))
		return true;
	link_malformed(l, "too many messages");
	return false;
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
		(void)count_message(l);
		return;
	}
	log_trace(host_log(o->h), "%s: <- %s, %zu bytes", l->peer->member->name,
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
		if (!on_log(l, &m->entries, solicited) && solicited && l->conn)
			(void)count_message(l); /* each may make us ask for the next one */
		break;
	case PEER_LOG_REQUEST:
		on_log_request(l, m);
		break;
	case PEER_OBSERVED:
		overlay_observed_by(l->peer, &m->observed);
		break;
	case PEER_CANDIDATES:
		on_candidates(l, &m->candidates);
		break;
	case PEER_PUNCH:
		prober_punched(l->peer, m->hops);
		break;
	case PEER_OPENED:
		prober_opened(l->peer, m->heard);
		break;
	case PEER_NAT:
		l->peer->nat = m->nat;
		break;
	case PEER_PORTS:
		predict_told(l->peer, &m->observed);
		break;
	case PEER_REMOVAL:
		on_removal(l, m->removal);
		break;
	case PEER_BEACON:
		if (o->ops->beacon)
			o->ops->beacon(o->ctx, l->peer->member, m->beacon);
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
	l->candidates_sent += send_lossy(l, m);
}

void control_observed(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;
	struct addr seen;

	if (path_remote(l->peer->o, l->conn, &seen))
		*m = (struct peer_message){ .type = PEER_OBSERVED, .observed = seen };
	else
		*m = (struct peer_message){ .type = PEER_PUNCH, .hops = PUNCH_HOPS_MIN };
	(void)send_seldom(l, m);
}

void control_punch(struct link *l, uint8_t hops)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_PUNCH, .hops = hops };
	(void)send_seldom(l, m);
}

bool control_opened(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_OPENED, .heard = l->candidates_heard };
	return send_seldom(l, m);
}

void control_nat(struct link *l)
{
	struct peer_message *m = &l->peer->o->message;

	*m = (struct peer_message){ .type = PEER_NAT, .nat = nat_told(l->peer->o) };
	(void)send_seldom(l, m);
}

void control_ports(struct link *l)
{
	struct overlay *o = l->peer->o;
	struct peer_message *m = &o->message;

	*m = (struct peer_message){ .type = PEER_PORTS, .observed = o->nat.last_port };
	(void)send_seldom(l, m);
}

void control_up(struct link *l)
{
	struct addr seen;

	if (path_remote(l->peer->o, l->conn, &seen))
		control_observed(l);
	control_candidates(l);
	control_nat(l);
	control_push(l);
	control_beacons(l);
}
