/* SPDX-License-Identifier: MIT */
/*
 * The path in use: is it alive, is another one better, where to when it dies; and the pings that
 * keep it and those that could take over.
 */
#include "overlay/reach/prober.h"

#include "base/log.h"

#define KEEP_BUSY NS_PER_S /* between pings of the path in use */
#define KEEP_IDLE (15 * NS_PER_S)
#define KEEP_MISSED (300 * NS_PER_MS) /* after a ping without echo */
#define KEEP_DEAD NS_PER_S
#define MISSED_MAX 3
#define DOUBT_GAP (500 * NS_PER_MS) /* the path is alive, though QUIC hears nothing */
#define HELP_CALLS 3		    /* of the server role, when its path is dead */
#define HELP_GAP (100 * NS_PER_MS)
#define LOOK_FRESH (2 * NS_PER_S)
#define STRAY_AFTER (200 * NS_PER_MS) /* of silence from the old address */

/* --- the path in use ------------------------------------------------------------------------- */

static void say(const struct prober *pr, const char *what, const struct path *path)
{
	char text[ADDR_TEXT_MAX];

	log_debug(host_log(pr->around->h), "%s: %s %s%s, round trip %llu us", pr->name, what,
		  path->kind == PATH_RELAY ? "relay " : "", addr_format(&path->to, text),
		  (unsigned long long)(path->rtt / NS_PER_US));
}

void reach_moved(struct prober *pr, path_label label, uint64_t now)
{
	const struct path *path = pathset_of_label(&pr->set, label);

	if (path)
		say(pr, "now by", path);
	pr->set.current = label;
	pr->set.changed_at = now;
	pr->set.stray_since = 0;
	pr->help = 0;
	doubt_end(&pr->set.doubt);
}

/* The peer has another address now on the path in use: nothing that QUIC should hear of. */
static void rebind(struct prober *pr, struct path *path, struct path *to)
{
	path_label label = path->label;

	say(pr, "has moved to", to);
	*path = *to;
	path->label = label;
	path_remove(to);
	pr->set.stray_since = 0;
	doubt_end(&pr->set.doubt);
	pr->effects.bits |= REACH_TELL_MOVED;
}

/* Packets of the connection come from a proven address only, and no more from where it was. */
static void follow_stray(struct prober *pr, uint64_t now)
{
	struct pathset *ps = &pr->set;
	struct path *current = pathset_current(ps);
	struct path *to = ps->stray_since ? pathset_of_addr(ps, &ps->stray) : NULL;

	if (!current || current->kind == PATH_RELAY || !to || to == current || !to->proven ||
	    (ps->doubt.since == 0 && now - ps->stray_since < STRAY_AFTER))
		return;
	rebind(pr, current, to);
}

/* When in doubt, all that could take over are asked whether they live. */
static void ping_refuges(struct prober *pr, bool urgent, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &pr->set.path[i];

		if (path->label && path->label != pr->set.current &&
		    (path->proven || path->kind == PATH_RELAY))
			prober_ping(pr, path, urgent, now);
	}
}

void reach_doubt(struct prober *pr, bool forced, uint64_t now)
{
	bool first = pr->set.doubt.since == 0;

	doubt_begin(&pr->set.doubt, forced, now);
	pr->doubted_at = now;
	if (first)
		ping_refuges(pr, false, now);
}

static void on_dead(struct prober *pr, struct path *path, uint64_t now)
{
	say(pr, "no answer by", path);
	path->lost = true;
	path_disprove(path);
	pr->help = HELP_CALLS;
	pr->help_at = now;
	reach_round(pr, now);
	pr->effects.bits |= REACH_DEAD;
}

static bool heard_since(const struct path *path, const struct doubt *d, uint64_t heard)
{
	return path->last_echo > d->since || (!d->forced && !d->dead && heard > d->since);
}

/* When the first of what has not been answered yet was sent; now: there is none. */
static uint64_t unanswered(struct prober *pr, const struct path *path, uint64_t now)
{
	struct dest *dest = pr->dest;
	uint64_t since = pr->conn.unanswered_since ? pr->conn.unanswered_since : now;

	/* Records have no acknowledgements: whatever was heard since answers them. */
	if (dest->unanswered < MAX(pr->conn.last_heard, path->last_echo))
		dest->unanswered = 0;
	if (dest->unanswered)
		since = MIN(since, dest->unanswered);
	return MAX(since, pr->set.changed_at);
}

