/* SPDX-License-Identifier: AGPL-3.0-only */
/* New records of the logs: entries that get their place here, and records that have one already. */
#include "signal/registry_internal.h"

/* --- addresses -------------------------------------------------------------------------------- */

/*
 * Finds the address of a new member. The log of the cluster may have addresses that this server
 * never gave, which a recovery has reserved.
 */
static int next_member_address(struct registry *r, const struct cluster *c, ip4 *ret,
			       struct err *err)
{
	int e = registry_next_address(r, c->subnet, ret, err);

	while (e == 0 && mlog_address_taken(c->log, *ret)) {
		if (*ret >= prefix4_last(c->subnet))
			return refuse(err, -ENOSPC, REFUSAL_FULL,
				      "No address is left: each is given out only once.");
		++*ret;
	}
	return e;
}

/*
 * Finds how many of the records may be taken, by their addresses. An address may leave a gap,
 * because other clusters of the subnet have theirs in between, but must not use up the addresses of
 * all. -EINVAL, with *ret_ok the number of records before the bad one.
 */
static int check_pushed_addresses(struct registry *r, struct prefix4 subnet,
				  const struct span *records, size_t n, size_t *ret_ok,
				  struct err *err)
{
	ip4 highest = 0;
	int e = db_address_highest(r->db, subnet, &highest, err);

	*ret_ok = 0;
	if (e < 0)
		return registry_fail(r, e, err);
	if (highest == 0)
		highest = prefix4_first(subnet) - 1;
	for (size_t i = 0; i < n; i++) {
		struct record rec;

		/* a malformed record is refused as such when it is taken */
		if (record_decode(records[i], &rec, NULL) < 0)
			break;
		if (rec.order.address > (uint64_t)highest + PUSH_GAP_MAX)
			return refuse(err, -EINVAL, REFUSAL_BAD_ENTRY,
				      "Record %llu gives an address too far above all that were "
				      "given out.",
				      (unsigned long long)rec.order.seq);
		highest = MAX(highest, rec.order.address);
		*ret_ok = i + 1;
	}
	*ret_ok = n;
	return 0;
}

/* --- ordering, taking ------------------------------------------------------------------------- */

/* Stores the staged records, from `first` on, of a log that had `count` records. */
static int store_staged(struct registry *r, struct cluster *c, uint64_t first, uint64_t count,
			struct err *err)
{
	int x = first < count ? db_records_drop(r->db, c->id, first, err) : 0;

	registry_note_change(r, c, first);
	for (uint64_t seq = first; x == 0 && seq < mlog_count(c->log); seq++)
		x = db_record_add(r->db, c->id, seq, mlog_record(c->log, seq), err);
	return x;
}

/* Stores the addresses in the records from `first` on, which another server may have chosen. */
static int store_addresses(struct registry *r, const struct cluster *c, uint64_t first,
			   struct err *err)
{
	struct record rec;
	struct entry e;
	int x = 0;

	for (uint64_t seq = first; x == 0 && mlog_get(c->log, seq, &rec, &e) == 0; seq++) {
		if (rec.order.address == 0)
			continue;
		x = db_address_add(r->db, rec.order.address, c->id, &e.author, err);
		if (x != -EEXIST)
			continue;
		log_warn(host_log(r->host), "an address that a log holds was given out before: "
					    "the database is older than the log");
		x = 0;
	}
	return x;
}

/*
 * Reads the log, and refuses to order if this server has signed two of them. Only a recovery may
 * follow then.
 */
static int check_parted(struct registry *r, struct cluster *c, const struct entry *e,
			struct err *err)
{
	struct mlog *log;
	int x = registry_log(r, c, &log, err);

	if (x == 0 && c->parted && e->type != ENTRY_RECOVER)
		x = refuse(
			err, -EACCES, REFUSAL_UNKNOWN_HEAD,
			"The server has signed another log of this cluster (it was restored from "
			"a backup?) and orders nothing any more: tell its operator.");
	return x;
}

/* A recovery has ended the second log: the cluster is no longer parted. */
static int end_parted(struct registry *r, struct cluster *c, uint64_t generation_before,
		      struct err *err)
{
	if (!c->parted || mlog_generation(c->log) == generation_before)
		return 0;
	c->parted = false;
	c->was_parted = true;
	c->notes &= ~(unsigned)NOTE_PARTED;
	return db_parted_end(r->db, c->id, err);
}

static bool joins(const struct entry *e)
{
	return e->type == ENTRY_ADMIT && !e->admit.invite_decoded.replaces;
}

/*
 * A recovery that goes back plays the log again, which takes up to a quarter of a second and delays
 * all clusters. The attack: the holder of the code makes one after the other. So they are limited.
 */
static int deny_replay(struct err *err)
{
	return refuse(err, -EAGAIN, REFUSAL_RATE,
		      "Too many recoveries go back in this cluster; try again in %d seconds.",
		      REPLAY_TOKENS);
}

static int charge_replay(struct registry *r, struct cluster *c, const struct entry *e,
			 struct err *err)
{
	if (e->type != ENTRY_RECOVER || !mlog_plays_again(c->log, e) ||
	    bucket_take(&c->replays, REPLAY_TOKENS, clock_now(r->host)))
		return 0;
	return deny_replay(err);
}

