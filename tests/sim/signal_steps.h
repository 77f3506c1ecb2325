/* SPDX-License-Identifier: MIT */
/* What a raw client of the signaling server says one step at a time: the requests of a life. */
#ifndef MLSH_TESTS_SIGNAL_STEPS_H
#define MLSH_TESTS_SIGNAL_STEPS_H

#include "crypto/hash.h"
#include "identity/identity.h"
#include "signal_sim.h"

uint64_t raw_now_s(const struct raw *r);

/* Its log's head and its id, in an entry that it could sign. */
struct entry raw_entry(const struct raw *r, enum entry_type type);

struct entry_bytes raw_sign(const struct raw *r, const struct entry *e);

enum refusal raw_hello(struct raw *r, const uint8_t cluster_id[HASH_LEN],
		       struct signal_reply *reply);

/* Connects and says hello for its cluster (or none). */
void raw_greet(struct raw *r);

/* --- setup --- */

enum refusal raw_offer(struct raw *r, const char *code, const char *subnet,
		       struct signal_reply *reply);

/* The SHA-256 of the public half of a recovery key. */
void raw_code_hash(const uint8_t code[SIGN_SEED_LEN], uint8_t ret[HASH_LEN]);

/* After an offer: it names the server's order key. */
struct genesis raw_genesis(struct raw *r, const char *name, struct prefix4 subnet, ip4 address);

struct entry_bytes raw_genesis_sign(struct raw *r, const struct genesis *x);

enum refusal raw_setup_send(struct raw *r, const char *code, const struct entry_bytes *genesis,
			    struct signal_reply *reply);

/* Keeps what a successful setup gave. */
void raw_founded(struct raw *r, const struct entry_bytes *genesis,
		 const struct signal_reply *reply);

/* All of `mlsh setup`. */
void raw_setup(struct raw *r, const char *code, const char *name, const char *subnet);

/* --- adopt --- */

struct raw_invite {
	struct invite inv;
	uint8_t bytes[INVITE_MAX_BYTES];
	size_t len;
	uint8_t sig[SIG_LEN];
	uint8_t one_time[SIGN_SEED_LEN];
};

struct raw_invite raw_invite_fields(struct raw *sponsor, uint64_t ttl_s);
void raw_invite_sign(struct raw_invite *i, const struct raw *signer);
struct raw_invite raw_invite(struct raw *sponsor);

/* Fetches what its log lacks, page by page. Some of it may come as an event meanwhile. */
void raw_fetch(struct raw *r);

struct entry_bytes raw_admit_entry(struct raw *r, const struct raw_invite *i, const char *name);

enum refusal raw_admit(struct raw *r, const struct entry_bytes *b, struct signal_reply *reply);

/* Up to where the admit entry would be sent. */
void raw_adopt_begin(struct raw *r, const struct raw_invite *i);

/* Keeps what a successful admit gave, and finds itself in the log. */
void raw_admitted(struct raw *r, const struct signal_reply *reply);

/* All of `mlsh adopt`. */
void raw_adopt(struct raw *r, const struct raw_invite *i, const char *name);

/* --- session --- */

enum refusal raw_session_ask(struct raw *r, struct signal_reply *reply);

/* Connects, greets and begins a session, without events. */
void raw_session(struct raw *r);

enum refusal raw_subscribe(struct raw *r, struct signal_reply *reply);

/* Puts an entry into the log. Its record is in the reply then. */
enum refusal raw_append(struct raw *r, const struct entry_bytes *b, struct signal_reply *reply);

/* Removes another node. */
struct entry_bytes raw_remove_entry(struct raw *r, const struct raw *target);

/* Signed with the founder's code: back to `base` of the log, `admin` the only one. */
struct entry_bytes raw_recover_entry(const struct raw *by, const struct raw *founder, uint64_t base,
				     const struct raw *admin);

enum refusal raw_recover(struct raw *r, const struct entry_bytes *entry,
			 struct signal_reply *reply);

/* All of what a daemon does: a session with everything fetched, and events. */
void raw_online(struct raw *r);

/* A founder with a session, on a fresh server. */
struct raw *raw_founder(struct sig *g);

/* A further member of the sponsor's cluster, not online. */
struct raw *raw_member(struct raw *sponsor, const char *name);

#endif
