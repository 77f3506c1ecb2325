/* SPDX-License-Identifier: AGPL-3.0-only */
/* Former members: what ends for them, and what they may still read. */
#include "membership/words.h"
#include "signal/places.h"

/* --- what ends -------------------------------------------------------------------------------- */

static bool has_key(const struct member *m, const struct caller *c)
{
	return memcmp(m->key_sha256, c->key_sha256, HASH_LEN) == 0;
}

/* Ends the session of a member that has left, or that has a new key now. */
static void end_session(struct cluster *c, const struct member *m)
{
	struct presence_item *item = presence_get(c->presence, &m->id);
	struct caller *session = item ? item->session : NULL;
	bool current = member_is_current(m);

	if (session && !current)
		caller_is_former(session, SIGNAL_CLOSE_REMOVED, "no longer a member");
	else if (session && !has_key(m, session))
		caller_is_former(session, SIGNAL_CLOSE_BYE, "the node has a new key");
	if (!current)
		presence_forget(c->presence, &m->id);
}

void members_changed(struct cluster *c)
{
	struct roster_change change;

	while (roster_next_change(mlog_roster(c->log), &c->seen, &change))
		if (change.kind == ROSTER_LEFT || change.kind == ROSTER_KEY)
			end_session(c, change.member);
}

void members_moved(struct signal_server *s, struct cluster *c)
{
	if (registry_standing(s->registry, c) != STANDING_AWAY)
		return;
	list_for_each(it, &s->sessions) {
		struct caller *session = list_entry(it, struct caller, in_server);

		if (session->cluster == c)
			caller_is_former(session, SIGNAL_CLOSE_BYE, "the cluster has moved");
	}
}

/* --- what they are told ----------------------------------------------------------------------- */

static const struct member *member_of(const struct caller *c, const struct mlog *log)
{
	return roster_by_id(mlog_roster(log), &c->node, ROSTER_ALL);
}

static const char *name_of(const struct mlog *log, const struct node_id *id)
{
	const struct member *m = roster_by_id(mlog_roster(log), id, ROSTER_ALL);

	return m ? m->name : "the recovery code";
}

int members_refuse(const struct caller *c, const struct mlog *log, struct err *err)
{
	static const char *const how[] = { [LEFT_REMOVED] = "was removed",
					   [LEFT_BY_ITSELF] = "has left",
					   [LEFT_REPLACED] = "was replaced by another node",
					   [LEFT_BY_RECOVERY] = "was removed by a recovery" };
	const char *cluster = mlog_genesis(log)->name;
	const struct member *m = member_of(c, log);
	char when[WORDS_TIME_MAX];

	if (!m)
		return refuse(err, -EACCES, REFUSAL_NOT_MEMBER,
			      "This node is not a member of the cluster.");
	if (member_is_current(m))
		return refuse(
			err, -EACCES, REFUSAL_NOT_MEMBER,
			"\"%s\" has another key in cluster \"%s\" since %s UTC (record %llu).",
			m->name, cluster, words_time(m->key_since_s, when),
			(unsigned long long)m->key_seq);
	return refuse(err, -EACCES, REFUSAL_NOT_MEMBER,
		      "\"%s\" %s at %s UTC, by \"%s\" (record %llu of cluster \"%s\").", m->name,
		      how[m->left], words_time(m->left_s, when), name_of(log, &m->left_by),
		      (unsigned long long)m->left_seq, cluster);
}

/* --- what they may read ----------------------------------------------------------------------- */

static bool has_receipt(const struct mlog *log, uint64_t seq)
{
	struct record r;

	return record_decode(mlog_record(log, seq), &r, NULL) == 0 && r.receipt;
}

/* Returns the last record about the caller's membership, or the last recovery if that is later. */
static uint64_t last_for_former(const struct caller *c, const struct mlog *log)
{
	const struct member *m = member_of(c, log);
	uint64_t generation = mlog_generation(log);
	uint64_t last = generation > 0 ? mlog_generation_start(log, generation - 1) : 0;

	if (!m)
		return last;
	return MAX(last, member_is_current(m) ? m->key_seq : m->left_seq);
}

uint64_t members_may_read(const struct caller *c, const struct mlog *log)
{
	uint64_t n;

	/* a member returns because the cluster has moved: it may read where to */
	if (registry_member(c->cluster, c->key_sha256))
		return mlog_count(log);
	n = last_for_former(c, log) + 1;
	while (n < mlog_count(log) && !has_receipt(log, n - 1))
		n++; /* the part that it may read ends at a receipt */
	return n;
}
