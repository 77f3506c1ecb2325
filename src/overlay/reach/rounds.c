/* SPDX-License-Identifier: MIT */
/* Rounds of pings to all candidates (docs/protocol/06-paths.md, "Rounds"). */
#include "overlay/reach/reach.h"

#define PUNCH_LATER (100 * NS_PER_MS) /* when there are too many pings */
#define FOLLOW_LATER (3 * NS_PER_S)   /* the server role's wait for the client role's round */
#define WHOLE_ROUNDS 3		      /* that find nothing, until unanswered ones get one ping */
#define WORD_AGAIN (100 * NS_PER_MS)  /* when it could not be sent */
#define PUNCH_GAP NS_PER_S	      /* between rounds that the other side asks for */

static bool is_settled(const struct path *p)
{
	return p->proven && p->theirs && !p->lost && p->echoes >= PATH_ECHOES_WANTED;
}

static uint64_t jitter(struct reach *r, uint64_t d)
{
	return d / 2 + random_below(r->around->h, d / 2 + 1);
}

/* How long word takes to the other side and back. */
static uint64_t round_trip(const struct reach *r)
{
	return r->conn.srtt_ns;
}

/*
 * All candidates of a kind at the same time, so that pings of both sides cross whatever else either
 * of them has to ask. A NAT is in the way to public IPv4 addresses: the pings to these wait for
 * word that the other side has sent its openers. A node without NAT needs none, and there is no
 * first router of its own that an opener would end behind.
 */
static void punch_path(struct reach *r, struct path *path, bool whole, uint64_t at)
{
	bool nat = path->kind == PATH_PUBLIC && !path->proven;
	uint64_t wait = nat ? punch_wait(round_trip(r)) : 0;

	if (path->kind == PATH_IP6)
		at += PUNCH_SPREAD;
	if (nat && r->around->at_home)
		punch_begin_open(&path->punch, at, wait, whole || path->pongs > 0);
	else
		punch_begin(&path->punch, at, wait, whole || path->pongs > 0);
}

/*
 * Whatever comes from the other side now finds our NAT open: all openers are sent, to one address
 * at least, or there is no NAT.
 */
static bool is_open(const struct reach *r)
{
	bool open = r->around->at_home;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *path = &r->set.path[i];

		if (path->label == 0 || path->kind != PATH_PUBLIC)
			continue;
		if (path->punch.opener)
			return false;
		open = true;
	}
	return open;
}

/*
 * Our word follows the call for the round that it is for: the other side does not count what came
 * before. It is left out when too much was said lately, and is due until it is sent.
 */
static void give_word(struct reach *r, uint64_t now)
{
	if (r->word_next != TIME_NEVER && now < r->word_next)
		return;
	r->word_next = TIME_NEVER;
	if (!r->word_due || r->tell_at != TIME_NEVER || !is_open(r))
		return;
	r->effects.bits |= REACH_SAY_OPENED;
}

void reach_said_opened(struct reach *r, bool said, uint64_t now)
{
	r->word_due = !said;
	if (said)
		r->word_for = r->candidates_heard;
	else
		r->word_next = now + WORD_AGAIN;
}

/* Gives our word and takes the other side's. */
static void exchange_words(struct reach *r, uint64_t now)
{
	give_word(r, now);
	if (r->word_at < r->round_begun)
		return;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (r->set.path[i].label)
			punch_word(&r->set.path[i].punch, now);
	}
}

/* `whole`: something has changed, so all are tried in earnest. */
static void round_begin(struct reach *r, bool whole, uint64_t at, uint64_t now)
{
	uint64_t gap = punch_gap(r->fruitless);

	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &r->set.path[i];

		if (path->label && !is_settled(path) && !path->punch.opener)
			punch_path(r, path, whole, at);
	}
	r->round_begun = now;
	r->word_due = true;
	/* The client role plans, so that the order does change; the other side if it does not. */
	r->round_at = now + (r->client ? jitter(r, gap) : gap + FOLLOW_LATER);
	r->fruitless++;
	r->effects.bits |= REACH_WANT_RELAY;
	predict_round(r, now);
}

/* Begins a round on both sides. */
static void round_plan(struct reach *r, bool whole, uint64_t now)
{
	struct punch_plan plan = punch_plan(r->fruitless, MIN(round_trip(r), NS_PER_S));

	r->hops = plan.hops;
	r->tell_at = now + plan.tell_in;
	round_begin(r, whole, now + plan.begin_in, now);
}

static void tell(struct reach *r, uint64_t now)
{
	r->tell_at = TIME_NEVER;
	if (now - r->told_at < PUNCH_GAP)
		return;
	r->told_at = now;
	r->effects.hops = r->hops;
	r->effects.bits |= REACH_ASK_PUNCH;
}

void reach_round(struct reach *r, uint64_t now)
{
	r->fruitless = 0;
	round_plan(r, true, now);
	tell(r, now);
}

void reach_first_round(struct reach *r, uint64_t now)
{
	r->hops = punch_plan(0, 0).hops;
	/* The server role has the hello first: the client role's is on its way back. */
	round_begin(r, true, now + (r->client ? 0 : round_trip(r) / 2), now);
}

/* NATs that remember strangers have forgotten our last pings by then. */
uint64_t reach_round_at(const struct reach *r)
{
	if (r->round_at == TIME_NEVER || r->fruitless < PUNCH_PLAIN_ROUNDS)
		return r->round_at;
	return MAX(r->round_at, r->strange_at + PUNCH_PAUSE);
}

static void ping_due(struct reach *r, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &r->set.path[i];

		if (path->label == 0 || !punch_due(&path->punch, now))
			continue;
		if (is_settled(path)) {
			punch_end(&path->punch);
		} else if (reach_may_ping(r, path, now)) {
			if (path->punch.opener)
				reach_open_nat(r, path, now);
			else
				reach_ping(r, path, false, now);
			punch_sent(&path->punch, now);
		} else {
			path->punch.next = now + PUNCH_LATER;
		}
	}
}

void reach_rounds(struct reach *r, uint64_t now)
{
	if (pathset_is_direct(&r->set))
		r->round_at = TIME_NEVER;
	else if (r->round_at == TIME_NEVER)
		reach_round(r, now);
	if (now >= reach_round_at(r))
		round_plan(r, r->fruitless < WHOLE_ROUNDS, now);
	if (now >= r->tell_at)
		tell(r, now);
	ping_due(r, now);
	exchange_words(r, now);
}

void reach_punched(struct reach *r, uint8_t hops, uint64_t now)
{
	if (now - r->round_begun >= PUNCH_GAP) {
		r->hops = MIN(MAX(hops, PUNCH_HOPS_MIN), PUNCH_HOPS_MAX);
		round_begin(r, r->fruitless < WHOLE_ROUNDS, now, now);
	}
	r->word_due = true;
}

void reach_opened(struct reach *r, uint64_t now)
{
	r->word_at = now;
}
