/* SPDX-License-Identifier: MIT */
/* What the files of os/linux share and nobody else sees. */
#ifndef MLSH_OS_LINUX_INTERNAL_H
#define MLSH_OS_LINUX_INTERNAL_H

#include "os/loop.h"

struct loop;

struct host {
	struct log log;
	bool log_to_journal; /* standard error is the journal: lines begin with "<priority>" */
	uint64_t now_ns;     /* CLOCK_BOOTTIME, taken by clock_refresh */
	struct loop *loop;
};

int loop_new(struct host *h, struct err *err, struct loop **ret) MUST_CHECK;
void loop_free(struct loop *l); /* NULL allowed; everything made on it must be gone */

/* What made the callback of a watch run; an error on the descriptor counts as both. */
bool fd_watch_is_readable(const struct fd_watch *w);
bool fd_watch_is_writable(const struct fd_watch *w);

/* The ids of a user in /etc/passwd. -ENOENT if it is missing, -errno for an unreadable file. */
int passwd_find(struct host *h, const char *name, unsigned *ret_uid, unsigned *ret_gid) MUST_CHECK;

struct local_cred;
/* The user of the process that this local socket leads to. */
struct local_cred local_cred_of(int fd);
struct local_conn;
struct host *local_conn_host(const struct local_conn *c);

#endif