void prober_watch(struct prober *pr, uint64_t now)
{
	struct path *path = pathset_current(&pr->set);
	struct doubt *d = &pr->set.doubt;
	uint64_t since;

	if (!path)
		return;
	since = unanswered(pr, path, now);
	if (d->since && heard_since(path, d, MAX(pr->conn.last_heard, pr->dest->heard)))
		doubt_end(d);
	else if (d->since == 0 && now - since >= path_patience(path) &&
		 now - pr->doubted_at >= DOUBT_GAP)
		reach_doubt(pr, false, now);
	else if (d->since == 0 && path->missed >= MISSED_MAX &&
		 now - path->last_ping >= path_patience(path) && path->punch.next == TIME_NEVER)
		reach_doubt(pr, true, now);
	switch (doubt_next(d, path->rtt, now)) {
	case DOUBT_PING:
		prober_ping(pr, path, true, now);
		break;
	case DOUBT_DEAD:
		on_dead(pr, path, now);
		break;
	case DOUBT_WAIT:
		break;
	}
}

/* If that is refused for now: again at the next look. */
static void migrate(struct prober *pr, const struct path *to, bool at_once)
{
	pr->effects.bits |= REACH_MIGRATE;
	pr->effects.label = to->label;
	pr->effects.at_once = at_once;
}

/* The server role cannot move: it follows an address of the peer, or asks it to look. */
static void ask_for_help(struct prober *pr, struct path *refuge, uint64_t now)
{
	struct path *current = pathset_current(&pr->set);

	if (current && current->kind != PATH_RELAY && refuge && refuge->kind != PATH_RELAY) {
		rebind(pr, current, refuge);
	} else if (pr->help > 0 && now >= pr->help_at) {
		pr->help--;
		pr->help_at = now + HELP_GAP;
		ping_refuges(pr, true, now);
	}
}

void prober_decide(struct prober *pr, uint64_t now)
{
	struct path *to;

	follow_stray(pr, now);
	if (pr->set.doubt.dead) {
		to = choose_refuge(&pr->set, now);
		if (!pr->client)
			ask_for_help(pr, to, now);
		else if (to)
			migrate(pr, to, true);
		return;
	}
	to = pr->client && pr->set.doubt.since == 0 ? choose_better(&pr->set, now) : NULL;
	if (to)
		migrate(pr, to, false);
}

/* --- keeping paths alive --------------------------------------------------------------------- */

static const struct path *best_spare(const struct prober *pr)
{
	const struct path *best = NULL;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *p = &pr->set.path[i];

		if (p->label && p->proven && p->kind != PATH_RELAY && p->label != pr->set.current &&
		    (!best || choose_before(p, best)))
			best = p;
	}
	return best;
}

/* When it is to be pinged outside of rounds. */
static uint64_t keep_at(const struct prober *pr, const struct path *p, const struct path *spare)
{
	bool current = p->label == pr->set.current;

	if (p->label == 0 || (!current && p != spare && p->kind != PATH_RELAY))
		return TIME_NEVER;
	if (p->punch.next != TIME_NEVER)
		return TIME_NEVER; /* the round does it */
	if (current && pr->set.doubt.since)
		return pr->set.doubt.dead ? p->last_ping + KEEP_DEAD : TIME_NEVER;
	if (p->missed > 0 && p->missed <= MISSED_MAX && p->proven)
		return p->last_ping + MAX(KEEP_MISSED, 2 * p->rtt);
	return p->last_ping + (current && !pr->dest->idle ? KEEP_BUSY : KEEP_IDLE);
}

void prober_keep(struct prober *pr, uint64_t now)
{
	const struct path *spare = best_spare(pr);

	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &pr->set.path[i];
		bool current = p->label == pr->set.current;

		if (p->label == 0)
			continue;
		if (!current && p->proven &&
		    (now - p->last_echo >= PATH_PROOF_LIFE || p->missed > MISSED_MAX))
			path_disprove(p);
		if (now >= keep_at(pr, p, spare))
			prober_ping(pr, p, false, now);
	}
}

uint64_t prober_keep_at(const struct prober *pr)
{
	const struct path *spare = best_spare(pr);
	uint64_t at = TIME_NEVER;

	for (size_t i = 0; i < PATHS_MAX; i++)
		at = MIN(at, keep_at(pr, &pr->set.path[i], spare));
	return at;
}

/* --- for people ------------------------------------------------------------------------------ */

bool reach_is_dead(const struct prober *pr)
{
	return pr && pr->set.doubt.dead;
}

uint64_t reach_last_echo(struct prober *pr)
{
	const struct path *path = pr ? pathset_current(&pr->set) : NULL;

	return path && path->pongs ? path->last_echo : 0;
}
