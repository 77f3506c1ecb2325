/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's database: clusters that wait since it was restored, and those with two logs. */
#include "signal/db_internal.h"

int db_waiting_all(struct db *d, int64_t now_s, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d,
			   "INSERT OR IGNORE INTO waiting (cluster, since_s) "
			   "SELECT id, ? FROM cluster",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, now_s);
	return db_write(d, stmt, err);
}

static int drop(struct db *d, const char *query, const uint8_t cluster_id[HASH_LEN],
		struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, query, &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	return db_write(d, stmt, err);
}

static int count(struct db *d, const char *query, const uint8_t *cluster_id, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, query, &stmt, err);

	if (r < 0)
		return r;
	if (cluster_id)
		sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		r = sqlite3_column_int(stmt, 0);
	else
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_waiting_count(struct db *d, struct err *err)
{
	return count(d, "SELECT count(*) FROM waiting", NULL, err);
}

static int read_missing(sqlite3_stmt *stmt, struct db_missing *ret)
{
	if (sqlite3_column_type(stmt, 0) == SQLITE_NULL)
		return 0;
	ret->generation = (uint64_t)sqlite3_column_int64(stmt, 0);
	ret->seq = (uint64_t)sqlite3_column_int64(stmt, 1);
	ret->time_s = (uint64_t)sqlite3_column_int64(stmt, 2);
	return db_column_copy(stmt, 3, ret->hash, sizeof(ret->hash));
}

int db_waiting(struct db *d, const uint8_t cluster_id[HASH_LEN], struct db_missing *ret,
	       struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "SELECT generation, seq, time_s, hash FROM waiting WHERE cluster = ?",
			   &stmt, err);

	*ret = (struct db_missing){ .seq = 0 };
	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW && read_missing(stmt, ret) == 0)
		r = 1;
	else if (r == SQLITE_ROW)
		r = err_set(err, -EIO, "database %s: a row of waiting is damaged.", d->path);
	else if (r == SQLITE_DONE)
		r = 0;
	else
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_waiting_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		     const struct db_missing *m, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d,
			   "INSERT INTO waiting (cluster, since_s, generation, seq, time_s, hash) "
			   "SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS "
			   "(SELECT 1 FROM accepted WHERE cluster = ?1 AND until_s >= ?5) "
			   "ON CONFLICT (cluster) DO UPDATE SET generation = excluded.generation, "
			   "seq = excluded.seq, time_s = excluded.time_s, hash = excluded.hash",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, now_s);
	sqlite3_bind_int64(stmt, 3, (int64_t)m->generation);
	sqlite3_bind_int64(stmt, 4, (int64_t)m->seq);
	sqlite3_bind_int64(stmt, 5, (int64_t)m->time_s);
	sqlite3_bind_blob(stmt, 6, m->hash, HASH_LEN, SQLITE_STATIC);
	return db_write(d, stmt, err);
}

int db_waiting_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return drop(d, "DELETE FROM waiting WHERE cluster = ?", cluster_id, err);
}

/* --- what the operator has accepted ----------------------------------------------------------- */

static int accept_until(struct db *d, const uint8_t *cluster_id, int64_t now_s, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d,
			   "INSERT INTO accepted (cluster, until_s) "
			   "SELECT c.id, max(?2, ifnull(w.time_s, 0)) FROM cluster c "
			   "LEFT JOIN waiting w ON w.cluster = c.id WHERE ?1 IS NULL OR c.id = ?1 "
			   "ON CONFLICT (cluster) DO UPDATE SET "
			   "until_s = max(until_s, excluded.until_s)",
			   &stmt, err);

	if (r < 0)
		return r;
	if (cluster_id)
		sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, now_s);
	return db_write(d, stmt, err);
}

int db_accept(struct db *d, const uint8_t *cluster_id, int64_t now_s, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = accept_until(d, cluster_id, now_s, err);

	if (r == 0 && cluster_id)
		return db_waiting_end(d, cluster_id, err);
	if (r == 0)
		r = db_prepare(d, "DELETE FROM waiting", &stmt, err);
	return r < 0 ? r : db_write(d, stmt, err);
}

int db_accepted(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t *ret_until_s,
		struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "SELECT until_s FROM accepted WHERE cluster = ?", &stmt, err), step;

	*ret_until_s = -1;
	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	step = sqlite3_step(stmt);
	if (step == SQLITE_ROW)
		*ret_until_s = sqlite3_column_int64(stmt, 0);
	else if (step != SQLITE_DONE)
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

/* --- two logs --------------------------------------------------------------------------------- */

int db_parted_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		    struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "INSERT OR IGNORE INTO parted (cluster, since_s) VALUES (?, ?)",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, now_s);
	return db_write(d, stmt, err);
}

int db_parted(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return count(d, "SELECT count(*) FROM parted WHERE cluster = ?", cluster_id, err);
}

int db_parted_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return drop(d, "DELETE FROM parted WHERE cluster = ?", cluster_id, err);
}
