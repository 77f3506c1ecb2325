/* SPDX-License-Identifier: MIT */
/*
 * Log entries: what a node or an admin wants, signed by them (docs/protocol/02-membership-log.md).
 * Their bytes, signing, and reading back with every check of form. Where an entry stands in the log
 * is the record's business (record.h).
 */
#ifndef MLSH_MEMBERSHIP_ENTRY_H
#define MLSH_MEMBERSHIP_ENTRY_H

#include "base/addr.h"
#include "base/label.h"
#include "crypto/sign.h"
#include "membership/invite.h"
#include "proto/limits.h"

enum entry_type {
	ENTRY_GENESIS = 1,
	ENTRY_ADMIT,
	ENTRY_CANCEL,
	ENTRY_REMOVE,
	ENTRY_PROMOTE,
	ENTRY_DEMOTE,
	ENTRY_RENAME,
	ENTRY_ROTATE,
	ENTRY_SIGNAL,
	ENTRY_RECOVER,
	ENTRY_RENEW,
	ENTRY_TYPES,	       /* one more than the last that is known */
	ENTRY_SKIPPABLE = 128, /* types from here on may be skipped if they are not known */
};

#define ENTRY_SIGS_MAX 2
#define REMOVE_IDS_MAX 200
#define RECOVER_ADMINS_MAX 32
#define RECOVER_REMOVED_MAX 100
#define RECOVER_RESERVED_MAX 32

/* The signal server of a cluster, as genesis, signal and recover name it. */
struct log_server {
	char host[HOST_TEXT_MAX + 1]; /* as hostport_parse returns it */
	uint16_t port;
	uint8_t cert[HASH_LEN];	    /* SHA-256 of the DER certificate */
	uint8_t key[HASH_LEN];	    /* SHA-256 of the SubjectPublicKeyInfo */
	uint8_t order_key[KEY_LEN]; /* verifies its receipts */
};

/* Member ids, ascending and different. */
struct id_list {
	struct node_id id[REMOVE_IDS_MAX];
	size_t n;
};

struct genesis {
	char name[LABEL_MAX + 1];
	struct prefix4 subnet;
	uint8_t key[KEY_LEN];
	char node_name[LABEL_MAX + 1];
	ip4 address;
	struct log_server server;
	uint8_t recovery[HASH_LEN]; /* SHA-256 of the recovery code's public key */
	uint8_t random[32];
};

struct admit {
	uint8_t key[KEY_LEN];
	char node_name[LABEL_MAX + 1]; /* "": the invite replaces a member */
	struct span invite;	       /* view into the entry */
	uint8_t invite_sig[SIG_LEN];
	struct invite invite_decoded;
};

enum cancel_what { CANCEL_INVITE, CANCEL_REMOVAL };

struct cancel {
	enum cancel_what what;
	uint8_t nonce[NONCE_LEN]; /* CANCEL_INVITE: of the invite */
	uint8_t hash[HASH_LEN];	  /* CANCEL_REMOVAL: of a remove entry that was not ordered */
};

struct promote {
	struct node_id id;
	uint8_t key_sha256[HASH_LEN]; /* of the SubjectPublicKeyInfo of its key in force */
};

struct demote {
	struct node_id id;
};

struct rename_member {
	struct node_id id;
	char name[LABEL_MAX + 1];
};

struct rotate {
	uint8_t key[KEY_LEN];
};

/* A name and an address that dropped records gave; 0 without an address. */
struct reserved {
	char name[LABEL_MAX + 1];
	ip4 address;
};

struct recover {
	uint8_t key[KEY_LEN]; /* of the recovery code */
	struct id_list admins, removed;
	struct reserved reserved[RECOVER_RESERVED_MAX]; /* ascending by name */
	size_t n_reserved;
	uint8_t next[HASH_LEN]; /* SHA-256 of the next recovery code's public key */
	bool has_server;
	struct log_server server;
	/*
	 * An earlier attempt that was sent and not answered: its whole entry, of the same base,
	 * whose `next` is this one's key; a view; or empty.
	 */
	struct span supersedes;
	unsigned depth; /* of attempts nested in each other: 0 without one. Read, not written */
};

