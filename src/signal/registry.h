/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The clusters of this server: their logs (verified, in memory, as in the database), the order of
 * new entries, and the allocation of overlay addresses. What registry_setup, registry_order and
 * registry_take write counts once registry_commit has returned 0; nobody may be told of it before.
 * `err` is never NULL here.
 *
 * Errors carry the refusal in err->reason: REFUSAL_INTERNAL for errors of the database.
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
	struct list subscribers;  /* sessions with an event stream */
	struct list dirty;	  /* in the server's list of clusters whose presence has changed */
	struct bucket relay_rate; /* bytes of all its members over the relay */
	struct shares relay_shares;  /* among its members */
	struct share_user relay_use; /* the cluster's part of what the server can carry */
	struct mlog *log;	     /* NULL if it could not be read; see registry_log */
	bool parted;	     /* this server has signed another log of it, and orders nothing */
	bool was_parted;     /* until the open transaction, which ends that */
	bool admin_shown;    /* an admin has shown a head that the log has: may_order.c */
	uint64_t wait_until; /* clock: when the wait of a restored cluster may end; 0 if unknown */
	struct db_missing missing;   /* the highest record that a beacon names: may_order.c */
	struct list noted;	     /* in the registry's list: with notes for the database */
	unsigned notes;		     /* enum registry_note */
	struct log_limit wait_lines; /* of may_order.c */
	struct roster_cursor seen;   /* the changes of its roster that were acted on */
	struct denials *removals;    /* removals without an order, see removals.c; may be NULL */
	struct beacons *beacons;     /* the newest of each admin, see beacons.c; may be NULL */
	struct list changed;	     /* in the registry's list: of uncommitted changes */
	bool made;		     /* the open transaction made it */
	struct bucket replays;	     /* limits how often recoveries play its log again */
	uint64_t changed_from;	     /* the first record that the open transaction put there */
};

/*
 * Reads all clusters. Each transaction that changes one raises the mark. A damaged log makes its
 * cluster unavailable, not the server. `keys` must outlive the registry, which makes receipts with
 * its order key.
 */
int registry_new(struct host *h, struct db *db, struct mark *mark, const struct server_keys *keys,
		 struct err *err, struct registry **ret) MUST_CHECK;
void registry_free(struct registry *r); /* NULL allowed */

size_t registry_count(const struct registry *r);
struct cluster *registry_find(const struct registry *r, const uint8_t id[HASH_LEN]);
/*
 * Returns the member of the cluster that has this key in force (SHA-256 of the
 * SubjectPublicKeyInfo), or NULL if there is no such member or the log could not be read.
 */
const struct member *registry_member(const struct cluster *c, const uint8_t key_sha256[HASH_LEN]);
/* Returns one cluster after another, in no order, and NULL after the last. *pos is 0 at first. */
struct cluster *registry_next(const struct registry *r, size_t *pos);
/* Returns true if the key is that of a member of any cluster. */
bool registry_is_known(const struct registry *r, const uint8_t key_sha256[HASH_LEN]);
/*
 * Counts the clusters that can be read, and those of them whose nodes accept a server with this key
 * (SHA-256 of the SubjectPublicKeyInfo). Nodes know the key from the log.
 */
struct key_acceptance {
	size_t clusters, accept;
	const char *refuses; /* name of one that does not; NULL if all accept it */
};
struct key_acceptance registry_key_acceptance(const struct registry *r,
					      const uint8_t key[HASH_LEN]);
/* Returns the log of the cluster, and reads it again if it could not be read before. -EIO. */
int registry_log(struct registry *r, struct cluster *c, struct mlog **ret, struct err *err)
	MUST_CHECK;

/* Checks that a new cluster may have this subnet. -EACCES with REFUSAL_SUBNET. */
int registry_subnet_check(const struct registry *r, struct prefix4 subnet, struct err *err)
	MUST_CHECK;
/*
 * Returns the address that the first member of a new cluster would get. -ENOSPC with REFUSAL_FULL.
 */
