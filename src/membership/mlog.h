/* SPDX-License-Identifier: MIT */
/*
 * The membership log in memory, and the roster that follows from it. Pure verification, no I/O:
 * server and nodes run the same code. Every record in an mlog was verified, once, against all
 * before it.
 *
 * What is added is *staged*: all questions answer with it, but it can be taken back as a whole
 * until mlog_commit. So the server writes to its database between the two, and a database that
 * fails costs nothing in memory.
 */
#ifndef MLSH_MEMBERSHIP_MLOG_H
#define MLSH_MEMBERSHIP_MLOG_H

#include "membership/record.h"
#include "membership/roster.h"
#include "proto/refusal.h"

struct mlog;
struct wire_entries;
struct wire_head;

struct mlog *mlog_new(const uint8_t map_seed[16]); /* empty; NULL without memory */
void mlog_free(struct mlog *l);

/* --- adding --------------------------------------------------------------------------------- */

/*
 * Stages the first record. `genesis` is the entry's bytes. -EBADMSG, -EKEYREJECTED, -EACCES,
 * -EEXIST when the log is not empty, -ENOMEM.
 */
int mlog_found(struct mlog *l, struct span genesis, struct err *err) MUST_CHECK;

/*
 * For the server: gives a decoded entry the next place (for recover: the place after its base),
 * verifies all rules, makes the receipt and stages the record. `bytes` is what `e` was decoded
 * from. `now_s` is the server's time; a time that is up to CLOCK_AHEAD_MAX_S behind the log's last
 * becomes that. `address` is for an admit that replaces nobody. `order_seed` is the private half of
 * the order key (of the new one, for recover with a server). On failure the log is unchanged and
 * err->reason tells the cause (enum refusal):
 *
 *	-EBADMSG	malformed, or breaks a rule of form
 *	-EKEYREJECTED	a signature
 *	-EEXIST		its payload is in the log: mlog_find says where
 *	-ESTALE		something that it depends on has changed since its base
 *	-ETIME		the invite has expired; the entry is too old
 *	-EACCES		another rule
 *	-ENOSPC		full
 *	-ENOKEY		the order key in force is not ours
 *	-ENOMEM
 */
struct ordering {
	uint64_t now_s;
	ip4 address;
	const uint8_t *order_seed, *order_key;
};
int mlog_order(struct mlog *l, const struct entry *e, struct span bytes, const struct ordering *by,
	       struct err *err) MUST_CHECK;
/* Is it a recovery for which mlog_order plays the log again, which takes time: does it go back? */
bool mlog_plays_again(const struct mlog *l, const struct entry *e);
/* Would mlog_order accept it now? Without the receipt and without staging; the same codes. */
int mlog_would_order(const struct mlog *l, const struct entry *e, uint64_t now_s, struct err *err)
	MUST_CHECK;

/* What became of records that somebody showed. */
enum mlog_taken {
	TAKEN,		    /* they are in the log now, or were before */
	TAKEN_OLD,	    /* they are of a generation that a recovery has ended */
	TAKEN_GAP,	    /* they begin behind our head: records in between are missing */
	TAKEN_PARTED,	    /* they do not follow ours: ask for earlier ones */
	TAKEN_UNPROVEN,	    /* no valid receipt vouches for them: ask somebody else */
	TAKEN_INVALID,	    /* bytes that no receipt vouches for: the sender's fault */
	TAKEN_UPGRADE,	    /* the server ordered something that this version does not know */
	TAKEN_LIE,	    /* proof that the server lies */
	TAKEN_CODE_MISUSED, /* a second recover record of a generation, or by a renewed code */
	TAKEN_NO_MEMORY
};

/* The first of records that are held back, and its date. Seq is 0 if no record is held back. */
struct mlog_held {
	uint64_t seq, time_s;
};

struct mlog_take {
	enum mlog_taken result;
	size_t added;	   /* records that were staged, also when the rest was not taken */
	uint64_t first;	   /* added > 0: the first of them; what was there and behind it is gone */
	bool reorganised;  /* a recover record dropped records of ours */
	bool in_vain;	   /* our log was played again for a recovery that then broke a rule */
	uint64_t seq;	   /* LIE, CODE_MISUSED, UPGRADE, INVALID: of the record */
	uint64_t ask_from; /* GAP, PARTED: records from this seq on may help */
	struct mlog_held held; /* mlog_take_until: from this one on they were dated too late */
	struct err why;	       /* for a person; the rule that is broken */
};

/* Records that contradict a log, with the receipts that prove it. Views. */
struct log_proof {
	uint64_t seq;
	bool code_misused; /* the recovery code was used twice; else the server lies */
	const char *why;
	struct span ours; /* our record there; empty: what was shown breaks a rule */
	const struct span *shown;
	size_t n_shown;
};

/* Against whom. */
enum proof_kind { PROOF_SERVER, PROOF_CODE, PROOF_KINDS };

static inline enum proof_kind proof_kind_of(const struct log_proof *p)
{
	return p->code_misused ? PROOF_CODE : PROOF_SERVER;
}

