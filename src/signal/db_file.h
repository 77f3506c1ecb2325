/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The database as a file: what may lie in its place before SQLite opens it, the lock of the process
 * that serves it, and whether another program reads it at the moment. Messages do not name the
 * file; db_open puts its name in front.
 */
#ifndef MLSH_SIGNAL_DB_FILE_H
#define MLSH_SIGNAL_DB_FILE_H

#include <stdbool.h>

#include "base/err.h"

#define DB_PATH_TEXT_MAX 512

/*
 * Checks and prepares the file of an existing database: a regular file, not empty, mode 0600 (its
 * companions -wal and -shm take the mode over). -ENOENT without a message if neither it nor a
 * companion is there. -EINVAL, with what to do, if only companions are there: a server that begins
 * as a new one would have a new key, which no node accepts.
 */
int db_file_check(const char *path, struct err *err) MUST_CHECK;
/* Says the same of a file without any table. Returns -EINVAL. */
int db_file_empty(const char *path, struct err *err);
/* Makes the folder (one level, 0700) if it is missing. */
int db_folder_make(const char *path, struct err *err) MUST_CHECK;
/* Makes an empty file of mode 0600 in place of one that a killed start has left. */
int db_file_new(const char *path, struct err *err) MUST_CHECK;
/* Removes an unfinished database and its companions, if they are there. */
void db_file_discard(const char *path);
/* Moves the finished new database to its place, unless there is one (-EEXIST). Syncs both. */
int db_file_publish(const char *from, const char *path, struct err *err) MUST_CHECK;

/*
 * Returns the descriptor by which SQLite holds the file open in this process, or -1 if it cannot be
 * found. A second one must not be opened, because closing it drops SQLite's locks.
 */
int db_file_descriptor(const char *path);
/*
 * Marks this process as the one that serves the database, until the descriptor is closed or the
 * process ends. -EBUSY names the process that does.
 */
int db_file_serve(int fd, struct err *err) MUST_CHECK;
/* Moves the finished new database over the one in place. Syncs both. */
int db_file_replace(const char *from, const char *path, struct err *err) MUST_CHECK;

/*
 * Keeps every process, including this one, from serving the database until `fd` is closed. Other
 * descriptors of the file may be opened and closed meanwhile. -EBUSY names the process that serves
 * it.
 */
int db_file_hold(int fd, struct err *err) MUST_CHECK;
/*
 * Returns the id of the process that serves the database, -1 if the id is unknown here, 0 if there
 * is no such process.
 */
long db_file_server(int fd);
/*
 * Keeps other programs from opening the file until db_file_unlock; they wait. Returns false if
 * another program has it open without SQLite's locks: it may be making a copy. Returns true where
 * the file system cannot tell.
 */
bool db_file_lock(int fd);
void db_file_unlock(int fd);

#endif
