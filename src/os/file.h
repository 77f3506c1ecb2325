/* SPDX-License-Identifier: MIT */
/* Small files with secrets or state: read with a limit, written whole or not at all. */
#ifndef MLSH_OS_FILE_H
#define MLSH_OS_FILE_H

#include "os/host.h"

struct buf {
	uint8_t *data; /* NUL-terminated behind len, for text */
	size_t len;
};

void buf_free(struct buf *b); /* wipes; NULL and zeroed allowed */

/*
 * Reads a regular file of at most `limit` bytes. -ENOENT, -EFBIG, -EACCES, -EINVAL if it is a
 * folder or the like, ... The caller frees.
 */
int file_read(struct host *h, const char *path, size_t limit, struct err *err, struct buf *ret)
	MUST_CHECK;
/*
 * The same for a secret: -EACCES, with the remedy, if any user but its owner has a right on it;
 * -EPERM if it belongs to neither root nor the caller (`sudo` with somebody else's HOME); -ELOOP if
 * `path` itself is a link.
 */
int file_read_private(struct host *h, const char *path, size_t limit, struct err *err,
		      struct buf *ret) MUST_CHECK;
/*
 * Writes a new file beside it, syncs, renames over `path`, syncs the folder: the old or the new
 * content survives a crash. The file has exactly `mode`, whatever the umask is. -EISDIR for a
 * folder.
 */
int file_write(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
	       struct err *err) MUST_CHECK;
/* The same, but -EEXIST when anything is at `path` already. */
int file_create(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
		struct err *err) MUST_CHECK;
/*
 * Cuts the file to `at` bytes, writes `data` behind them and syncs. After a crash in the middle the
 * first `at` bytes are there; of `data` any part may be, in any order, with zeros in place of the
 * rest. -ENOENT; -ESTALE: the file is shorter than that; -EINVAL: it is not a regular file with one
 * name; -ELOOP: it is a symbolic link.
 */
int file_add(struct host *h, const char *path, size_t at, const void *data, size_t len,
	     struct err *err) MUST_CHECK;
/* -ENOENT when it is not there, -EISDIR when it is a folder. */
int file_remove(struct host *h, const char *path) MUST_CHECK;
/*
 * Removes the file, and what writing it has left beside it in a crash. 0 also when nothing is
 * there.
 */
int file_forget(struct host *h, const char *path) MUST_CHECK;
bool file_exists(struct host *h, const char *path);
/*
 * Holds the file at `path` (made, mode 0600, never removed) as this process's own until it is
 * released or the process ends, however that ends. -EBUSY if another process holds it; *ret_pid is
 * that one's id, 0 if it is not known here (another machine, another container). Other errors: the
 * file cannot be made, or the file system has no locks. -EMLINK: something else is there, or a file
 * with several names, which is left as it is. On NFS the lock holds between machines, too.
 */
struct file_lock;
int file_lock(struct host *h, const char *path, int *ret_pid, struct err *err,
	      struct file_lock **ret) MUST_CHECK;
void file_unlock(struct file_lock *l); /* NULL allowed */
/*
 * A file that is written again and again, for what is useful and not needed: it stays open, so that
 * a process that has lost its rights on the folder can still write it. Made with exactly `mode`
 * if it is missing; -EINVAL if it is not a regular file with one name, -ELOOP if it is a symbolic
 * link. Once its name is removed, writing reaches nobody any more.
 */
struct file_slot;
int file_slot_open(struct host *h, const char *path, unsigned mode, struct err *err,
		   struct file_slot **ret) MUST_CHECK;
/*
 * Replaces the content in place, unsynced: it survives the end of the process, but after a crash of
 * the machine, or one in the middle, it may be damaged.
 */
int file_slot_write(struct file_slot *s, const void *data, size_t len) MUST_CHECK;
void file_slot_close(struct file_slot *s); /* NULL allowed */
/* Makes the folder and its parents with `mode`; a folder that exists keeps its mode. */
int dir_make(struct host *h, const char *path, unsigned mode, struct err *err) MUST_CHECK;
/* Removes an empty folder. -ENOENT, -ENOTEMPTY, -ENOTDIR. */
int dir_remove(struct host *h, const char *path) MUST_CHECK;
/*
 * Calls fn for the name of each regular file in the folder, sorted, except hidden ones (file_write
 * leaves those behind after a crash). 0 for a folder that does not exist.
 */
int dir_list(struct host *h, const char *path, void (*fn)(void *ctx, const char *name), void *ctx,
	     struct err *err) MUST_CHECK;

#endif
