/* SPDX-License-Identifier: MIT */
/* The folders of a daemon: the lock of its state, and the place of its socket. */
#include "tund/state_lock.h"

#include <stdio.h>

#include "tund/state.h"

int state_lock(struct host *h, const struct daemon_config *cfg, struct err *err,
	       struct file_lock **ret)
{
	const char *dir = cfg->state_dir;
	char path[STORE_PATH_MAX], who[32] = "";
	struct err why = { 0 };
	int pid = 0, rc, n;

	n = snprintf(path, sizeof(path), "%s/%s", dir, STATE_LOCK);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "the state folder's path is too long: %s", dir);
	rc = file_lock(h, path, &pid, &why, ret);
	if (pid > 0)
		snprintf(who, sizeof(who), " (process %d)", pid);
	if (rc == -EBUSY)
		return err_set(err, rc,
			       "another mlshtund%s runs on the state folder %s already. "
			       "End that one first, or give this one another --state-dir and, "
			       "instead of %s, another --socket",
			       who, dir, cfg->socket_path);
	if (rc == -ENOLCK || rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EINVAL) {
		log_warn(host_log(h),
			 "a second mlshtund may use the state folder at the same time, since "
			 "its file system has no locks: %s",
			 why.text);
		return 0;
	}
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

int socket_folder(struct host *h, const struct daemon_config *cfg, struct err *err)
{
	const char *path = cfg->socket_path, *slash = strrchr(path, '/');
	char dir[STORE_PATH_MAX];
	struct err why = { 0 };
	int rc;

	if (!slash || slash == path)
		return 0;
	snprintf(dir, sizeof(dir), "%.*s", (int)MIN(slash - path, STORE_PATH_MAX - 1), path);
	rc = dir_make(h, dir, 0755, &why);
	return rc == 0 ? 0
		       : err_set(err, rc,
				 "%.300s; --socket (or MLSH_SOCKET) puts the socket elsewhere",
				 why.text);
}
