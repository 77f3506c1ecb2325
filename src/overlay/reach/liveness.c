/* SPDX-License-Identifier: MIT */
/* Judging by answers: the times are told in liveness.h. */
#include "overlay/reach/liveness.h"

#define PATIENCE_MIN (100 * NS_PER_MS)
#define DOUBT_PING_GAP (30 * NS_PER_MS)
#define DOUBT_AGAIN (500 * NS_PER_MS) /* the path is alive, though QUIC hears nothing */
#define MISSED_MAX 3
#define KEEP_BUSY NS_PER_S /* between pings of the path in use */
#define KEEP_IDLE (15 * NS_PER_S)
#define KEEP_MISSED (300 * NS_PER_MS) /* after a ping without echo */
#define KEEP_DEAD NS_PER_S
#define DEAD_AFTER (2 * NS_PER_S)
#define SUSPECT_DEAD_AFTER (500 * NS_PER_MS)

/* --- what there is --------------------------------------------------------------------------- */

void liveness_begin(struct dest *d)
{
	d->heard = d->unanswered = 0;
}

uint64_t liveness_heard(const struct liveness *l, const struct dest *d)
{
	return MAX(l->last_heard, d->heard);
}

/* --- the path in use ------------------------------------------------------------------------- */

uint64_t path_patience(const struct path *p)
{
	return MAX(PATIENCE_MIN, 3 * p->rtt);
}

void doubt_begin(struct doubt *d, bool forced, uint64_t now)
{
	if (d->since == 0)
		*d = (struct doubt){ .since = now, .next = now };
	d->forced |= forced;
}

void doubt_end(struct doubt *d)
{
	*d = (struct doubt){ .next = TIME_NEVER };
}

enum doubt_step doubt_next(struct doubt *d, uint64_t rtt, uint64_t now)
{
	if (d->since == 0 || d->dead || now < d->next)
		return DOUBT_WAIT;
	if (d->sent == DOUBT_PINGS) {
		d->dead = true;
		d->next = TIME_NEVER;
		return DOUBT_DEAD;
	}
	d->sent++;
	d->next = now + (d->sent < DOUBT_PINGS ? DOUBT_PING_GAP : MAX(PATIENCE_MIN, 2 * rtt));
	return DOUBT_PING;
}

static bool is_answered(const struct doubt *d, const struct path *path, uint64_t heard)
{
	return path->last_echo > d->since || (!d->forced && !d->dead && heard > d->since);
}

/* When the first of what is unanswered was sent; now, if all was answered. */
static uint64_t unanswered(const struct liveness *l, struct dest *d, const struct path *path,
			   uint64_t changed_at, uint64_t now)
{
	uint64_t since = l->unanswered_since ? l->unanswered_since : now;

	/* Records have no acknowledgements: whatever was heard since answers them. */
	if (d->unanswered < MAX(l->last_heard, path->last_echo))
		d->unanswered = 0;
	if (d->unanswered)
		since = MIN(since, d->unanswered);
	return MAX(since, changed_at);
}

enum liveness_verdict liveness_verdict(const struct liveness *l, struct dest *d, struct pathset *ps,
				       uint64_t doubted_at, uint64_t now)
{
	const struct path *path = pathset_current(ps);
	uint64_t since = unanswered(l, d, path, ps->changed_at, now);

	if (ps->doubt.since)
		return is_answered(&ps->doubt, path, liveness_heard(l, d)) ? LIVENESS_ANSWERED
									   : LIVENESS_SAME;
	if (now - since >= path_patience(path) && now - doubted_at >= DOUBT_AGAIN)
		return LIVENESS_DOUBT;
	if (path->missed >= MISSED_MAX && now - path->last_ping >= path_patience(path) &&
	    path->punch.next == TIME_NEVER)
		return LIVENESS_SURE;
	return LIVENESS_SAME;
}

/* --- pings outside of rounds ----------------------------------------------------------------- */

uint64_t liveness_ping_at(const struct pathset *ps, const struct path *p, const struct path *spare,
			  bool idle)
{
	bool current = p->label == ps->current;

	if (p->label == 0 || (!current && p != spare && p->kind != PATH_RELAY))
		return TIME_NEVER;
	if (p->punch.next != TIME_NEVER)
		return TIME_NEVER; /* the round does it */
	if (current && ps->doubt.since)
		return ps->doubt.dead ? p->last_ping + KEEP_DEAD : TIME_NEVER;
	if (p->missed > 0 && p->missed <= MISSED_MAX && p->proven)
		return p->last_ping + MAX(KEEP_MISSED, 2 * p->rtt);
	return p->last_ping + (current && !idle ? KEEP_BUSY : KEEP_IDLE);
}

bool liveness_is_lapsed(const struct path *p, uint64_t now)
{
	return p->proven && (now - p->last_echo >= PATH_PROOF_LIFE || p->missed > MISSED_MAX);
}

/* --- the tunnel ------------------------------------------------------------------------------ */

bool liveness_tunnel_is_dead(const struct liveness *l, const struct dest *d, uint64_t suspect_since,
			     uint64_t now)
{
	/* Records are no answer to what QUIC has sent, but they come from somebody alive. */
	uint64_t since = l->unanswered_since ? MAX(l->unanswered_since, d->heard) : 0;
	uint64_t patience = suspect_since && since >= suspect_since && !d->relay->on
				    ? SUSPECT_DEAD_AFTER
				    : DEAD_AFTER;

	return since && now - since >= MAX(patience, 4 * l->srtt_ns);
}
