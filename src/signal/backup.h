/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Backups: the whole database of a server as one file, consistent while the server writes. A backup
 * has all that makes the server the same one again: its certificate and key, its other keys, the
 * unused setup tokens (hashed), the clusters with their logs, and every address ever given out. It
 * lacks an operator's own certificate and key (quic.cert_path), which are files of theirs.
 */
#ifndef MLSH_SIGNAL_BACKUP_H
#define MLSH_SIGNAL_BACKUP_H

#include "os/privs.h"
#include "signal/db_image.h"

#define BACKUP_MAX_BYTES ((size_t)1 << 30) /* the largest image that SQLite makes */

/*
 * Takes the image of the database at `path` as `owner`, in a process of its own if that is another
 * user. The calling process keeps its user, and can write the file where only that user may. Checks
 * every page. Errors as db_image_take and db_image_open. The caller frees *ret.
 */
int backup_take(struct host *h, const struct privs_account *owner, const char *path,
		struct err *err, struct buf *ret) MUST_CHECK;
/*
 * Writes the image: mode 0600, synced, the whole file or nothing. -EEXIST if the file is there,
 * unless `force`; -EINVAL if it is the database at `path` itself or a companion of it.
 */
int backup_write(struct host *h, const char *path, const char *file, struct span image, bool force,
		 struct err *err) MUST_CHECK;

#endif
