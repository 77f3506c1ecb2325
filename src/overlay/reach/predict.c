/* SPDX-License-Identifier: MIT */
/*
 * Port prediction: the side with the NAT that can be foretold says its last port, the other one
 * tries those that are likely to come next.
 */
#include "overlay/reach/predict.h"

#include "overlay/reach/reach.h"

#define GUESS_GAP (20 * NS_PER_MS)
#define GUESS_LATER (100 * NS_PER_MS) /* when there are too many pings */
#define TELL_GAP (60 * NS_PER_S)      /* so long the other side saves up guesses */
#define LAST_IS_OLD (200 * NS_PER_S)  /* NATs have forgotten the mapping that it was of */
#define PORT_FIRST 1024		      /* RFC 4787 section 4.2: NATs give no lower ones */

uint16_t predict_port(uint16_t last, unsigned i)
{
	int far = (int)(i / 2) + 1;
	int port = i % 2 ? last - far : last + far;

	return port < PORT_FIRST || port > UINT16_MAX ? 0 : (uint16_t)port;
}

void predict_init(struct predict *g)
{
	*g = (struct predict){ .next_at = TIME_NEVER };
}

/* --- our NAT --------------------------------------------------------------------------------- */

static bool may_help(struct reach *r)
{
	/* What members say of NATs, and gateways of mappings, may be a lie: not asked. */
	return r->around->nat.in_turn && !pathset_is_direct(&r->set);
}

void predict_say(struct reach *r, uint64_t now)
{
	r->predict.told_at = now;
}

void predict_round(struct reach *r, uint64_t now)
{
	uint64_t last_at = nat_last_at(r->around), told_at = r->predict.told_at;

	if (!may_help(r) || (told_at && now - told_at < TELL_GAP))
		return;
	if (r->around->nat.check.running)
		return; /* predict_learnt comes of it */
	if (last_at && now - last_at > LAST_IS_OLD) {
		r->effects.bits |= REACH_WANT_ECHO;
		return;
	}
	predict_say(r, now);
	r->effects.bits |= REACH_TELL_PORT;
}

bool predict_learnt(struct reach *r, uint64_t now)
{
	if (!may_help(r))
		return false;
	predict_say(r, now);
	return true;
}

/* --- theirs ---------------------------------------------------------------------------------- */

static bool names(const struct wire_candidates *c, const struct addr *a)
{
	for (size_t i = 0; i < c->n; i++) {
		if (addr_same_ip(&c->item[i], a))
			return true;
	}
	return false;
}

static bool is_wanted(const struct reach *r)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *p = &r->set.path[i];

		if (p->label && p->proven && p->kind != PATH_RELAY)
			return false;
	}
	return !r->around->nat.varies;
}

bool predict_told(struct reach *r, const struct addr *last)
{
	struct predict *g = &r->predict;

	if (!is_wanted(r) || !addr_is_v4(last) || addr_is_private(last) ||
	    !candidate_ok(last, r->around->subnet) ||
	    (!names(r->from_peer, last) && !names(r->from_server, last)))
		return false;
	if (!addr_equal(&g->last, last)) {
		g->last = *last;
		g->next = g->end = 0;
	}
	g->end = MIN(g->end + PREDICT_STEP, PREDICT_PORTS);
	if (g->next_at == TIME_NEVER)
		g->next_at = 0; /* else goes on, each in its time */
	return true;
}

/* The next port that the round does not ask at anyway. */
static bool next_guess(struct reach *r, struct addr *ret)
{
	struct predict *g = &r->predict;

	*ret = g->last;
	for (; g->next < g->end; g->next++) {
		ret->port = predict_port(g->last.port, g->next);
		if (ret->port != 0 && !pathset_of_addr(&r->set, ret))
			return true;
	}
	return false;
}

void predict_run(struct reach *r, uint64_t now)
{
	struct predict *g = &r->predict;
	struct addr to;

	if (now < g->next_at)
		return;
	if (r->around->nat.check.running) {
		g->next_at = now + GUESS_LATER; /* what our own NAT does is about to be known */
	} else if (!is_wanted(r) || !next_guess(r, &to)) {
		g->next_at = TIME_NEVER;
	} else if (reach_guess(r, &to, now)) {
		g->next++;
		g->tried++;
		g->next_at = now + GUESS_GAP;
	} else {
		g->next_at = now + GUESS_LATER;
	}
}
