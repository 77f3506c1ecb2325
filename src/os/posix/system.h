/* SPDX-License-Identifier: MIT */
/* What os/posix needs of each system, because POSIX has it not or only with gaps. */
#ifndef MLSH_OS_POSIX_SYSTEM_H
#define MLSH_OS_POSIX_SYSTEM_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/macros.h"

/* A socket that never blocks and that no other program inherits. Returns -1 with errno. */
int socket_open(int family, int type);
/* The same for the next connection of a listener. */
int socket_accept(int fd, struct sockaddr *name, socklen_t *len);
/* Renames a file in one step; -EEXIST when anything is at `to`, -ENOSYS without such a call. */
int rename_to_new(const char *from, const char *to) MUST_CHECK;
/* Is there such a process, as far as this one sees? */
bool process_is_seen(int pid);

#endif
