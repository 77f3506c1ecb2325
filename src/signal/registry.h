/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The clusters of this server: their logs (verified, in memory, as in the database), the order of
 * what comes into them, and the allocation of overlay addresses. What registry_setup,
 * registry_order and registry_take write counts once registry_commit has returned 0; nobody may be
 * told of it before. `err` is never NULL here.
 *
 * Errors carry the refusal in err->reason; REFUSAL_INTERNAL for what the database could not do.
 */
#ifndef MLSH_SIGNAL_REGISTRY_H
#define MLSH_SIGNAL_REGISTRY_H

#include "base/bucket.h"
#include "base/list.h"
#include "membership/beacon.h"
#include "membership/deny.h"
#include "signal/bootstrap.h"
#include "signal/mark.h"
#include "signal/presence.h"
#include "signal/shares.h"

struct registry;

struct cluster {
	uint8_t id[HASH_LEN];
	struct prefix4 subnet;
	struct presence *presence;
	struct list subscribers;     /* sessions with an event stream */
	struct list dirty;	     /* in the server's list of clusters with news to tell */
	struct bucket relay_rate;    /* bytes of all its members over the relay */
	struct shares relay_shares;  /* among its members */
	struct share_user relay_use; /* its own part of what the server can carry */
	struct mlog *log;	     /* NULL: could not be read; see registry_log */
	bool parted;		     /* this server has signed another log of it: orders nothing */
	bool was_parted;	     /* until the open transaction, which ends it */
	bool admin_shown;	     /* an admin has shown a head that the log has: may_order.c */
	uint64_t wait_until;	     /* clock: a restored cluster's wait may end then; 0: unknown */
	struct db_missing missing;   /* the highest of a beacon's: may_order.c */
	struct list noted;	     /* in the registry's list: with notes for the database */
	unsigned notes;		     /* enum registry_note */
	struct log_limit wait_lines; /* of may_order.c */
	struct roster_cursor seen;   /* the changes of its roster that were acted on */
	struct denials *removals;    /* without order: see removals.c; may be NULL */
	struct beacons *beacons;     /* the newest of each admin: see beacons.c; may be NULL */
	struct list changed;	     /* in the registry's list: of uncommitted changes */
	bool made;		     /* the open transaction made it */
	struct bucket replays;	     /* of its log, for recoveries that go back */
	uint64_t changed_from;	     /* the first record that the open transaction put there */
};

/*
 * Reads all clusters. Each transaction that changes one raises the mark. A log that is damaged
 * makes its cluster unavailable, not the server. `keys` must outlive the registry; receipts are
 * made with its order key.
 */
int registry_new(struct host *h, struct db *db, struct mark *mark, const struct server_keys *keys,
		 struct err *err, struct registry **ret) MUST_CHECK;
void registry_free(struct registry *r); /* NULL allowed */

size_t registry_count(const struct registry *r);
struct cluster *registry_find(const struct registry *r, const uint8_t id[HASH_LEN]);
/*
 * The member of the cluster that has this key in force (SHA-256 of the SubjectPublicKeyInfo). NULL:
 * there is none, or the log could not be read.
 */
const struct member *registry_member(const struct cluster *c, const uint8_t key_sha256[HASH_LEN]);
/* One cluster after another, in no order: *pos is 0 at first. Returns NULL after the last. */
struct cluster *registry_next(const struct registry *r, size_t *pos);
/* Is it a member's of any cluster? */
bool registry_is_known(const struct registry *r, const uint8_t key_sha256[HASH_LEN]);
/*
 * How many clusters can be read, and how many of them accept a server with this key (SHA-256 of
 * the SubjectPublicKeyInfo)? Their nodes know it from the log.
 */
struct key_acceptance {
	size_t clusters, accept;
	const char *refuses; /* a name; NULL: all accept it */
};
struct key_acceptance registry_key_acceptance(const struct registry *r,
					      const uint8_t key[HASH_LEN]);
/* The cluster's log, read again if it could not be read before. -EIO. */
int registry_log(struct registry *r, struct cluster *c, struct mlog **ret, struct err *err)
	MUST_CHECK;

