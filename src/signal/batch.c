/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Runs the requests that write to the database, and writes the registry's notes. They wait until
 * the loop has handled what has come. Then all of them share one transaction, one sync to the disk
 * and one checkpoint. No reply and no event is sent before that is done. While another program
 * holds the lock of the database they wait, and everything else goes on.
 */
#include <stdlib.h>

#include "signal/may_order.h"
#include "signal/writes.h"

#define WRITE_RETRY (50 * NS_PER_MS)  /* while the database is locked */
#define WRITE_WAIT_MAX (8 * NS_PER_S) /* less than a node waits: REQUEST_TIMEOUT */
#define NOTES_RETRY (10 * NS_PER_S)   /* after they could not be written */
#define BATCH_MAX 256		      /* requests in one transaction */
#define ANSWER_BEHIND NS_PER_MS	      /* behind the events */
/* While another program has the file open: */
#define CHECKPOINT_RETRY (20 * NS_PER_MS)
#define CHECKPOINT_RETRY_LATER NS_PER_S	       /* once no answer waits for it, or the disk fails */
#define CHECKPOINT_ANSWER_AFTER (2 * NS_PER_S) /* answers wait for the checkpoint no longer */
#define CHECKPOINT_WAIT_MAX (30 * NS_PER_S)    /* then it is made all the same */

/* --- answers ---------------------------------------------------------------------------------- */

/*
 * This server could not put a removal in order, for whatever reason: its nodes hear of the removal.
 */
static void keep_removal(struct write *w)
{
	struct signal_request rq;

	if (w->type == SIGNAL_APPEND &&
	    signal_request_decode(span_of(w->message, w->len), &rq) == 0)
		removals_keep(w->caller, rq.entry);
}

static void answer_all(struct signal_server *s, struct list *writes)
{
	list_for_each(it, writes) {
		struct write *w = write_at(it);

		if (w->caller && w->result == 0)
			w->result = request_accepted(w->caller, w->type, &w->reply, &w->err);
		if (w->caller && w->result < 0)
			keep_removal(w);
		if (w->caller)
			request_answered(w->caller, w->stream, w->type, w->result, &w->reply,
					 &w->err);
		write_free(s, w);
	}
}

static void refuse_all(struct signal_server *s, int result, const struct err *err)
{
	list_for_each(it, &s->writing) {
		struct write *w = write_at(it);

		secret_wipe(&w->reply, sizeof(w->reply));
		w->result = result;
		w->err = *err;
	}
	answer_all(s, &s->writing);
}

static void run(struct write *w)
{
	struct signal_request rq;

	w->result = signal_request_decode(span_of(w->message, w->len), &rq);
	if (w->result == 0)
		w->result = request_run(w->caller, &rq, &w->reply, &w->err);
}

/* Logs which members came and went. Must run before members_changed moves the cursor. */
static void log_changes(struct signal_server *s, const struct cluster *c)
{
	const char *cluster = mlog_genesis(c->log)->name;
	struct roster_cursor seen = c->seen;
	struct roster_change change;

	while (roster_next_change(mlog_roster(c->log), &seen, &change)) {
		const char *name = change.member->name;

		if (change.kind == ROSTER_JOINED && change.seq == 0)
			log_info(host_log(s->host), "cluster %s is set up", cluster);
		else if (change.kind == ROSTER_JOINED)
			log_info(host_log(s->host), "node %s joined cluster %s", name, cluster);
		else if (change.kind == ROSTER_LEFT)
			log_info(host_log(s->host), "node %s is no longer in cluster %s", name,
				 cluster);
	}
}

/*
 * A cluster has new records: in one turn, the nodes hear of them and former members lose their
 * sessions.
 */
static void committed(void *ctx, struct cluster *c, uint64_t first)
{
	struct signal_server *s = ctx;

	log_changes(s, c);
	events_log(c, first);
	members_changed(c);
	removals_changed(s, c);
	beacons_changed(c);
	may_order_grew(s, c);
	members_moved(s, c);
}

/* --- the checkpoint --------------------------------------------------------------------------- */

/*
 * While another program makes a copy, the file stays as it is: so the copy has all that was
 * answered before it began.
 */
