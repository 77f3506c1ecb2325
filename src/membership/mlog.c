/* SPDX-License-Identifier: MIT */
/* The log in memory: how records are staged, committed and taken back. */
#include "membership/mlog.h"

#include <inttypes.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "membership/internal.h"
#include "proto/signal.h"

#define BLOCK_BYTES 65536

/* A piece of the arena. Records are at most a fifteenth of it. */
struct mlog_block {
	struct mlog_block *older;
	size_t used;
	uint8_t data[BLOCK_BYTES];
};

/* --- memory --------------------------------------------------------------------------------- */

static void state_free(struct mlog_state *s)
{
	while (s->blocks) {
		struct mlog_block *b = s->blocks;

		s->blocks = b->older;
		free(b);
	}
	free(s->slots);
	free(s->epochs);
	free(s->generations);
	free(s->past_codes);
	map_free(s->payloads);
	map_free(s->nonces);
	map_free(s->cancelled);
	map_free(s->superseded);
	map_free(s->names);
	map_free(s->addresses);
}

struct mlog *mlog_new(const uint8_t map_seed[16])
{
	struct mlog *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	memcpy(l->map_seed, map_seed, sizeof(l->map_seed));
	l->roster = roster_new(map_seed);
	l->s.payloads = map_new(map_seed, HASH_LEN, LOG_MAX_ENTRIES);
	l->s.nonces = map_new(map_seed, NONCE_LEN, LOG_MAX_ENTRIES);
	l->s.cancelled = map_new(map_seed, HASH_LEN, LOG_MAX_ENTRIES);
	l->s.superseded = map_new(map_seed, HASH_LEN, LOG_MAX_ENTRIES);
	l->s.names = map_new(map_seed, HASH_LEN, LOG_MAX_ENTRIES);
	l->s.addresses = map_new(map_seed, sizeof(ip4), LOG_MAX_ENTRIES);
	if (l->roster && l->s.payloads && l->s.nonces && l->s.cancelled && l->s.superseded &&
	    l->s.names && l->s.addresses)
		return l;
	mlog_free(l);
	return NULL;
}

static void before_free(struct mlog *l)
{
	if (!l->before)
		return;
	state_free(l->before);
	free(l->before);
	l->before = NULL;
}

void mlog_free(struct mlog *l)
{
	if (!l)
		return;
	before_free(l);
	state_free(&l->s);
	roster_free(l->roster);
	secret_wipe(l->map_seed, sizeof(l->map_seed));
	free(l);
}

/* A place for the bytes of the next record, which it takes only with arena_take. */
static int arena_reserve(struct mlog_state *s, size_t len)
{
	struct mlog_block *b = s->blocks;

	if (b && sizeof(b->data) - b->used >= len)
		return 0;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->older = s->blocks;
	b->used = 0;
	s->blocks = b;
	return 0;
}

static const uint8_t *arena_take(struct mlog_state *s, const struct record_bytes *bytes)
{
	uint8_t *place = s->blocks->data + s->blocks->used;

	memcpy(place, bytes->data, bytes->len);
	s->blocks->used += bytes->len;
	return place;
}

/* --- staging -------------------------------------------------------------------------------- */

/* How many changes of the roster an entry makes at most. */
static size_t roster_changes_of(const struct mlog *l, const struct entry *e)
{
	switch (e->type) {
	case ENTRY_REMOVE:
		return e->remove.n;
	case ENTRY_RECOVER:
		return roster_count(l->roster, ROSTER_CURRENT) + e->recover.removed.n +
		       2 * e->recover.admins.n;
	default:
		return 2;
	}
}

static int stage_reserve(struct mlog *l, const struct entry *e, size_t len)
{
	struct mlog_state *s = &l->s;
	int r = array_reserve((void **)&s->slots, s->n_slots, 1, &s->cap_slots, sizeof(*s->slots));

	if (r == 0)
		r = array_reserve((void **)&s->epochs, s->n_epochs, 1, &s->cap_epochs,
				  sizeof(*s->epochs));
	if (r == 0)
		r = array_reserve((void **)&s->generations, s->n_generations, 1,
				  &s->cap_generations, sizeof(*s->generations));
	if (r == 0)
		r = array_reserve((void **)&s->past_codes, s->n_past_codes, RECOVER_DEPTH_MAX + 1,
				  &s->cap_past_codes, sizeof(*s->past_codes));
	if (r == 0)
		r = arena_reserve(s, len);
	if (r == 0)
		r = map_reserve(s->payloads, 1);
	if (r == 0 && e->type == ENTRY_RECOVER) {
		r = map_reserve(s->superseded, RECOVER_DEPTH_MAX);
		if (r == 0)
			r = map_reserve(s->names, RECOVER_RESERVED_MAX);
		if (r == 0)
			r = map_reserve(s->addresses, RECOVER_RESERVED_MAX);
	}
	if (r == 0)
		r = map_reserve(e->type == ENTRY_CANCEL && e->cancel.what == CANCEL_REMOVAL
					? s->cancelled
					: s->nonces,
				1);
	return r < 0 ? r : roster_reserve(l->roster, roster_changes_of(l, e));
}

