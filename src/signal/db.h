/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * What the server keeps: one SQLite file with its keys, one-time codes, clusters, logs and the
 * addresses ever given out. WAL with full synchronisation: what a transaction committed survives
 * kill -9 and a power cut. The only user of SQLite. Times are seconds since 1970.
 *
 * Errors: -EBUSY if another program holds the lock, -EIO for any other error of SQLite (full disk,
 * ...). The message names the file and what to do. The change is then undone as a whole.
 */
#ifndef MLSH_SIGNAL_DB_H
#define MLSH_SIGNAL_DB_H

#include "base/addr.h"
#include "base/ids.h"
#include "os/file.h"

struct db;

/*
 * Opens the file or (with `make`) makes it and its folder, mode 0600, and brings its schema up to
 * date. Waits two seconds for a lock, as all later calls do. -EPROTONOSUPPORT: written by a newer
 * version. -ENOENT: missing. -EINVAL: not a database of ours, empty, or only its companions are
 * there.
 */
int db_open(const char *path, bool make, struct err *err, struct db **ret) MUST_CHECK;
void db_close(struct db *d); /* rolls an open transaction back; NULL allowed */
/*
 * Makes this process the server of the database until it closes it. Fails if there is another one
 * (-EBUSY). Checks the file for damage (-EIO).
 */
int db_serve(struct db *d, struct err *err) MUST_CHECK;
/* Checks every page, index and reference: more than db_serve, and slower. -EIO. */
int db_check_whole(struct db *d, struct err *err) MUST_CHECK;
/* From now on nothing waits for a lock. */
void db_wait_never(struct db *d);

/* One transaction at a time; it holds the write lock from its beginning. */
int db_begin(struct db *d, struct err *err) MUST_CHECK;
int db_commit(struct db *d, struct err *err) MUST_CHECK; /* rolls back when it fails */
void db_rollback(struct db *d); /* does nothing if no transaction is open */
/* Returns true if the open transaction has written a row, even one that a savepoint took back. */
bool db_has_written(const struct db *d);
/*
 * Begins a part of the open transaction that can be undone alone. Cannot be nested. -EIO if an
 * earlier write has failed so that the transaction is gone.
 */
int db_savepoint(struct db *d, struct err *err) MUST_CHECK;
void db_savepoint_end(struct db *d, bool keep);
/*
 * Moves everything that was committed from the companion -wal into the file, synced, so that a copy
 * of the file alone is whole. -EAGAIN: a copy is just being made, or another program uses an old
 * state; try again later. With `now` it does so even if that spoils a copy that is just being made.
 */
int db_checkpoint(struct db *d, bool now, struct err *err) MUST_CHECK;

/* --- settings: keys and certificate ----------------------------------------------------------- */

/* -ENOENT if it is missing. The caller frees *ret. */
int db_setting_get(struct db *d, const char *name, struct buf *ret, struct err *err) MUST_CHECK;
int db_setting_put(struct db *d, const char *name, struct span value, struct err *err) MUST_CHECK;

/* --- one-time codes --------------------------------------------------------------------------- */

#define CODE_SALT_LEN 16
#define CODES_OPEN_MAX 1024 /* not burned and not expired */

enum code_state { CODE_OPEN, CODE_USED, CODE_EXPIRED, CODE_UNKNOWN };

struct code_info {
	enum code_state state;
	int64_t id;
	uint8_t cluster_id[HASH_LEN]; /* CODE_USED: the cluster that used it */
};

/*
 * Stores the salted hash of a code. With an `expires_s` of 0 it does not expire. -ENOSPC past
 * CODES_OPEN_MAX.
 */
int db_code_add(struct db *d, const char *code, const uint8_t salt[CODE_SALT_LEN], int64_t now_s,
		int64_t expires_s, struct err *err) MUST_CHECK;
/* Finds a (normalised) code; compares with every stored hash in constant time. */
int db_code_find(struct db *d, const char *code, int64_t now_s, struct code_info *ret,
		 struct err *err) MUST_CHECK;
/* -ESTALE if it is not open any more. */
int db_code_burn(struct db *d, int64_t id, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		 struct err *err) MUST_CHECK;

/* --- clusters and their logs ------------------------------------------------------------------ */

struct db_cluster {
	uint8_t id[HASH_LEN];
	struct prefix4 subnet;
};

int db_cluster_add(struct db *d, const struct db_cluster *c, int64_t now_s, struct err *err)
	MUST_CHECK;
/* Calls fn for each cluster. A negative return of fn ends the walk and is returned. */
int db_clusters(struct db *d, int (*fn)(void *ctx, const struct db_cluster *c), void *ctx,
		struct err *err) MUST_CHECK;
/*
 * Each place in the log is unique: a second record there is -EEXIST, also if another process writes
 * it.
 */
int db_record_add(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t seq,
		  struct span record, struct err *err) MUST_CHECK;
/* Drops the records from `from` on, since a recovery goes back to before them. */
int db_records_drop(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t from,
		    struct err *err) MUST_CHECK;
/*
 * Calls fn for each record in order, from 0. A negative return of fn ends the walk and is returned.
 */
int db_records(struct db *d, const uint8_t cluster_id[HASH_LEN],
	       int (*fn)(void *ctx, uint64_t seq, struct span record), void *ctx, struct err *err)
	MUST_CHECK;

/* --- clusters that wait, since the database was restored (may_order.h) --- */

/* A record that this server has signed and lacks. */
struct db_missing {
	uint64_t generation, seq; /* seq 0 if unknown */
	uint64_t time_s;	  /* its receipt's */
	uint8_t hash[HASH_LEN];
};

int db_waiting_all(struct db *d, int64_t now_s, struct err *err) MUST_CHECK;
int db_waiting_count(struct db *d, struct err *err) MUST_CHECK; /* returns how many wait */
/* Returns 1 if the cluster waits, else 0. *ret is the record that it waits for. */
int db_waiting(struct db *d, const uint8_t cluster_id[HASH_LEN], struct db_missing *ret,
	       struct err *err) MUST_CHECK;
/*
 * Has the cluster wait for this record, even if it waits already. Does nothing if the operator has
 * said to go on without this record (db_accept).
 */
int db_waiting_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		     const struct db_missing *m, struct err *err) MUST_CHECK;
/* Returns 0 even if it does not wait. */
int db_waiting_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;
/*
 * The operator says that the cluster (NULL: each one) goes on without what was ordered in it up to
 * now, or up to the record that it waits for if that is dated later. It waits no more.
 */
int db_accept(struct db *d, const uint8_t *cluster_id, int64_t now_s, struct err *err) MUST_CHECK;
/* *ret_until_s is the time up to which the operator has said so, or -1 if they never have. */
int db_accepted(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t *ret_until_s,
		struct err *err) MUST_CHECK;
/* Returns 1 if the server has signed two logs of the cluster, else 0. Only a recovery ends that. */
int db_parted(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;
int db_parted_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		    struct err *err) MUST_CHECK;
int db_parted_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;

/* --- addresses -------------------------------------------------------------------------------- */

/*
 * Finds the highest address ever given out within the subnet, over all clusters; 0 before the
 * first.
 */
int db_address_highest(struct db *d, struct prefix4 subnet, ip4 *ret, struct err *err) MUST_CHECK;
/* -EEXIST if it was given out before. */
int db_address_add(struct db *d, ip4 address, const uint8_t cluster_id[HASH_LEN],
		   const struct node_id *node, struct err *err) MUST_CHECK;

#endif
