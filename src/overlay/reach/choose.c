/* SPDX-License-Identifier: MIT */
/* Comparing paths. */
#include "overlay/reach/choose.h"

#define IP6_BONUS (3 * NS_PER_MS)
#define WORTH_TIME (5 * NS_PER_MS)
#define WORTH_SHARE 10 /* one part of so many */

/* Lower is better. */
static unsigned tier(const struct path *p)
{
	return p->kind == PATH_RELAY ? 2 : p->kind != PATH_LAN;
}

/* Round trip as it counts, with 3 ms added for all so that nothing gets below zero. */
static uint64_t cost(const struct path *p)
{
	return p->rtt + (p->kind == PATH_IP6 ? 0 : IP6_BONUS);
}

bool choose_before(const struct path *a, const struct path *b)
{
	if (tier(a) != tier(b))
		return tier(a) < tier(b);
	return cost(a) < cost(b);
}

/* Is it worth leaving `b`, which works, for `a`? */
static bool is_worth(const struct path *a, const struct path *b)
{
	uint64_t ours = cost(a), theirs = cost(b);

	if (tier(a) != tier(b))
		return tier(a) < tier(b);
	return b->rtt && ours + WORTH_TIME <= theirs && ours + theirs / WORTH_SHARE <= theirs;
}

static bool is_fresh(const struct path *p, uint64_t now)
{
	return p->proven && now - p->last_echo < PATH_PROOF_LIFE;
}

struct path *choose_better(struct pathset *ps, uint64_t now)
{
	struct path *current = pathset_current(ps), *best = NULL;

	if (ps->changed_at && now - ps->changed_at < PATH_CHANGE_GAP)
		return NULL;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &ps->path[i];

		if (p->label == 0 || p == current || !is_fresh(p, now) || !p->theirs ||
		    p->echoes < PATH_ECHOES_WANTED || p->missed > 1)
			continue;
		if ((!current || is_worth(p, current)) && (!best || choose_before(p, best)))
			best = p;
	}
	return best;
}

struct path *choose_fallback(struct pathset *ps, uint64_t now)
{
	struct path *current = pathset_current(ps), *best = NULL, *relay = pathset_relay(ps);

	/* All were pinged when the doubt began: what has not answered may be dead, too. */
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &ps->path[i];

		if (p->label == 0 || p == current || !is_fresh(p, now) || p->missed > 0)
			continue;
		if (!best || choose_before(p, best))
			best = p;
	}
	return best ? best : relay != current ? relay : NULL;
}
