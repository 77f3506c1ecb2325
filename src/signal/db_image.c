/* SPDX-License-Identifier: AGPL-3.0-only */
/* The database as one piece of bytes. */
#include "signal/db_image.h"

#include <stdio.h>
#include <stdlib.h>

#include "signal/db_internal.h"
#include "signal/db_schema.h"

#define HEADER_LEN 100
/* The header's versions of the format for writing and reading (sqlite.org/fileformat.html 1.3). */
#define HEADER_VERSIONS 18
#define VERSION_JOURNAL 1		    /* 2: with a -wal, which an image lacks */
#define MIGRATION_ROOM ((size_t)256 * 1024) /* bytes that an older schema grows by in memory */

static int check_version(struct db *d, struct err *err)
{
	unsigned have = 0;
	int r = schema_check(d->sql, schema_version, &have, err);

	if (r < 0)
		return err_prefix(err, "database %s", d->path);
	if (have == 0)
		return err_set(err, -EINVAL, "database %s: it is empty.", d->path);
	return 0;
}

/* --- taking one ------------------------------------------------------------------------------- */

static int open_reader(const char *path, struct db **ret, struct err *err)
{
	struct db *d = NULL;
	/* for reading and writing: a reader shares the -shm, and makes it if the server is off */
	int r = db_connect(path, SQLITE_OPEN_READWRITE, &d, err);

	if (r < 0)
		return r;
	d->reader = true;
	if (sqlite3_exec(d->sql, "PRAGMA query_only = ON", NULL, NULL, NULL) != SQLITE_OK)
		r = db_fail(d, "it cannot be opened", err);
	if (r == 0)
		r = check_version(d, err);
	if (r < 0) {
		db_close(d);
		return r;
	}
	d->fd = db_file_descriptor(path);
	*ret = d;
	return 0;
}

/* All pages as they were in one moment. */
static int take(struct db *d, struct buf *ret, struct err *err)
{
	sqlite3_int64 len = 0;
	unsigned char *bytes;
	int r = 0;

	if (sqlite3_exec(d->sql, "BEGIN; SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
	    SQLITE_OK)
		return db_fail(d, "it cannot be read", err);
	bytes = sqlite3_serialize(d->sql, "main", &len, 0);
	if (!bytes || len < HEADER_LEN)
		r = db_fail(d, "it cannot be read", err);
	ret->data = r == 0 ? malloc((size_t)len + 1) : NULL;
	if (r == 0 && !ret->data)
		r = err_set(err, -ENOMEM, "out of memory.");
	if (r == 0) {
		memcpy(ret->data, bytes, (size_t)len);
		ret->data[len] = '\0';
		ret->len = (size_t)len;
		memset(ret->data + HEADER_VERSIONS, VERSION_JOURNAL, 2);
	}
	if (bytes)
		secret_wipe(bytes, (size_t)len);
	sqlite3_free(bytes);
	return r;
}

int db_image_take(const char *path, struct err *err, struct db_server *ret_server, struct buf *ret)
{
	struct err why = { 0 };
	struct db *d = NULL;
	int r;

	*ret = (struct buf){ 0 };
	r = db_file_check(path, &why);
	if (r == -ENOENT && !why.code)
		r = err_set(&why, r, "database %s: the file is missing.", path);
	else if (r < 0)
		(void)err_prefix(&why, "database %s", path);
	if (r == 0)
		r = open_reader(path, &d, &why);
	if (r == 0 && ret_server) {
		long pid = db_file_server(d->fd);

		*ret_server = (struct db_server){ .running = pid != 0, .pid = MAX(pid, 0L) };
	}
	if (r == 0)
		r = take(d, ret, &why);
	db_close(d);
	if (r < 0 && err)
		*err = why;
	return r;
}

/* --- reading one ------------------------------------------------------------------------------ */

/* With room behind it. */
static int copy_image(struct span image, struct buf *ret, struct err *err)
{
	static const char magic[16] = "SQLite format 3";

	if (image.len < HEADER_LEN || memcmp(image.data, magic, sizeof(magic)) != 0)
		return err_set(err, -EINVAL, "it is not a database of mlsh-signal.");
	ret->data = malloc(image.len + MIGRATION_ROOM);
	if (!ret->data)
		return err_set(err, -ENOMEM, "out of memory.");
	memcpy(ret->data, image.data, image.len);
	ret->len = image.len + MIGRATION_ROOM;
	memset(ret->data + HEADER_VERSIONS, VERSION_JOURNAL, 2);
	return 0;
}

/* Brings the database of an older mlsh-signal up to date in memory. */
static int migrate(struct db *d, struct err *err)
{
	int r = check_version(d, err);

	if (r < 0)
		return r;
	r = schema_migrate(d->sql, schema_migrations, schema_version, err);
	if (r == 0 && sqlite3_exec(d->sql, "PRAGMA query_only = ON", NULL, NULL, NULL) != SQLITE_OK)
		r = db_fail(d, "it cannot be opened", err);
	return r < 0 ? err_prefix(err, "database %s", d->path) : 0;
}

int db_image_open(struct span image, const char *name, struct err *err, struct db **ret)
{
	struct db *d = NULL;
	int r = db_connect(":memory:", SQLITE_OPEN_READWRITE, &d, err);

	if (r < 0)
		return r;
	d->reader = true;
	snprintf(d->path, sizeof(d->path), "%s", name);
	r = copy_image(image, &d->image, err);
	if (r < 0)
		(void)err_prefix(err, "%s", name);
	if (r == 0 && sqlite3_deserialize(d->sql, "main", d->image.data, (sqlite3_int64)image.len,
					  (sqlite3_int64)d->image.len, 0) != SQLITE_OK)
		r = db_fail(d, "it cannot be read", err);
	if (r == 0)
		r = db_check_pages(d, err);
	if (r == 0)
		r = migrate(d, err);
	if (r < 0)
		db_close(d);
	else
		*ret = d;
	return r;
}
