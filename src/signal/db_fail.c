/* SPDX-License-Identifier: AGPL-3.0-only */
/* What SQLite's errors mean, and what the operator can do about them. */
#include "signal/db_internal.h"

/* What the operator can do about an error of SQLite. */
static const char *remedy_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "The disk is full: make room.";
	case SQLITE_CORRUPT:
		return "The file is damaged: stop mlsh-signal and put a backup in its place, or "
		       "what `sqlite3 FILE .recover` gets out of it.";
	case SQLITE_NOTADB:
		return "It is not a database, or damaged from its beginning: put a backup in its "
		       "place.";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "Another program holds its lock: end that program (`fuser FILE` names it).";
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
	case SQLITE_AUTH:
		return "The file, its companions and its folder must belong to the user that "
		       "mlsh-signal runs as.";
	case SQLITE_IOERR:
		return "Is the disk healthy and mounted? The kernel's log (dmesg) says more.";
	default:
		return "";
	}
}

int db_sql_fail(sqlite3 *sql, const char *what, struct err *err)
{
	int code = sqlite3_extended_errcode(sql);
	bool busy = (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED;
	const char *remedy = remedy_of(code);

	return err_set(err, busy ? -EBUSY : -EIO, "%s: %s.%s%s", what, sqlite3_errmsg(sql),
		       *remedy ? " " : "", remedy);
}

int db_fail(struct db *d, const char *what, struct err *err)
{
	struct err why = { 0 };
	int r = db_sql_fail(d->sql, what, &why);

	(void)err_prefix(&why, "database %s", d->path);
	if (err)
		*err = why;
	return r;
}
