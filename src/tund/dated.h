/* SPDX-License-Identifier: MIT */
/*
 * Records whose dates do not fit this node's clock (docs/protocol/02-membership-log.md, "Dates"):
 * what is dated too far ahead was held back, and is asked for again each minute; what a connected
 * node hears of too late was taken, and people are told.
 */
#ifndef MLSH_TUND_DATED_H
#define MLSH_TUND_DATED_H

#include "membership/mlog.h"
#include "overlay/overlay.h"

struct dated {
	struct host *host;
	const struct mlog *log;
	struct overlay *overlay; /* NULL until there is one */
	struct timer *ask;
	struct mlog_held held;			  /* seq 0 if no record is held back */
	struct node_id by;			  /* that showed it; zero: the server */
	uint64_t held_at;			  /* clock, when it was last shown */
	uint64_t late_seq;			  /* 0 if no record came late */
	uint64_t late_time_s, late_at_s, late_at; /* its date, and when it came; clock */
	size_t seen;				  /* records that were looked at */
	uint64_t generation;
	struct log_limit held_limit, late_limit;
	loop_fn changed;
	void *ctx;
};

/* `d` is all zero but for host, log, changed and ctx. -ENOMEM. */
int dated_init(struct dated *d) MUST_CHECK;
void dated_fini(struct dated *d);
/* A peer shows records that are held back, or the server (NULL). `now_s` is the node's time. */
void dated_held(struct dated *d, const struct mlog_held *held, const struct member *by,
		uint64_t now_s);
/* The log grew. `current`: this node had all that the server had, so what came is news. */
void dated_log_grew(struct dated *d, bool current, uint64_t now_s);

struct dated_status {
	struct mlog_held held;		 /* seq 0 if no record is held back */
	const struct member *by;	 /* NULL: the server */
	uint64_t late_seq;		 /* a record that came late in the last day, or 0 */
	uint64_t late_time_s, late_at_s; /* its date, and when it came */
};
void dated_status_get(const struct dated *d, struct dated_status *ret);

#endif