static void checkpoint(void *ctx)
{
	struct signal_server *s = ctx;
	uint64_t now = clock_now(s->host), waited;
	struct err err = { 0 };
	bool answer;
	int r;

	if (s->checkpoint_since == 0)
		s->checkpoint_since = now;
	waited = now - s->checkpoint_since;
	r = db_checkpoint(s->db, waited >= CHECKPOINT_WAIT_MAX, &err);
	if (r < 0 && (r != -EAGAIN || waited >= CHECKPOINT_WAIT_MAX))
		log_limited(host_log(s->host), &s->checkpoint_lines, now, LOG_LEVEL_WARN,
			    "a copy of the database's file alone lacks what is newest: %s",
			    err.text);
	if (r == 0)
		s->checkpoint_since = 0;
	answer = r != -EAGAIN || waited >= CHECKPOINT_ANSWER_AFTER;
	timer_set(s->checkpoint_timer,
		  r == 0 ? TIME_NEVER : now + (answer ? CHECKPOINT_RETRY_LATER : CHECKPOINT_RETRY));
	timer_set(s->answer_timer, answer ? now + ANSWER_BEHIND : TIME_NEVER);
}

/*
 * Answers a moment behind the events, so that the other nodes know a new one before it connects to
 * them.
 */
static void answer_written(void *ctx)
{
	struct signal_server *s = ctx;

	answer_all(s, &s->written);
}

/* --- time ------------------------------------------------------------------------------------- */

/*
 * The database is locked: refuses the requests that have waited for long. The others go on waiting.
 */
static void wait_on(struct signal_server *s, const struct err *why)
{
	uint64_t now = clock_now(s->host);
	struct err err = { 0 };

	(void)refuse(&err, -EBUSY, REFUSAL_INTERNAL,
		     "Another program has the server's database "
		     "locked; try again later.");
	list_for_each(it, &s->writes) {
		if (now - write_at(it)->since < WRITE_WAIT_MAX)
			break;
		list_remove(it);
		list_append(&s->writing, it);
	}
	if (!list_empty(&s->writing))
		log_limited(host_log(s->host), &s->write_lines, now, LOG_LEVEL_WARN,
			    "requests are refused: %s", why->text);
	refuse_all(s, -EBUSY, &err);
	s->write_at = now + WRITE_RETRY;
	writes_schedule(s);
}

static void batch(struct signal_server *s)
{
	struct err err = { 0 };
	int r = registry_begin(s->registry, &err);

	if (r == -EBUSY) {
		wait_on(s, &err);
		return;
	}
	for (size_t n = 0; n < BATCH_MAX && !list_empty(&s->writes); n++) {
		struct write *w = write_at(s->writes.next);

		list_remove(&w->link);
		list_append(&s->writing, &w->link);
		if (r == 0)
			run(w);
	}
	if (r == 0)
		r = registry_commit(s->registry, committed, s, &err);
	if (r < 0) {
		refuse_all(s, r, &err);
		return;
	}
	list_for_each(it, &s->writing) {
		list_remove(it);
		list_append(&s->written, it);
	}
	if (r > 0 || s->checkpoint_since != 0)
		checkpoint(s);
	else
		timer_set_in(s->answer_timer, ANSWER_BEHIND);
}

/*
 * Writing to the disk takes time, in which the relay stands still. After it, the relay gets at
 * least as much time for itself.
 */
static void write_all(void *ctx)
{
	struct signal_server *s = ctx;
	uint64_t begin = clock_refresh(s->host), end;

	if ((list_empty(&s->writes) && !registry_has_notes(s->registry)) || begin < s->write_at)
		return;
	batch(s);
	end = clock_refresh(s->host);
	if (registry_has_notes(s->registry))
		s->notes_at = end + NOTES_RETRY;
	s->write_at = MAX(s->write_at, end + (end - begin));
	writes_schedule(s);
}

int batch_open(struct signal_server *s)
{
	list_init(&s->writes);
	list_init(&s->writing);
	list_init(&s->written);
	s->checkpoint_lines = (struct log_limit){ .period_ns = 600 * NS_PER_S, .burst = 1 };
	s->write_timer = timer_new(s->host, write_all, s);
	s->write_soon = deferred_new(s->host, write_all, s);
	s->answer_timer = timer_new(s->host, answer_written, s);
	s->checkpoint_timer = timer_new(s->host, checkpoint, s);
	if (!s->write_timer || !s->write_soon || !s->answer_timer || !s->checkpoint_timer)
		return -ENOMEM;
	return 0;
}

void batch_close(struct signal_server *s)
{
	struct list *const lists[] = { &s->writes, &s->writing, &s->written };

	for (size_t i = 0; i < ARRAY_LEN(lists) && lists[i]->next; i++)
		list_for_each(it, lists[i])
			write_free(s, write_at(it));
	timer_free(s->write_timer);
	timer_free(s->checkpoint_timer);
	deferred_free(s->write_soon);
	timer_free(s->answer_timer);
}