int mlog_stage(struct mlog *l, const struct record *r, const struct entry *e, struct err *err)
{
	struct placed p = { .order = &r->order, .entry = e };
	struct mlog_state *s = &l->s;
	struct mlog_slot *slot;
	struct record_bytes bytes;

	if (record_encode(r, &bytes) < 0 || stage_reserve(l, e, bytes.len) < 0)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "out of memory");
	slot = &s->slots[s->n_slots];
	*slot = (struct mlog_slot){ .data = arena_take(s, &bytes),
				    .len = bytes.len,
				    .time_s = r->genesis ? e->time_s : r->order.time_s,
				    .generation = r->order.generation,
				    .has_receipt = r->receipt != NULL };
	memcpy(slot->hash, r->hash, HASH_LEN);
	mlog_apply(l, &p);
	s->n_slots++;
	if (map_put(s->payloads, e->payload_hash, (void *)(uintptr_t)s->n_slots) < 0)
		abort(); /* it was reserved, and rule ONCE holds */
	return 0;
}

void mlog_commit(struct mlog *l)
{
	before_free(l);
	l->committed = l->s.n_slots;
}

static int reload(struct mlog *l, const struct record *r, struct err *err)
{
	struct entry e;
	struct placed p = { .order = &r->order, .entry = &e, .trusted = true };
	int x = entry_decode(r->entry, &e, err);

	if (x == 0)
		x = mlog_verify_next(l, &p, err);
	return x < 0 ? x : mlog_stage(l, r, &e, err);
}

int mlog_reload(struct mlog *l, struct span record, struct err *err)
{
	struct record r;
	int x = record_decode(record, &r, err);

	return x < 0 ? x : reload(l, &r, err);
}

/* The first n of these records as a log. NULL without memory. */
static struct mlog *replay(const uint8_t map_seed[16], const struct mlog_state *s, uint64_t n)
{
	struct mlog *l = mlog_new(map_seed);

	for (uint64_t seq = 0; l && seq < n; seq++) {
		struct span bytes = span_of(s->slots[seq].data, s->slots[seq].len);

		if (mlog_reload(l, bytes, NULL) < 0) {
			mlog_free(l);
			return NULL;
		}
	}
	return l;
}

struct mlog *mlog_cut(const struct mlog *l, uint64_t n)
{
	return replay(l->map_seed, &l->s, n);
}

int mlog_become(struct mlog *l, struct mlog *next)
{
	struct mlog_state *old = NULL;
	struct roster_leave leave = { .how = LEFT_BY_RECOVERY,
				      .seq = next->s.n_slots - 1,
				      .time_s = mlog_last_time_s(next) };
	bool keep = !l->before && l->committed > 0;

	if (roster_reserve_become(l->roster, next->roster) < 0)
		return -ENOMEM;
	if (keep && !(old = malloc(sizeof(*old))))
		return -ENOMEM;
	roster_become(l->roster, next->roster, &leave);
	if (keep)
		*old = l->s;
	else
		state_free(&l->s);
	if (keep)
		l->before = old;
	l->s = next->s;
	next->s = (struct mlog_state){ .slots = NULL };
	mlog_free(next);
	return 0;
}

int mlog_back(struct mlog *l, uint64_t n)
{
	struct mlog *past;

	if (l->s.n_slots == n)
		return 0;
	past = mlog_cut(l, n);
	if (past && mlog_become(l, past) == 0)
		return 0;
	mlog_free(past);
	return -ENOMEM;
}

int mlog_rollback(struct mlog *l)
{
	const struct mlog_state *from = l->before ? l->before : &l->s;
	struct mlog *past;

	if (!l->before && l->s.n_slots == l->committed)
		return 0;
	past = replay(l->map_seed, from, l->committed);
	if (!past || mlog_become(l, past) < 0) {
		mlog_free(past);
		return -ENOMEM;
	}
	mlog_commit(l);
	return 0;
}

/* --- adding --------------------------------------------------------------------------------- */

int mlog_found(struct mlog *l, struct span genesis, struct err *err)
{
	struct record r = { .genesis = true, .entry = genesis };
	struct entry e;
	struct placed p = { .order = &r.order, .entry = &e };
	int x = entry_decode(genesis, &e, err);

	if (x < 0)
		return x;
	if (l->s.n_slots > 0)
		return refuse(err, -EEXIST, REFUSAL_BAD_ENTRY, "the log has begun already");
	memcpy(r.hash, e.hash, HASH_LEN);
	x = mlog_verify_next(l, &p, err);
	return x < 0 ? x : mlog_stage(l, &r, &e, err);
}

