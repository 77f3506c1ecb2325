/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * What the server keeps: one SQLite file with its keys, one-time codes, clusters, logs and the
 * addresses ever given out. WAL with full synchronisation: what a transaction committed
 * survives kill -9 and a power cut. The only user of SQLite. Times are seconds since 1970.
 *
 * Errors: -EBUSY if another program holds the lock, -EIO for whatever else SQLite reports (full
 * disk, ...). The message names the file and what to do. The change is undone as a whole then.
 */
#ifndef MLSH_SIGNAL_DB_H
#define MLSH_SIGNAL_DB_H

#include "base/addr.h"
#include "base/ids.h"
#include "os/file.h"

struct db;

/*
 * Opens the file or (with `make`) makes it and its folder, mode 0600, and brings its schema up to
 * date. Waits two seconds for a lock, as all that follows does. -EPROTONOSUPPORT: written by a
 * newer version; -ENOENT: not there; -EINVAL: not a database of ours, empty, or only its companions
 * are there.
 */
int db_open(const char *path, bool make, struct err *err, struct db **ret) MUST_CHECK;
void db_close(struct db *d); /* rolls back what is open; NULL allowed */
/*
 * This process is now the server of the database, until it closes it: no other can be (-EBUSY).
 * Checks the file for damage (-EIO).
 */
int db_serve(struct db *d, struct err *err) MUST_CHECK;
/* Checks every page, index and reference: more than db_serve, and slower. -EIO */
int db_check_whole(struct db *d, struct err *err) MUST_CHECK;
/* From now on nothing waits for a lock. */
void db_wait_never(struct db *d);

/* One transaction at a time; it holds the write lock from its beginning. */
int db_begin(struct db *d, struct err *err) MUST_CHECK;
int db_commit(struct db *d, struct err *err) MUST_CHECK; /* rolls back when it fails */
void db_rollback(struct db *d);				 /* nothing open: does nothing */
/* Has the open transaction written a row? (Also one that a savepoint took back.) */
bool db_has_written(const struct db *d);
/*
 * A part of the open transaction that can be undone alone; not nested. -EIO if an earlier write has
 * failed so that the transaction is gone.
 */
int db_savepoint(struct db *d, struct err *err) MUST_CHECK;
void db_savepoint_end(struct db *d, bool keep);
/*
 * Moves everything that was committed from the companion -wal into the file, synced, so that a copy
 * of the file alone is whole. -EAGAIN: a copy is just being made, or another program has an old
 * state in use; try again later. `now`: even if it spoils a copy that is just being made.
 */
int db_checkpoint(struct db *d, bool now, struct err *err) MUST_CHECK;

/* --- settings: keys and certificate ----------------------------------------------------------- */

/* -ENOENT when it is not there. The caller frees. */
int db_setting_get(struct db *d, const char *name, struct buf *ret, struct err *err) MUST_CHECK;
int db_setting_put(struct db *d, const char *name, struct span value, struct err *err) MUST_CHECK;

/* --- one-time codes --------------------------------------------------------------------------- */

#define CODE_SALT_LEN 16
#define CODES_OPEN_MAX 1024 /* not burned and not expired */

enum code_state { CODE_OPEN, CODE_USED, CODE_EXPIRED, CODE_UNKNOWN };

struct code_info {
	enum code_state state;
	int64_t id;
	uint8_t cluster_id[HASH_LEN]; /* used: by which cluster */
};

/* Stores the salted hash of a code. `expires_s` 0: never. -ENOSPC past CODES_OPEN_MAX. */
int db_code_add(struct db *d, const char *code, const uint8_t salt[CODE_SALT_LEN], int64_t now_s,
		int64_t expires_s, struct err *err) MUST_CHECK;
/* Finds a (normalised) code; compares with every stored hash in constant time. */
int db_code_find(struct db *d, const char *code, int64_t now_s, struct code_info *ret,
		 struct err *err) MUST_CHECK;
/* -ESTALE when it is not open any more. */
int db_code_burn(struct db *d, int64_t id, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		 struct err *err) MUST_CHECK;

/* --- clusters and their logs ------------------------------------------------------------------ */

struct db_cluster {
	uint8_t id[HASH_LEN];
	struct prefix4 subnet;
};

int db_cluster_add(struct db *d, const struct db_cluster *c, int64_t now_s, struct err *err)
	MUST_CHECK;
/* Calls fn for each; a negative return ends it and is returned. */
int db_clusters(struct db *d, int (*fn)(void *ctx, const struct db_cluster *c), void *ctx,
		struct err *err) MUST_CHECK;
/* The place in the log is unique: a second record there is -EEXIST, whoever writes it. */
int db_record_add(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t seq,
		  struct span record, struct err *err) MUST_CHECK;
/* Drops the records from `from` on: a recovery goes back behind them. */
int db_records_drop(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t from,
		    struct err *err) MUST_CHECK;
/* In their order, from 0. A negative return of fn ends the walk and is returned. */
int db_records(struct db *d, const uint8_t cluster_id[HASH_LEN],
	       int (*fn)(void *ctx, uint64_t seq, struct span record), void *ctx, struct err *err)
	MUST_CHECK;

/* --- clusters that wait, since the database was restored (may_order.h) --- */

/* A record that this server has signed and lacks. */
struct db_missing {
	uint64_t generation, seq; /* seq 0: unknown */
	uint64_t time_s;	  /* its receipt's */
	uint8_t hash[HASH_LEN];
};

int db_waiting_all(struct db *d, int64_t now_s, struct err *err) MUST_CHECK;
int db_waiting_count(struct db *d, struct err *err) MUST_CHECK; /* how many wait */
/* Returns 1 if this one waits, else 0. *ret: for which record. */
int db_waiting(struct db *d, const uint8_t cluster_id[HASH_LEN], struct db_missing *ret,
	       struct err *err) MUST_CHECK;
/*
 * For this record, also if it waits already. Does nothing if the operator has said that this one is
 * not waited for (db_accept).
 */
int db_waiting_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		     const struct db_missing *m, struct err *err) MUST_CHECK;
/* 0, too, if it does not wait. */
int db_waiting_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;
/*
 * The operator says that the cluster (NULL: each) is to go on without whatever was ordered in it up
 * to now, or up to the record that it waits for if that is dated later. It waits no more.
 */
int db_accept(struct db *d, const uint8_t *cluster_id, int64_t now_s, struct err *err) MUST_CHECK;
/* *ret_until_s: up to when, or -1: the operator has never said so. */
int db_accepted(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t *ret_until_s,
		struct err *err) MUST_CHECK;
/* The server has signed two logs of the cluster. 1 or 0; so it stays until a recovery. */
int db_parted(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;
int db_parted_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		    struct err *err) MUST_CHECK;
int db_parted_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err) MUST_CHECK;

/* --- addresses -------------------------------------------------------------------------------- */

/* The highest address ever given out within the subnet, over all clusters; 0: none yet. */
int db_address_highest(struct db *d, struct prefix4 subnet, ip4 *ret, struct err *err) MUST_CHECK;
/* -EEXIST when it was given out before. */
int db_address_add(struct db *d, ip4 address, const uint8_t cluster_id[HASH_LEN],
		   const struct node_id *node, struct err *err) MUST_CHECK;

#endif
