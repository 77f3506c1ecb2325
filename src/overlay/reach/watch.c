/* SPDX-License-Identifier: MIT */
/*
 * The path in use: what follows when it dies, or another one is better; and the pings that keep it
 * and those that could take over. Whether it is alive is judged in liveness.c.
 */
#include "overlay/reach/reach.h"

#include "base/log.h"

#define HELP_CALLS 3 /* of the server role, when its path is dead */
#define HELP_GAP (100 * NS_PER_MS)
#define STRAY_AFTER (200 * NS_PER_MS) /* of silence from the old address */

/* --- the path in use ------------------------------------------------------------------------- */

static void say(const struct reach *r, const char *what, const struct path *path)
{
	char text[ADDR_TEXT_MAX];

	log_debug(host_log(r->around->h), "%s: %s %s%s, round trip %llu us", r->name, what,
		  path->kind == PATH_RELAY ? "relay " : "", addr_format(&path->to, text),
		  (unsigned long long)(path->rtt / NS_PER_US));
}

void reach_moved(struct reach *r, path_label label, uint64_t now)
{
	const struct path *path = pathset_of_label(&r->set, label);

	if (path)
		say(r, "now by", path);
	r->set.current = label;
	r->set.changed_at = now;
	r->set.stray_since = 0;
	r->help = 0;
	doubt_end(&r->set.doubt);
}

/* The peer has another address now on the path in use: nothing that QUIC should hear of. */
static void rebind(struct reach *r, struct path *path, struct path *to)
{
	path_label label = path->label;

	say(r, "has moved to", to);
	*path = *to;
	path->label = label;
	path_remove(to);
	r->set.stray_since = 0;
	doubt_end(&r->set.doubt);
	r->effects.bits |= REACH_TELL_MOVED;
}

/* Packets of the connection come from a proven address only, and no more from where it was. */
static void follow_stray(struct reach *r, uint64_t now)
{
	struct pathset *ps = &r->set;
	struct path *current = pathset_current(ps);
	struct path *to = ps->stray_since ? pathset_of_addr(ps, &ps->stray) : NULL;

	if (!current || current->kind == PATH_RELAY || !to || to == current || !to->proven ||
	    (ps->doubt.since == 0 && now - ps->stray_since < STRAY_AFTER))
		return;
	rebind(r, current, to);
}

/* When in doubt, all that could take over are asked whether they live. */
static void ping_fallbacks(struct reach *r, bool urgent, uint64_t now)
{
	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *path = &r->set.path[i];

		if (path->label && path->label != r->set.current &&
		    (path->proven || path->kind == PATH_RELAY))
			reach_ping(r, path, urgent, now);
	}
}

void reach_doubt(struct reach *r, bool forced, uint64_t now)
{
	bool first = r->set.doubt.since == 0;

	doubt_begin(&r->set.doubt, forced, now);
	r->doubted_at = now;
	if (first)
		ping_fallbacks(r, false, now);
}

static void on_dead(struct reach *r, struct path *path, uint64_t now)
{
	say(r, "no answer by", path);
	path->lost = true;
	path_disprove(path);
	r->help = HELP_CALLS;
	r->help_at = now;
	reach_round(r, now);
	r->effects.bits |= REACH_DEAD;
}

void reach_watch(struct reach *r, uint64_t now)
{
	struct path *path = pathset_current(&r->set);
	struct doubt *d = &r->set.doubt;

	if (!path)
		return;
	switch (liveness_verdict(&r->conn, r->dest, &r->set, r->doubted_at, now)) {
	case LIVENESS_SAME:
		break;
	case LIVENESS_ANSWERED:
		doubt_end(d);
		break;
	case LIVENESS_DOUBT:
		reach_doubt(r, false, now);
		break;
	case LIVENESS_SURE:
		reach_doubt(r, true, now);
		break;
	}
	switch (doubt_next(d, path->rtt, now)) {
	case DOUBT_PING:
		reach_ping(r, path, true, now);
		break;
	case DOUBT_DEAD:
		on_dead(r, path, now);
		break;
	case DOUBT_WAIT:
		break;
	}
}

/* If that is refused for now: again at the next look. */
static void migrate(struct reach *r, const struct path *to, bool at_once)
{
	r->effects.bits |= REACH_MIGRATE;
	r->effects.label = to->label;
	r->effects.at_once = at_once;
}

/* The server role cannot move: it follows an address of the peer, or asks it to look. */
static void ask_for_help(struct reach *r, struct path *fallback, uint64_t now)
{
	struct path *current = pathset_current(&r->set);

	if (current && current->kind != PATH_RELAY && fallback && fallback->kind != PATH_RELAY) {
		rebind(r, current, fallback);
	} else if (r->help > 0 && now >= r->help_at) {
		r->help--;
		r->help_at = now + HELP_GAP;
		ping_fallbacks(r, true, now);
	}
}

void reach_decide(struct reach *r, uint64_t now)
{
	struct path *to;

	follow_stray(r, now);
	if (r->set.doubt.dead) {
		to = choose_fallback(&r->set, now);
		if (!r->client)
			ask_for_help(r, to, now);
		else if (to)
			migrate(r, to, true);
		return;
	}
	to = r->client && r->set.doubt.since == 0 ? choose_better(&r->set, now) : NULL;
	if (to)
		migrate(r, to, false);
}

/* --- keeping paths alive --------------------------------------------------------------------- */

static const struct path *best_spare(const struct reach *r)
{
	const struct path *best = NULL;

	for (size_t i = 0; i < PATHS_MAX; i++) {
		const struct path *p = &r->set.path[i];

		if (p->label && p->proven && p->kind != PATH_RELAY && p->label != r->set.current &&
		    (!best || choose_before(p, best)))
			best = p;
	}
	return best;
}

static uint64_t keep_at(const struct reach *r, const struct path *p, const struct path *spare)
{
	return liveness_ping_at(&r->set, p, spare, r->dest->idle);
}

void reach_keep(struct reach *r, uint64_t now)
{
	const struct path *spare = best_spare(r);

	for (size_t i = 0; i < PATHS_MAX; i++) {
		struct path *p = &r->set.path[i];
		bool current = p->label == r->set.current;

		if (p->label == 0)
			continue;
		if (!current && liveness_is_lapsed(p, now))
			path_disprove(p);
		if (now >= keep_at(r, p, spare))
			reach_ping(r, p, false, now);
	}
}

uint64_t reach_keep_at(const struct reach *r)
{
	const struct path *spare = best_spare(r);
	uint64_t at = TIME_NEVER;

	for (size_t i = 0; i < PATHS_MAX; i++)
		at = MIN(at, keep_at(r, &r->set.path[i], spare));
	return at;
}

/* --- for people ------------------------------------------------------------------------------ */

bool reach_is_dead(const struct reach *r)
{
	return r && r->set.doubt.dead;
}

uint64_t reach_last_echo(struct reach *r)
{
	const struct path *path = r ? pathset_current(&r->set) : NULL;

	return path && path->pongs ? path->last_echo : 0;
}
