/* SPDX-License-Identifier: MIT */
/* What the files of membership share and nobody else sees. */
#ifndef MLSH_MEMBERSHIP_INTERNAL_H
#define MLSH_MEMBERSHIP_INTERNAL_H

#include <stdlib.h>

#include "base/map.h"
#include "membership/mlog.h"
#include "proto/cbor.h"

/* Purposes of signatures (docs/protocol/01-identity.md). */
#define SIGN_GENESIS "genesis"
#define SIGN_ADMIT "admit"
#define SIGN_CANCEL "cancel"
#define SIGN_INVITE "invite"

/* err_set with a reason. */
int refuse(struct err *err, int code, enum refusal reason, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* 32 zero bytes: genesis' previous hash and its cluster id in signatures. */
extern const uint8_t zero_hash[HASH_LEN];

/* Is `host` in the form that hostport_parse returns? */
bool host_is_normal(const char *host);

/* The payload of an entry whose fields are set (views and hash need not be). */
void entry_put_payload(struct cbor_writer *w, const struct entry *e);
void entry_put(struct cbor_writer *w, struct span payload, const uint8_t *const *sigs, size_t n);
size_t entry_sig_count(enum entry_type type);
void invite_put(struct cbor_writer *w, const struct invite *inv);

/* Where an entry lies in the arena, and what is asked of it often. */
struct mlog_slot {
	const uint8_t *data;
	size_t len;
	uint64_t time_s;
	uint8_t hash[HASH_LEN];
};

struct mlog_block;

struct mlog {
	uint8_t map_seed[16];
	struct genesis genesis;
	struct mlog_slot *slots; /* by seq */
	size_t n_slots, cap_slots;
	struct mlog_block *blocks; /* the arena: entries never move; newest first */
	struct roster *roster;
	struct map *nonces; /* -> the member that used it, or a mark: cancelled */
};

/* Makes room for `more` elements behind the first n. */
static inline int array_reserve(void **array, size_t n, size_t more, size_t *cap, size_t size)
{
	size_t grown_cap = *cap ? *cap : 16;
	void *grown;

	while (grown_cap - n < more)
		grown_cap *= 2;
	if (grown_cap == *cap)
		return 0;
	grown = realloc(*array, grown_cap * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = grown_cap;
	return 0;
}

/* All rules, for the entry that would be the next one (mlog_rules.c). */
int mlog_verify_next(const struct mlog *l, const struct entry *e, struct err *err) MUST_CHECK;

#endif
