/* SPDX-License-Identifier: MIT */
/* When candidates are pinged (docs/protocol/06-paths.md, "Rounds"): tables and arithmetic only. */
#ifndef MLSH_OVERLAY_PUNCH_H
#define MLSH_OVERLAY_PUNCH_H

#include <stdbool.h>

#include "base/macros.h"

#define PUNCH_STEPS 8
#define PUNCH_SPREAD (20 * NS_PER_MS)	/* between candidates */
#define PUNCH_UNANSWERED_MAX 10		/* pings of a round to an address that has not answered */

/* The pings of a round to one candidate. All zero: no round. */
struct punch {
	uint64_t begun;		/* its turn in this round */
	uint64_t next;		/* TIME_NEVER: over */
	unsigned step;
	unsigned last;		/* of the steps */
	unsigned sent;		/* in this round, others than the schedule's too */
};

/*
 * Begins a round at `now` for the candidate that comes `order`th. `whole`: all steps; else one
 * ping, for those that never answered when nothing has changed since they were tried.
 */
void punch_begin(struct punch *p, unsigned order, bool whole, uint64_t now);
void punch_end(struct punch *p);
static inline bool punch_due(const struct punch *p, uint64_t now)
{
	return p->next <= now;
}
/* The one that was due is sent. */
void punch_sent(struct punch *p, uint64_t now);
/* May a ping that the schedule does not ask for be sent, too? Counts it. */
bool punch_extra(struct punch *p);
/* From the n-th round in a row that brought nothing (0: the first) to the next, before jitter. */
uint64_t punch_gap(unsigned n);

#endif
