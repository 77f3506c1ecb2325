/* SPDX-License-Identifier: MIT */
/*
 * Rules of Landlock (Documentation/userspace-api/landlock.rst of the kernel). A rule holds for what
 * a path named when the rule was made, so a folder is allowed wherever files in it are replaced.
 * Looking at a file's metadata and connecting to a local socket are not covered by these rules.
 */
#include "os/linux/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RIGHTS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define RIGHTS_SOCKET (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* To make the folder of a socket again that something has removed, and the socket in it. */
#define RIGHTS_SOCKET_FOLDER (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_DIR)
#define RIGHTS_DEVICE                                                                              \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_IOCTL_DEV)
#define RIGHTS_WRITE                                                                               \
	(RIGHTS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |               \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |                               \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
/* What a rule for a single file may allow. */
#define RIGHTS_OF_FILES                                                                            \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* Everything that the first version knows, and what each later one adds. */
#define RIGHTS_V1 (2 * LANDLOCK_ACCESS_FS_MAKE_SYM - 1)

struct rules {
	int fd;
	uint64_t handled;
};

static int ruleset_new(int version, enum privs_role role, uint64_t *ret_handled)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = RIGHTS_V1 };
	size_t size = sizeof(attr.handled_access_fs);

	if (version >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (version >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (version >= 4) {
		size = offsetof(struct landlock_ruleset_attr, scoped);
		/* The server speaks UDP only. */
		if (role == PRIVS_SIGNAL)
			attr.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP |
						  LANDLOCK_ACCESS_NET_CONNECT_TCP;
	}
	if (version >= 5)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (version >= 6) {
		size = sizeof(attr);
		attr.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
	}
	*ret_handled = attr.handled_access_fs;
	int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	return fd < 0 ? -errno : fd;
}

/* Passes over a path that does not exist or cannot be opened. */
static int rule_add(const struct rules *rules, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return 0;
	rights &= rules->handled;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISDIR(st.st_mode))
		rights &= RIGHTS_OF_FILES;
	struct landlock_path_beneath_attr attr = { .allowed_access = rights, .parent_fd = fd };
	if (r == 0 && rights != 0 &&
	    syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int rules_add(const struct rules *rules, const char *const *paths, size_t max,
		     uint64_t rights)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < max && paths[i]; i++)
		r = rule_add(rules, paths[i], rights);
	return r;
}

/* The folder in which `path` lies. */
static int rule_add_around(const struct rules *rules, const char *path, uint64_t rights)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int r = folder ? 0 : -ENOMEM;

	if (slash && slash != folder) {
		*slash = '\0';
		r = rule_add(rules, folder, rights);
	} else if (folder) {
		r = rule_add(rules, slash ? "/" : ".", rights);
	}
	free(folder);
	return r;
}

/* The folder in which the folder of `path` lies, unless it is the root of everything. */
static int rule_add_above(const struct rules *rules, const char *path, uint64_t rights)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int r = folder ? 0 : -ENOMEM;

	if (slash && slash != folder) {
		*slash = '\0';
		slash = strrchr(folder, '/');
		if (slash && slash != folder)
			r = rule_add_around(rules, folder, rights);
	}
	free(folder);
	return r;
}

/* A program that replaces the file may replace the link to it, or what the link names. */
static int rule_add_replaced(const struct rules *rules, const char *path)
{
	char *real = realpath(path, NULL);
	int r = rule_add_around(rules, path, RIGHTS_READ);

	if (r == 0 && real)
		r = rule_add_around(rules, real, RIGHTS_READ);
	free(real);
	return r;
}

/* The deepest folder of these that exists: the others may be made later. */
static int rule_add_first(const struct rules *rules, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (access(paths[i], F_OK) == 0)
			return rule_add(rules, paths[i], RIGHTS_READ);
	return 0;
}

/*
 * What c-ares, sd-bus, the look-up of groups and the check for conflicts read. Other programs
 * replace these files by new ones while the daemon runs, hence folders.
 */
static int rules_of_daemon(const struct rules *rules)
{
	static const char *const reads[] = { "/etc",
					     "/proc/sys/net",
					     "/proc/sys/kernel/random",
					     "/run/resolvconf",
					     "/run/NetworkManager",
					     "/run/connman",
					     "/run/dbus" };
	static const char *const resolved[] = { "/run/systemd/resolve", "/run/systemd", "/run" };
	static const char *const devices[] = { "/dev/net/tun" };
	int r = rules_add(rules, reads, ARRAY_LEN(reads), RIGHTS_READ);

	if (r == 0)
		r = rules_add(rules, devices, ARRAY_LEN(devices), RIGHTS_DEVICE);
	if (r == 0)
		r = rule_add_first(rules, resolved, ARRAY_LEN(resolved));
	if (r == 0)
		r = rule_add_replaced(rules, "/etc/resolv.conf");
	return r;
}

static int rules_fill(const struct rules *rules, enum privs_role role,
		      const struct privs_paths *paths)
{
	static const char *const null[] = { "/dev/null" };
	static const char *const random[] = { "/dev/urandom" };
	int r = rules_add(rules, null, ARRAY_LEN(null), RIGHTS_DEVICE);

	if (r == 0)
		r = rules_add(rules, random, ARRAY_LEN(random), RIGHTS_READ);
	if (r == 0 && role == PRIVS_DAEMON)
		r = rules_of_daemon(rules);
	if (r == 0)
		r = rules_add(rules, paths->folders, PRIVS_PATHS_MAX, RIGHTS_WRITE);
	for (size_t i = 0; r == 0 && i < PRIVS_PATHS_MAX && paths->written[i]; i++)
		r = rule_add_around(rules, paths->written[i], RIGHTS_WRITE);
	for (size_t i = 0; r == 0 && i < PRIVS_PATHS_MAX && paths->sockets[i]; i++)
		if ((r = rule_add_around(rules, paths->sockets[i], RIGHTS_SOCKET)) == 0)
			r = rule_add_above(rules, paths->sockets[i], RIGHTS_SOCKET_FOLDER);
	for (size_t i = 0; r == 0 && i < PRIVS_PATHS_MAX && paths->replaced[i]; i++)
		r = rule_add_replaced(rules, paths->replaced[i]);
	return r;
}

int landlock_confine(enum privs_role role, const struct privs_paths *paths)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
				   LANDLOCK_CREATE_RULESET_VERSION);
	if (version <= 0 || !paths)
		return 0;
	struct rules rules;
	rules.fd = ruleset_new(version, role, &rules.handled);
	if (rules.fd < 0)
		return rules.fd;
	int r = rules_fill(&rules, role, paths);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules.fd, 0) < 0)
		r = -errno;
	close(rules.fd);
	return r < 0 ? r : version;
}
