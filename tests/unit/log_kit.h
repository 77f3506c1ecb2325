/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the membership log share: identities from fixed seeds, a cluster "homelab" with
 * its first admin "nas", a signal server that orders, and a forger that signs whatever it is given.
 */
#ifndef MLSH_TESTS_LOG_KIT_H
#define MLSH_TESTS_LOG_KIT_H

#include "crypto/hash.h"
#include "identity/identity.h"
#include "membership/rules.h"
#include "roster_kit.h"
#include "unit.h"

#define KIT_TIME 1800000000u /* of genesis */
#define KIT_NET 0x64600000u  /* 100.96.0.0/16 */

/* SHA-256("mlsh test" || n as four bytes, most significant first): node n's private key. */
void kit_seed(unsigned n, uint8_t out[SIGN_SEED_LEN]);

void kit_key(unsigned n, uint8_t out[KEY_LEN]);
struct node_id kit_id(unsigned n);
struct identity *kit_identity(unsigned n);
struct span kit_span(const struct entry_bytes *b);

/* Numbers of keys that no node has. */
enum {
	KIT_ONE_TIME = 1000000,
	KIT_ORDER = 2000000,
	KIT_ORDER_NEXT = 2000001,
	KIT_CODE = 3000000,
	KIT_CODE_NEXT = 3000001
};

struct log_server kit_server(unsigned order);
void kit_code_hash(unsigned code, uint8_t ret[HASH_LEN]);
struct genesis kit_genesis(const struct identity *admin);

struct kit {
	struct identity *admin; /* node 0 */
	struct mlog *log;
	uint64_t now_s;
	unsigned order; /* number of the order key that the server has */
};

struct mlog *kit_empty_log(void);
ip4 kit_next_address(const struct mlog *l);

/* Is the signed invite good for an admit at `now_s` by this log? */
int kit_check_invite(const struct mlog *l, struct span invite, const uint8_t sig[SIG_LEN],
		     uint64_t now_s, struct invite *ret, struct err *err);

/* The server orders the entry in `l`, at this address. */
int kit_order_at(const struct kit *k, struct mlog *l, struct span entry, ip4 address,
		 struct err *err);

int kit_order(const struct kit *k, struct mlog *l, struct span entry, struct err *err);
void kit_append(struct kit *k, const struct entry_bytes *b);

/* A log with genesis. */
struct kit kit_open(void);

void kit_close(struct kit *k);

/* --- invites and admits --------------------------------------------------------------------- */

struct kit_invite {
	struct invite inv;
	uint8_t bytes[INVITE_MAX_BYTES];
	size_t len;
	uint8_t sig[SIG_LEN];
	uint8_t one_time[SIGN_SEED_LEN];
};

/* The fields of invite n of the admin, good for an hour, not yet signed. */
struct kit_invite kit_invite_fields(const struct kit *k, unsigned n);

void kit_invite_sign(struct kit_invite *i, const struct identity *signer);
struct kit_invite kit_invite(const struct kit *k, unsigned n);

/* An invite to take the place of `old`. */
struct kit_invite kit_invite_replace(const struct kit *k, unsigned n, struct node_id old);

/* The admit entry of node n, named "node<n>" unless the invite replaces. */
struct entry_bytes kit_admit(const struct kit *k, const struct kit_invite *i, unsigned n);

void kit_join(struct kit *k, unsigned n);

/* A cluster with an admin (node 0) and plain nodes 1 to `joins`: records 0 to `joins`. */
struct kit kit_open_with(unsigned joins);

/* Node n, present or former; NULL if it never joined. */
const struct member *kit_member(const struct kit *k, unsigned n);

/* --- the other types ------------------------------------------------------------------------ */

/* The fields that all entries have: node n is the author, the log's head the base. */
struct entry kit_entry(const struct kit *k, unsigned type, unsigned n);

/* Signs with these keys, by their numbers; `consent` 0: one signature. */
struct entry_bytes kit_sign(const struct kit *k, const struct entry *e, unsigned author,
			    unsigned consent);

struct entry_bytes kit_cancel(const struct kit *k, const uint8_t nonce[NONCE_LEN]);
struct entry_bytes kit_remove(const struct kit *k, unsigned author, unsigned whom);
struct entry_bytes kit_promote(const struct kit *k, unsigned author, unsigned whom);
struct entry_bytes kit_demote(const struct kit *k, unsigned author, unsigned whom);
struct entry_bytes kit_rename(const struct kit *k, unsigned author, unsigned whom,
			      const char *name);

/* Node n, whose key in force is number `old`, changes it to number `key`. */
struct entry_bytes kit_rotate(const struct kit *k, unsigned n, unsigned old, unsigned key);

struct entry_bytes kit_signal(const struct kit *k, unsigned author, unsigned order);
struct entry_bytes kit_renew(const struct kit *k, unsigned author, unsigned second, unsigned next);

/* A recovery that makes node n the only admin; the caller alters and signs it with kit_sign. */
struct entry kit_recover_fields(const struct kit *k, unsigned code, unsigned next, unsigned n);

struct entry_bytes kit_recover(const struct kit *k, unsigned code, unsigned next, unsigned n);

/* The same in place of an earlier attempt, which named this code. */
struct entry_bytes kit_recover_again(const struct kit *k, unsigned code, unsigned next, unsigned n,
				     const struct entry_bytes *earlier);

/* --- the forger ----------------------------------------------------------------------------- */

/* Signs the fields of `e` with these keys, for this purpose and cluster, no check at all. */
struct entry_bytes kit_forge_for(const struct entry *e, const char *purpose,
				 const uint8_t cluster_id[HASH_LEN], unsigned author,
				 unsigned consent);

struct entry_bytes kit_forge(const struct kit *k, const struct entry *e, unsigned author,
			     unsigned consent);

/* The log refuses it, with this code and reason, says why, and is not changed. */
void kit_refused_(const struct kit *k, struct span entry, int code, int reason, const char *where,
		  int line);

#define kit_refused(k, entry, code, reason) kit_refused_(k, entry, code, reason, __FILE__, __LINE__)

/* --- records -------------------------------------------------------------------------------- */

/* A record of `entry` at the end of the log, with a receipt of this order key, no check at all. */
struct record_bytes kit_record(const struct kit *k, struct span entry, ip4 address, unsigned order);
/* The same with the generation, time and address of `as`. */
struct record_bytes kit_record_as(const struct kit *k, struct span entry, struct order as,
				  unsigned order);

struct span kit_record_span(const struct record_bytes *b);

/* Another log with the first n records of this one. */
struct mlog *kit_copy(const struct mlog *from, uint64_t n);

#endif
