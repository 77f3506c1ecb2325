/* SPDX-License-Identifier: MIT */
/* The log in memory: verified records, staging, and what is asked of it. */
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
	entry_ops(e->type)->apply(l, &p);
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

/* The first n of these records as a log. NULL: no memory. */
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

/* --- questions ------------------------------------------------------------------------------ */

size_t mlog_count(const struct mlog *l)
{
	return l->s.n_slots;
}

struct head mlog_head(const struct mlog *l)
{
	struct head h = { 0 };

	if (l->s.n_slots > 0) {
		h.seq = l->s.n_slots - 1;
		memcpy(h.hash, l->s.slots[h.seq].hash, HASH_LEN);
	}
	return h;
}

uint64_t mlog_generation(const struct mlog *l)
{
	size_t n = l->s.n_generations;

	return n > 0 ? l->s.generations[n - 1].number : 0;
}

struct wire_head mlog_wire_head(const struct mlog *l)
{
	struct head h = mlog_head(l);
	struct wire_head w = { .generation = mlog_generation(l), .seq = h.seq };

	memcpy(w.hash, h.hash, sizeof(w.hash));
	return w;
}

uint64_t mlog_generation_start(const struct mlog *l, uint64_t generation)
{
	for (size_t i = 0; i < l->s.n_generations; i++)
		if (l->s.generations[i].number > generation)
			return l->s.generations[i].seq;
	return l->s.n_slots;
}

struct span mlog_record(const struct mlog *l, uint64_t seq)
{
	if (seq >= l->s.n_slots)
		return span_of(NULL, 0);
	return span_of(l->s.slots[seq].data, l->s.slots[seq].len);
}

int mlog_get(const struct mlog *l, uint64_t seq, struct record *ret_record, struct entry *ret_entry)
{
	if (seq >= l->s.n_slots || record_decode(mlog_record(l, seq), ret_record, NULL) < 0 ||
	    entry_decode(ret_record->entry, ret_entry, NULL) < 0)
		return -ENOENT;
	return 0;
}

void mlog_page(const struct mlog *l, uint64_t from, struct wire_entries *ret)
{
	size_t bytes = 0, n;

	ret->n = 0;
	for (n = 0; n < ENTRIES_PER_MESSAGE_MAX && from + n < l->s.n_slots; n++) {
		const struct mlog_slot *slot = &l->s.slots[from + n];

		if (bytes + slot->len > LOG_PAGE_BYTES)
			break;
		bytes += slot->len;
		ret->item[n] = span_of(slot->data, slot->len);
		if (slot->has_receipt || from + n == 0)
			ret->n = n + 1;
	}
}

uint64_t mlog_page_back(const struct mlog *l, uint64_t seq)
{
	uint64_t end = seq, from;
	size_t bytes = 0;

	while (end < l->s.n_slots && !l->s.slots[end].has_receipt)
		end++;
	for (from = end; from > 0 && end < l->s.n_slots; from--) {
		bytes += l->s.slots[from].len;
		if (bytes + l->s.slots[from - 1].len > LOG_PAGE_BYTES ||
		    end - from + 2 > ENTRIES_PER_MESSAGE_MAX)
			break;
	}
	return MIN(from, seq);
}

bool mlog_has_head(const struct mlog *l, const struct head *h)
{
	return h->seq < l->s.n_slots && memcmp(h->hash, l->s.slots[h->seq].hash, HASH_LEN) == 0;
}

uint64_t mlog_find(const struct mlog *l, const uint8_t payload_hash[HASH_LEN])
{
	uintptr_t place = (uintptr_t)map_get(l->s.payloads, payload_hash);

	return place == 0 ? 0 : place - 1;
}

bool mlog_is_superseded(const struct mlog *l, const uint8_t payload_hash[HASH_LEN])
{
	return map_get(l->s.superseded, payload_hash) != NULL;
}

bool mlog_counts_more(const struct mlog *l, const struct entry *e, uint64_t number)
{
	struct record r;
	struct entry ours;

	if (number != l->s.codes)
		return number > l->s.codes;
	return mlog_get(l, l->s.code_seq, &r, &ours) == 0 && ours.type == ENTRY_RECOVER &&
	       entry_supersedes(e, ours.payload_hash);
}

const uint8_t *mlog_cluster_id(const struct mlog *l)
{
	return l->s.n_slots > 0 ? l->s.slots[0].hash : NULL;
}

const struct genesis *mlog_genesis(const struct mlog *l)
{
	return l->s.n_slots > 0 ? &l->s.genesis : NULL;
}

bool mlog_recovery_is(const struct mlog *l, const uint8_t hash[HASH_LEN])
{
	return l->s.n_slots > 0 && memcmp(l->s.recovery, hash, HASH_LEN) == 0;
}

uint64_t mlog_last_time_s(const struct mlog *l)
{
	return l->s.n_slots > 0 ? l->s.slots[l->s.n_slots - 1].time_s : 0;
}

const struct roster *mlog_roster(const struct mlog *l)
{
	return l->roster;
}

bool mlog_invite_used(const struct mlog *l, const uint8_t nonce[NONCE_LEN])
{
	return map_get(l->s.nonces, nonce) != NULL;
}

const struct member *mlog_invite_redeemer(const struct mlog *l, const uint8_t nonce[NONCE_LEN])
{
	uintptr_t use = (uintptr_t)map_get(l->s.nonces, nonce);
	struct record r;
	struct entry e;

	if (use <= NONCE_CANCELLED || mlog_get(l, use - 1, &r, &e) < 0)
		return NULL;
	return roster_by_id(l->roster, &e.author, ROSTER_ALL);
}

bool mlog_name_reserved(const struct mlog *l, const char *name)
{
	uint8_t hash[HASH_LEN];

	sha256(span_str(name), hash);
	return map_get(l->s.names, hash) != NULL;
}

bool mlog_name_taken(const struct mlog *l, const char *name)
{
	return roster_by_name(l->roster, span_str(name), ROSTER_ALL) || mlog_name_reserved(l, name);
}

bool mlog_address_taken(const struct mlog *l, ip4 address)
{
	return roster_by_address(l->roster, address, ROSTER_ALL) ||
	       map_get(l->s.addresses, &address);
}
