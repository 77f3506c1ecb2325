/* SPDX-License-Identifier: MIT */
/* The schedule of a round, and of rounds. */
#include "overlay/reach/punch.h"

#define GAP_FIRST (5 * NS_PER_S)
#define GAP_NEXT (40 * NS_PER_S)
#define GAP_NEXT_ROUNDS 3 /* each in another order */
#define GAP_MAX (600 * NS_PER_S)
#define WAIT_SLACK NS_PER_S /* of a machine or a relay that is busy */
#define WAIT_MAX (3 * NS_PER_S)
#define ORDER_SLACK (100 * NS_PER_MS)

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

void punch_begin(struct punch *p, uint64_t at, uint64_t wait, bool whole)
{
	*p = (struct punch){ .begun = at,
			     .next = at,
			     .wait = wait,
			     .opener = wait > 0,
			     .last = whole ? PUNCH_STEPS : 1 };
}

void punch_begin_open(struct punch *p, uint64_t at, uint64_t wait, bool whole)
{
	punch_begin(p, at + wait, 0, whole);
	p->waits = true;
}

void punch_end(struct punch *p)
{
	p->next = TIME_NEVER;
	p->opener = p->waits = false;
}

void punch_word(struct punch *p, uint64_t now)
{
	if (!p->waits)
		return;
	p->waits = false;
	p->begun = p->next = MIN(p->next, now);
}

/* Steps that are past already are left out, so that a late timer makes no burst. */
void punch_sent(struct punch *p, uint64_t now)
{
	p->sent++;
	if (p->opener) {
		p->opener = false;
		p->waits = true;
		p->next = MAX(p->begun, now) + p->wait;
		p->begun = p->next;
		return;
	}
	p->waits = false;
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

uint64_t punch_wait(uint64_t rtt)
{
	return MIN(2 * rtt + WAIT_SLACK, WAIT_MAX);
}

/*
 * The other side begins when our word has come there: after half the round trip, or after all of it
 * at the latest, if it takes longer in one direction than in the other.
 */
struct punch_plan punch_plan(unsigned n, uint64_t rtt)
{
	static const enum punch_order order[] = { PUNCH_CROSS, PUNCH_WE_FIRST, PUNCH_THEY_FIRST };
	struct punch_plan plan = { .hops = PUNCH_HOPS_MIN };

	if (n >= PUNCH_PLAIN_ROUNDS) {
		n -= PUNCH_PLAIN_ROUNDS;
		plan.order = order[n % ARRAY_LEN(order)];
		/* What suits most networks has every second round. */
		plan.hops += n % 2 ? 1 + n / 2 % (PUNCH_HOPS_MAX - PUNCH_HOPS_MIN) : 0;
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
