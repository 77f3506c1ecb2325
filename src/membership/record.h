/* SPDX-License-Identifier: MIT */
/*
 * Log records: an entry at its place in the log, signed by the signal server
 * (docs/protocol/02-membership-log.md, "Record"). Bytes and receipts; the rules are the log's.
 */
#ifndef MLSH_MEMBERSHIP_RECORD_H
#define MLSH_MEMBERSHIP_RECORD_H

#include "membership/entry.h"

/*
 * The generation of a recover record: first by the code that it uses, counted from 1, then by how
 * many attempts it supersedes. So the holder of a later code prevails over all attempts by an
 * earlier one.
 */
static inline uint64_t generation_of(uint64_t code, unsigned depth)
{
	return code * (RECOVER_DEPTH_MAX + 1) + depth;
}

/* Where an entry stands. */
struct order {
	uint64_t generation, seq;
	uint8_t prev[HASH_LEN];
	uint64_t time_s;
	ip4 address; /* 0 if it gives none */
};

/* A record of which the entry has not been read. */
struct record {
	bool genesis; /* record 0, which has neither order (all zero) nor receipt */
	struct order order;
	struct span entry;	/* view */
	const uint8_t *receipt; /* view, SIG_LEN bytes; NULL if it has none */
	uint8_t entry_hash[HASH_LEN];
	uint8_t hash[HASH_LEN]; /* of the place; for genesis the entry hash */
};

struct record_bytes {
	uint8_t data[RECORD_MAX_BYTES];
	size_t len;
};

/* Form only, in the one encoding; the entry's bytes are not looked into. -EBADMSG. */
int record_decode(struct span bytes, struct record *ret, struct err *err) MUST_CHECK;
/* `r->genesis`, `order`, `entry` and `receipt` are read. -EMSGSIZE. */
int record_encode(const struct record *r, struct record_bytes *ret) MUST_CHECK;

/* The hash of the record that has this order and entry. */
void place_hash(const struct order *o, const uint8_t entry_hash[HASH_LEN], uint8_t ret[HASH_LEN]);
/* The server's signature over the place. `seed` is its order key. */
int receipt_make(const uint8_t seed[SIGN_SEED_LEN], const uint8_t cluster_id[HASH_LEN],
		 const struct order *o, const uint8_t entry_hash[HASH_LEN], uint8_t ret[SIG_LEN])
	MUST_CHECK;
/* -EKEYREJECTED. */
int receipt_verify(const uint8_t order_key[KEY_LEN], const uint8_t cluster_id[HASH_LEN],
		   const struct order *o, const uint8_t entry_hash[HASH_LEN],
		   const uint8_t sig[SIG_LEN]) MUST_CHECK;

#endif
