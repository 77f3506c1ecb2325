/* SPDX-License-Identifier: AGPL-3.0-only */
/* The database's tables, as a list of numbered migrations. */
#ifndef MLSH_SIGNAL_DB_SCHEMA_H
#define MLSH_SIGNAL_DB_SCHEMA_H

#include "base/err.h"

struct sqlite3;

/* Marks the file as ours (PRAGMA application_id): "mlsh". */
#define SCHEMA_APPLICATION_ID 0x6d6c7368

/* migrations[i] takes a database from version i to i + 1. */
extern const char *const schema_migrations[];
extern const unsigned schema_version;

/*
 * Returns the version of the database, 0 if it is empty. -EPROTONOSUPPORT if it is above `version`,
 * -EINVAL for a database that is not ours, -EIO.
 */
int schema_check(struct sqlite3 *sql, unsigned version, unsigned *ret, struct err *err) MUST_CHECK;
/*
 * Applies the missing migrations, each in a transaction of its own. -EPROTONOSUPPORT for a newer
 * database, -EINVAL for one that is not ours, -EIO.
 */
int schema_migrate(struct sqlite3 *sql, const char *const *migrations, unsigned version,
		   struct err *err) MUST_CHECK;

#endif
