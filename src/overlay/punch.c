/* SPDX-License-Identifier: MIT */
/* The schedule of a round, and of rounds. */
#include "overlay/punch.h"

#define GAP_FIRST (5 * NS_PER_S)
#define GAP_NEXT (40 * NS_PER_S)
#define GAP_NEXT_ROUNDS 3 /* each in another order */
#define GAP_MAX (600 * NS_PER_S)
#define LEAD_SLACK (20 * NS_PER_MS)
#define LEAD_MIN (40 * NS_PER_MS)
#define LEAD_MAX NS_PER_S
#define ORDER_SLACK (100 * NS_PER_MS)
#define HOPS_FIRST 2 /* past the first router, and no further */
#define HOPS_KINDS 4

/* Of the pings behind the opener. */
static const uint64_t step_at[PUNCH_STEPS] = {
	0,
	20 * NS_PER_MS,
	50 * NS_PER_MS,
	100 * NS_PER_MS,
	200 * NS_PER_MS,
	400 * NS_PER_MS,
	800 * NS_PER_MS,
	1600 * NS_PER_MS,
};

void punch_begin(struct punch *p, uint64_t at, uint64_t lead, bool whole)
{
	*p = (struct punch){ .begun = at,
			     .next = at,
			     .lead = lead,
			     .opener = lead > 0,
			     .last = whole ? PUNCH_STEPS : 1 };
}

void punch_end(struct punch *p)
{
	p->next = TIME_NEVER;
	p->opener = false;
}

/* Steps that are past already are left out, so that a late timer makes no burst. */
void punch_sent(struct punch *p, uint64_t now)
{
	p->sent++;
	if (p->opener) {
		p->opener = false;
		p->next = MAX(p->begun, now) + p->lead;
		p->begun = p->next;
		return;
	}
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
	if (n == 0)
		return GAP_FIRST;
	return MIN(GAP_NEXT << (n > GAP_NEXT_ROUNDS ? MIN(n - GAP_NEXT_ROUNDS, 10u) : 0), GAP_MAX);
}

uint64_t punch_lead(uint64_t rtt)
{
	return MIN(MAX(rtt + LEAD_SLACK, LEAD_MIN), LEAD_MAX);
}

/*
 * The other side begins when our word has come there: after half the round trip, or after all of it
 * at the latest, if it takes longer in one direction than in the other.
 */
struct punch_plan punch_plan(unsigned n, uint64_t rtt)
{
	static const enum punch_order order[] = { PUNCH_CROSS, PUNCH_WE_FIRST, PUNCH_THEY_FIRST };
	struct punch_plan plan = { .hops = HOPS_FIRST };

	if (n >= PUNCH_PLAIN_ROUNDS) {
		plan.order = order[(n - PUNCH_PLAIN_ROUNDS) % ARRAY_LEN(order)];
		plan.hops = (uint8_t)(HOPS_FIRST + (n - PUNCH_PLAIN_ROUNDS) % HOPS_KINDS);
	}
	switch (plan.order) {
	case PUNCH_CROSS:
		plan.begin_in = rtt / 2;
		break;
	case PUNCH_WE_FIRST:
		plan.tell_in = ORDER_SLACK;
		break;
	case PUNCH_THEY_FIRST:
		plan.begin_in = rtt + ORDER_SLACK;
		break;
	}
	return plan;
}
