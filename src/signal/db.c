/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's database: opening it, transactions, settings and one-time codes. */
#include "signal/db.h"

#include <stdio.h>
#include <stdlib.h>

#include "identity/codes.h"
#include "signal/db_file.h"
#include "signal/db_internal.h"
#include "signal/db_schema.h"

#define BUSY_TIMEOUT_MS 2000 /* of all programs but a running server */

int db_prepare(struct db *d, const char *query, sqlite3_stmt **ret, struct err *err)
{
	if (sqlite3_prepare_v2(d->sql, query, -1, ret, NULL) != SQLITE_OK)
		return db_fail(d, "it cannot be read", err);
	return 0;
}

int db_write(struct db *d, sqlite3_stmt *stmt, struct err *err)
{
	int r = 0;

	if (sqlite3_step(stmt) != SQLITE_DONE) {
		if (sqlite3_extended_errcode(d->sql) == SQLITE_CONSTRAINT_PRIMARYKEY ||
		    sqlite3_extended_errcode(d->sql) == SQLITE_CONSTRAINT_ROWID)
			r = err_set(err, -EEXIST, "it is in the database already.");
		else
			r = db_fail(d, "it cannot be written", err);
	}
	sqlite3_finalize(stmt);
	return r;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int db_configure(struct db *d, struct err *err)
{
	static const char settings[] = "PRAGMA foreign_keys = ON;"
				       "PRAGMA trusted_schema = OFF;"
				       "PRAGMA temp_store = MEMORY;";

	sqlite3_extended_result_codes(d->sql, 1);
	sqlite3_busy_timeout(d->sql, BUSY_TIMEOUT_MS);
	sqlite3_db_config(d->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(d->sql, settings, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "it cannot be opened", err);
	return 0;
}

int db_connect(const char *path, int flags, struct db **ret, struct err *err)
{
	struct db *d = calloc(1, sizeof(*d));
	int r = 0;

	if (!d)
		return err_set(err, -ENOMEM, "out of memory.");
	d->fd = -1;
	snprintf(d->path, sizeof(d->path), "%s", path);
	if (sqlite3_open_v2(path, &d->sql, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		r = d->sql ? db_fail(d, "it cannot be opened", err)
			   : err_set(err, -ENOMEM, "out of memory.");
	if (r == 0)
		r = db_configure(d, err);
	if (r == 0)
		*ret = d;
	else
		db_close(d);
	return r;
}

/* Committed changes are durable; readers and the writer do not wait for each other. */
static int db_write_ahead(struct db *d, struct err *err)
{
	static const char settings[] = "PRAGMA journal_mode = WAL;"
				       "PRAGMA synchronous = FULL;";

	if (sqlite3_exec(d->sql, settings, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "it cannot be opened", err);
	return 0;
}

/* A copy of the file alone that an older mlsh-signal used has a header and nothing else. */
static int check_tables(struct db *d, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "SELECT count(*) FROM sqlite_schema", &stmt, err);

	if (r < 0)
		return r;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		r = db_fail(d, "it cannot be read", err);
	else if (sqlite3_column_int64(stmt, 0) == 0 && db_file_empty(d->path, err) < 0)
		r = err_prefix(err, "database %s", d->path);
	sqlite3_finalize(stmt);
	return r;
}

/* Opens the file and brings its schema up to date; only a fresh one may be without any. */
static int open_file(const char *path, bool fresh, struct db **ret, struct err *err)
{
	struct db *d = NULL;
	int r = db_connect(path, SQLITE_OPEN_READWRITE, &d, err);

	if (r < 0)
		return r;
	r = db_write_ahead(d, err);
	if (r == 0 && !fresh)
		r = check_tables(d, err);
	if (r == 0) {
		r = schema_migrate(d->sql, schema_migrations, schema_version, err);
		if (r < 0)
			(void)err_prefix(err, "database %s", path);
	}
	if (r < 0) {
		db_close(d);
		return r;
	}
	d->fd = db_file_descriptor(path);
	*ret = d;
	return 0;
}

/* Makes it whole under another name first: a database without its tables is never ours. */
static int create(const char *path, struct err *err)
{
	char fresh[DB_PATH_TEXT_MAX + 8];
	struct db *d = NULL;
	int r = db_folder_make(path, err);

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	if (r == 0)
		r = db_file_new(fresh, err);
	if (r < 0)
		return err_prefix(err, "database %s", path);
	r = open_file(fresh, true, &d, err);
	db_close(d); /* the last one to close it leaves no companions */
	if (r == 0 && (r = db_file_publish(fresh, path, err)) < 0)
		(void)err_prefix(err, "database %s", path);
	return r == -EEXIST ? 0 : r;
}

int db_open(const char *path, bool make, struct err *err, struct db **ret)
{
	struct err why = { 0 };
	int r;

	if (strlen(path) >= DB_PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "database %s: the path is too long.", path);
	r = db_file_check(path, &why);
	if (r == -ENOENT && !why.code && make)
		r = create(path, &why);
	else if (r == -ENOENT && !why.code)
		r = err_set(&why, r, "database %s: the file is missing.", path);
	else if (r < 0)
		(void)err_prefix(&why, "database %s", path);
	if (r == 0)
		r = open_file(path, false, ret, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	if (d->sql)
		db_rollback(d);
	if (d->sql && !d->reader) {
		/* SQLite may not be able to remove the -wal: an empty one does no harm to a
		   database that is put in the place of this one */
		sqlite3_wal_checkpoint_v2(d->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_close(d->sql);
	buf_free(&d->image);
	free(d);
}

static int check_file(struct db *d, const char *how, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, how, &stmt, err);

	if (r < 0)
		return r;
	if (sqlite3_step(stmt) != SQLITE_ROW)
		r = db_fail(d, "it cannot be read", err);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		r = err_set(err, -EIO,
			    "database %s: the file is damaged (%.120s). A copy that was "
			    "made while it changed? Put another backup in its place, "
			    "with its companion -wal if there is one, or what `sqlite3 "
			    "FILE .recover` gets out of it.",
			    d->path, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return r;
}

int db_check_pages(struct db *d, struct err *err)
{
	return check_file(d, "PRAGMA quick_check(1)", err);
}

int db_check_whole(struct db *d, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = check_file(d, "PRAGMA integrity_check(1)", err);

	if (r == 0)
		r = db_prepare(d, "PRAGMA foreign_key_check", &stmt, err);
	if (r < 0)
		return r;
	if (sqlite3_step(stmt) != SQLITE_DONE)
		r = err_set(err, -EIO, "database %s: its tables contradict each other.", d->path);
	sqlite3_finalize(stmt);
	return r;
}

int db_serve(struct db *d, struct err *err)
{
	int r = d->fd < 0 ? 0 : db_file_serve(d->fd, err);

	if (r < 0)
		return err_prefix(err, "database %s", d->path);
	return db_check_pages(d, err);
}

void db_wait_never(struct db *d)
{
	sqlite3_busy_timeout(d->sql, 0);
}

/* --- transactions ----------------------------------------------------------------------------- */

int db_begin(struct db *d, struct err *err)
{
	if (sqlite3_exec(d->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "it cannot be locked", err);
	d->rows_before = sqlite3_total_changes64(d->sql);
	return 0;
}

bool db_has_written(const struct db *d)
{
	return sqlite3_total_changes64(d->sql) != d->rows_before;
}

/* SQLite rolls a transaction back by itself when the disk is full or fails in its middle. */
static int check_open(const struct db *d, struct err *err)
{
	if (!sqlite3_get_autocommit(d->sql))
		return 0;
	return err_set(err, -EIO,
		       "database %s: a write failed, and with it all that were made "
		       "together with it.",
		       d->path);
}

int db_commit(struct db *d, struct err *err)
{
	int r = check_open(d, err);

	if (r < 0)
		return r;
	if (sqlite3_exec(d->sql, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		r = db_fail(d, "it cannot be written", err);
		db_rollback(d);
	}
	return r;
}

int db_checkpoint(struct db *d, bool now, struct err *err)
{
	int r;

	if (!db_file_lock(d->fd) && !now)
		return err_set(err, -EAGAIN, "database %s: another program reads the file.",
			       d->path);
	r = sqlite3_wal_checkpoint_v2(d->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	db_file_unlock(d->fd);
	if (r == SQLITE_OK)
		return 0;
	r = db_fail(d, "what is in its companion -wal cannot be moved into it", err);
	return r == -EBUSY ? -EAGAIN : r;
}

/* Outside a transaction SQLite would begin another one, which the RELEASE below commits. */
int db_savepoint(struct db *d, struct err *err)
{
	int r = check_open(d, err);

	if (r < 0)
		return r;
	if (sqlite3_exec(d->sql, "SAVEPOINT request", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "it cannot be written", err);
	return 0;
}

void db_savepoint_end(struct db *d, bool keep)
{
	if (sqlite3_get_autocommit(d->sql))
		return;
	if (!keep)
		sqlite3_exec(d->sql, "ROLLBACK TO request", NULL, NULL, NULL);
	sqlite3_exec(d->sql, "RELEASE request", NULL, NULL, NULL);
}

void db_rollback(struct db *d)
{
	if (!sqlite3_get_autocommit(d->sql))
		sqlite3_exec(d->sql, "ROLLBACK", NULL, NULL, NULL);
}

/* --- settings --------------------------------------------------------------------------------- */

int db_column_copy(sqlite3_stmt *stmt, int column, void *out, size_t len)
{
	if ((size_t)sqlite3_column_bytes(stmt, column) != len)
		return -EINVAL;
	if (len > 0)
		memcpy(out, sqlite3_column_blob(stmt, column), len);
	return 0;
}

int db_setting_get(struct db *d, const char *name, struct buf *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	struct buf b;
	int r = db_prepare(d, "SELECT value FROM setting WHERE name = ?", &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		b.len = (size_t)sqlite3_column_bytes(stmt, 0);
		b.data = calloc(1, b.len + 1);
		r = b.data ? db_column_copy(stmt, 0, b.data, b.len)
			   : err_set(err, -ENOMEM, "out of memory.");
		break;
	case SQLITE_DONE:
		r = err_set(err, -ENOENT, "the database has no setting \"%s\".", name);
		break;
	default:
		r = db_fail(d, "it cannot be read", err);
	}
	sqlite3_finalize(stmt);
	if (r == 0)
		*ret = b;
	return r;
}

int db_setting_put(struct db *d, const char *name, struct span value, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", &stmt,
			   err);

	if (r < 0)
		return r;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob64(stmt, 2, value.data, value.len, SQLITE_STATIC);
	return db_write(d, stmt, err);
}

/* --- one-time codes --------------------------------------------------------------------------- */

static int open_codes(struct db *d, int64_t now_s, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d,
			   "SELECT count(*) FROM code WHERE used_s IS NULL AND "
			   "(expires_s IS NULL OR expires_s > ?)",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, now_s);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_code_add(struct db *d, const char *code, const uint8_t salt[CODE_SALT_LEN], int64_t now_s,
		int64_t expires_s, struct err *err)
{
	uint8_t hash[HASH_LEN];
	sqlite3_stmt *stmt;
	int64_t n = 0;
	int r = open_codes(d, now_s, &n, err);

	if (r < 0)
		return r;
	if (n >= CODES_OPEN_MAX)
		return err_set(err, -ENOSPC, "%d tokens are waiting to be used: that is enough.",
			       CODES_OPEN_MAX);
	r = db_prepare(d, "INSERT INTO code (salt, hash, created_s, expires_s) VALUES (?, ?, ?, ?)",
		       &stmt, err);
	if (r < 0)
		return r;
	bootstrap_code_hash(salt, code, hash);
	sqlite3_bind_blob(stmt, 1, salt, CODE_SALT_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 2, hash, sizeof(hash), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, now_s);
	if (expires_s > 0)
		sqlite3_bind_int64(stmt, 4, expires_s);
	return db_write(d, stmt, err);
}

/*
 * Returns the state of the code if this row is the code. The row: id, salt, hash, expires_s,
 * used_s, cluster.
 */
static bool code_row(sqlite3_stmt *stmt, const char *code, int64_t now_s, struct code_info *ret)
{
	uint8_t salt[CODE_SALT_LEN], stored[HASH_LEN], hash[HASH_LEN];

	if (db_column_copy(stmt, 1, salt, sizeof(salt)) < 0 ||
	    db_column_copy(stmt, 2, stored, sizeof(stored)) < 0)
		return false;
	bootstrap_code_hash(salt, code, hash);
	if (!secret_equal(hash, stored, sizeof(hash)))
		return false;
	ret->id = sqlite3_column_int64(stmt, 0);
	if (sqlite3_column_type(stmt, 4) != SQLITE_NULL &&
	    db_column_copy(stmt, 5, ret->cluster_id, sizeof(ret->cluster_id)) == 0)
		ret->state = CODE_USED;
	else if (sqlite3_column_type(stmt, 3) != SQLITE_NULL &&
		 sqlite3_column_int64(stmt, 3) <= now_s)
		ret->state = CODE_EXPIRED;
	else
		ret->state = CODE_OPEN;
	return true;
}

int db_code_find(struct db *d, const char *code, int64_t now_s, struct code_info *ret,
		 struct err *err)
{
	struct code_info found = { .state = CODE_UNKNOWN };
	sqlite3_stmt *stmt;
	int step, r = db_prepare(d, "SELECT id, salt, hash, expires_s, used_s, cluster FROM code",
				 &stmt, err);

	if (r < 0)
		return r;
	/* all rows, also after a match: the time taken says nothing about which one it was */
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW)
		code_row(stmt, code, now_s, &found);
	if (step != SQLITE_DONE)
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	if (r == 0)
		*ret = found;
	return r;
}

int db_code_burn(struct db *d, int64_t id, const uint8_t cluster_id[HASH_LEN], int64_t now_s,
		 struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d,
			   "UPDATE code SET used_s = ?1, cluster = ?2 WHERE id = ?3 AND "
			   "used_s IS NULL AND (expires_s IS NULL OR expires_s > ?1)",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, now_s);
	sqlite3_bind_blob(stmt, 2, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, id);
	r = db_write(d, stmt, err);
	if (r == 0 && sqlite3_changes(d->sql) != 1)
		r = err_set(err, -ESTALE, "the code is not open any more.");
	return r;
}
