/* SPDX-License-Identifier: MIT */
/* The user of the process that a local socket leads to, as the kernel knows it. */
#include <sys/socket.h>

#include "os/posix/local_internal.h"

struct local_cred local_cred_of(int fd)
{
	struct ucred cred = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	socklen_t len = sizeof(cred);
	(void)!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	struct local_cred ret = { .uid = cred.uid, .gid = cred.gid };
	len = sizeof(ret.groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret.groups, &len) == 0)
		ret.n_groups = len / sizeof(ret.groups[0]);
	return ret;
}
