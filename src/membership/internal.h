/* SPDX-License-Identifier: MIT */
/* What the files of membership share and nobody else sees. */
#ifndef MLSH_MEMBERSHIP_INTERNAL_H
#define MLSH_MEMBERSHIP_INTERNAL_H

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "membership/mlog.h"
#include "proto/cbor.h"

/* Purposes of signatures (docs/protocol/01-identity.md). */
#define SIGN_ENTRY "entry"
#define SIGN_CONSENT "consent"
#define SIGN_INVITE "invite"
#define SIGN_ORDER "order"
#define SIGN_BEACON "beacon"

/* -EBADMSG. */
int entry_malformed(struct err *err, const char *what);

/* The payload of an entry whose fields are set (views and hashes need not be). */
void entry_put_payload(struct cbor_writer *w, const struct entry *e);
void entry_put(struct cbor_writer *w, struct span payload, const uint8_t *const *sigs, size_t n);
size_t entry_sig_count(const struct entry *e);
void order_put(struct cbor_writer *w, const struct order *o);
void order_get(struct cbor_reader *r, struct order *o);
void invite_put(struct cbor_writer *w, const struct invite *inv);

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

/* Puts into a map that has room. A key that is there keeps its value. */
static inline void put_reserved(struct map *map, const void *key, void *value)
{
	int r = map_put(map, key, value);

	if (r < 0 && r != -EEXIST)
		DIE("membership: the caller did not reserve room");
}

/* --- types ---------------------------------------------------------------------------------- */

struct entry_ops {
	const char *name;
	/* The body. NULL for a type that is not known and skipped. */
	void (*put)(struct cbor_writer *w, const struct entry *e);
	void (*get)(struct cbor_reader *r, struct entry *e);
	int (*check)(struct entry *e, struct err *err); /* form; NULL where get() checks all */
};

/* The form of a type. NULL for a type below ENTRY_SKIPPABLE that is not known. */
const struct entry_ops *entry_ops(unsigned type);

/* --- what they do in a log -------------------------------------------------------------------- */

/* An entry at a place. */
struct placed {
	const struct order *order;
	const struct entry *entry;
	bool trusted; /* its signatures were verified before */
};

enum entry_flag {
	ENTRY_LATE = 1,	     /* it may be ordered any time after it was made (rule WINDOW) */
	ENTRY_LAST_ROOM = 2, /* it may take the last places of a log (rule ROOM) */
};

/* What is done with an entry of a type that entry_decode knows. */
struct deed {
	/* rules.c: may it stand there? */
	int (*verify)(const struct mlog *l, const struct placed *p, struct err *err);
	/* apply.c: what it changes. Room was reserved. */
	void (*apply)(struct mlog *l, const struct placed *p);
	unsigned flags; /* enum entry_flag */
};

int verify_genesis(const struct mlog *l, const struct placed *p, struct err *err);
int verify_admit(const struct mlog *l, const struct placed *p, struct err *err);
int verify_cancel(const struct mlog *l, const struct placed *p, struct err *err);
int verify_remove(const struct mlog *l, const struct placed *p, struct err *err);
int verify_promote(const struct mlog *l, const struct placed *p, struct err *err);
int verify_demote(const struct mlog *l, const struct placed *p, struct err *err);
int verify_rename(const struct mlog *l, const struct placed *p, struct err *err);
int verify_rotate(const struct mlog *l, const struct placed *p, struct err *err);
int verify_signal(const struct mlog *l, const struct placed *p, struct err *err);
int verify_recover(const struct mlog *l, const struct placed *p, struct err *err);
int verify_renew(const struct mlog *l, const struct placed *p, struct err *err);
int verify_skipped(const struct mlog *l, const struct placed *p, struct err *err);

void apply_genesis(struct mlog *l, const struct placed *p);
void apply_admit(struct mlog *l, const struct placed *p);
void apply_cancel(struct mlog *l, const struct placed *p);
void apply_remove(struct mlog *l, const struct placed *p);
void apply_promote(struct mlog *l, const struct placed *p);
void apply_demote(struct mlog *l, const struct placed *p);
void apply_rename(struct mlog *l, const struct placed *p);
void apply_rotate(struct mlog *l, const struct placed *p);
void apply_signal(struct mlog *l, const struct placed *p);
void apply_recover(struct mlog *l, const struct placed *p);
void apply_renew(struct mlog *l, const struct placed *p);
void apply_skipped(struct mlog *l, const struct placed *p);

/* --- the log -------------------------------------------------------------------------------- */

