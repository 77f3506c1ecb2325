/* SPDX-License-Identifier: MIT */
/* Removals that wait for their order. */
#include "tund/waiting.h"

#include <stdio.h>
#include <stdlib.h>

#define PASS_GAP_FIRST (30 * NS_PER_S) /* between rounds over those that the server refuses */
#define PASS_GAP_MAX (600 * NS_PER_S)
#define PASS_GAP_SESSION (10 * NS_PER_S) /* the same, when there is another session */
#define OTHERS_LEAD NS_PER_S /* in which whoever made a removal has it ordered, and as much again */

/* A removal whose base this node does not know. */
struct stray {
	struct node_id from; /* zero: the server */
	size_t len;
	uint8_t data[];
};

/* --- the server ------------------------------------------------------------------------------- */

static int make_held(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct waiting *w = ctx;
	uint64_t serial = w->current - 1;
	struct span entry = denials_next(w->held, &serial);

	(void)head;
	if (entry.len == 0 || serial != w->current)
		return err_set(err, -EALREADY, "the removal is ordered, or over");
	memcpy(ret->data, entry.data, entry.len);
	ret->len = entry.len;
	return 0;
}

static void submit_next(void *ctx);

static void note_refusal(struct waiting *w, const struct err *err)
{
	if (err->code == -EALREADY)
		return;
	snprintf(w->why, sizeof(w->why), "%.*s", (int)sizeof(w->why) - 1, err->text);
	log_limited(host_log(w->host), &w->refused_limit, clock_now(w->host), LOG_LEVEL_WARN,
		    "a removal still waits for its order: %s", w->why);
}

static void on_submitted(void *ctx, const struct err *err)
{
	struct waiting *w = ctx;

	w->submitting = w->unanswered = false;
	if (err)
		note_refusal(w, err);
	submit_next(w);
}

static void pass_in(struct waiting *w, uint64_t delay)
{
	w->pass_at = clock_now(w->host) + delay;
	timer_set(w->timer, w->pass_at);
}

/* All were handed over. Those that are left the server refuses: again, ever more rarely. */
static void end_pass(struct waiting *w)
{
	w->current = 0;
	if (denials_count(w->held) == 0) {
		w->gap = 0;
		w->why[0] = '\0';
		timer_set(w->timer, TIME_NEVER);
		return;
	}
	w->gap = w->gap ? MIN(2 * w->gap, PASS_GAP_MAX) : PASS_GAP_FIRST;
	pass_in(w, w->gap + random_below(w->host, w->gap / 4));
}

/* Hands over the next one. Any holder may have one ordered. */
static void submit_next(void *ctx)
{
	struct waiting *w = ctx;
	uint64_t now = clock_now(w->host), serial = w->current;
	struct err err = { 0 };

	if (w->submitting || !w->session || now < w->pass_at)
		return;
	if (serial == 0)
		w->began_at = now;
	if (denials_next(w->held, &serial).len == 0) {
		end_pass(w);
		return;
	}
	w->current = serial;
	w->submitting = session_append(w->session, make_held, on_submitted, w, &err) == 0;
	if (w->submitting)
		return;
	note_refusal(w, &err);
	end_pass(w);
}

/* A new one: in its turn, if a round is under way, else in a round soon. */
static void submit_in(struct waiting *w, uint64_t delay)
{
	uint64_t now = clock_now(w->host);

	if (w->current == 0 && (!timer_is_set(w->timer) || now + delay < w->pass_at))
		pass_in(w, delay);
	submit_next(w);
}

/*
 * The session was lost before the answer. A server that never answers is asked ever more rarely:
 * else each session with it would end by that.
 */
static void end_unanswered(struct waiting *w)
{
	(void)session_withdraw(w->session, on_submitted, w);
	w->submitting = false;
	w->unanswered = true;
	snprintf(w->why, sizeof(w->why), "the signal server was asked and has not answered");
	end_pass(w);
}

void waiting_session(struct waiting *w, struct session *s)
{
	bool again = s && !w->session;

	if (!s && w->submitting)
		end_unanswered(w);
	w->session = s;
	if (again && denials_count(w->held) > 0) {
		if (!w->unanswered || w->gap <= PASS_GAP_FIRST)
			w->pass_at = MIN(w->pass_at, w->began_at + PASS_GAP_SESSION);
		timer_set(w->timer, w->pass_at);
	}
	submit_next(w);
}

void waiting_forget_session(struct waiting *w)
{
	w->session = NULL;
	w->submitting = false;
	w->current = 0;
}

/* --- those that lack their base --------------------------------------------------------------- */

static struct node_id shown_by(const struct member *from)
{
	return from ? from->id : (struct node_id){ { 0 } };
}

static void stray_drop(struct waiting *w, size_t i)
{
	free(w->stray[i]);
	memmove(&w->stray[i], &w->stray[i + 1], (--w->n_strays - i) * sizeof(w->stray[0]));
}

