/* SPDX-License-Identifier: MIT */
/* Records whose dates do not fit this node's clock. */
#include "tund/dated.h"

#include <inttypes.h>

#include "proto/limits.h"

#define ASK_GAP (60 * NS_PER_S)	      /* the session asks about as often */
#define HELD_UNTIL (180 * NS_PER_S)   /* since it was last shown */
#define LATE_SHOWN (86400 * NS_PER_S) /* so long status tells of it */

/* --- ahead ------------------------------------------------------------------------------------ */

static void forget_held(struct dated *d)
{
	d->held.seq = 0;
	timer_set(d->ask, TIME_NEVER);
	d->changed(d->ctx);
}

/* Peers are asked here; the session asks by itself. */
static void on_ask(void *ctx)
{
	struct dated *d = ctx;

	if (clock_now(d->host) - d->held_at >= HELD_UNTIL) {
		forget_held(d);
		return;
	}
	if (d->overlay)
		(void)overlay_ask_log(d->overlay);
	timer_set_in(d->ask, ASK_GAP);
}

void dated_held(struct dated *d, const struct mlog_held *held, const struct member *by,
		uint64_t now_s)
{
	bool known = d->held.seq == held->seq && d->held.time_s == held->time_s;

	d->held = *held;
	d->by = by ? by->id : (struct node_id){ { 0 } };
	d->held_at = clock_now(d->host);
	if (!timer_is_set(d->ask))
		timer_set_in(d->ask, ASK_GAP);
	if (known)
		return;
	log_limited(host_log(d->host), &d->held_limit, d->held_at, LOG_LEVEL_WARN,
		    "%s: record %" PRIu64
		    " of the membership log, which %s shows, is dated %" PRIu64
		    " minutes ahead of this machine's clock: this node holds it back, with all "
		    "that follow",
		    mlog_genesis(d->log)->name, held->seq, by ? by->name : "the signal server",
		    (held->time_s - MIN(now_s, held->time_s)) / 60);
	d->changed(d->ctx);
}

/* --- behind ----------------------------------------------------------------------------------- */

static void note_late(struct dated *d, uint64_t seq, uint64_t time_s, uint64_t now_s)
{
	d->late_seq = seq;
	d->late_time_s = time_s;
	d->late_at_s = now_s;
	d->late_at = clock_now(d->host);
	log_limited(
		host_log(d->host), &d->late_limit, d->late_at, LOG_LEVEL_WARN,
		"%s: record %" PRIu64 " of the membership log is dated %" PRIu64
		" minutes ago, and only now it is shown to this node: the signal server kept it "
		"back or dated it back, or a clock is wrong",
		mlog_genesis(d->log)->name, seq, (now_s - time_s) / 60);
}

/* The first of those that are new. What a recovery builds on may be old. */
static void look_for_late(struct dated *d, uint64_t now_s)
{
	uint64_t from = d->seen;
	struct record r;
	struct entry e;

	if (mlog_generation(d->log) != d->generation)
		from = mlog_generation_start(d->log, mlog_generation(d->log) - 1);
	for (uint64_t seq = from; mlog_get(d->log, seq, &r, &e) == 0; seq++) {
		if (r.order.time_s + CLOCK_AHEAD_MAX_S < now_s) {
			note_late(d, seq, r.order.time_s, now_s);
			return;
		}
	}
}

void dated_log_grew(struct dated *d, bool current, uint64_t now_s)
{
	if (current)
		look_for_late(d, now_s);
	d->seen = mlog_count(d->log);
	d->generation = mlog_generation(d->log);
	if (d->held.seq > 0 && d->seen > d->held.seq)
		forget_held(d);
}

/* --- making and ending ------------------------------------------------------------------------ */

int dated_init(struct dated *d)
{
	d->held_limit = d->late_limit = (struct log_limit){ .burst = 3,
							    .period_ns = 3600 * NS_PER_S };
	d->seen = mlog_count(d->log);
	d->generation = mlog_generation(d->log);
	d->ask = timer_new(d->host, on_ask, d);
	return d->ask ? 0 : -ENOMEM;
}

void dated_fini(struct dated *d)
{
	timer_free(d->ask);
	d->ask = NULL;
}

void dated_status_get(const struct dated *d, struct dated_status *ret)
{
	*ret = (struct dated_status){ .held = d->held };
	ret->by = roster_by_id(mlog_roster(d->log), &d->by, ROSTER_CURRENT);
	if (d->late_seq == 0 || clock_now(d->host) - d->late_at >= LATE_SHOWN)
		return;
	ret->late_seq = d->late_seq;
	ret->late_time_s = d->late_time_s;
	ret->late_at_s = d->late_at_s;
}
