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
	l->by_id = map_new(map_seed, NODE_ID_LEN, MEMBERS_MAX);
	l->by_key = map_new(map_seed, HASH_LEN, MEMBERS_MAX);
	l->by_name = map_new(map_seed, HASH_LEN, MEMBERS_MAX);
	l->by_address = map_new(map_seed, sizeof(ip4), MEMBERS_MAX);
	l->nonces = map_new(map_seed, NONCE_LEN, LOG_MAX_ENTRIES);
	if (l->by_id && l->by_key && l->by_name && l->by_address && l->nonces)
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
	for (size_t i = 0; i < l->n_members; i++)
		free(l->members[i]);
	free(l->members);
	free(l->slots);
	map_free(l->by_id);
	map_free(l->by_key);
	map_free(l->by_name);
	map_free(l->by_address);
	map_free(l->nonces);
	secret_wipe(l->map_seed, sizeof(l->map_seed));
	free(l);
}

/* Makes room for one more element. */
static int array_reserve(void **array, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? 2 * *cap : 16;
	void *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = more;
	return 0;
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

/* --- the roster ----------------------------------------------------------------------------- */

static void name_hash(struct span name, uint8_t out[HASH_LEN])
{
	sha256(name, out); /* names are longer than a map's keys may be */
}

static void member_unindex(struct mlog *l, const struct member *m)
{
	uint8_t name[HASH_LEN];

	name_hash(span_str(m->name), name);
	if (map_get(l->by_id, m->id.bytes) == m)
		map_remove(l->by_id, m->id.bytes);
	if (map_get(l->by_key, m->key_sha256) == m)
		map_remove(l->by_key, m->key_sha256);
	if (map_get(l->by_name, name) == m)
		map_remove(l->by_name, name);
	if (map_get(l->by_address, &m->address) == m)
		map_remove(l->by_address, &m->address);
}

static int member_index(struct mlog *l, struct member *m)
{
	uint8_t name[HASH_LEN];
	int r;

	name_hash(span_str(m->name), name);
	r = map_put(l->by_id, m->id.bytes, m);
	if (r == 0)
		r = map_put(l->by_key, m->key_sha256, m);
	if (r == 0)
		r = map_put(l->by_name, name, m);
	if (r == 0)
		r = map_put(l->by_address, &m->address, m);
	if (r < 0)
		member_unindex(l, m);
	return r;
}

/* The member that the entry makes, or NULL: no memory. */
static struct member *member_of(const struct entry *e)
{
	struct member *m = calloc(1, sizeof(*m));
	bool first = e->type == ENTRY_GENESIS;

	if (!m)
		return NULL;
	memcpy(m->key, first ? e->genesis.key : e->admit.key, KEY_LEN);
	memcpy(m->name, first ? e->genesis.node_name : e->admit.node_name, sizeof(m->name));
	m->address = first ? e->genesis.address : e->admit.address;
	m->role = first ? ROLE_ADMIN : ROLE_NODE;
	m->invited_role = first ? ROLE_ADMIN : e->admit.invite_decoded.role;
	m->sponsor = first ? e->author : e->admit.invite_decoded.sponsor;
	m->joined_s = e->time_s;
	m->joined_seq = e->seq;
	m->id = e->author;
	key_spki_sha256(m->key, m->key_sha256);
	return m;
}

static int member_add(struct mlog *l, const struct entry *e)
{
	struct member *m;
	int r = array_reserve((void **)&l->members, l->n_members, &l->cap_members,
			      sizeof(*l->members));

	if (r < 0)
		return r;
	m = member_of(e);
	if (!m)
		return -ENOMEM;
	r = member_index(l, m);
	if (r == 0 && e->type == ENTRY_ADMIT) {
		r = map_put(l->nonces, e->admit.invite_decoded.nonce, m);
		if (r < 0)
			member_unindex(l, m);
	}
	if (r < 0) {
		free(m);
		return r;
	}
	l->members[l->n_members++] = m;
	l->highest = m->address;
	return 0;
}

/* --- appending ------------------------------------------------------------------------------ */

/* Appends an entry that has been verified; on failure (no memory) nothing has changed. */
static int apply(struct mlog *l, const struct entry *e, struct span bytes)
{
	uint8_t *place;
	int r = array_reserve((void **)&l->slots, l->n_slots, &l->cap_slots, sizeof(*l->slots));

	if (r < 0)
		return r;
	place = arena_reserve(l, bytes.len);
	if (!place)
		return -ENOMEM;
	if (e->type == ENTRY_CANCEL)
		r = map_put(l->nonces, e->cancel.nonce, CANCELLED);
	else
		r = member_add(l, e);
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
	if (l->n_slots == 0 || l->highest >= prefix4_last(l->genesis.subnet))
		return 0;
	return l->highest + 1;
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

bool mlog_name_taken(const struct mlog *l, const char *name)
{
	return mlog_member_by_name(l, span_str(name)) != NULL;
}

size_t mlog_member_count(const struct mlog *l)
{
	return l->n_members;
}

struct member *mlog_member_at(const struct mlog *l, size_t i)
{
	return i < l->n_members ? l->members[i] : NULL;
}

struct member *mlog_member_by_id(const struct mlog *l, const struct node_id *id)
{
	return map_get(l->by_id, id->bytes);
}

struct member *mlog_member_by_name(const struct mlog *l, struct span name)
{
	uint8_t hash[HASH_LEN];

	if (name.len == 0 || name.len > LABEL_MAX)
		return NULL;
	name_hash(name, hash);
	return map_get(l->by_name, hash);
}

struct member *mlog_member_by_address(const struct mlog *l, ip4 address)
{
	return map_get(l->by_address, &address);
}

struct member *mlog_member_by_key_sha256(const struct mlog *l, const uint8_t key_sha256[HASH_LEN])
{
	return map_get(l->by_key, key_sha256);
}
