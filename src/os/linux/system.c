/* SPDX-License-Identifier: MIT */
/* What os/posix needs of Linux. */
#include "os/posix/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int socket_open(int family, int type)
{
	return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int socket_accept(int fd, struct sockaddr *name, socklen_t *len)
{
	return accept4(fd, name, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int rename_to_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	return errno == EINVAL ? -ENOSYS : -errno; /* this file system has no such flag */
}

bool process_is_seen(int pid)
{
	char folder[32];

	snprintf(folder, sizeof(folder), "/proc/%d", pid);
	return access(folder, F_OK) == 0;
}
