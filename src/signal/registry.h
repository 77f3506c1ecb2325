/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The clusters of this server: their logs (verified, in memory, as in the database) and the
 * allocation of overlay addresses. What registry_setup and registry_append write counts once
 * registry_commit has returned 0; nobody may be told of it before. `err` is never NULL here.
 *
 * Errors carry the refusal in err->reason; REFUSAL_INTERNAL for what the database could not do.
 */
#ifndef MLSH_SIGNAL_REGISTRY_H
#define MLSH_SIGNAL_REGISTRY_H

#include "base/bucket.h"
#include "base/list.h"
#include "membership/mlog.h"
#include "signal/db.h"
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
	struct list changed;	     /* in the registry's list: of uncommitted changes */
	bool made;		     /* the open transaction made it */
	uint64_t changed_from;	     /* the first entry that the open transaction added */
};

/*
 * Reads all clusters. Each transaction that changes one raises the mark. A log that is damaged
 * makes its cluster unavailable, not the server.
 */
int registry_new(struct host *h, struct db *db, struct mark *mark, struct err *err,
		 struct registry **ret) MUST_CHECK;
void registry_free(struct registry *r); /* NULL allowed */

size_t registry_count(const struct registry *r);
struct cluster *registry_find(const struct registry *r, const uint8_t id[HASH_LEN]);
/* Is it the key of a member of the cluster? False if the log could not be read. */
bool registry_is_member(const struct cluster *c, const struct node_id *id,
			const uint8_t key[KEY_LEN]);
/* The same, of any cluster. */
bool registry_is_known(const struct registry *r, const struct node_id *id,
		       const uint8_t key[KEY_LEN]);
/*
 * How many clusters can be read, and how many of them accept a server with this key (SHA-256 of
 * the SubjectPublicKeyInfo)? Their nodes know it from genesis.
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
/* The address that the next member within the subnet gets. -ENOSPC with REFUSAL_FULL. */
int registry_next_address(struct registry *r, struct prefix4 subnet, ip4 *ret, struct err *err)
	MUST_CHECK;

/*
 * One transaction for any number of the two calls below. -EBUSY: another program holds the
 * database's lock; nothing has happened.
 */
int registry_begin(struct registry *r, struct err *err) MUST_CHECK;
/*
 * Commits, then calls `fn` for each cluster that has new entries, from `first` on. If the commit
 * fails, everything since registry_begin is undone, in memory too.
 */
int registry_commit(struct registry *r, void (*fn)(void *ctx, struct cluster *c, uint64_t first),
		    void *ctx, struct err *err) MUST_CHECK;

/* Burns the code, stores genesis (verified here), gives out the address: all or nothing. */
int registry_setup(struct registry *r, int64_t code_id, struct span genesis, struct err *err,
		   struct cluster **ret) MUST_CHECK;
/*
 * Verifies entries one after another and stores them; those that are there already are skipped.
 * When one is invalid, those before it are kept and its error is returned.
 * *ret_added: how many are new, also then. `from_log`: they come from a member's copy of the log,
 * so that their addresses need not be the next ones.
 */
int registry_append(struct registry *r, struct cluster *c, const struct span *entries, size_t n,
		    bool from_log, size_t *ret_added, struct err *err) MUST_CHECK;

/* Sets the refusal beside the message. Returns `code`. */
int deny(struct err *err, int code, enum refusal reason, const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
