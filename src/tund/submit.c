/* SPDX-License-Identifier: MIT */
/* Entries on their way from the command line into the log. */
#include "tund/submit.h"

#include <stdlib.h>

#include "client/refuse.h"
#include "tund/waiting.h"

struct submit {
	struct list link;
	struct host *host;
	struct submit_config cfg;
	struct timer *timer;
	bool removal, given;
	struct id_list targets; /* of a removal */
	struct entry_bytes entry;
	uint8_t payload_hash[HASH_LEN];
};

static void on_session_done(void *ctx, const struct err *err);

void submit_free(struct submit *s)
{
	if (!s)
		return;
	if (!s->removal)
		session_withdraw(*s->cfg.session, on_session_done, s);
	list_remove(&s->link);
	timer_free(s->timer);
	free(s);
}

static void finish(struct submit *s, const struct err *err, const struct submit_outcome *outcome)
{
	struct submit_config cfg = s->cfg;

	submit_free(s);
	cfg.done(cfg.ctx, err, outcome);
}

/* The seq of the record that did what a removal asks for, of whatever entry; 0 if nothing did. */
static uint64_t removed_seq(const struct submit *s)
{
	uint64_t seq = 0;

	for (size_t i = 0; i < s->targets.n; i++) {
		const struct member *m = roster_by_id(mlog_roster(s->cfg.log), &s->targets.id[i],
						      ROSTER_ALL);

		if (!m || member_is_current(m))
			return 0;
		seq = MAX(seq, m->left_seq);
	}
	return seq;
}

static uint64_t ordered_seq(const struct submit *s)
{
	uint64_t seq = mlog_find(s->cfg.log, s->payload_hash);

	return seq ? seq : removed_seq(s);
}

/* Returns false if it is not in the log yet. */
static bool finish_ordered(struct submit *s)
{
	struct submit_outcome o = { .ordered = true, .seq = ordered_seq(s) };

	if (o.seq == 0)
		return false;
	finish(s, NULL, &o);
	return true;
}

void submits_log_grew(struct list *all)
{
	list_for_each(it, all) {
		struct submit *s = list_entry(it, struct submit, link);

		if (s->removal && ordered_seq(s))
			timer_set_in(s->timer, 0);
	}
}

/* --- the session ------------------------------------------------------------------------------ */

/* The session asks for another one when this is stale, but it is made elsewhere. */
static int give_entry(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct submit *s = ctx;

	(void)head;
	if (s->given)
		return refuse(err, 0, REFUSAL_STALE,
			      "the cluster has changed meanwhile: look and try again");
	s->given = true;
	*ret = s->entry;
	return 0;
}

static void on_session_done(void *ctx, const struct err *err)
{
	struct submit *s = ctx;

	if (err)
		finish(s, err, NULL);
	else
		finish_ordered(s);
}

/* --- time ------------------------------------------------------------------------------------- */

static void why_not_ordered(const struct submit *s, struct err *ret)
{
	struct session_status st;

	session_status_get(*s->cfg.session, &st);
	if (st.last_err.code)
		*ret = st.last_err;
	else
		refuse(ret, 0, REFUSAL_TIMEOUT, "the signal server has not ordered it yet");
}

static void give_up(struct submit *s)
{
	bool sent = session_withdraw(*s->cfg.session, on_session_done, s);
	struct err why = { 0 }, err = { 0 };

	why_not_ordered(s, &why);
	if (sent)
		refuse(&err, 0, REFUSAL_TIMEOUT,
		       "the signal server was asked and has not answered: look whether it was "
		       "done, then try again. %.300s",
		       why.text);
	else
		refuse(&err, 0, REFUSAL_UNREACHABLE, "nothing was changed: %.400s", why.text);
	finish(s, &err, NULL);
}

static void on_timer(void *ctx)
{
	struct submit *s = ctx;
	struct err why = { 0 };
	struct submit_outcome o = { .why = why.text };

	if (finish_ordered(s))
		return;
	if (!s->removal) {
		give_up(s);
		return;
	}
	why_not_ordered(s, &why);
	finish(s, NULL, &o);
}

/* --- making and ending ------------------------------------------------------------------------ */

/* May such an entry come from a command? Those that join and recover have ways of their own. */
static int check_type(const struct entry *e, struct err *err)
{
	if (e->type > ENTRY_ADMIT && e->type < ENTRY_TYPES && e->type != ENTRY_RECOVER)
		return 0;
	return refuse(err, 0, REFUSAL_BAD_ENTRY, "a log entry of type %u cannot be submitted here",
		      e->type);
}

static int read_entry(struct submit *s, struct span entry, struct entry *e, struct err *err)
{
	int r = entry_decode(entry, e, err);

	if (r == 0)
		r = check_type(e, err);
	if (r < 0)
		return r;
	memcpy(s->entry.data, entry.data, entry.len);
	s->entry.len = entry.len;
	memcpy(s->payload_hash, e->payload_hash, HASH_LEN);
	s->removal = e->type == ENTRY_REMOVE;
	if (s->removal)
		s->targets = e->remove;
	return 0;
}

/* An entry whose base we do not know may be newer than our log: the server knows. */
static int check_log(const struct submit *s, const struct entry *e, struct err *err)
{
	uint64_t now_s = MAX((uint64_t)MAX(clock_wall_s(s->host), 0), mlog_last_time_s(s->cfg.log));
	struct err why = { 0 };
	int r = mlog_would_order(s->cfg.log, e, now_s, &why);

	if (r == 0 || why.reason == REFUSAL_UNKNOWN_HEAD)
		return 0;
	if (err)
		*err = why;
	return r;
}

static int start(struct submit *s, struct span entry, struct err *err)
{
	struct entry e;
	int r = read_entry(s, entry, &e, err);

	if (r < 0)
		return r;
	if (mlog_find(s->cfg.log, s->payload_hash)) {
		timer_set_in(s->timer, 0);
		return 0;
	}
	timer_set_in(s->timer, SUBMIT_WAIT);
	if (s->removal) {
		r = waiting_take(s->cfg.waiting, entry, err);
		return MIN(r, 0);
	}
	r = check_log(s, &e, err);
	return r < 0 ? r : session_append(*s->cfg.session, give_entry, on_session_done, s, err);
}

int submit_new(struct host *h, const struct submit_config *cfg, struct span entry, struct list *all,
	       struct err *err, struct submit **ret)
{
	struct submit *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->host = h;
	s->cfg = *cfg;
	list_append(all, &s->link);
	s->timer = timer_new(h, on_timer, s);
	r = s->timer ? start(s, entry, err) : err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		submit_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void submits_end(struct list *all)
{
	struct err err = { 0 };

	err_set(&err, -ENOTCONN, "the cluster was disconnected before the signal server answered");
	list_for_each(it, all)
		finish(list_entry(it, struct submit, link), &err, NULL);
}