struct renew {
	uint8_t next[HASH_LEN];
	bool by_code;	       /* signed by the recovery key, else by two admins */
	struct node_id second; /* !by_code: the other admin */
	uint8_t key[KEY_LEN];  /* by_code: the recovery key */
};

struct entry {
	unsigned type; /* enum entry_type, or ENTRY_SKIPPABLE and above */
	uint64_t time_s;
	struct node_id author;
	struct head base; /* seq and hash of a record that the author knew; zeros for genesis */
	union {
		struct genesis genesis;
		struct admit admit;
		struct cancel cancel;
		struct id_list remove;
		struct promote promote;
		struct demote demote;
		struct rename_member rename;
		struct rotate rotate;
		struct log_server signal;
		struct recover recover;
		struct renew renew;
	};
	unsigned nesting;	   /* in how many recover entries it was found */
	struct span body, payload; /* views into the bytes it was decoded from */
	const uint8_t *sig[ENTRY_SIGS_MAX];
	size_t n_sigs;
	uint8_t hash[HASH_LEN];		/* of the whole encoding */
	uint8_t payload_hash[HASH_LEN]; /* what is in a log once */
};

/* An encoded entry. */
struct entry_bytes {
	uint8_t data[ENTRY_MAX_BYTES];
	size_t len;
};

/*
 * Reads one entry: form, canonical encoding, labels, subnet and key sanity; no signatures, no rules
 * of the log. Views point into `bytes`. A type from ENTRY_SKIPPABLE on that is not known is read
 * without its body. -EBADMSG malformed; -EPROTONOSUPPORT unknown version or lower type ("upgrade
 * mlsh").
 */
int entry_decode(struct span bytes, struct entry *ret, struct err *err) MUST_CHECK;

/* The attempt that a decoded recover entry supersedes. -ENOENT: it supersedes none. */
int entry_superseded(const struct entry *e, struct entry *ret) MUST_CHECK;
/* Does it supersede the recover entry with this payload, perhaps by way of others? */
bool entry_supersedes(const struct entry *e, const uint8_t payload_hash[HASH_LEN]);

/* "admit"; "unknown" for types that are not known. */
const char *entry_type_name(unsigned type);

/*
 * Encodes and signs what is set in `e` (type, time_s, author, base, body; the views and hashes are
 * not read). `consent` makes the second signature of a type that has one, else NULL. What was made
 * is read back, so that nothing malformed leaves here. -EINVAL when it would not be a well-formed
 * entry; whether the log accepts it is for the log to say.
 */
int entry_make(const struct entry *e, const uint8_t cluster_id[HASH_LEN],
	       const struct signer *author, const struct signer *consent, struct entry_bytes *ret,
	       struct err *err) MUST_CHECK;

/*
 * An entry of a type that has two signatures, without the second one: two people make it on two
 * machines. The author makes it; the other one reads it with entry_decode_half, whose results are
 * those of entry_decode, and adds its own with entry_consent, whose results are those of
 * entry_make. Neither verifies the author's signature: the log does (mlog_would_order).
 */
int entry_make_half(const struct entry *e, const uint8_t cluster_id[HASH_LEN],
		    const struct signer *author, struct entry_bytes *ret, struct err *err)
	MUST_CHECK;
int entry_decode_half(struct span bytes, struct entry *ret, struct err *err) MUST_CHECK;
int entry_consent(const struct entry *half, const uint8_t cluster_id[HASH_LEN],
		  const struct signer *consent, struct entry_bytes *ret, struct err *err)
	MUST_CHECK;

int genesis_make(const struct genesis *g, uint64_t time_s, const struct signer *admin,
		 struct entry_bytes *ret, struct err *err) MUST_CHECK;
/*
 * `invite` and `invite_sig` as invite_make gave them; `one_time` is the invite's private seed.
 * `node_name` is "" for an invite that replaces a member.
 */
int admit_make(uint64_t time_s, const struct signer *joiner, const char *node_name,
	       struct span invite, const uint8_t invite_sig[SIG_LEN],
	       const uint8_t one_time[SIGN_SEED_LEN], struct entry_bytes *ret, struct err *err)
	MUST_CHECK;

/* Sorts and removes duplicates. */
void id_list_sort(struct id_list *l);
bool id_list_has(const struct id_list *l, const struct node_id *id);

#endif
