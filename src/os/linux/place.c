/* SPDX-License-Identifier: MIT */
/* Walking to a folder that others may tamper with, and trying an account out. */
#include "os/linux/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/linux/internal.h"

int place_split(const char *path, struct place *p, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len >= sizeof(p->folder))
		return err_set(err, -ENAMETOOLONG, "the path %s is too long", path);
	p->name = slash ? slash + 1 : path;
	if (len == 0)
		strcpy(p->folder, slash ? "/" : ".");
	else
		snprintf(p->folder, sizeof(p->folder), "%.*s", (int)len, path);
	return 0;
}

/* Nobody but root can exchange a name in this folder. */
static bool is_roots_alone(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 &&
	       (!(st.st_mode & 022) || (st.st_mode & S_ISVTX));
}

/* Opens one folder below `at`. A link is followed only if it and the folder it is in are root's. */
static int step_open(int at, const char *name)
{
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	int fd = openat(at, name, flags | O_NOFOLLOW);

	if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR))
		return fd < 0 ? -errno : fd;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != 0 || !is_roots_alone(at))
		return -ELOOP;
	fd = openat(at, name, flags);
	return fd < 0 ? -errno : fd;
}

/* The next part of a path, NULL at its end. `*rest` is what follows it. */
static const char *part_next(char **rest)
{
	const char *name = *rest + strspn(*rest, "/");
	char *end = *rest + (name - *rest) + strcspn(name, "/");

	*rest = end + (*end == '/');
	*end = '\0';
	return *name ? name : NULL;
}

/* Can others than root and the account exchange a name in this folder? */
static bool is_shared(const struct place *p, int fd)
{
	struct stat st;

	return !is_roots_alone(fd) &&
	       (fstat(fd, &st) < 0 || st.st_uid != p->self || (st.st_mode & 022));
}

/*
 * Opens the folder part by part, and makes the last part if it is missing. The result is for openat
 * and the like only (O_PATH).
 */
static int folder_walk(struct place *p)
{
	char parts[PATH_LEN_MAX], *rest = parts;
	int at = open(*p->folder == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *name;

	if (at < 0)
		return -errno;
	snprintf(parts, sizeof(parts), "%s", p->folder);
	while ((name = part_next(&rest)) != NULL) {
		int next = step_open(at, name);

		if (next == -ENOENT && !rest[strspn(rest, "/")])
			next = mkdirat(at, name, 0700) < 0 ? -errno : step_open(at, name);
		p->shared |= is_shared(p, at);
		close(at);
		if (next < 0)
			return next;
		at = next;
	}
	p->shared |= is_shared(p, at);
	return at;
}

int place_open(struct place *p, struct err *err)
{
	int at = folder_walk(p);

	if (at == -ELOOP)
		return err_set(err, at,
			       "a part of the path %s is a symbolic link of another user; "
			       "give the path without it",
			       p->folder);
	p->fd = at < 0 ? at : openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = at < 0 ? at : -errno;
	if (at >= 0)
		close(at);
	return p->fd < 0 ? err_set(err, code, "the folder %s cannot be opened or made: %s",
				   p->folder, strerror(-code))
			 : 0;
}

bool place_is_own(const struct place *p)
{
	int fd = openat(p->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool own = d != NULL;

	if (!d && fd >= 0)
		close(fd);
	while (own && (e = readdir(d)) != NULL)
		own = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		      strcmp(e->d_name, "lost+found") == 0 ||
		      strncmp(e->d_name, p->name, strlen(p->name)) == 0;
	if (d)
		closedir(d);
	return own;
}

/* ---- can the process change its user? ---- */

bool account_can_become(struct host *h, const struct privs_account *a)
{
	if (setgroups(0, NULL) < 0)
		log_debug(host_log(h), "the groups of root stay: %s", strerror(errno));
	if (setegid(a->group_id) < 0)
		return false;
	bool can = seteuid(a->id) == 0;
	if (can && seteuid(0) < 0)
		DIE("the saved user id is root's, but the way back to it is closed");
	if (setegid(0) < 0)
		DIE("the way back to the group of root is closed");
	return can;
}

bool account_may(const struct privs_account *a, int fd, const char *path, int mode)
{
	setfsgid(a->group_id);
	setfsuid(a->id); /* takes the file capabilities away as well */
	bool may = faccessat(fd, path, mode, AT_EACCESS) == 0;
	setfsuid(0);
	setfsgid(0);
	return may;
}
