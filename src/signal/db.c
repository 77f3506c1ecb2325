/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's database: opening it, transactions, settings and one-time codes. */
#include "signal/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "signal/db_internal.h"
#include "signal/db_schema.h"

#define BUSY_TIMEOUT_MS 2000	/* `mlsh-signal token` writes beside a running server */
#define PATH_TEXT_MAX 512

int db_fail(struct db *d, const char *what, struct err *err)
{
	int code = sqlite3_errcode(d->sql);

	if (code == SQLITE_FULL)
		return err_set(err, -EIO, "%s: the disk is full.", what);
	return err_set(err, -EIO, "%s: %s.", what, sqlite3_errmsg(d->sql));
}

int db_prepare(struct db *d, const char *query, sqlite3_stmt **ret, struct err *err)
{
	if (sqlite3_prepare_v2(d->sql, query, -1, ret, NULL) != SQLITE_OK)
		return db_fail(d, "the database can not be read", err);
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
			r = db_fail(d, "the database can not be written", err);
	}
	sqlite3_finalize(stmt);
	return r;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int folder_of(const char *path, char out[PATH_TEXT_MAX], struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len >= PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "the path is too long.");
	if (len == 0)
		strcpy(out, slash ? "/" : ".");
	else
		snprintf(out, PATH_TEXT_MAX, "%.*s", (int)len, path);
	return 0;
}

/* The folder (one level, 0700) and the empty file; both survive a power cut once this returns. */
static int create_file(const char *path, struct err *err)
{
	char folder[PATH_TEXT_MAX];
	int fd, r = folder_of(path, folder, err);

	if (r < 0)
		return r;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return err_set(err, -errno, "the folder %s can not be made: %s.", folder,
			       strerror(errno));
	fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s.", strerror(errno));
	close(fd);
	fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (fd < 0 || fsync(fd) < 0)
		r = err_set(err, -errno, "the folder %s: %s.", folder, strerror(errno));
	if (fd >= 0)
		close(fd);
	return r;
}

/* Mode 0600 before SQLite sees it: its companions (-wal, -shm) take the mode over. */
static int prepare_file(const char *path, bool create, struct err *err)
{
	struct stat st;
	int fd, r = 0;

	if (create && (r = create_file(path, err)) < 0)
		return r;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_set(err, -errno, "%s.", strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = err_set(err, -EINVAL, "it is not a file.");
	else if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
		r = err_set(err, -errno, "others can read it, and its mode can not be changed: %s.",
			    strerror(errno));
	close(fd);
	return r;
}

static int db_configure(struct db *d, struct err *err)
{
	static const char settings[] =
		"PRAGMA journal_mode = WAL;"
		"PRAGMA synchronous = FULL;"
		"PRAGMA foreign_keys = ON;"
		"PRAGMA trusted_schema = OFF;"
		"PRAGMA temp_store = MEMORY;";

	sqlite3_extended_result_codes(d->sql, 1);
	sqlite3_busy_timeout(d->sql, BUSY_TIMEOUT_MS);
	sqlite3_db_config(d->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	if (sqlite3_exec(d->sql, settings, NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "it can not be opened", err);
	return 0;
}

int db_open(const char *path, bool create, struct err *err, struct db **ret)
{
	struct db *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return err_set(err, -ENOMEM, "out of memory.");
	r = prepare_file(path, create, err);
	if (r < 0)
		goto fail;
	if (sqlite3_open_v2(path, &d->sql, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
	    SQLITE_OK)
		r = d->sql ? db_fail(d, "it can not be opened", err) : -ENOMEM;
	if (r == 0)
		r = db_configure(d, err);
	if (r == 0)
		r = schema_migrate(d->sql, schema_migrations, schema_version, err);
	if (r < 0)
		goto fail;
	*ret = d;
	return 0;

fail:
	db_close(d);
	err_prefix(err, "database %s", path);
	return r;
}

void db_close(struct db *d)
{
	if (!d)
		return;
	if (d->sql) {
		db_rollback(d);
		/* SQLite may not be able to remove the -wal: an empty one does no harm to a
		   database that is put in the place of this one */
		sqlite3_wal_checkpoint_v2(d->sql, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	}
	sqlite3_close(d->sql);
	free(d);
}

/* --- transactions ----------------------------------------------------------------------------- */

int db_begin(struct db *d, struct err *err)
{
	if (sqlite3_exec(d->sql, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return db_fail(d, "the database can not be locked", err);
	return 0;
}

int db_commit(struct db *d, struct err *err)
{
	int r = 0;

	if (sqlite3_exec(d->sql, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
		r = db_fail(d, "the database can not be written", err);
		db_rollback(d);
	}
	return r;
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
		r = b.data ? db_column_copy(stmt, 0, b.data, b.len) :
			     err_set(err, -ENOMEM, "out of memory.");
		break;
	case SQLITE_DONE:
		r = err_set(err, -ENOENT, "the database has no setting \"%s\".", name);
		break;
	default:
		r = db_fail(d, "the database can not be read", err);
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
			   "(expires_s IS NULL OR expires_s > ?)", &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, now_s);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		r = db_fail(d, "the database can not be read", err);
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
	r = db_prepare(d,
		       "INSERT INTO code (salt, hash, created_s, expires_s) VALUES (?, ?, ?, ?)",
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

/* Is this row the code? Then its state. The row: id, salt, hash, expires_s, used_s, cluster. */
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
		r = db_fail(d, "the database can not be read", err);
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
			   "used_s IS NULL AND (expires_s IS NULL OR expires_s > ?1)", &stmt, err);

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