int registry_order(struct registry *r, struct cluster *c, const struct entry *e, struct span bytes,
		   uint64_t *ret, struct err *err)
{
	struct ordering by = { .now_s = (uint64_t)clock_wall_s(r->host),
			       .order_seed = r->keys->order_seed,
			       .order_key = r->keys->order_key };
	uint64_t count, generation;
	int x = check_parted(r, c, e, err);

	if (x < 0)
		return x;
	generation = mlog_generation(c->log);
	*ret = mlog_find(c->log, e->payload_hash);
	if (*ret > 0)
		return 0;
	if (joins(e) && (x = next_member_address(r, c, &by.address, err)) < 0)
		return x;
	x = charge_replay(r, c, e, err);
	if (x < 0)
		return x;
	count = mlog_count(c->log);
	x = mlog_order(c->log, e, bytes, &by, err);
	if (x < 0)
		return x;
	*ret = mlog_head(c->log).seq;
	x = store_staged(r, c, *ret, count, err);
	if (x == 0)
		x = end_parted(r, c, generation, err);
	if (x == 0 && by.address != 0)
		x = db_address_add(r->db, by.address, c->id, &e->author, err);
	return x < 0 ? registry_write_fail(r, x, err) : 0;
}

bool registry_signs(const struct registry *r, const struct cluster *c, uint64_t seq)
{
	return memcmp(mlog_order_key(c->log, seq), r->keys->order_key, KEY_LEN) == 0;
}

/* There are two logs under one key. To the other nodes, this server lies. */
static void note_parted(struct registry *r, struct cluster *c, const struct mlog_take *take)
{
	/* another server's key signed it, before a move for example */
	if (!registry_signs(r, c, take->seq) || c->parted)
		return;
	c->parted = true;
	registry_note(r, c, NOTE_PARTED);
	log_error(host_log(r->host),
		  "cluster %s: %s, under this server's own key: it was restored from a backup that "
		  "was too old. It orders nothing in this cluster any more; recover the cluster "
		  "with its recovery code.",
		  mlog_genesis(c->log)->name, take->why.text);
}

/* Says to the member what became of its records. `now_s` is the server's time. */
static int taken_result(const struct mlog_take *take, uint64_t now_s, struct err *err)
{
	switch (take->result) {
	case TAKEN:
		if (take->held.seq == 0)
			return 0;
		return refuse(
			err, -ETIME, REFUSAL_AHEAD,
			"Record %llu is dated %llu minutes ahead of the server's clock: it is "
			"not taken yet.",
			(unsigned long long)take->held.seq,
			(unsigned long long)(take->held.time_s - now_s) / 60);
	case TAKEN_OLD:
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "The records are of a generation that a recovery has ended.");
	case TAKEN_GAP:
		return refuse(err, -ESTALE, REFUSAL_STALE,
			      "Records from %llu on are missing before these.",
			      (unsigned long long)take->ask_from);
	case TAKEN_PARTED:
		return refuse(err, -EACCES, REFUSAL_UNKNOWN_HEAD,
			      "The records do not follow those that the server has.");
	case TAKEN_UNPROVEN:
	case TAKEN_INVALID:
	case TAKEN_UPGRADE:
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
	case TAKEN_NO_MEMORY:
		break;
	}
	*err = take->why;
	if (take->result == TAKEN_LIE)
		err->reason = REFUSAL_UNKNOWN_HEAD;
	else
		refusal_make_public(err);
	return take->result == TAKEN_NO_MEMORY ? -ENOMEM : -EACCES;
}

/* Refuses records with a recovery among them if this server has played the log too often lately. */
static int check_replays(struct registry *r, struct cluster *c, const struct span *records,
			 size_t n, struct err *err)
{
	struct record rec;
	struct entry e;

	if (bucket_has(&c->replays, REPLAY_TOKENS, clock_now(r->host)))
		return 0;
	for (size_t i = 0; i < n && record_decode(records[i], &rec, NULL) == 0; i++)
		if (entry_decode(rec.entry, &e, NULL) == 0 && e.type == ENTRY_RECOVER)
			return deny_replay(err);
	return 0;
}

int registry_take(struct registry *r, struct cluster *c, const struct span *records, size_t n,
		  struct registry_taken *ret, struct err *err)
{
	struct err gap = { 0 };
	struct mlog_take take;
	struct mlog *log;
	uint64_t count, generation;
	size_t ok;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(r->host), 0);
	int x = registry_log(r, c, &log, err), y;

	*ret = (struct registry_taken){ .added = 0 };
	if (x == 0)
		x = check_replays(r, c, records, n, err);
	if (x < 0)
		return x;
	x = check_pushed_addresses(r, c->subnet, records, n, &ok, &gap);
	count = mlog_count(log);
	generation = mlog_generation(log);
	mlog_take_until(log, records, ok, now_s + CLOCK_AHEAD_MAX_S, &take);
	ret->in_vain = take.in_vain;
	if (take.in_vain || take.reorganised)
		(void)bucket_take(&c->replays, REPLAY_TOKENS, clock_now(r->host));
	if (take.added > 0) {
		y = store_staged(r, c, take.first, count, err);
		if (y == 0 && registry_standing(r, c) == STANDING_OURS)
			y = store_addresses(r, c, take.first, err);
		if (y == 0)
			y = end_parted(r, c, generation, err);
		if (y < 0)
			return registry_write_fail(r, y, err);
		ret->added = take.added;
	}
	if (take.result == TAKEN_LIE)
		note_parted(r, c, &take);
	y = taken_result(&take, now_s, err);
	if (y == 0 && x < 0)
		*err = gap;
	return y < 0 ? y : x;
}
