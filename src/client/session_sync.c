/* SPDX-License-Identifier: MIT */
/*
 * Keeps our log and the server's of the same length, one request at a time: fetch, push, append.
 * When the two cannot be joined, the logs are compared from the beginning, and the first pair of
 * valid entries in the same place is reported: the proof of a fork.
 */
#include <stdlib.h>

#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

#define HEARTBEAT (60 * NS_PER_S) /* is the server's log still ours, and does it live? */
#define APPEND_TRIES_MAX 8

void sync_reset(struct session *s)
{
	s->busy = s->fetch_wanted = s->push_refused = false;
	s->has_server_head = s->forked = s->scanning = false;
	s->next_heartbeat = clock_now(s->host) + HEARTBEAT;
}

void sync_head(struct session *s, const struct wire_head *head)
{
	s->has_server_head = true;
	s->server_head = *head;
}

static const struct wire_head *server_head(const struct session *s)
{
	return s->has_server_head ? &s->server_head : NULL;
}

/* --- forks ------------------------------------------------------------------------------------ */

static void report_fork(struct session *s, uint64_t seq, struct span theirs)
{
	struct err err = { 0 };
	uint8_t hash[HASH_LEN];

	s->forked = true;
	refuse_set(&err, REFUSAL_FORK,
		   "the signal server %s shows another valid entry %llu of %s "
		   "than this node holds: it is lying, or was restored from an old copy and "
		   "written to. This node keeps its own log.",
		   s->cluster.signal_host, (unsigned long long)seq, s->cluster.cluster);
	session_set_err(s, &err);
	sha256(theirs, hash);
	if (memcmp(hash, s->reported, HASH_LEN) == 0)
		return;
	memcpy(s->reported, hash, HASH_LEN);
	s->ops->fork(s->ctx, seq, mlog_entry(s->log, seq), theirs);
}

static void scan_begin(struct session *s)
{
	s->scanning = true;
	s->scan_at = 0;
	s->fetch_wanted = true;
}

/* The server's log cannot be joined with ours, though no valid entry of it contradicts ours. */
static void bad_log(struct session *s, const char *why)
{
	struct err err = { 0 };

	refuse_set(&err, REFUSAL_BAD_ENTRY,
		   "the signal server %s shows a log of %s that is not valid: %s. Nothing of it "
		   "was taken.",
		   s->cluster.signal_host, s->cluster.cluster, why);
	session_lost_for(s, &err, SESSION_SLOW_RETRY);
}

/* Compares a page of the server's log with ours. False: the connection was given up. */
static bool scan_page(struct session *s, const struct wire_entries *entries)
{
	for (size_t i = 0; i < entries->n; i++, s->scan_at++) {
		struct span ours = mlog_entry(s->log, s->scan_at), theirs = entries->item[i];
		uint64_t seq;

		if (span_equal(ours, theirs))
			continue;
		if (ours.len == 0 || !mlog_is_fork(s->log, theirs, &seq)) {
			bad_log(s, "an entry is out of place or wrongly signed");
			return false;
		}
		report_fork(s, seq, theirs);
		s->scanning = s->fetch_wanted = false;
		return true;
	}
	if (entries->n == 0) {
		/* All that it shows is ours: it claimed a head that it cannot show. */
		bad_log(s, "its head is not in it");
		return false;
	}
	return true;
}

/* --- taking entries --------------------------------------------------------------------------- */

static void log_grew(struct session *s)
{
	s->ops->log_grew(s->ctx);
	events_log_grew(s);
}

/* The server's entry does not fit at the end of our log. False: the connection was given up. */
static bool entry_misfits(struct session *s, int code, const struct err *why)
{
	struct err err = { 0 };

	if (code == -EPROTONOSUPPORT) {
		/* Nobody has signed this, as far as we can tell: no reason to stop for good. */
		refuse_set(&err, REFUSAL_VERSION,
			   "the signal server %s shows an entry of the log "
			   "of %s that this version of mlsh does not know: mlsh on this machine "
			   "may need an upgrade.",
			   s->cluster.signal_host, s->cluster.cluster);
		session_lost_for(s, &err, SESSION_SLOW_RETRY);
		return false;
	}
	if (code == -ENOMEM) {
		session_lost_for(s, why, SESSION_SLOW_RETRY);
		return false;
	}
	if (s->forked)
		s->fetch_wanted = false; /* of the server's branch, of course */
	else if (!s->scanning)
		scan_begin(s);
	return true;
}

/*
 * The server shows another entry in a place of ours. A fork is reported once a connection; what is
 * none ends it, since each judgement replays the log. False: as above.
 */
