/* SPDX-License-Identifier: MIT */
/* Entries of our own that the server is asked to put in order, one after another. */
#include <stdlib.h>

#include "client/refuse.h"
#include "client/session_internal.h"

#define APPEND_TRIES_MAX 8

static void append_done(struct session *s, struct append *a, const struct err *err)
{
	session_done_fn done = a->done;
	void *ctx = a->ctx;

	list_remove(&a->link);
	s->n_appends--;
	free(a);
	if (done)
		done(ctx, err);
}

static struct append *first_append(struct session *s)
{
	return list_entry(s->appends.next, struct append, link);
}

/* Is its entry in the log? */
static bool append_is_in(const struct session *s, const struct append *a)
{
	struct entry e;

	return a->entry.len > 0 &&
	       entry_decode(span_of(a->entry.data, a->entry.len), &e, NULL) == 0 &&
	       mlog_find(s->log, e.payload_hash) != 0;
}

void append_ordered(struct session *s)
{
	list_for_each(it, &s->appends)
		if (append_is_in(s, list_entry(it, struct append, link)))
			append_done(s, list_entry(it, struct append, link), NULL);
}

/* The server ordered it, dated too far ahead: tells the caller why it does not count here. */
static void append_held(struct session *s, struct append *a)
{
	struct err err = { 0 };

	(void)log_clock_refuse(&s->held, session_now_s(s), &err);
	append_done(s, a, &err);
}

static void append_accepted(struct session *s, struct append *a, struct span record)
{
	struct wire_entries one = { .item[0] = record, .n = 1 };

	if (!take_records(s, &one))
		return;
	if (append_is_in(s, a)) {
		append_done(s, a, NULL);
	} else if (s->held.seq > 0) {
		append_held(s, a);
	} else {
		s->fetch_wanted = !s->forked; /* others came before it, or the server lies */
		a->tries++;
	}
}

static void append_refused(struct session *s, struct append *a, const struct signal_reply *reply)
{
	struct err err = { 0 };

	rpc_refusal(s->rpc, reply, &err);
	if (reply->refusal != REFUSAL_STALE || ++a->tries >= APPEND_TRIES_MAX) {
		append_done(s, a, &err);
		return;
	}
	a->entry.len = 0; /* another one is made, on what we fetch */
	s->fetch_wanted = true;
}

void append_reply(struct session *s, const struct signal_reply *reply)
{
	struct append *a = first_append(s); /* nobody adds in front, and only this file removes */

	a->asked = false;
	if (reply->refusal == REFUSAL_NONE)
		append_accepted(s, a, reply->record);
	else
		append_refused(s, a, reply);
}

/*
 * Makes it, unless it was sent before and may be in order: then it is the same. Returns 1 if the
 * log has it.
 */
static int append_make(struct session *s, struct append *a, struct err *err)
{
	uint64_t now_s = MAX((uint64_t)MAX(clock_wall_s(s->host), 0), mlog_last_time_s(s->log));
	struct head head = mlog_head(s->log);
	struct entry e;
	int r = 0;

	if (a->entry.len == 0)
		r = a->make(a->ctx, &head, &a->entry, err);
	if (r == 0 && append_is_in(s, a))
		return 1;
	if (a->tries >= APPEND_TRIES_MAX)
		return refuse(err, 0, REFUSAL_STALE,
			      "the signal server %s accepts the entry and does not show it in "
			      "the log",
			      s->cluster.signal_host);
	if (r == 0)
		r = entry_decode(span_of(a->entry.data, a->entry.len), &e, err);
	return r < 0 ? r : mlog_would_order(s->log, &e, now_s, err);
}

bool append_next(struct session *s, struct signal_request *m)
{
	struct append *a = first_append(s);
	struct err err = { 0 };
	int r;

	/* In the log already: the reply got lost, or somebody else submitted it. */
	r = a->done ? append_make(s, a, &err) : 1;
	if (r != 0) {
		append_done(s, a, r < 0 ? &err : NULL);
		return false;
	}
	m->type = SIGNAL_APPEND;
	m->entry = span_of(a->entry.data, a->entry.len);
	a->asked = true;
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

bool session_withdraw(struct session *s, session_done_fn done, const void *ctx)
{
	list_for_each(it, &s->appends) {
		struct append *a = list_entry(it, struct append, link);
		bool sent = a->entry.len > 0;

		if (a->done != done || a->ctx != ctx)
			continue;
		a->done = NULL;
		if (!a->asked)
			append_done(s, a, NULL);
		return sent;
	}
	return false;
}

/* What made the session stop may be the record of such an entry: this node leaves the cluster. */
void append_stopped(struct session *s, const struct err *err)
{
	struct err copy = *err;

	while (!list_empty(&s->appends)) {
		struct append *a = first_append(s);

		append_done(s, a, append_is_in(s, a) ? NULL : &copy);
	}
}

void append_free(struct session *s)
{
	while (!list_empty(&s->appends)) {
		struct append *a = first_append(s);

		list_remove(&a->link);
		free(a);
	}
}
