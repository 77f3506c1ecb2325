/* SPDX-License-Identifier: MIT */
/* The schedule of a round, and of rounds. */
#include "overlay/punch.h"

#define GAP_FIRST (5 * NS_PER_S)
#define GAP_MAX (600 * NS_PER_S)

static const uint64_t step_at[PUNCH_STEPS] = {
	0, 20 * NS_PER_MS, 50 * NS_PER_MS, 100 * NS_PER_MS, 200 * NS_PER_MS, 400 * NS_PER_MS,
	800 * NS_PER_MS, 1600 * NS_PER_MS,
};

void punch_begin(struct punch *p, unsigned order, bool whole, uint64_t now)
{
	*p = (struct punch){ .begun = now + order * PUNCH_SPREAD, .last = whole ? PUNCH_STEPS : 1 };
	p->next = p->begun;
}

void punch_end(struct punch *p)
{
	p->next = TIME_NEVER;
}

/* Steps that are past already are left out, so that a late timer makes no burst. */
void punch_sent(struct punch *p, uint64_t now)
{
	p->sent++;
	do {
		p->step++;
		p->next = p->step < p->last ? p->begun + step_at[p->step] : TIME_NEVER;
	} while (p->next <= now);
}

bool punch_extra(struct punch *p)
{
	if (p->sent >= PUNCH_UNANSWERED_MAX)
		return false;
	p->sent++;
	return true;
}

uint64_t punch_gap(unsigned n)
{
	return MIN(GAP_FIRST << MIN(n, 10u), GAP_MAX);
}
