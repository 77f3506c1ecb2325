/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Puts a backup in the place of a server's database. If it is killed, at whatever moment, the
 * database in place is the old one or the new one, whole. The old one is kept beside it.
 */
#ifndef MLSH_SIGNAL_RESTORE_H
#define MLSH_SIGNAL_RESTORE_H

#include "signal/view.h"

#define RESTORE_KEPT_MAX 600

/*
 * Reads the bytes of a backup, as made by `mlsh-signal backup` or by copying signal.db; "-" is
 * standard input. -EINVAL if the file has a companion with what it lacks. The caller frees *ret.
 */
int restore_read(struct host *h, const char *file, struct err *err, struct buf *ret) MUST_CHECK;
/*
 * Opens the backup and checks everything that can be checked without the server: each page and
 * index, the version, that the server's keys are there. -EINVAL, -EPROTONOSUPPORT, -EIO.
 */
int restore_check(struct host *h, struct span image, const char *file, struct view *ret,
		  struct err *err) MUST_CHECK;

/* Verifies the log of each cluster. The error is that of the first that cannot be read. */
int restore_check_logs(const struct view *v, struct err *err) MUST_CHECK;

struct restored {
	bool replaced;		     /* there was a database before */
	char kept[RESTORE_KEPT_MAX]; /* path of the old database now */
};

/*
 * Puts the image in place of the database at `path`, as the server's user. Its clusters wait for an
 * admin (may_order.h) unless `accept`. -EBUSY if a server runs on the database.
 */
int restore_place(struct host *h, const char *path, struct span image, bool accept,
		  struct restored *ret, struct err *err) MUST_CHECK;

#endif
