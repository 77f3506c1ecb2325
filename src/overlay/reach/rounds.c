/* SPDX-License-Identifier: MIT */
/* Rounds of pings to all candidates (docs/protocol/06-paths.md, "Rounds"). */
#include "overlay/reach/prober.h"

#define PUNCH_LATER (100 * NS_PER_MS) /* when there are too many pings */
#define FOLLOW_LATER (3 * NS_PER_S)   /* the server role's wait for the client role's round */
#define WHOLE_ROUNDS 3		      /* that find nothing, until unanswered ones get one ping */
#define WORD_AGAIN (100 * NS_PER_MS)  /* when it could not be sent */
#define PUNCH_GAP NS_PER_S	      /* between rounds that the other side asks for */

static bool is_settled(const struct path *p)
{
	return p->proven && p->theirs && !p->lost && p->echoes >= PATH_ECHOES_WANTED;
}

static uint64_t jitter(struct prober *pr, uint64_t d)
{
	return d / 2 + random_below(pr->around->h, d / 2 + 1);
}

/* How long word takes to the other side and back. */
static uint64_t round_trip(const struct prober *pr)
{
	return pr->conn.srtt_ns;
}

/*
 * All candidates of a kind at the same time, so that pings of both sides cross whatever else either
 * of them has to ask. A NAT is in the way to public IPv4 addresses: the pings to these wait for
 * word that the other side has sent its openers. A node without NAT needs none, and there is no
 * first router of its own that an opener would end behind.
 */
static void punch_path(struct prober *pr, struct path *path, bool whole, uint64_t at)
{
	bool nat = path->kind == PATH_PUBLIC && !path->proven;
	uint64_t wait = nat ? punch_wait(round_trip(pr)) : 0;

	if (path->kind == PATH_IP6)
		at += PUNCH_SPREAD;
	if (nat && pr->around->at_home)
		punch_begin_open(&path->punch, at, wait, whole || path->pongs > 0);
	else
		punch_begin(&path->punch, at, wait, whole || path->pongs > 0);
}

/*
 * Whatever comes from the other side now finds our NAT open: all openers are sent, to one address
 * at least, or there is no NAT.
 */
static bool is_open(const struct prober *pr)
{
	bool open = pr->around->at_home;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *path = &pr->set.path[i];

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
static void give_word(struct prober *pr, uint64_t now)
{
	if (pr->word_next != TIME_NEVER && now < pr->word_next)
		return;
	pr->word_next = TIME_NEVER;
	if (!pr->word_due || pr->tell_at != TIME_NEVER || !is_open(pr))
		return;
	pr->effects.bits |= REACH_SAY_OPENED;
}

void reach_said_opened(struct prober *pr, bool said, uint64_t now)
{
	pr->word_due = !said;
	if (said)
		pr->word_for = pr->conn.candidates_heard;
	else
		pr->word_next = now + WORD_AGAIN;
}

/* Gives our word and takes the other side's. */
static void exchange_words(struct prober *pr, uint64_t now)
{
	give_word(pr, now);
	if (pr->word_at < pr->round_begun)
		return;
	for (size_t i = 0; i < PATHS_MAX; i++) {
		if (pr->set.path[i].label)
			punch_word(&pr->set.path[i].punch, now);
	}
}

/* `whole`: something has changed, so all are tried in earnest. */
static void round_begin(struct prober *pr, bool whole, uint64_t at, uint64_t now)
{
	uint64_t gap = punch_gap(pr->fruitless);

	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &pr->set.path[i];

		if (path->label && !is_settled(path) && !path->punch.opener)
			punch_path(pr, path, whole, at);
	}
	pr->round_begun = now;
	pr->word_due = true;
	/* The client role plans, so that the order does change; the other side if it does not. */
	pr->round_at = now + (pr->client ? jitter(pr, gap) : gap + FOLLOW_LATER);
	pr->fruitless++;
	pr->effects.bits |= REACH_WANT_RELAY;
	predict_round(pr, now);
}

/* Begins a round on both sides. */
static void round_plan(struct prober *pr, bool whole, uint64_t now)
{
	struct punch_plan plan = punch_plan(pr->fruitless, MIN(round_trip(pr), NS_PER_S));

	pr->hops = plan.hops;
	pr->tell_at = now + plan.tell_in;
	round_begin(pr, whole, now + plan.begin_in, now);
}

static void tell(struct prober *pr, uint64_t now)
{
	pr->tell_at = TIME_NEVER;
	if (now - pr->told_at < PUNCH_GAP)
		return;
	pr->told_at = now;
	pr->effects.hops = pr->hops;
	pr->effects.bits |= REACH_ASK_PUNCH;
}

void reach_round(struct prober *pr, uint64_t now)
{
	pr->fruitless = 0;
	round_plan(pr, true, now);
	tell(pr, now);
}

void prober_first_round(struct prober *pr, uint64_t now)
{
	pr->hops = punch_plan(0, 0).hops;
	/* The server role has the hello first: the client role's is on its way back. */
	round_begin(pr, true, now + (pr->client ? 0 : round_trip(pr) / 2), now);
}

/* NATs that remember strangers have forgotten our last pings by then. */
uint64_t prober_round_at(const struct prober *pr)
{
	if (pr->round_at == TIME_NEVER || pr->fruitless < PUNCH_PLAIN_ROUNDS)
		return pr->round_at;
	return MAX(pr->round_at, pr->strange_at + PUNCH_PAUSE);
}

static void ping_due(struct prober *pr, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &pr->set.path[i];

		if (path->label == 0 || !punch_due(&path->punch, now))
			continue;
		if (is_settled(path)) {
			punch_end(&path->punch);
		} else if (prober_may_ping(pr, path, now)) {
			if (path->punch.opener)
				prober_open_nat(pr, path, now);
			else
				prober_ping(pr, path, false, now);
			punch_sent(&path->punch, now);
		} else {
			path->punch.next = now + PUNCH_LATER;
		}
	}
}

void prober_rounds(struct prober *pr, uint64_t now)
{
	if (pathset_is_direct(&pr->set))
		pr->round_at = TIME_NEVER;
	else if (pr->round_at == TIME_NEVER)
		reach_round(pr, now);
	if (now >= prober_round_at(pr))
		round_plan(pr, pr->fruitless < WHOLE_ROUNDS, now);
	if (now >= pr->tell_at)
		tell(pr, now);
	ping_due(pr, now);
	exchange_words(pr, now);
}

void reach_punched(struct prober *pr, uint8_t hops, uint64_t now)
{
	if (now - pr->round_begun >= PUNCH_GAP) {
		pr->hops = MIN(MAX(hops, PUNCH_HOPS_MIN), PUNCH_HOPS_MAX);
		round_begin(pr, pr->fruitless < WHOLE_ROUNDS, now, now);
	}
	pr->word_due = true;
}

void reach_opened(struct prober *pr, uint64_t now)
{
	pr->word_at = now;
}
