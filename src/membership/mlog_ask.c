/* SPDX-License-Identifier: MIT */
/* What is asked of a log. Changes nothing. */
#include "membership/mlog.h"

#include "crypto/hash.h"
#include "membership/internal.h"
#include "proto/signal.h"

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