static bool entry_differs(struct session *s, struct span theirs)
{
	uint64_t seq;

	if (s->forked || s->scanning) /* known, or being found out from the beginning */
		return true;
	if (!mlog_is_fork(s->log, theirs, &seq)) {
		bad_log(s, "an entry is out of place or wrongly signed");
		return false;
	}
	report_fork(s, seq, theirs);
	return true;
}

/* Entries of the server's log, the first of them in the place `first`. False: as above. */
static bool take_entries(struct session *s, uint64_t first, const struct wire_entries *entries)
{
	size_t before = mlog_count(s->log);
	bool alive = true;

	for (size_t i = 0; i < entries->n && alive; i++) {
		uint64_t seq = first + i;
		struct span theirs = entries->item[i];
		struct err err = { 0 };
		int r;

		if (seq < mlog_count(s->log)) {
			if (!span_equal(mlog_entry(s->log, seq), theirs))
				alive = entry_differs(s, theirs);
			continue;
		}
		r = mlog_append(s->log, theirs, &err);
		if (r < 0) {
			alive = entry_misfits(s, r, &err);
			break;
		}
	}
	if (mlog_count(s->log) > before)
		log_grew(s);
	return alive;
}

/* --- fetching --------------------------------------------------------------------------------- */

/* An empty page: we have all that the server has. */
static void fetch_complete(struct session *s)
{
	uint64_t from;

	s->fetch_wanted = false;
	switch (session_plan(s->log, server_head(s), &from)) {
	case SESSION_FORKED:
		if (!s->forked)
			scan_begin(s);
		break;
	case SESSION_FETCH:
		bad_log(s, "it does not show the entries that it claims to have");
		break;
	case SESSION_LOGS_EQUAL:
	case SESSION_PUSH:
		break;
	}
}

static void on_log(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	bool alive = true;

	s->busy = false;
	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	sync_head(s, &reply->head);
	if (s->scanning != s->fetch_scans)
		s->fetch_wanted = true; /* asked before the scan began, or ended */
	else if (s->scanning)
		alive = scan_page(s, &reply->entries);
	else if (reply->entries.n > 0) /* events may have brought some of them meanwhile */
		alive = take_entries(s, s->fetch_from, &reply->entries);
	else
		fetch_complete(s);
	if (alive && s->rpc)
		sync_pump(s);
}

static void send_fetch(struct session *s)
{
	struct signal_request m = {
		.type = SIGNAL_LOG,
		.from = s->scanning ? s->scan_at : mlog_count(s->log),
	};

	s->fetch_from = m.from;
	s->fetch_scans = s->scanning;
	s->next_heartbeat = clock_now(s->host) + HEARTBEAT - random_below(s->host, HEARTBEAT / 4);
	s->busy = session_request(s, &m, on_log);
}

/* --- pushing ---------------------------------------------------------------------------------- */

static void push_ended(struct session *s)
{
	if (s->phase == PHASE_PUSH)
		session_in_session(s);
	else
		sync_pump(s);
}

static void on_push(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	uint64_t before = s->has_server_head ? s->server_head.seq + 1 : 0;

	s->busy = false;
	if (reply->refusal == REFUSAL_RATE || reply->refusal == REFUSAL_BAD_TOKEN) {
		session_refused(s, reply);
		return;
	}
	if (reply->refusal != REFUSAL_NONE) {
		/* It may know us all the same; and what stands against the push is in its log. */
		s->push_refused = true;
		s->fetch_wanted = s->phase != PHASE_PUSH;
		push_ended(s);
		return;
	}
	sync_head(s, &reply->head);
	if (s->server_head.seq + 1 <= before)
		s->push_refused = true; /* no progress: not again and again */
	else
		log_info(host_log(s->host),
			 "%s: the signal server lacked entries %llu to %llu of "
			 "the log; it has them now",
			 s->cluster.cluster, (unsigned long long)before,
			 (unsigned long long)s->server_head.seq);
	if (s->phase == PHASE_PUSH)
		sync_greeted(s);
	else
		sync_pump(s);
}

static bool send_push(struct session *s, uint64_t from)
{
	struct signal_request m = { .type = SIGNAL_PUSH };

	memcpy(m.node_token, s->cluster.node_token, HASH_LEN);
	mlog_page(s->log, from, &m.entries);
	s->busy = session_request(s, &m, on_push);
	secret_wipe(m.node_token, HASH_LEN);
	return s->busy;
}

void sync_greeted(struct session *s)
{
	uint64_t from;

	if (!s->push_refused && session_plan(s->log, server_head(s), &from) == SESSION_PUSH)
		send_push(s, from);
	else
		session_in_session(s);
}

/* --- entries of our own ----------------------------------------------------------------------- */

static void append_done(struct session *s, struct append *a, const struct err *err)
{
	session_done_fn done = a->done;
	void *ctx = a->ctx;

	list_remove(&a->link);
	s->n_appends--;
	free(a);
	done(ctx, err);
}

