/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The database as one piece of bytes. It is taken from the file in one moment while a server writes
 * to it, and read in memory, where it locks nothing and leaves nothing behind. The bytes are those
 * of a database file. They hold the server's keys: buf_free wipes them.
 */
#ifndef MLSH_SIGNAL_DB_IMAGE_H
#define MLSH_SIGNAL_DB_IMAGE_H

#include "os/file.h"
#include "signal/db.h"

/* The process that has the database open as its server, as far as the file's lock tells. */
struct db_server {
	bool running;
	long pid; /* 0 if unknown (another container or machine) */
};

/*
 * Changes nothing in the database. -ENOENT: the file is missing; -EACCES: it belongs to another
 * user; -EINVAL, -EPROTONOSUPPORT, -EBUSY, -EIO as db_open. The database may be of an older
 * version, and the server of that version may still run. `ret_server` may be NULL. The caller frees
 * *ret.
 */
int db_image_take(const char *path, struct err *err, struct db_server *ret_server, struct buf *ret)
	MUST_CHECK;
/*
 * Opens a copy of the bytes for reading; `name` stands in messages. An older version's copy is
 * brought up to date. -EINVAL: not a database of ours; -EPROTONOSUPPORT; -EIO: it is damaged. Each
 * page is checked.
 */
int db_image_open(struct span image, const char *name, struct err *err, struct db **ret) MUST_CHECK;

#endif
