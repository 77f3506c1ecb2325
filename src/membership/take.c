/* SPDX-License-Identifier: MIT */
/*
 * Takes records that somebody shows: what extends our log, what a recovery puts in its place, and
 * what proves that the server lies (docs/protocol/02-membership-log.md, "Taking records").
 */
#include <inttypes.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "membership/take_internal.h"

static void end(struct taking *t, enum mlog_taken result, uint64_t seq)
{
	t->ret->result = result;
	t->ret->seq = seq;
}

/* --- reading -------------------------------------------------------------------------------- */

static bool is_ours(const struct mlog *l, const struct record *r)
{
	struct head h = { .seq = r->order.seq };

	memcpy(h.hash, r->hash, HASH_LEN);
	return mlog_has_head(l, &h);
}

/* Does `b` follow `a`, by the hashes? */
static bool follows(const struct record *a, const struct record *b)
{
	return b->order.seq == a->order.seq + 1 && b->order.generation >= a->order.generation &&
	       memcmp(b->order.prev, a->hash, HASH_LEN) == 0;
}

static void read_all(struct taking *t, const struct span *records, size_t n)
{
	for (t->n = 0; t->n < n; t->n++) {
		struct record *r = &t->shown[t->n].record;

		if (record_decode(records[t->n], r, &t->ret->why) < 0)
			break;
		if (t->n > 0 && !follows(&t->shown[t->n - 1].record, r)) {
			refuse(&t->ret->why, -EBADMSG, REFUSAL_BAD_ENTRY,
			       "record %" PRIu64 " does not follow the one before it",
			       r->order.seq);
			break;
		}
	}
	t->malformed = t->n < n;
	while (t->first < t->n && is_ours(t->l, &t->shown[t->first].record))
		t->first++;
}

static void unproven(struct taking *t)
{
	uint64_t last = t->shown[t->n - 1].record.order.seq;

	end(t, TAKEN_UNPROVEN, last);
	refuse(&t->ret->why, -EKEYREJECTED, REFUSAL_TAMPERED,
	       "the signal server's receipt for record %" PRIu64 ", or for one that changes its "
	       "key, is missing or false",
	       last);
}

/* --- what does not extend ours -------------------------------------------------------------- */

static bool has_generation(const struct mlog *l, uint64_t number)
{
	for (size_t i = 0; i < l->s.n_generations; i++)
		if (l->s.generations[i].number == number)
			return true;
	return false;
}

static bool code_is_past(const struct mlog *l, const uint8_t hash[HASH_LEN])
{
	for (size_t i = 0; i < l->s.n_past_codes; i++)
		if (memcmp(l->s.past_codes[i].hash, hash, HASH_LEN) == 0)
			return true;
	return false;
}

/*
 * Is the recovery, or an attempt that it supersedes, one that our log does not have, by a code that
 * our log says is used up? Only the code can make one. Our own recover entry at another place says
 * nothing: whoever can read the log can put it there.
 */
static bool misuses_code(const struct mlog *l, const struct entry *e)
{
	uint8_t hash[HASH_LEN];
	struct entry earlier;

	sha256(span_of(e->recover.key, KEY_LEN), hash);
	if (code_is_past(l, hash) && mlog_find(l, e->payload_hash) == 0 &&
	    !mlog_is_superseded(l, e->payload_hash) && take_is_signed(l, e, e->recover.key))
		return true;
	return entry_superseded(e, &earlier) == 0 && misuses_code(l, &earlier);
}

static bool is_by_past_code(const struct mlog *l, const struct record *r)
{
	struct entry e;

	return entry_decode(r->entry, &e, NULL) == 0 && e.type == ENTRY_RECOVER &&
	       misuses_code(l, &e);
}

static void code_misused(struct taking *t, const char *how)
{
	uint64_t seq = t->shown[t->first].record.order.seq;

	end(t, TAKEN_CODE_MISUSED, seq);
	refuse(&t->ret->why, -EACCES, REFUSAL_RECOVERY_CODE, "record %" PRIu64 " is %s", seq, how);
}

/* The first record shown stands where we have another one, and no recovery puts it there. */
static void judge_other(struct taking *t)
{
	const struct mlog *l = t->l;
	const struct record *x = &t->shown[t->first].record;
	uint64_t ours = l->s.slots[x->order.seq].generation;

	if (is_by_past_code(l, x)) {
		code_misused(t,
			     has_generation(l, x->order.generation)
				     ? "a second recovery by the same code: the code was used twice"
				     : "a recovery by a code that was replaced since");
		return;
	}
	if (x->order.generation > ours) {
		end(t, TAKEN_INVALID, x->order.seq);
		refuse(&t->ret->why, -EBADMSG, REFUSAL_BAD_ENTRY,
		       "record %" PRIu64 " claims to be a recovery, which no code has made",
		       x->order.seq);
		return;
	}
	if (x->order.generation < ours) {
		end(t, TAKEN_OLD, x->order.seq);
		refuse(&t->ret->why, -ESTALE, REFUSAL_STALE,
		       "record %" PRIu64 " is one that a recovery has dropped", x->order.seq);
		return;
	}
	if (!take_verify_receipts(t) || !take_is_vouched(t, t->first)) {
		unproven(t);
		return;
	}
	end(t, TAKEN_LIE, x->order.seq);
	refuse(&t->ret->why, -EACCES, REFUSAL_FORK,
	       "the signal server has signed two different records %" PRIu64 " of this log",
	       x->order.seq);
}

