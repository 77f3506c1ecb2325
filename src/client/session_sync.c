/* SPDX-License-Identifier: MIT */
/*
 * Keeps our log and the server's the same, one request at a time: fetch, push. When the
 * server's does not follow ours, the first record in which the two differ is looked for, by halves:
 * the server's receipts for both are the proof that it lies.
 */
#include <stdlib.h>

#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

#define HEARTBEAT (60 * NS_PER_S) /* is the server's log still ours, and does it live? */

void sync_reset(struct session *s)
{
	s->busy = s->fetch_wanted = s->pushed_back = false;
	s->push_refused = s->push_held = false;
	s->has_server_head = s->forked = s->search.on = s->current = false;
	s->next_heartbeat = clock_now(s->host) + HEARTBEAT;
	list_for_each(it, &s->appends)
		list_entry(it, struct append, link)->asked = false;
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

/* --- what the server's records prove --------------------------------------------------------- */

static void report_fork(struct session *s, const struct mlog_take *take,
			const struct wire_entries *shown)
{
	struct log_proof proof = mlog_proof(s->log, take, shown->item, shown->n);
	struct err err = { 0 };
	struct record last;

	s->forked = true;
	s->search.on = s->fetch_wanted = false;
	refuse_set(&err, REFUSAL_FORK,
		   "the signal server %s shows a log of %s that contradicts this node's: %s. This "
		   "node keeps its own log.",
		   s->cluster.signal_host, s->cluster.cluster, take->why.text);
	session_set_err(s, &err);
	if (record_decode(shown->item[shown->n - 1], &last, NULL) == 0) {
		if (memcmp(last.hash, s->reported, HASH_LEN) == 0)
			return;
		memcpy(s->reported, last.hash, HASH_LEN);
	}
	s->ops->fork(s->ctx, &proof);
}

/* The server's log cannot be joined with ours, though nothing proves that it lies. */
static void bad_log(struct session *s, const char *why)
{
	struct err err = { 0 };

	refuse_set(&err, REFUSAL_BAD_ENTRY,
		   "the signal server %s shows a log of %s that is not valid: %s. Nothing of it "
		   "was taken.",
		   s->cluster.signal_host, s->cluster.cluster, why);
	session_lost_for(s, &err, SESSION_SLOW_RETRY);
}

/* A receipt shows that the server ordered it: this node has to be upgraded. */
static void log_too_new(struct session *s)
{
	struct err err = { 0 };

	refuse_set(&err, REFUSAL_VERSION,
		   "the log of %s has a record that this version of mlsh does not know: upgrade "
		   "mlsh on this machine. Until then it knows nothing newer.",
		   s->cluster.cluster);
	session_lost_for(s, &err, SESSION_SLOW_RETRY);
}

/* --- taking records --------------------------------------------------------------------------- */

/* Returns false if we are not a member any more; the session has stopped then. */
static bool still_member(struct session *s)
{
	if (phase_is_former(s->phase)) /* more may follow: that is decided at the end */
		return true;
	if (roster_by_id(mlog_roster(s->log), &s->cluster.node_id, ROSTER_CURRENT))
		return true;
	session_left(s);
	return false;
}

/* Returns false as above. */
static bool log_grew(struct session *s)
{
	s->ops->log_grew(s->ctx);
	events_log_grew(s);
	place_follow(s);
	return still_member(s);
}

/* The server's record `seq` does not follow ours. Returns false if the connection was given up. */
static bool parted(struct session *s, uint64_t seq)
{
	if (s->forked)
		return true;
	s->fetch_wanted = true;
	if (log_search_parted(&s->search, seq))
		return true;
	bad_log(s, "its records do not follow each other");
	return false;
}

/* Judges records that were not all taken. Returns false as above. */
static bool not_taken(struct session *s, const struct mlog_take *take,
		      const struct wire_entries *shown)
{
	switch (take->result) {
	case TAKEN:
	case TAKEN_OLD: /* of before a recovery: our records of it are pushed */
		return true;
	case TAKEN_GAP:
		s->fetch_wanted |= !s->forked;
		return true;
	case TAKEN_PARTED:
		return parted(s, take->seq);
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
		if (!s->forked)
			report_fork(s, take, shown);
		return true;
	case TAKEN_UPGRADE:
		log_too_new(s);
		return false;
	case TAKEN_NO_MEMORY:
		session_lost_for(s, &take->why, SESSION_SLOW_RETRY);
		return false;
	case TAKEN_UNPROVEN:
	case TAKEN_INVALID:
		break;
	}
	bad_log(s, take->why.text);
	return false;
}

/* Removals among records that are held back count at once, as those do that nobody has ordered. */
static void held_removals(struct session *s, const struct wire_entries *records)
{
	enum removal_shown shown;
	struct span removal;

	for (size_t i = 0; i < records->n; i++)
		if (removal_of_record(records->item[i], s->held.seq, &removal) &&
		    !session_removal(s, removal, &shown))
			return;
}

static void tell_held(struct session *s, const struct wire_entries *records)
{
	if (s->ops->held)
		s->ops->held(s->ctx, &s->held);
	held_removals(s, records);
}

bool sync_take(struct session *s, const struct wire_entries *records)
{
	struct mlog_take take;

	if (records->n == 0)
		return true;
	mlog_take_until(s->log, records->item, records->n, session_now_s(s) + CLOCK_AHEAD_MAX_S,
			&take);
	mlog_commit(s->log);
	s->held = take.held;
	if ((take.added > 0 || take.reorganised) && !log_grew(s))
		return false;
	if (take.held.seq > 0)
		tell_held(s, records);
	return not_taken(s, &take, records);
}

uint64_t session_now_s(const struct session *s)
{
	return log_clock_now_s(&s->clock, s->host, s->log);
}

bool session_is_current(const struct session *s)
{
	return s->current;
}

/* --- fetching --------------------------------------------------------------------------------- */

/* What is left is dated too far ahead: it is asked for again with the next heartbeat. */
static bool fetch_later(struct session *s)
{
	s->search.on = s->fetch_wanted = false;
	return true;
}

/* A page of the search is ours: the logs part behind it. Returns false as above. */
static bool search_on(struct session *s, const struct signal_reply *page)
{
	struct record last;

	if (page->entries.n > 0 &&
	    record_decode(page->entries.item[page->entries.n - 1], &last, NULL) == 0 &&
	    log_search_same(&s->search, last.order.seq))
		return true;
	/* All that it shows is ours: it claimed a head that it cannot show. */
	bad_log(s, "its head is not in it");
	return false;
}

static bool search_page(struct session *s, const struct signal_reply *page)
{
	struct log_search before = s->search;

	if (!sync_take(s, &page->entries))
		return false;
	if (s->held.seq > 0)
		return fetch_later(s);
	if (!s->search.on || s->forked || s->search.theirs != before.theirs)
		return true; /* it is over, or narrowed */
	return search_on(s, page);
}

/* A page that brings nothing is the server's fault: it would be asked for again and again. */
static bool next_page(struct session *s, const struct wire_entries *page)
{
	uint64_t generation = mlog_generation(s->log);

	if (!sync_take(s, page))
		return false;
	if (s->held.seq > 0)
		return fetch_later(s);
	s->fetch_wanted &= !s->forked; /* of the server's branch, of course */
	if (!s->fetch_wanted || s->search.on || mlog_count(s->log) != s->fetch_from ||
	    mlog_generation(s->log) != generation)
		return true;
	if (session_plan(s->log, server_head(s), &(uint64_t){ 0 }) == SESSION_PUSH) {
		s->fetch_wanted = false; /* it has what a recovery of ours dropped */
		return true;
	}
	bad_log(s, "it shows other records than those that were asked for");
	return false;
}

/* An empty page: we have all that the server has. */
static bool fetch_complete(struct session *s)
{
	uint64_t from;

	s->fetch_wanted = false;
	s->current |= s->phase == PHASE_UP;
	if (phase_is_former(s->phase))
		return true; /* it has more, and does not show it to a former member */
	switch (session_plan(s->log, server_head(s), &from)) {
	case SESSION_FORKED:
		return parted(s, s->server_head.seq + 1);
	case SESSION_FETCH:
		if (s->forked)
			return true;
		bad_log(s, "it does not show the records that it claims to have");
		return false;
	case SESSION_LOGS_EQUAL:
	case SESSION_PUSH:
		break;
	}
	return true;
}

static void on_log(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	bool alive;

	s->busy = false;
	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	sync_head(s, &reply->head);
	if (s->search.on && s->fetch_scans)
		alive = search_page(s, reply);
	else if (reply->entries.n > 0)
		alive = next_page(s, &reply->entries);
	else
		alive = fetch_complete(s);
	if (alive && session_is_linked(s))
		sync_pump(s);
}

static void send_fetch(struct session *s)
{
	struct signal_request m = {
		.type = SIGNAL_LOG,
		.generation = mlog_generation(s->log),
		.from = s->search.on ? log_search_next(&s->search) : mlog_count(s->log),
	};

	s->fetch_scans = s->search.on;
	s->fetch_from = m.from;
	s->next_heartbeat = clock_now(s->host) + HEARTBEAT - random_below(s->host, HEARTBEAT / 4);
	s->busy = session_request(s, &m, on_log);
}

/* --- pushing ---------------------------------------------------------------------------------- */

static bool may_push(const struct session *s)
{
	return !s->push_refused && !s->push_held;
}

static void push_ended(struct session *s)
{
	if (s->phase == PHASE_PUSHING)
		session_in_session(s);
	else
		sync_pump(s);
}

/* Does the server have more than before? */
static bool head_advanced(const struct wire_head *before, const struct wire_head *now)
{
	if (now->generation != before->generation)
		return now->generation > before->generation;
	return now->seq > before->seq;
}

static bool send_push(struct session *s, uint64_t from);

/*
 * A server that lacks our recovery is on another branch. It takes a recovery together with what
 * that builds on, if the message begins where the branches part or before.
 */
static bool push_back(struct session *s)
{
	uint64_t theirs = s->has_server_head ? s->server_head.generation : UINT64_MAX;

	if (s->pushed_back || theirs >= mlog_generation(s->log))
		return false;
	s->pushed_back = true;
	return send_push(s, session_push_back(s->log, theirs));
}

static void on_push(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	bool had = s->has_server_head;
	struct wire_head before = s->server_head;

	s->busy = false;
	if (reply->refusal == REFUSAL_RATE || reply->refusal == REFUSAL_BAD_TOKEN) {
		session_refused(s, reply);
		return;
	}
	if (reply->refusal == REFUSAL_UNKNOWN_HEAD && (push_back(s) || !session_is_linked(s)))
		return;
	if (reply->refusal != REFUSAL_NONE) {
		/* It may know us all the same; and what stands against the push is in its log. */
		if (reply->refusal == REFUSAL_AHEAD)
			s->push_held = true;
		else
			s->push_refused = true;
		s->fetch_wanted = s->phase != PHASE_PUSHING;
		push_ended(s);
		return;
	}
	sync_head(s, &reply->head);
	if (had && !head_advanced(&before, &s->server_head))
		s->push_refused = true; /* no progress: not again and again */
	else
		log_info(host_log(s->host),
			 "%s: the signal server lacked records of the log; it has them now, up to "
			 "%llu",
			 s->cluster.cluster, (unsigned long long)s->server_head.seq);
	if (s->phase == PHASE_PUSHING)
		sync_greeted(s);
	else
		sync_pump(s);
}

static bool send_push(struct session *s, uint64_t from)
{
	struct signal_request m = { .type = SIGNAL_PUSH };

	memcpy(m.node_token, s->cluster.node_token, HASH_LEN);
	mlog_page(s->log, from, &m.entries);
	if (m.entries.n > 0)
		s->busy = session_request(s, &m, on_push);
	else
		s->push_refused = true; /* no receipt of ours vouches for them */
	secret_wipe(m.node_token, HASH_LEN);
	return s->busy;
}

void sync_greeted(struct session *s)
{
	uint64_t from;

	if (!may_push(s) || session_plan(s->log, server_head(s), &from) != SESSION_PUSH ||
	    (!send_push(s, from) && session_is_linked(s)))
		session_in_session(s);
}

/* --- what next -------------------------------------------------------------------------------- */

void sync_pump(struct session *s)
{
	uint64_t from;

	if (!session_is_linked(s) || s->busy || !phase_may_fetch(s->phase))
		return;
	if (s->fetch_wanted) {
		send_fetch(s);
		return;
	}
	if (s->phase == PHASE_FETCHING || phase_is_former(s->phase)) {
		session_fetched(s);
		return;
	}
	if (s->phase != PHASE_UP || s->forked)
		return;
	if (may_push(s) && session_plan(s->log, server_head(s), &from) == SESSION_PUSH) {
		send_push(s, from);
		return;
	}
	while (!list_empty(&s->appends) && !s->busy && session_is_linked(s)) {
		if (append_next(s))
			return;
	}
}

void sync_heartbeat(struct session *s)
{
	if (clock_now(s->host) < s->next_heartbeat)
		return;
	s->fetch_wanted = true;
	s->push_held = false;
}

void session_log_grew(struct session *s)
{
	events_log_grew(s);
	place_follow(s);
	if (still_member(s))
		sync_pump(s);
}

/* What the server told of is its head now. */
static void head_from_event(struct session *s, const struct signal_event *ev)
{
	struct wire_head told;
	struct record last;

	if (record_decode(ev->entries.item[ev->entries.n - 1], &last, NULL) < 0)
		return;
	told.generation = last.order.generation;
	told.seq = last.order.seq;
	memcpy(told.hash, last.hash, HASH_LEN);
	if (!s->has_server_head || head_advanced(&s->server_head, &told))
		sync_head(s, &told);
}

void sync_event(struct session *s, const struct signal_event *ev)
{
	if (ev->entries.n == 0)
		return;
	if (!sync_take(s, &ev->entries))
		return;
	head_from_event(s, ev);
	sync_pump(s);
}
