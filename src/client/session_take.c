/* SPDX-License-Identifier: MIT */
/*
 * Taking what the server shows into the log: its records and its removals; and what they prove when
 * they do not follow ours. Two receipts that contradict each other are the proof that it lies.
 */
#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

/* --- what the server's records prove --------------------------------------------------------- */

static void report_fork(struct session *s, const struct mlog_take *take,
			const struct wire_entries *shown)
{
	struct log_proof proof = mlog_proof(s->log, take, shown->item, shown->n);
	struct err err = { 0 };
	struct record last;

	s->forked = true;
	s->search.on = s->fetch_wanted = false;
	refuse(&err, 0, REFUSAL_FORK,
	       "the signal server %s shows a log of %s that contradicts this node's: %s. This "
	       "node keeps its own log.",
	       s->cluster.signal_host, s->cluster.cluster, take->why.text);
	session_set_err(s, &err);
	if (record_decode(shown->item[shown->n - 1], &last, NULL) == 0) {
		if (memcmp(last.hash, s->reported, HASH_LEN) == 0)
			return;
		memcpy(s->reported, last.hash, HASH_LEN);
	}
	s->ops->fork(s->ctx, &proof);
}

void take_bad_log(struct session *s, const char *why)
{
	struct err err = { 0 };

	refuse(&err, 0, REFUSAL_BAD_ENTRY,
	       "the signal server %s shows a log of %s that is not valid: %s. Nothing of it "
	       "was taken.",
	       s->cluster.signal_host, s->cluster.cluster, why);
	session_lost_for(s, &err, SESSION_SLOW_RETRY);
}

/* A receipt shows that the server ordered it: this node has to be upgraded. */
static void log_too_new(struct session *s)
{
	struct err err = { 0 };

	refuse(&err, 0, REFUSAL_VERSION,
	       "the log of %s has a record that this version of mlsh does not know: upgrade "
	       "mlsh on this machine. Until then it knows nothing newer.",
	       s->cluster.cluster);
	session_lost_for(s, &err, SESSION_SLOW_RETRY);
}

/* --- taking records --------------------------------------------------------------------------- */

bool take_follow(struct session *s)
{
	session_events_log_grew(s);
	place_follow(s);
	if (phase_is_former(s->phase)) /* more may follow: that is decided at the end */
		return true;
	s->out = !roster_by_id(mlog_roster(s->log), &s->cluster.node_id, ROSTER_CURRENT);
	return !s->out;
}

/* Returns false if this node is no member any more. */
static bool log_grew(struct session *s)
{
	s->ops->log_grew(s->ctx);
	return take_follow(s);
}

bool take_parted(struct session *s, uint64_t seq)
{
	if (s->forked)
		return true;
	s->fetch_wanted = true;
	if (log_search_parted(&s->search, seq))
		return true;
	take_bad_log(s, "its records do not follow each other");
	return false;
}

/* Judges records that were not all taken. Returns false if the connection was given up. */
static bool not_taken(struct session *s, const struct mlog_take *take,
		      const struct wire_entries *shown)
{
	switch (take->result) {
	case TAKEN:
	case TAKEN_OLD: /* from before a recovery of ours, which is pushed */
		return true;
	case TAKEN_GAP:
		s->fetch_wanted |= !s->forked;
		return true;
	case TAKEN_PARTED:
		return take_parted(s, take->seq);
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
		if (!s->forked)
			report_fork(s, take, shown);
		return true;
	case TAKEN_UPGRADE:
		log_too_new(s);
		return false;
	case TAKEN_NO_MEMORY:
		session_lost_for(s, &take->why, SESSION_SLOW_RETRY);
		return false;
	case TAKEN_UNPROVEN:
	case TAKEN_INVALID:
		break;
	}
	take_bad_log(s, take->why.text);
	return false;
}

/*
 * Hands a removal that the server shows to the owner. Each that is refused costs a signature:
 * returns false, and does not look at it, if too many were refused lately.
 */
static bool take_removal(struct session *s, struct span entry, enum removal_shown *ret)
{
	uint64_t now = clock_now(s->host);

	if (!s->ops->removal || !bucket_has(&s->removals, 1, now))
		return false;
	*ret = s->ops->removal(s->ctx, entry);
	if (*ret != REMOVAL_TAKEN)
		(void)bucket_take(&s->removals, 1, now);
	return true;
}

void take_shown_removal(struct session *s, struct span entry)
{
	enum removal_shown shown;

	/* If this node lacks its base, the records are fetched, and it is tried again. */
	if (take_removal(s, entry, &shown) && shown == REMOVAL_LACKING && !s->forked)
		s->fetch_wanted = true;
}

/* Removals among records that are held back count at once, as those do that nobody has ordered. */
static void held_removals(struct session *s, const struct wire_entries *records)
{
	enum removal_shown shown;
	struct span removal;

	for (size_t i = 0; i < records->n; i++)
		if (removal_of_record(records->item[i], s->held.seq, &removal) &&
		    !take_removal(s, removal, &shown))
			return;
}

static void tell_held(struct session *s, const struct wire_entries *records)
{
	if (s->ops->held)
		s->ops->held(s->ctx, &s->held);
	held_removals(s, records);
}

bool take_records(struct session *s, const struct wire_entries *records)
{
	struct mlog_take take;

	if (records->n == 0)
		return true;
	mlog_take_until(s->log, records->item, records->n, session_now_s(s) + CLOCK_AHEAD_MAX_S,
			&take);
	mlog_commit(s->log);
	s->held = take.held;
	if ((take.added > 0 || take.reorganised) && !log_grew(s))
		return false;
	if (take.held.seq > 0)
		tell_held(s, records);
	return not_taken(s, &take, records);
}

uint64_t session_now_s(const struct session *s)
{
	return log_clock_now_s(&s->clock, s->host, s->log);
}
