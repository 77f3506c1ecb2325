/* SPDX-License-Identifier: AGPL-3.0-only */
/* Numbered migrations, each in one transaction. A released one never changes: a new one follows. */
#include "signal/db_schema.h"

#include <stdio.h>

#include "signal/db_internal.h"

const char *const schema_migrations[] = {
	/* 0 -> 1: keys of the server and one-time codes */
	"CREATE TABLE setting ("
	"	name TEXT PRIMARY KEY,"
	"	value BLOB NOT NULL"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE code ("
	"	id INTEGER PRIMARY KEY,"
	"	salt BLOB NOT NULL CHECK (length(salt) = 16),"
	"	hash BLOB NOT NULL CHECK (length(hash) = 32),"
	"	created_s INTEGER NOT NULL,"
	"	expires_s INTEGER,"
	"	used_s INTEGER,"
	"	cluster BLOB REFERENCES cluster (id),"
	"	CHECK ((used_s IS NULL) = (cluster IS NULL))"
	") STRICT;",

	/* 1 -> 2: clusters, their logs, the addresses ever given out */
	"CREATE TABLE cluster ("
	"	id BLOB PRIMARY KEY CHECK (length(id) = 32),"
	"	net INTEGER NOT NULL,"
	"	bits INTEGER NOT NULL,"
	"	created_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;"
	/* the key makes an append a compare-and-append: each place has one record */
	"CREATE TABLE record ("
	"	cluster BLOB NOT NULL REFERENCES cluster (id),"
	"	seq INTEGER NOT NULL,"
	"	bytes BLOB NOT NULL,"
	"	PRIMARY KEY (cluster, seq)"
	") STRICT, WITHOUT ROWID;"
	/* rows are never deleted: an address is given out once, over all clusters */
	"CREATE TABLE address ("
	"	ip INTEGER PRIMARY KEY,"
	"	cluster BLOB NOT NULL REFERENCES cluster (id),"
	"	node BLOB NOT NULL CHECK (length(node) = 16)"
	") STRICT;",

	/* 2 -> 3: clusters in which nothing is ordered since the database was restored */
	"CREATE TABLE waiting ("
	"	cluster BLOB PRIMARY KEY REFERENCES cluster (id),"
	"	since_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",

	/* 3 -> 4: clusters of which this server has signed two logs, until a recovery */
	"CREATE TABLE parted ("
	"	cluster BLOB PRIMARY KEY REFERENCES cluster (id),"
	"	since_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",

	/* 4 -> 5: the record that made it wait; what the operator has said is not waited for */
	"ALTER TABLE waiting ADD COLUMN generation INTEGER;"
	"ALTER TABLE waiting ADD COLUMN seq INTEGER;"
	"ALTER TABLE waiting ADD COLUMN time_s INTEGER;"
	"ALTER TABLE waiting ADD COLUMN hash BLOB CHECK (length(hash) = 32);"
	"CREATE TABLE accepted ("
	"	cluster BLOB PRIMARY KEY REFERENCES cluster (id),"
	"	until_s INTEGER NOT NULL"
	") STRICT, WITHOUT ROWID;",
};

const unsigned schema_version = ARRAY_LEN(schema_migrations);

/* A number from a query without parameters. */
static int schema_number(struct sqlite3 *sql, const char *query, int64_t *ret, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(sql, query, -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		r = db_sql_fail(sql, "it cannot be read", err);
	} else {
		*ret = sqlite3_column_int64(stmt, 0);
	}
	sqlite3_finalize(stmt);
	return r;
}

int schema_check(struct sqlite3 *sql, unsigned version, unsigned *ret, struct err *err)
{
	int64_t application, have, tables;
	int r;

	if ((r = schema_number(sql, "PRAGMA application_id", &application, err)) < 0 ||
	    (r = schema_number(sql, "PRAGMA user_version", &have, err)) < 0 ||
	    (r = schema_number(sql, "SELECT count(*) FROM sqlite_schema", &tables, err)) < 0)
		return r;
	if (application != SCHEMA_APPLICATION_ID && (application != 0 || have != 0 || tables != 0))
		return err_set(err, -EINVAL, "it is the database of another program.");
	if (have < 0 || have > version)
		return err_set(err, -EPROTONOSUPPORT,
			       "it was written by a newer mlsh-signal (schema %lld, this one knows "
			       "%u): upgrade mlsh-signal.",
			       (long long)have, version);
	*ret = (unsigned)have;
	return 0;
}

static int schema_exec(struct sqlite3 *sql, const char *statements, struct err *err)
{
	if (sqlite3_exec(sql, statements, NULL, NULL, NULL) != SQLITE_OK)
		return db_sql_fail(sql, "it cannot be written", err);
	return 0;
}

/*
 * Applies the next migration, if there is one left. Returns the version that it found, or a
 * negative error.
 */
static int schema_step(struct sqlite3 *sql, const char *const *migrations, unsigned version,
		       struct err *err)
{
	char mark[96];
	unsigned have = version;
	int r;

	/* the write lock first: two processes may start at the same time */
	r = schema_exec(sql, "BEGIN IMMEDIATE", err);
	if (r < 0)
		return r;
	r = schema_check(sql, version, &have, err);
	if (r < 0 || have == version)
		goto end;
	snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %u",
		 SCHEMA_APPLICATION_ID, have + 1);
	r = schema_exec(sql, migrations[have], err);
	if (r == 0)
		r = schema_exec(sql, mark, err);
	if (r == 0)
		r = schema_exec(sql, "COMMIT", err);
	if (r == 0)
		return (int)have;
end:
	/* SQLite may have rolled it back already: then this fails, and need not succeed */
	sqlite3_exec(sql, "ROLLBACK", NULL, NULL, NULL);
	return r < 0 ? r : (int)have;
}

int schema_migrate(struct sqlite3 *sql, const char *const *migrations, unsigned version,
		   struct err *err)
{
	unsigned current = 0;
	int have = schema_check(sql, version, &current, err);

	/*
	 * without a migration nothing is written, so that another program's write lock does not
	 * keep us from starting
	 */
	if (have < 0 || current == version)
		return have;
	do {
		have = schema_step(sql, migrations, version, err);
		if (have < 0)
			return have;
	} while ((unsigned)have < version);
	return 0;
}