/* What was shown when mlog_take found a lie, or a code that was misused. */
struct log_proof mlog_proof(const struct mlog *l, const struct mlog_take *take,
			    const struct span *shown, size_t n);

/*
 * Takes records of a log from anybody, in the order of the log, and stages those that extend ours
 * (or, from a recover record of a higher generation on, replace a part of it), if the last of them
 * has a valid receipt. Those that are in ours already are skipped.
 */
void mlog_take(struct mlog *l, const struct span *records, size_t n, struct mlog_take *ret);
/*
 * The same for who frees the log if one of them is not valid: those before that one stay in it,
 * which saves playing the log again. `added` is 0 then.
 */
void mlog_take_all(struct mlog *l, const struct span *records, size_t n, struct mlog_take *ret);
/*
 * mlog_take from the network, where a date counts: records from the first one on that is dated
 * after `latest_s` are held back. They are valid, but a log that has one takes nothing with an
 * earlier date any more until it is recovered. What a recovery builds on may have any date. The
 * caller asks for them again later.
 */
void mlog_take_until(struct mlog *l, const struct span *records, size_t n, uint64_t latest_s,
		     struct mlog_take *ret);
/*
 * Takes a record that was verified before, by this process or by one that it trusts: no signature
 * is verified, everything else is. -EBADMSG.
 */
int mlog_reload(struct mlog *l, struct span record, struct err *err) MUST_CHECK;

void mlog_commit(struct mlog *l);
/* Takes back all that was staged. -ENOMEM: the log cannot be used any more. */
int mlog_rollback(struct mlog *l) MUST_CHECK;

/* --- questions ------------------------------------------------------------------------------ */

size_t mlog_count(const struct mlog *l);     /* records, staged ones included */
struct head mlog_head(const struct mlog *l); /* all zero when the log is empty */
uint64_t mlog_generation(const struct mlog *l);
struct wire_head mlog_wire_head(const struct mlog *l); /* both, as messages carry them */
/* The seq of the first record of a generation above `generation`; mlog_count if there is none. */
uint64_t mlog_generation_start(const struct mlog *l, uint64_t generation);
/* Encoded; empty past the end; valid until the log changes. */
struct span mlog_record(const struct mlog *l, uint64_t seq);
/* The same, read. -ENOENT past the end. */
int mlog_get(const struct mlog *l, uint64_t seq, struct record *ret_record, struct entry *ret_entry)
	MUST_CHECK;
/*
 * The records from `from` on, as many as fit one message and end at a receipt; none past the end.
 * Views into the log.
 */
void mlog_page(const struct mlog *l, uint64_t from, struct wire_entries *ret);
/* From where on is a page longest that has the record `seq`? `seq` itself if no page has it. */
uint64_t mlog_page_back(const struct mlog *l, uint64_t seq);
/* Does the log contain this head? */
bool mlog_has_head(const struct mlog *l, const struct head *h);
/* The seq of the record with this payload (of an entry), or 0. */
uint64_t mlog_find(const struct mlog *l, const uint8_t payload_hash[HASH_LEN]);
/* NULL when the log is empty. */
const uint8_t *mlog_cluster_id(const struct mlog *l);
const struct genesis *mlog_genesis(const struct mlog *l);
/* The server in force, of genesis, signal or recover. NULL when the log is empty. */
const struct log_server *mlog_server(const struct mlog *l);
/* Was the server at this place before the one in force was named? */
bool mlog_server_was(const struct mlog *l, const char *host, uint16_t port);
/* The order key in force for a record in this place that is not a recover with a server. */
const uint8_t *mlog_order_key(const struct mlog *l, uint64_t seq);
/*
 * Since which record is this order key in force, or was it last? 0 for genesis's. -ENOENT: it never
 * was.
 */
int mlog_order_key_seq(const struct mlog *l, const uint8_t key[KEY_LEN], uint64_t *ret) MUST_CHECK;
/* Is this the hash of the recovery code's public key in force? */
bool mlog_recovery_is(const struct mlog *l, const uint8_t hash[HASH_LEN]);
uint64_t mlog_last_time_s(const struct mlog *l); /* 0 when the log is empty */
const struct roster *mlog_roster(const struct mlog *l);

bool mlog_invite_used(const struct mlog *l, const uint8_t nonce[NONCE_LEN]); /* or cancelled */
/*
 * Would the log take an admission with this cluster's invite at `now_s`? Reads its sponsor, head,
 * nonce and expiry. Its signature is not verified.
 */
bool mlog_invite_stands(const struct mlog *l, const struct invite *inv, uint64_t now_s);
/* The member that used the invite, or NULL. */
const struct member *mlog_invite_redeemer(const struct mlog *l, const uint8_t nonce[NONCE_LEN]);
/* Could a new node have this name? Not if a member has it or ever had it, or it is reserved. */
bool mlog_name_taken(const struct mlog *l, const char *name);
/* Was the address given in this log, or is it reserved? */
bool mlog_address_taken(const struct mlog *l, ip4 address);

#endif
