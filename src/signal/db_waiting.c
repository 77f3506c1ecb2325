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

static int put(struct db *d, const char *query, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
	       struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, query, &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, now_s);
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

int db_waiting_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		     struct err *err)
{
	return put(d, "INSERT OR IGNORE INTO waiting (cluster, since_s) VALUES (?, ?)", cluster_id,
		   now_s, err);
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

int db_waiting(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return count(d, "SELECT count(*) FROM waiting WHERE cluster = ?", cluster_id, err);
}

int db_waiting_none(struct db *d, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "DELETE FROM waiting", &stmt, err);

	return r < 0 ? r : db_write(d, stmt, err);
}

int db_waiting_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return drop(d, "DELETE FROM waiting WHERE cluster = ?", cluster_id, err);
}

int db_parted_begin(struct db *d, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		    struct err *err)
{
	return put(d, "INSERT OR IGNORE INTO parted (cluster, since_s) VALUES (?, ?)", cluster_id,
		   now_s, err);
}

int db_parted(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return count(d, "SELECT count(*) FROM parted WHERE cluster = ?", cluster_id, err);
}

int db_parted_end(struct db *d, const uint8_t cluster_id[HASH_LEN], struct err *err)
{
	return drop(d, "DELETE FROM parted WHERE cluster = ?", cluster_id, err);
}