/* --- dates ---------------------------------------------------------------------------------- */

/*
 * The first record that is dated too late, or t->n. A recovery sets the time back, so what it
 * builds on may have any date.
 */
static size_t first_ahead(const struct taking *t)
{
	size_t ahead = t->n;

	for (size_t i = t->n; i > t->first; i--) {
		const struct record *r = &t->shown[i - 1].record;

		if (!r->genesis && r->order.time_s > t->latest_s)
			ahead = i - 1;
		else if (entry_peek(r->entry) == ENTRY_RECOVER)
			break;
	}
	return ahead;
}

/* --- taking --------------------------------------------------------------------------------- */

/* Stages one record. 0, or the code of what is wrong with it. */
static int take_one(struct mlog *l, const struct shown *s, struct err *why)
{
	struct record r = s->record;
	struct entry e;
	struct placed p = { .order = &r.order, .entry = &e };
	int x = entry_decode(r.entry, &e, why);

	if (x == 0)
		x = mlog_verify_next(l, &p, why);
	if (x < 0)
		return x;
	if (!s->verified)
		r.receipt = NULL;
	return mlog_stage(l, &r, &e, why);
}

static void failed(struct taking *t, size_t i, int code)
{
	const struct record *r = &t->shown[i].record;

	end(t,
	    code == -ENOMEM	       ? TAKEN_NO_MEMORY
	    : code == -EPROTONOSUPPORT ? TAKEN_UPGRADE
	    : take_is_vouched(t, i)    ? TAKEN_LIE
				       : TAKEN_INVALID,
	    r->order.seq);
}

/* Stages those of `t` in `l`; the index of the first one that does not obey the rules, or t->n. */
static size_t take_into(struct taking *t, struct mlog *l)
{
	for (size_t i = t->first; i < t->n; i++) {
		int x = take_one(l, &t->shown[i], &t->ret->why);

		if (x < 0) {
			failed(t, i, x);
			return i;
		}
	}
	return t->n;
}

/* Up to the last record before `bad` that has a valid receipt. */
static void cut_off(struct taking *t, size_t bad)
{
	for (t->n = bad; t->n > t->first; t->n--)
		if (t->shown[t->n - 1].record.receipt && take_verify_receipts(t))
			return;
}

/*
 * Does something that our log knows vouch for the record, before anything of it is staged: a
 * receipt, or a recovery by the code in force? Behind a recovery by another code anybody can have
 * made the receipts, for any date.
 */
static bool is_known(const struct taking *t, size_t i)
{
	for (size_t j = t->first; j < t->n; j++) {
		const struct shown *s = &t->shown[j];

		if (s->own_key && j >= t->by_code)
			return false;
		if (j >= i && (s->verified || s->own_key))
			return true;
	}
	return false;
}

/* Leaves off what is dated too late, and all that is behind it. Returns false if nothing is. */
static bool hold_back(struct taking *t)
{
	size_t ahead = first_ahead(t);

	if (ahead == t->n)
		return false;
	if (is_known(t, ahead))
		t->ret->held = (struct mlog_held){ t->shown[ahead].record.order.seq,
						   t->shown[ahead].record.order.time_s };
	else
		unproven(t);
	cut_off(t, ahead);
	return true;
}

/* The same before `bad`; a recovery that turned out to be false excuses no date any more. */
static void shorten(struct taking *t, size_t bad)
{
	cut_off(t, bad);
	(void)hold_back(t);
}

static void no_memory(struct taking *t)
{
	end(t, TAKEN_NO_MEMORY, 0);
	refuse(&t->ret->why, -ENOMEM, REFUSAL_INTERNAL, "out of memory");
}

static void extend(struct taking *t)
{
	size_t before = t->l->s.n_slots, bad;

	(void)hold_back(t);
	bad = take_into(t, t->l);
	if (bad < t->n && t->all)
		return;
	if (bad < t->n) {
		/* The head of a log has a receipt: back, and on to the last one before. */
		if (mlog_back(t->l, before) < 0) {
			no_memory(t);
			return;
		}
		shorten(t, bad);
		if (t->n > t->first)
			(void)take_into(t, t->l);
	}
	t->ret->added = t->l->s.n_slots - before;
	t->ret->first = before;
}

