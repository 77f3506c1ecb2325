/* SPDX-License-Identifier: MIT */
/* The log in memory: verified entries, and the roster and indexes that follow from them. */
#include "membership/mlog.h"

#include <stdlib.h>

#include "membership/internal.h"
#include "proto/signal.h"

#define BLOCK_BYTES 65536

/* A piece of the arena. Entries are at most a sixteenth of it. */
struct mlog_block {
	struct mlog_block *older;
	size_t used;
	uint8_t data[BLOCK_BYTES];
};

/* In `nonces`: cancelled rather than used. */
static const char cancelled_mark;
#define CANCELLED ((void *)(uintptr_t)&cancelled_mark)

/* --- memory --------------------------------------------------------------------------------- */

struct mlog *mlog_new(const uint8_t map_seed[16])
{
	struct mlog *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	memcpy(l->map_seed, map_seed, sizeof(l->map_seed));
	l->roster = roster_new(map_seed);
	l->nonces = map_new(map_seed, NONCE_LEN, LOG_MAX_ENTRIES);
	if (l->roster && l->nonces)
		return l;
	mlog_free(l);
	return NULL;
}

void mlog_free(struct mlog *l)
{
	if (!l)
		return;
	while (l->blocks) {
		struct mlog_block *b = l->blocks;

		l->blocks = b->older;
		free(b);
	}
	free(l->slots);
	roster_free(l->roster);
	map_free(l->nonces);
	secret_wipe(l->map_seed, sizeof(l->map_seed));
	free(l);
}

/* A place for the bytes of the next entry; taken only when arena_take is called. */
static uint8_t *arena_reserve(struct mlog *l, size_t len)
{
	struct mlog_block *b = l->blocks;

	if (b && sizeof(b->data) - b->used >= len)
		return b->data + b->used;
	b = malloc(sizeof(*b));
	if (!b)
		return NULL;
	b->older = l->blocks;
	b->used = 0;
	l->blocks = b;
	return b->data;
}

/* --- appending ------------------------------------------------------------------------------ */

/* The member that the entry makes. */
static struct member member_of(const struct entry *e)
{
	bool first = e->type == ENTRY_GENESIS;
	struct member m = {
		.id = e->author,
		.address = first ? e->genesis.address : e->admit.address,
		.role = first ? ROLE_ADMIN : ROLE_NODE,
		.invited_role = first ? ROLE_ADMIN : e->admit.invite_decoded.role,
		.sponsor = first ? e->author : e->admit.invite_decoded.sponsor,
		.joined_s = e->time_s,
		.joined_seq = e->seq,
		.key_since_s = e->time_s,
	};

	memcpy(m.key, first ? e->genesis.key : e->admit.key, KEY_LEN);
	memcpy(m.name, first ? e->genesis.node_name : e->admit.node_name, sizeof(m.name));
	return m;
}

/* The memory for an entry, but for the nonce's. The place of its bytes goes to *ret. */
static int apply_reserve(struct mlog *l, size_t len, uint8_t **ret)
{
	int r = array_reserve((void **)&l->slots, l->n_slots, 1, &l->cap_slots, sizeof(*l->slots));

	if (r == 0)
		r = map_reserve(l->nonces, 1);
	if (r == 0)
		r = roster_reserve(l->roster, 1);
	if (r < 0)
		return r;
	*ret = arena_reserve(l, len);
	return *ret ? 0 : -ENOMEM;
}

static int apply_to_roster(struct mlog *l, const struct entry *e)
{
	const struct member *joined;
	struct member m;

	if (e->type == ENTRY_CANCEL)
		return map_put(l->nonces, e->cancel.nonce, CANCELLED);
	m = member_of(e);
	joined = roster_join(l->roster, &m);
	if (e->type == ENTRY_GENESIS)
		return 0;
	return map_put(l->nonces, e->admit.invite_decoded.nonce, (void *)joined);
}

/* Appends an entry that has been verified; on failure (no memory) nothing has changed. */
static int apply(struct mlog *l, const struct entry *e, struct span bytes)
{
	uint8_t *place;
	int r = apply_reserve(l, bytes.len, &place);

	if (r == 0)
		r = apply_to_roster(l, e);
	if (r < 0)
		return r;
	if (e->type == ENTRY_GENESIS)
		l->genesis = e->genesis;
	memcpy(place, bytes.data, bytes.len);
	l->blocks->used += bytes.len;
	l->slots[l->n_slots] = (struct mlog_slot){ place, bytes.len, e->time_s, { 0 } };
	memcpy(l->slots[l->n_slots].hash, e->hash, HASH_LEN);
	l->n_slots++;
	return 0;
}