static struct append *first_append(struct session *s)
{
	return list_entry(s->appends.next, struct append, link);
}

static void append_accepted(struct session *s, struct append *a)
{
	struct err err = { 0 };
	int r = mlog_append(s->log, span_of(a->entry.data, a->entry.len), &err);

	if (r == 0)
		log_grew(s);
	else if (r != -EEXIST)
		s->fetch_wanted = true; /* others came before it: it is among what we lack */
	if (r == 0 || r == -EEXIST)
		append_done(s, a, NULL);
}

static void append_refused(struct session *s, struct append *a, const struct signal_reply *reply)
{
	struct err err = { 0 };

	rpc_refusal(s->rpc, reply, &err);
	if (reply->refusal != REFUSAL_STALE || ++a->tries >= APPEND_TRIES_MAX)
		append_done(s, a, &err);
	else
		s->fetch_wanted = true;
}

static void on_append(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	struct append *a = first_append(s); /* none is added in front, and only we remove them */

	s->busy = false;
	if (reply->refusal == REFUSAL_NONE)
		append_accepted(s, a);
	else
		append_refused(s, a, reply);
	if (s->rpc)
		sync_pump(s);
}

/* Makes the entry on our head and sends it. False: there was nothing to send. */
static bool send_append(struct session *s, struct append *a)
{
	struct signal_request m = { .type = SIGNAL_APPEND };
	struct head head = mlog_head(s->log);
	struct err err = { 0 };
	int r;

	/* Sent before, and the reply got lost? */
	if (a->entry.len > 0 &&
	    mlog_check(s->log, span_of(a->entry.data, a->entry.len), NULL) == -EEXIST) {
		append_done(s, a, NULL);
		return false;
	}
	r = a->make(a->ctx, &head, mlog_last_time_s(s->log), &a->entry, &err);
	if (r == 0)
		r = mlog_check(s->log, span_of(a->entry.data, a->entry.len), &err);
	if (r < 0) {
		append_done(s, a, &err);
		return false;
	}
	m.entry = span_of(a->entry.data, a->entry.len);
	s->busy = session_request(s, &m, on_append);
	return true;
}

int session_append(struct session *s, session_make_fn make, session_done_fn done, void *ctx,
		   struct err *err)
{
	struct append *a;

	if (s->phase == PHASE_STOPPED)
		return err_set(err, -ENOTCONN, "the signal session has stopped");
	if (s->n_appends >= SESSION_APPENDS_MAX)
		return err_set(err, -EBUSY, "%d entries are waiting for the signal server already",
			       SESSION_APPENDS_MAX);
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(err, -ENOMEM, "out of memory");
	a->make = make;
	a->done = done;
	a->ctx = ctx;
	list_append(&s->appends, &a->link);
	s->n_appends++;
	/* Not from within this call: `done` is never called before it returns. */
	if (s->phase == PHASE_UP)
		timer_set_in(s->tick, 0);
	return 0;
}

void sync_stopped(struct session *s, const struct err *err)
{
	struct err copy = *err;

	while (!list_empty(&s->appends))
		append_done(s, first_append(s), &copy);
}

void sync_free(struct session *s)
{
	while (!list_empty(&s->appends)) {
		struct append *a = first_append(s);

		list_remove(&a->link);
		free(a);
	}
}

/* --- what next -------------------------------------------------------------------------------- */

void sync_pump(struct session *s)
{
	uint64_t from;

	if (!s->rpc || s->busy || s->phase < PHASE_FETCH || s->phase == PHASE_STOPPED)
		return;
	if (s->fetch_wanted) {
		send_fetch(s);
		return;
	}
	if (s->phase == PHASE_FETCH) {
		session_fetched(s);
		return;
	}
	if (s->phase != PHASE_UP || s->forked)
		return;
	if (!s->push_refused && session_plan(s->log, server_head(s), &from) == SESSION_PUSH) {
		send_push(s, from);
		return;
	}
	while (!list_empty(&s->appends) && !s->busy && s->rpc) {
		if (send_append(s, first_append(s)))
			return;
	}
}

void session_log_grew(struct session *s)
{
	events_log_grew(s);
	sync_pump(s);
}

void sync_event(struct session *s, const struct signal_event *ev)
{
	size_t n = ev->entries.n;

	if (n == 0)
		return;
	if (ev->first > mlog_count(s->log)) {
		s->fetch_wanted = true; /* a gap */
		sync_pump(s);
		return;
	}
	if (!take_entries(s, ev->first, &ev->entries))
		return;
	if (!s->has_server_head || ev->first + n - 1 > s->server_head.seq) {
		s->has_server_head = true;
		s->server_head.seq = ev->first + n - 1;
		sha256(ev->entries.item[n - 1], s->server_head.hash);
	}
	sync_pump(s);
}
