/* SPDX-License-Identifier: MIT */
/* One daemon for each state folder: two would both be this node, and hide each other. */
#ifndef MLSH_TUND_STATE_LOCK_H
#define MLSH_TUND_STATE_LOCK_H

#include "os/file.h"
#include "tund/daemon.h"

/*
 * Locks the state folder of `cfg`. *ret: released by file_unlock. On a file system without locks
 * it warns, and *ret is NULL. -EBUSY: another daemon runs on it, which the message names;
 * -ENAMETOOLONG; the errors of file_lock.
 */
int state_lock(struct host *h, const struct daemon_config *cfg, struct err *err,
	       struct file_lock **ret) MUST_CHECK;
/* Makes the folder of the local socket. */
int socket_folder(struct host *h, const struct daemon_config *cfg, struct err *err) MUST_CHECK;

#endif