int mlog_append(struct mlog *l, struct span entry, struct err *err)
{
	struct entry e;
	int r = entry_decode(entry, &e, err);

	if (r == 0)
		r = mlog_verify_next(l, &e, err);
	if (r < 0)
		return r;
	r = apply(l, &e, entry);
	if (r < 0)
		return refuse(err, r, REFUSAL_INTERNAL, "out of memory");
	return 0;
}

int mlog_check(const struct mlog *l, struct span entry, struct err *err)
{
	struct entry e;
	int r = entry_decode(entry, &e, err);

	return r < 0 ? r : mlog_verify_next(l, &e, err);
}

/* The first n entries as a log of their own. They have been verified once. */
static struct mlog *replay(const struct mlog *l, uint64_t n)
{
	struct mlog *past = mlog_new(l->map_seed);

	for (uint64_t seq = 0; past && seq < n; seq++) {
		struct span bytes = mlog_entry(l, seq);
		struct entry e;

		if (entry_decode(bytes, &e, NULL) < 0 || apply(past, &e, bytes) < 0) {
			mlog_free(past);
			return NULL;
		}
	}
	return past;
}

bool mlog_is_fork(const struct mlog *l, struct span entry, uint64_t *ret_seq)
{
	struct mlog *past;
	struct entry e;
	bool fork;

	/* Another genesis is another cluster, not a fork of this one. */
	if (entry_decode(entry, &e, NULL) < 0 || e.seq == 0 || e.seq >= l->n_slots ||
	    memcmp(e.hash, l->slots[e.seq].hash, HASH_LEN) == 0 ||
	    memcmp(e.prev, l->slots[e.seq - 1].hash, HASH_LEN) != 0)
		return false;
	past = replay(l, e.seq);
	fork = past && mlog_verify_next(past, &e, NULL) == 0;
	mlog_free(past);
	if (fork)
		*ret_seq = e.seq;
	return fork;
}

/* --- questions ------------------------------------------------------------------------------ */

size_t mlog_count(const struct mlog *l)
{
	return l->n_slots;
}

struct head mlog_head(const struct mlog *l)
{
	struct head h = { 0 };

	if (l->n_slots > 0) {
		h.seq = l->n_slots - 1;
		memcpy(h.hash, l->slots[h.seq].hash, HASH_LEN);
	}
	return h;
}

struct span mlog_entry(const struct mlog *l, uint64_t seq)
{
	if (seq >= l->n_slots)
		return span_of(NULL, 0);
	return span_of(l->slots[seq].data, l->slots[seq].len);
}

void mlog_page(const struct mlog *l, uint64_t from, struct wire_entries *ret)
{
	size_t bytes = 0;

	for (ret->n = 0; ret->n < ENTRIES_PER_MESSAGE_MAX; ret->n++) {
		struct span entry = mlog_entry(l, from + ret->n);

		if (entry.len == 0 || bytes + entry.len > LOG_PAGE_BYTES)
			break;
		bytes += entry.len;
		ret->item[ret->n] = entry;
	}
}

bool mlog_has_head(const struct mlog *l, const struct head *h)
{
	return h->seq < l->n_slots && memcmp(h->hash, l->slots[h->seq].hash, HASH_LEN) == 0;
}

const uint8_t *mlog_cluster_id(const struct mlog *l)
{
	return l->n_slots > 0 ? l->slots[0].hash : NULL;
}

const struct genesis *mlog_genesis(const struct mlog *l)
{
	return l->n_slots > 0 ? &l->genesis : NULL;
}

uint64_t mlog_last_time_s(const struct mlog *l)
{
	return l->n_slots > 0 ? l->slots[l->n_slots - 1].time_s : 0;
}

ip4 mlog_next_address(const struct mlog *l)
{
	ip4 highest = roster_highest_address(l->roster);

	if (l->n_slots == 0 || highest >= prefix4_last(l->genesis.subnet))
		return 0;
	return highest + 1;
}

bool mlog_invite_used(const struct mlog *l, const uint8_t nonce[NONCE_LEN])
{
	return map_get(l->nonces, nonce) != NULL;
}

const struct member *mlog_invite_redeemer(const struct mlog *l, const uint8_t nonce[NONCE_LEN])
{
	void *use = map_get(l->nonces, nonce);

	return use == CANCELLED ? NULL : use;
}

const struct roster *mlog_roster(const struct mlog *l)
{
	return l->roster;
}