static void reorganise(struct taking *t)
{
	uint64_t seq = t->shown[t->first].record.order.seq;
	struct mlog *past;
	size_t bad;

	if (hold_back(t) && !take_leads_to_recovery(t))
		return;
	past = mlog_cut(t->l, seq);
	if (!past) {
		no_memory(t);
		return;
	}
	t->ret->in_vain = true;
	bad = take_into(t, past);
	if (bad < t->n && bad > t->first) {
		mlog_free(past);
		shorten(t, bad);
		past = t->n > t->first && take_leads_to_recovery(t) ? mlog_cut(t->l, seq) : NULL;
		if (!past || take_into(t, past) < t->n) {
			mlog_free(past);
			return;
		}
	} else if (bad < t->n) {
		mlog_free(past);
		return;
	}
	t->ret->added = past->s.n_slots - seq;
	t->ret->first = seq;
	if (mlog_become(t->l, past) < 0) {
		mlog_free(past);
		t->ret->added = 0;
		no_memory(t);
		return;
	}
	t->ret->reorganised = true;
	t->ret->in_vain = false;
}

/*
 * Does a recovery among them bring the key of its own receipt? Anybody can make such a receipt: so
 * nothing of it is staged before its code was looked at.
 */
static bool has_own_key(const struct taking *t)
{
	for (size_t i = t->first; i < t->n; i++)
		if (t->shown[i].own_key)
			return true;
	return false;
}

/* Where in our log do the records shown stand? */
static void place(struct taking *t)
{
	const struct mlog *l = t->l;
	const struct record *x = &t->shown[t->first].record;
	uint64_t count = l->s.n_slots;

	if (x->genesis && count > 0) {
		end(t, TAKEN_INVALID, 0);
		refuse(&t->ret->why, -EACCES, REFUSAL_WRONG_CLUSTER,
		       "it is the log of another cluster");
		return;
	}
	if (x->order.seq > count) {
		end(t, TAKEN_GAP, x->order.seq);
		t->ret->ask_from = count;
		refuse(&t->ret->why, -EBADMSG, REFUSAL_UNKNOWN_HEAD,
		       "records %" PRIu64 " to %" PRIu64 " are missing before those shown", count,
		       x->order.seq - 1);
		return;
	}
	if (x->order.seq > 0 &&
	    memcmp(x->order.prev, l->s.slots[x->order.seq - 1].hash, HASH_LEN) != 0) {
		bool old = x->order.generation < l->s.slots[x->order.seq - 1].generation;

		end(t, old ? TAKEN_OLD : TAKEN_PARTED, x->order.seq);
		t->ret->ask_from = x->order.seq / 2;
		refuse(&t->ret->why, -EBADMSG, REFUSAL_UNKNOWN_HEAD,
		       "record %" PRIu64 " does not follow the one before it in this log",
		       x->order.seq);
		return;
	}
	if (x->order.seq < count && !take_leads_to_recovery(t)) {
		judge_other(t);
		return;
	}
	if (!take_verify_receipts(t) ||
	    (count > 0 && has_own_key(t) && !take_leads_to_recovery(t))) {
		unproven(t);
		return;
	}
	if (x->order.seq < count)
		reorganise(t);
	else
		extend(t);
}

static void take(struct taking *t, const struct span *records, size_t n)
{
	*t->ret = (struct mlog_take){ .result = TAKEN };
	if (n == 0)
		return;
	t->shown = calloc(n, sizeof(*t->shown));
	if (!t->shown) {
		no_memory(t);
		return;
	}
	read_all(t, records, n);
	if (t->first < t->n)
		place(t);
	if (t->malformed && t->ret->result == TAKEN)
		end(t, TAKEN_INVALID, t->n > 0 ? t->shown[t->n - 1].record.order.seq + 1 : 0);
	free(t->shown);
}

void mlog_take(struct mlog *l, const struct span *records, size_t n, struct mlog_take *ret)
{
	mlog_take_until(l, records, n, UINT64_MAX, ret);
}

void mlog_take_until(struct mlog *l, const struct span *records, size_t n, uint64_t latest_s,
		     struct mlog_take *ret)
{
	struct taking t = { .l = l, .ret = ret, .latest_s = latest_s };

	take(&t, records, n);
}

void mlog_take_all(struct mlog *l, const struct span *records, size_t n, struct mlog_take *ret)
{
	struct taking t = { .l = l, .ret = ret, .latest_s = UINT64_MAX, .all = true };

	take(&t, records, n);
}

struct log_proof mlog_proof(const struct mlog *l, const struct mlog_take *take,
			    const struct span *shown, size_t n)
{
	return (struct log_proof){ .seq = take->seq,
				   .code_misused = take->result == TAKEN_CODE_MISUSED,
				   .why = take->why.text,
				   .ours = mlog_record(l, take->seq),
				   .shown = shown,
				   .n_shown = n };
}
