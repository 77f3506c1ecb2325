/* SPDX-License-Identifier: MIT */
/* May the process that listens at a local socket be told a secret? */
#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/posix/local_internal.h"
#include "os/posix/users.h"

/* The folder part of a socket's path, "." for a bare name. */
static void folder_of(const char *path, char out[sizeof(((struct sockaddr_un *)0)->sun_path)])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;
	memcpy(out, len ? path : ".", len ? len : 1);
	out[len ? len : 1] = '\0';
}

int local_check_listener(const struct local_conn *c, const char *path, const char *daemon,
			 struct err *err)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct local_cred cred = local_conn_cred(c);
	unsigned self = geteuid(), uid = 0, gid;
	struct stat st;

	(void)!passwd_find(local_conn_host(c), daemon, &uid, &gid); /* without such a user: root */
	if (cred.uid != 0 && cred.uid != self && cred.uid != uid)
		return err_set(err, -EPERM,
			       "user %u listens at %s, and is neither root nor %s nor you",
			       cred.uid, path, daemon);
	folder_of(path, dir);
	if (stat(dir, &st) < 0)
		return err_set(err, -errno, "cannot look at the folder %s: %s", dir,
			       strerror(errno));
	if (st.st_uid != 0 && st.st_uid != self && st.st_uid != uid)
		return err_set(err, -EPERM,
			       "the folder %s belongs to user %u, who is neither root nor %s "
			       "nor you",
			       dir, (unsigned)st.st_uid, daemon);
	if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
		return err_set(err, -EPERM,
			       "other users may write to the folder %s (mode %04o): "
			       "run chmod go-w on it",
			       dir, (unsigned)st.st_mode & 07777);
	return 0;
}
