/* SPDX-License-Identifier: MIT */
/* Users as the machine's own table has them. */
#ifndef MLSH_OS_POSIX_USERS_H
#define MLSH_OS_POSIX_USERS_H

#include "os/host.h"

/* The ids of a user in /etc/passwd. -ENOENT if it is missing, -errno for an unreadable file. */
int passwd_find(struct host *h, const char *name, unsigned *ret_uid, unsigned *ret_gid) MUST_CHECK;

#endif