/* The place that the entry gets, behind the last record of `l`. */
static int next_order(const struct mlog *l, const struct entry *e, uint64_t now_s, ip4 address,
		      struct order *ret, struct err *err)
{
	bool recover = e->type == ENTRY_RECOVER;
	bool joins = e->type == ENTRY_ADMIT && !e->admit.invite_decoded.replaces;
	uint64_t last = mlog_last_time_s(l);
	struct head head = mlog_head(l);

	if (e->type == ENTRY_GENESIS)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY, "a cluster is founded once");
	if (e->type >= ENTRY_TYPES)
		return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
			      "the server does not know this kind of entry: upgrade it");
	if (!recover && last > now_s + CLOCK_AHEAD_MAX_S)
		return refuse(err, -ETIME, REFUSAL_INTERNAL,
			      "the server's clock is %" PRIu64 " minutes behind the log: it orders "
			      "nothing until its clock is right",
			      (last - now_s) / 60);
	*ret = (struct order){ .generation = recover ? generation_of(l->s.codes + 1,
								     e->recover.depth)
						     : mlog_generation(l),
			       .seq = head.seq + 1,
			       .time_s = recover ? now_s : MAX(now_s, last),
			       .address = joins ? address : 0 };
	memcpy(ret->prev, head.hash, HASH_LEN);
	return 0;
}

static int seal(const struct mlog *l, const struct order *o, const struct entry *e,
		const struct ordering *by, uint8_t ret[SIG_LEN], struct err *err)
{
	const uint8_t *key = e->type == ENTRY_RECOVER && e->recover.has_server
				     ? e->recover.server.order_key
				     : mlog_order_key(l, o->seq);

	if (memcmp(key, by->order_key, KEY_LEN) != 0)
		return refuse(err, -ENOKEY, REFUSAL_NOT_ALLOWED,
			      "cluster \"%s\" has another signal server (%s)", l->s.genesis.name,
			      l->s.server.host);
	if (receipt_make(by->order_seed, mlog_cluster_id(l), o, e->hash, ret) < 0)
		return refuse(err, -EIO, REFUSAL_INTERNAL, "the server cannot sign");
	return 0;
}

/* At the end of `l`, which is the log, or for a recovery what it builds on. */
static int order_here(struct mlog *l, const struct entry *e, struct span bytes,
		      const struct ordering *by, struct err *err)
{
	struct record r = { .entry = bytes };
	struct placed p = { .order = &r.order, .entry = e };
	uint8_t receipt[SIG_LEN];
	int x = next_order(l, e, by->now_s, by->address, &r.order, err);

	if (x == 0)
		x = mlog_verify_next(l, &p, err);
	if (x == 0)
		x = seal(l, &r.order, e, by, receipt, err);
	if (x < 0)
		return x;
	r.receipt = receipt;
	place_hash(&r.order, e->hash, r.hash);
	return mlog_stage(l, &r, e, err);
}

/* A recovery of which the base is in the log, but not its end. */
static bool goes_back(const struct mlog *l, const struct entry *e)
{
	return e->type == ENTRY_RECOVER && mlog_has_head(l, &e->base) &&
	       e->base.seq + 1 < l->s.n_slots;
}

bool mlog_plays_again(const struct mlog *l, const struct entry *e)
{
	return goes_back(l, e) && recover_check_code(l, e, NULL) == 0;
}

int mlog_order(struct mlog *l, const struct entry *e, struct span bytes, const struct ordering *by,
	       struct err *err)
{
	struct mlog *past;
	int x;

	if (mlog_is_superseded(l, e->payload_hash))
		return refuse(err, -ESTALE, REFUSAL_SUPERSEDED,
			      "a later attempt of this recovery is record %" PRIu64 " of the log",
			      l->s.code_seq);
	if (!goes_back(l, e))
		return order_here(l, e, bytes, by, err);
	x = recover_check_code(l, e, err);
	if (x < 0)
		return x;
	past = mlog_cut(l, e->base.seq + 1);
	if (!past)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "out of memory");
	x = order_here(past, e, bytes, by, err);
	if (x == 0 && mlog_become(l, past) == 0)
		return 0;
	mlog_free(past);
	return x < 0 ? x : refuse(err, -ENOMEM, REFUSAL_INTERNAL, "out of memory");
}

int mlog_would_order(const struct mlog *l, const struct entry *e, uint64_t now_s, struct err *err)
{
	struct order o;
	struct placed p = { .order = &o, .entry = e };
	int x = next_order(l, e, now_s, 0, &o, err);

	return x < 0 ? x : mlog_verify_next(l, &p, err);
}
