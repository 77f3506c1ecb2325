/* SPDX-License-Identifier: MIT */
/*
 * Keeps our log and the server's the same: which request comes next, one at a time, and what its
 * reply means. When the server's log does not follow ours, the first record in which the two differ
 * is looked for, by halves.
 */
#include <stdlib.h>

#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

#define HEARTBEAT (60 * NS_PER_S) /* is the server's log still ours, and does it live? */

void sync_reset(struct session *s)
{
	s->asked = ASKED_NOTHING;
	s->fetch_wanted = s->push_back = s->pushed_back = false;
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
	take_bad_log(s, "its head is not in it");
	return false;
}

static bool search_page(struct session *s, const struct signal_reply *page)
{
	struct log_search before = s->search;

	if (!take_records(s, &page->entries))
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

	if (!take_records(s, page))
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
	take_bad_log(s, "it shows other records than those that were asked for");
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
		return take_parted(s, s->server_head.seq + 1);
	case SESSION_FETCH:
		if (s->forked)
			return true;
		take_bad_log(s, "it does not show the records that it claims to have");
		return false;
	case SESSION_LOGS_EQUAL:
	case SESSION_PUSH:
		break;
	}
	return true;
}

static void on_page(struct session *s, const struct signal_reply *reply)
{
	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	sync_head(s, &reply->head);
	if (s->search.on && s->fetch_scans)
		(void)search_page(s, reply);
	else if (reply->entries.n > 0)
		(void)next_page(s, &reply->entries);
	else
		(void)fetch_complete(s);
}

static bool next_fetch(struct session *s, struct signal_request *m)
{
	if (!s->fetch_wanted)
		return false;
	m->type = SIGNAL_LOG;
	m->generation = mlog_generation(s->log);
	m->from = s->search.on ? log_search_next(&s->search) : mlog_count(s->log);
	s->fetch_scans = s->search.on;
	s->fetch_from = m->from;
	s->next_heartbeat = clock_now(s->host) + HEARTBEAT - random_below(s->host, HEARTBEAT / 4);
	s->asked = ASKED_LOG;
	return true;
}

/* --- pushing ---------------------------------------------------------------------------------- */

static bool may_push(const struct session *s)
{
	return !s->push_refused && !s->push_held;
}

/* Does the server have more than before? */
static bool head_advanced(const struct wire_head *before, const struct wire_head *now)
{
	if (now->generation != before->generation)
		return now->generation > before->generation;
	return now->seq > before->seq;
}

/*
 * A server that lacks our recovery is on another branch. It takes a recovery together with what
 * that builds on, if the message begins where the branches part or before.
 */
static bool may_push_back(const struct session *s)
{
	return !s->pushed_back && s->has_server_head &&
	       s->server_head.generation < mlog_generation(s->log);
}

static void push_refused(struct session *s, enum refusal why)
{
	if (why == REFUSAL_AHEAD)
		s->push_held = true;
	else
		s->push_refused = true;
	/* It may know us all the same; and what stands against the push is in its log. */
	s->fetch_wanted = s->phase != PHASE_PUSHING;
}

static void push_accepted(struct session *s, const struct wire_head *now)
{
	bool had = s->has_server_head;
	struct wire_head before = s->server_head;

	sync_head(s, now);
	if (had && !head_advanced(&before, now))
		s->push_refused = true; /* no progress: not again and again */
	else
		log_info(host_log(s->host),
			 "%s: the signal server lacked records of the log; it has them now, up to "
			 "%llu",
			 s->cluster.cluster, (unsigned long long)now->seq);
}

static void on_pushed(struct session *s, const struct signal_reply *reply)
{
	if (reply->refusal == REFUSAL_RATE || reply->refusal == REFUSAL_BAD_TOKEN)
		session_refused(s, reply);
	else if (reply->refusal == REFUSAL_UNKNOWN_HEAD && may_push_back(s))
		s->push_back = s->pushed_back = true;
	else if (reply->refusal != REFUSAL_NONE)
		push_refused(s, reply->refusal);
	else
		push_accepted(s, &reply->head);
}

/* Returns false if no receipt of ours vouches for these records. */
static bool make_push(struct session *s, uint64_t from, struct signal_request *m)
{
	m->type = SIGNAL_PUSH;
	memcpy(m->node_token, s->cluster.node_token, HASH_LEN);
	mlog_page(s->log, from, &m->entries);
	s->push_refused |= m->entries.n == 0;
	if (m->entries.n > 0)
		s->asked = ASKED_PUSH;
	return m->entries.n > 0;
}

static bool next_push_back(struct session *s, struct signal_request *m)
{
	if (!s->push_back)
		return false;
	s->push_back = false;
	if (make_push(s, session_push_back(s->log, s->server_head.generation), m))
		return true;
	push_refused(s, REFUSAL_UNKNOWN_HEAD);
	return false;
}

static bool next_push(struct session *s, struct signal_request *m)
{
	uint64_t from;

	return may_push(s) && session_plan(s->log, server_head(s), &from) == SESSION_PUSH &&
	       make_push(s, from, m);
}

/* --- what next -------------------------------------------------------------------------------- */

/* Those that wait for the entries hear of them here, and may ask for something themselves. */
static bool next_append(struct session *s, struct signal_request *m)
{
	while (!list_empty(&s->appends) && !sync_is_busy(s) && session_is_linked(s)) {
		if (append_next(s, m)) {
			s->asked = ASKED_APPEND;
			return true;
		}
	}
	return false;
}

bool sync_is_busy(const struct session *s)
{
	return s->asked != ASKED_NOTHING;
}

bool sync_next(struct session *s, struct signal_request *m)
{
	*m = (struct signal_request){ .from = 0 };
	if (next_push_back(s, m))
		return true;
	if (s->phase == PHASE_PUSHING)
		return next_push(s, m);
	if (phase_may_fetch(s->phase) && next_fetch(s, m))
		return true;
	return s->phase == PHASE_UP && !s->forked && (next_push(s, m) || next_append(s, m));
}

void sync_reply(struct session *s, const struct signal_reply *reply)
{
	enum asked asked = s->asked;

	s->asked = ASKED_NOTHING;
	switch (asked) {
	case ASKED_LOG:
		on_page(s, reply);
		break;
	case ASKED_PUSH:
		on_pushed(s, reply);
		break;
	case ASKED_APPEND:
		append_reply(s, reply);
		break;
	case ASKED_NOTHING:
		break;
	}
}

void sync_heartbeat(struct session *s)
{
	if (clock_now(s->host) < s->next_heartbeat)
		return;
	s->fetch_wanted = true;
	s->push_held = false;
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
	if (!take_records(s, &ev->entries))
		return;
	head_from_event(s, ev);
}
