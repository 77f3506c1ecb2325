/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the files of the database share. */
#ifndef MLSH_SIGNAL_DB_INTERNAL_H
#define MLSH_SIGNAL_DB_INTERNAL_H

#include <sqlite3.h>

#include "os/file.h"
#include "signal/db.h"
#include "signal/db_file.h"

struct db {
	sqlite3 *sql;
	int fd;			   /* SQLite's, of the file; -1 if unknown */
	bool reader;		   /* it was opened for reading only */
	sqlite3_int64 rows_before; /* written by this connection before the open transaction */
	struct buf image;	   /* in place of a file */
	char path[DB_PATH_TEXT_MAX + 8];
};

/* "what: SQLite's reason. What to do." Returns -EBUSY for a lock, else -EIO. */
int db_sql_fail(sqlite3 *sql, const char *what, struct err *err);
/* "database PATH: what: SQLite's reason. What to do." The same codes. */
int db_fail(struct db *d, const char *what, struct err *err);
/* Makes a connection with the settings that all have; `flags` are SQLite's. db_close closes it. */
int db_connect(const char *path, int flags, struct db **ret, struct err *err) MUST_CHECK;
/* Checks that every page is in its place. -EIO with a sentence about the first that is not. */
int db_check_pages(struct db *d, struct err *err) MUST_CHECK;
int db_prepare(struct db *d, const char *query, sqlite3_stmt **ret, struct err *err) MUST_CHECK;
/* Runs a statement that returns no rows and ends it. -EEXIST if its primary key is there. */
int db_write(struct db *d, sqlite3_stmt *stmt, struct err *err) MUST_CHECK;
/* Copies a blob of exactly `len` bytes. -EINVAL if it has another length. */
int db_column_copy(sqlite3_stmt *stmt, int column, void *out, size_t len);

#endif
