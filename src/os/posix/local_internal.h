/* SPDX-License-Identifier: MIT */
/* What the files behind os/local.h share and nobody else sees. */
#ifndef MLSH_OS_POSIX_LOCAL_INTERNAL_H
#define MLSH_OS_POSIX_LOCAL_INTERNAL_H

#include "os/local.h"

#define LOCAL_GROUPS_MAX 64

/* The other process's user, as of the moment of its connect (or of its listen). */
struct local_cred {
	unsigned uid, gid;
	unsigned groups[LOCAL_GROUPS_MAX]; /* supplementary; empty when there are more */
	size_t n_groups;
};

struct local_cred local_conn_cred(const struct local_conn *c);
/*
 * Is the user a member of the named group: by the kernel's word, as primary group, or listed in
 * /etc/group?
 */
bool local_cred_in_group(struct host *h, const struct local_cred *cred, const char *group);
/* The user of the process that this local socket leads to. */
struct local_cred local_cred_of(int fd);
struct host *local_conn_host(const struct local_conn *c);

#endif