/* May it be kept? Each member has places of its own; it is kept once. */
static bool stray_is_due(const struct waiting *w, const struct node_id *from, struct span entry)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_strays; i++) {
		const struct stray *s = w->stray[i];

		if (span_equal(span_of(s->data, s->len), entry))
			return false;
		n += node_id_equal(&s->from, from);
	}
	return n < STRAYS_EACH_MAX;
}

static void stray_keep(struct waiting *w, const struct member *from, struct span entry)
{
	struct node_id id = shown_by(from);
	struct stray *s;

	if (!stray_is_due(w, &id, entry))
		return;
	s = malloc(sizeof(*s) + entry.len);
	if (!s)
		return;
	s->from = id;
	s->len = entry.len;
	memcpy(s->data, entry.data, entry.len);
	if (w->n_strays == STRAYS_MAX)
		stray_drop(w, 0);
	w->stray[w->n_strays++] = s;
}

/* Returns true if one of them is held now. */
static bool strays_try(struct waiting *w)
{
	bool any = false;

	for (size_t i = 0; i < w->n_strays;) {
		const struct stray *s = w->stray[i];
		struct err err = { 0 };
		int rc = denials_add(w->held, w->log, span_of(s->data, s->len), &err);

		if (rc < 0 && err.reason == REFUSAL_UNKNOWN_HEAD) {
			i++;
			continue;
		}
		any |= rc == 1;
		stray_drop(w, i);
	}
	return any;
}

/* --- taking ----------------------------------------------------------------------------------- */

static void log_taken(struct waiting *w, struct span entry)
{
	const struct roster *r = mlog_roster(w->log);
	const struct member *author, *m;
	struct entry e;

	if (entry_decode(entry, &e, NULL) < 0)
		return;
	author = roster_by_id(r, &e.author, ROSTER_ALL);
	m = roster_by_id(r, &e.remove.id[0], ROSTER_ALL);
	log_limited(host_log(w->host), &w->taken_limit, clock_now(w->host), LOG_LEVEL_INFO,
		    "%s removed %s%s; no server has ordered that yet, and it holds on this node",
		    author ? author->name : "somebody", m ? m->name : "a node",
		    e.remove.n > 1 ? " and others" : "");
}

static void held_changed(struct waiting *w)
{
	overlay_removal(w->overlay); /* its target hears of it, too */
	overlay_denials_changed(w->overlay);
	w->changed(w->ctx);
}

/* The bytes may lie in what the other side of a connection sent, which may end here. */
static int take(struct waiting *w, struct span entry, uint64_t delay, struct err *err)
{
	int rc = denials_add(w->held, w->log, entry, err);

	if (rc != 1)
		return rc;
	log_taken(w, entry);
	held_changed(w);
	submit_in(w, delay);
	return rc;
}

int waiting_take(struct waiting *w, struct span entry, struct err *err)
{
	return take(w, entry, 0, err);
}

enum removal_shown waiting_shown(struct waiting *w, const struct member *from, struct span entry)
{
	struct err err = { 0 };
	uint64_t delay = OTHERS_LEAD + random_below(w->host, OTHERS_LEAD);

	if (take(w, entry, delay, &err) >= 0)
		return REMOVAL_TAKEN;
	if (err.reason == REFUSAL_UNKNOWN_HEAD) {
		stray_keep(w, from, entry);
		return REMOVAL_LACKING;
	}
	log_limited(host_log(w->host), &w->refused_limit, clock_now(w->host), LOG_LEVEL_DEBUG,
		    "a removal that %s shows is not taken: %s",
		    from ? from->name : "the signal server", err.text);
	return REMOVAL_REFUSED;
}

bool waiting_denies(const struct waiting *w, const struct member *m)
{
	return denials_denied(w->held, &m->id);
}

void waiting_log_grew(struct waiting *w)
{
	size_t ended = denials_update(w->held, w->log);
	bool begun = strays_try(w);

	if (ended > 0 || begun)
		held_changed(w);
	if (begun)
		submit_in(w, OTHERS_LEAD + random_below(w->host, OTHERS_LEAD));
	if (denials_count(w->held) == 0)
		w->why[0] = '\0';
}

/* --- life ------------------------------------------------------------------------------------- */

int waiting_init(struct waiting *w)
{
	w->taken_limit = (struct log_limit){ .period_ns = 60 * NS_PER_S, .burst = 10 };
	w->refused_limit = (struct log_limit){ .period_ns = 600 * NS_PER_S, .burst = 3 };
	w->held = denials_new();
	w->timer = timer_new(w->host, submit_next, w);
	if (w->held && w->timer)
		return 0;
	waiting_fini(w);
	return -ENOMEM;
}

void waiting_fini(struct waiting *w)
{
	while (w->n_strays > 0)
		stray_drop(w, w->n_strays - 1);
	timer_free(w->timer);
	denials_free(w->held);
	w->timer = NULL;
	w->held = NULL;
}