/* Where a record lies in the arena, and what is asked of it often. */
struct mlog_slot {
	const uint8_t *data;
	size_t len;
	uint64_t time_s, generation;
	bool has_receipt; /* a verified one */
	uint8_t hash[HASH_LEN];
};

/* In `nonces`; no admit is record 0. */
#define NONCE_CANCELLED 1

struct mlog_block;

/* An order key: a recover record has its receipt from it already, others the records after. */
struct key_epoch {
	uint64_t by; /* seq of the record that named it */
	uint8_t key[KEY_LEN];
};

/* A recovery code that is used up. The record used it, or one that it supersedes did. */
struct past_code {
	uint8_t hash[HASH_LEN]; /* of its public key */
	uint64_t by;		/* seq of the record */
};

/* The record that began a generation. */
struct generation {
	uint64_t number, seq;
	uint8_t hash[HASH_LEN]; /* of the record */
};

/* All that follows from the records, but the roster. */
struct mlog_state {
	struct mlog_slot *slots; /* by seq */
	size_t n_slots, cap_slots;
	struct mlog_block *blocks; /* the arena: records never move; newest first */
	struct genesis genesis;
	struct log_server server;     /* in force */
	uint8_t recovery[HASH_LEN];   /* in force */
	struct past_code *past_codes; /* the oldest first */
	size_t n_past_codes, cap_past_codes;
	uint64_t codes;		  /* how many recover and renew records there are */
	uint64_t code_seq;	  /* of the last of them */
	struct key_epoch *epochs; /* of order keys, the oldest first */
	size_t n_epochs, cap_epochs;
	struct generation *generations; /* the oldest first */
	size_t n_generations, cap_generations;
	struct map *payloads;	/* -> seq + 1 */
	struct map *nonces;	/* -> seq + 1 of the admit that used it, or NONCE_CANCELLED */
	struct map *cancelled;	/* removals, by cancel_key -> a mark */
	struct map *superseded; /* attempts of recoveries, by payload -> a mark */
	struct map *names, *addresses; /* reserved by recoveries -> a mark */
};

struct mlog {
	uint8_t map_seed[16];
	struct mlog_state s;
	struct roster *roster;
	size_t committed; /* records that are not staged; of `before` if that is set */
	/* What was there before a staged recover record dropped some of it. */
	struct mlog_state *before;
};

/* The key of `cancelled`: a removal's payload hash and who cancelled it. */
void cancel_key(const uint8_t hash[HASH_LEN], const struct node_id *author, uint8_t ret[HASH_LEN]);
/* Is the name reserved by a recovery? */
bool mlog_name_reserved(const struct mlog *l, const char *name);

/* All rules, for the record that would be the next one (deeds.c). */
int mlog_verify_next(const struct mlog *l, const struct placed *p, struct err *err) MUST_CHECK;
/* What the record changes (deeds.c). Room was reserved. */
void mlog_apply(struct mlog *l, const struct placed *p);
/*
 * Is the recovery made with the code in force behind its base, as its signature says, and does it
 * count more than what the log has since? Cheap: to be asked before the log is cut for it, since
 * anybody can show a recovery. -EACCES.
 */
int recover_check_code(const struct mlog *l, const struct entry *e, struct err *err) MUST_CHECK;
/* Appends a record that obeys the rules. -ENOMEM: nothing has changed. */
int mlog_stage(struct mlog *l, const struct record *r, const struct entry *e, struct err *err)
	MUST_CHECK;
/* The first n records as a log of its own; its records are trusted. NULL without memory. */
struct mlog *mlog_cut(const struct mlog *l, uint64_t n);
/*
 * `l` becomes what `next` is; its roster changes into that of `next`, so that cursors and members
 * stay valid. `next` is consumed. -ENOMEM: nothing has changed, and `next` is still the caller's.
 */
int mlog_become(struct mlog *l, struct mlog *next) MUST_CHECK;
/* Goes back to the first n records; none of those that go is committed. -ENOMEM. */
int mlog_back(struct mlog *l, uint64_t n) MUST_CHECK;
/* Is it one that a recovery in the log supersedes? */
bool mlog_is_superseded(const struct mlog *l, const uint8_t payload_hash[HASH_LEN]);
/*
 * Does a recovery count more than our log? It uses recovery code `number` of its log, counted from
 * 1. A later code does; a later attempt by the same code if ours is one that it supersedes.
 */
bool mlog_counts_more(const struct mlog *l, const struct entry *e, uint64_t number);
/* The type of an encoded entry, by a glance; 0 if it has none. */
unsigned entry_peek(struct span entry);

#endif