/* May a new cluster have this subnet? -EACCES with REFUSAL_SUBNET. */
int registry_subnet_check(const struct registry *r, struct prefix4 subnet, struct err *err)
	MUST_CHECK;
/* The address that the first member of a new cluster would get. -ENOSPC with REFUSAL_FULL. */
int registry_next_address(struct registry *r, struct prefix4 subnet, ip4 *ret, struct err *err)
	MUST_CHECK;

/*
 * One transaction for any number of the three calls below. -EBUSY: another program holds the
 * database's lock; nothing has happened.
 */
int registry_begin(struct registry *r, struct err *err) MUST_CHECK;
/*
 * Writes the notes, commits, then calls `fn` for each cluster that has new records, from `first`
 * on. Returns 1, or 0 if there was nothing to write. If the commit or one of the writes has failed,
 * everything since registry_begin is undone, in memory too; what was there before stays, and so do
 * the notes, for the next one.
 */
int registry_commit(struct registry *r, void (*fn)(void *ctx, struct cluster *c, uint64_t first),
		    void *ctx, struct err *err) MUST_CHECK;

/* --- notes (registry_notes.c) --- */

/*
 * What the database is to say of a cluster beside its log. Memory says it at once, the database
 * with the next transaction that is committed, however many fail before.
 */
enum registry_note {
	NOTE_PARTED = 1,     /* `parted` is set */
	NOTE_WAIT_BEGIN = 2, /* it waits for the record that `missing` names */
	NOTE_WAIT_END = 4,   /* it waits no more; then wait_until is 0 */
};
void registry_note(struct registry *r, struct cluster *c, enum registry_note note);
bool registry_has_notes(const struct registry *r);

/*
 * Burns the code, stores genesis (verified here), gives out the address: all or nothing. `e` is
 * what `genesis` was decoded to.
 */
int registry_setup(struct registry *r, int64_t code_id, const struct entry *e, struct span genesis,
		   struct err *err, struct cluster **ret) MUST_CHECK;
/*
 * Gives the entry the next place of the log (for recover: the one after its base), with an address
 * of this server's if it is to have one, and a receipt. `e` is what `bytes` was decoded to. An
 * entry that is in the log already keeps its place. *ret: the seq. The codes of mlog_order.
 */
int registry_order(struct registry *r, struct cluster *c, const struct entry *e, struct span bytes,
		   uint64_t *ret, struct err *err) MUST_CHECK;
/* Is this server's key the one that signs the place `seq` of the log? */
bool registry_signs(const struct registry *r, const struct cluster *c, uint64_t seq);
/* What came of records that were shown, also when an error is returned. */
struct registry_taken {
	size_t added; /* that are new */
	bool in_vain; /* the log was played again for a recovery that then broke a rule */
};

/*
 * Takes records of a member's copy of the log that this one lacks. When one is invalid, those
 * before it are kept and its error is returned.
 */
int registry_take(struct registry *r, struct cluster *c, const struct span *records, size_t n,
		  struct registry_taken *ret, struct err *err) MUST_CHECK;

/* --- whose turn it is to order --- */

/* Who orders the cluster's entries, by its log, which could be read? */
enum standing {
	STANDING_OURS,
	STANDING_NOT_YET, /* another server, and never this one */
	STANDING_AWAY,	  /* another server, after this one */
};
enum standing registry_standing(const struct registry *r, const struct cluster *c);
/* Can the member be without a token of this server, since another one has, or had, the cluster? */
bool registry_is_foreign(const struct registry *r, const struct cluster *c, const struct member *m);
/* Not ours to order: says where the cluster is. -EREMCHG with REFUSAL_MOVED_AWAY. */
int registry_deny_foreign(const struct registry *r, const struct cluster *c, struct err *err);

/* --- clusters of other servers (registry_import.c) --- */

/*
 * Stores the log of a cluster that another server orders, which was verified, and burns the code
 * (0: it was burned for this cluster before). Nothing is ordered in it until the log names this
 * server. If the cluster is here already it gets what it lacks; else *log belongs to the registry,
 * also after a failure, and is NULL.
 */
int registry_import(struct registry *r, int64_t code_id, struct mlog **log, struct err *err)
	MUST_CHECK;

#endif
