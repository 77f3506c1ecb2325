/* SPDX-License-Identifier: MIT */
/* What the files behind os/local.h share and nobody else sees. */
#ifndef MLSH_OS_POSIX_LOCAL_INTERNAL_H
#define MLSH_OS_POSIX_LOCAL_INTERNAL_H

#include "os/local.h"

/* The user of the process that this local socket leads to. */
struct local_cred local_cred_of(int fd);
struct host *local_conn_host(const struct local_conn *c);

#endif