int registry_next_address(struct registry *r, struct prefix4 subnet, ip4 *ret, struct err *err)
	MUST_CHECK;

/*
 * Begins a transaction for any number of the calls below. -EBUSY: another program holds the lock of
 * the database, and nothing has changed.
 */
int registry_begin(struct registry *r, struct err *err) MUST_CHECK;
/*
 * Writes the notes, commits, then calls `fn` for each cluster that has new records, from `first`
 * on. Returns 1, or 0 if there was nothing to write. If the commit or one of the writes has failed,
 * everything since registry_begin is undone, in memory too. Notes that were not written stay for
 * the next transaction.
 */
int registry_commit(struct registry *r, void (*fn)(void *ctx, struct cluster *c, uint64_t first),
		    void *ctx, struct err *err) MUST_CHECK;

/* --- notes (registry_notes.c) --- */

/*
 * Notes that the database keeps of a cluster beside its log. A note is valid in memory at once. It
 * is written with the next transaction that is committed, however many fail before.
 */
enum registry_note {
	NOTE_PARTED = 1,     /* `parted` is set */
	NOTE_WAIT_BEGIN = 2, /* it waits for the record that `missing` names */
	NOTE_WAIT_END = 4,   /* it waits no more; then wait_until is 0 */
};
void registry_note(struct registry *r, struct cluster *c, enum registry_note note);
bool registry_has_notes(const struct registry *r);

/*
 * Burns the code, stores genesis (verified here) and gives out the address: all or nothing. `e` is
 * the decoded form of `genesis`.
 */
int registry_setup(struct registry *r, int64_t code_id, const struct entry *e, struct span genesis,
		   struct err *err, struct cluster **ret) MUST_CHECK;
/*
 * Gives the entry the next place of the log (a recovery: the one after its base), an address of
 * this server if it needs one, and a receipt. `e` is the decoded form of `bytes`. An entry that is
 * in the log already keeps its place. *ret is the seq. Errors as mlog_order.
 */
int registry_order(struct registry *r, struct cluster *c, const struct entry *e, struct span bytes,
		   uint64_t *ret, struct err *err) MUST_CHECK;
/* Returns true if this server's key signs the place `seq` of the log. */
bool registry_signs(const struct registry *r, const struct cluster *c, uint64_t seq);
/* What became of the records that were shown, also if an error is returned. */
struct registry_taken {
	size_t added; /* that are new */
	bool in_vain; /* the log was played again for an invalid recovery */
};

/*
 * Takes records that this log lacks from a member's copy of it. If one is invalid, those before it
 * are kept and its error is returned.
 */
int registry_take(struct registry *r, struct cluster *c, const struct span *records, size_t n,
		  struct registry_taken *ret, struct err *err) MUST_CHECK;

/* --- whose turn it is to order --- */

/* Which server orders the entries of the cluster, by its log? The log must have been read. */
enum standing {
	STANDING_OURS,
	STANDING_NOT_YET, /* another server, and this one never did */
	STANDING_AWAY,	  /* another server, and this one did before */
};
enum standing registry_standing(const struct registry *r, const struct cluster *c);
/*
 * Returns true if the member may lack a token of this server, since another server has or had the
 * cluster.
 */
bool registry_is_foreign(const struct registry *r, const struct cluster *c, const struct member *m);
/*
 * Refuses what another server orders, and says where the cluster is. -EREMCHG with
 * REFUSAL_MOVED_AWAY.
 */
int registry_deny_foreign(const struct registry *r, const struct cluster *c, struct err *err);

/* --- clusters of other servers (registry_import.c) --- */

/*
 * Stores the verified log of a cluster that another server orders, and burns the code (0 if it was
 * burned for this cluster before). This server orders nothing in it until the log names it. If the
 * cluster is here already, its log gets the records that it lacks. Else the registry takes *log
 * over, even after a failure, and sets it to NULL.
 */
int registry_import(struct registry *r, int64_t code_id, struct mlog **log, struct err *err)
	MUST_CHECK;

#endif
