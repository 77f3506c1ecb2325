/* SPDX-License-Identifier: MIT */
/*
 * A daemon that root starts hands its state folder to a user of its own. Everything in the folder
 * is looked at through a descriptor that does not follow links, and its owner is changed through
 * the same one, so that nothing can be put in its place in between. A file with several names is
 * left alone: the user could have made one of them for a file of root's.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/linux/internal.h"
#include "os/linux/place.h"
#include "os/posix/users.h"

#define DEPTH_MAX 8 /* of folders in the state folder */

/* Files of root and of `from` become those of `uid` and `gid`. */
struct gift {
	struct host *host;
	uid_t from, uid;
	gid_t gid;
	dev_t device; /* another file system that is mounted in there stays as it is */
	unsigned given;
};

static int give_one(struct gift *g, int fd, const struct stat *st)
{
	if ((st->st_uid != 0 && st->st_uid != g->from) ||
	    (st->st_uid == g->uid && st->st_gid == g->gid))
		return 0;
	if (fchownat(fd, "", g->uid, g->gid, AT_EMPTY_PATH) < 0)
		return -errno;
	g->given++;
	return 0;
}

static int give_in(struct gift *g, int folder, unsigned depth);

static int give_entry(struct gift *g, int folder, const char *name, unsigned depth)
{
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (st.st_dev != g->device)
		;
	else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
		r = give_in(g, fd, depth + 1);
	else if (S_ISREG(st.st_mode) && st.st_nlink == 1)
		r = give_one(g, fd, &st);
	else if (S_ISREG(st.st_mode) && st.st_uid != g->uid)
		log_warn(host_log(g->host),
			 "%s in the state folder keeps its owner: it has several names (hard "
			 "links). Put a copy in its place",
			 name);
	close(fd);
	return r;
}

/* The folder after what is in it: until then its old owner is who the process still is. */
static int give_in(struct gift *g, int folder, unsigned depth)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	struct stat st;

	if (!d) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = give_entry(g, dirfd(d), e->d_name, depth);
	if (r == 0 && fstat(dirfd(d), &st) < 0)
		r = -errno;
	closedir(d);
	return r == 0 ? give_one(g, folder, &st) : r;
}

/* `folder` is open (O_PATH is not enough to read it). */
static int give_all(struct host *h, int folder, uid_t uid, gid_t gid, unsigned *ret_given)
{
	struct stat st;

	if (fstat(folder, &st) < 0)
		return -errno;
	struct gift g = {
		.host = h, .from = st.st_uid, .uid = uid, .gid = gid, .device = st.st_dev
	};
	int r = give_in(&g, folder, 0);
	*ret_given = g.given;
	return r;
}

/* ---- what is in the folder ---- */

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);

	return n >= k && strcmp(name + n - k, suffix) == 0;
}

static bool is_file_of(const char *name, const char *const *suffixes)
{
	for (; *suffixes; suffixes++)
		if (ends_with(name, *suffixes))
			return true;
	return false;
}

/* ".<name>.<16 digits>", which file_write renames to <name> when it is whole. */
static bool is_unfinished(const char *name, const char *const *suffixes)
{
	char whole[NAME_MAX + 1];
	size_t len = strlen(name);

	if (len < 19 || name[0] != '.' || name[len - 17] != '.' ||
	    strspn(name + len - 16, "0123456789abcdef") != 16)
		return false;
	snprintf(whole, sizeof(whole), "%.*s", (int)(len - 18), name + 1);
	return is_file_of(whole, suffixes);
}

static bool is_folder_of(int folder, const char *name, const char *const *suffixes)
{
	char file[2 * NAME_MAX + 1];
	struct stat st;

	if (name[0] == '.')
		return false;
	for (; *suffixes; suffixes++) {
		snprintf(file, sizeof(file), "%s%s", name, *suffixes);
		if (fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

static bool is_expected(int folder, const char *name, const char *const *suffixes)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "lost+found") == 0)
		return true;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	if (S_ISDIR(st.st_mode))
		return is_folder_of(folder, name, suffixes);
	return is_file_of(name, suffixes) || is_unfinished(name, suffixes);
}

/*
 * Nobody's letters are given away because somebody named their folder as --state-dir. Returns true
 * if there is nothing else in the folder, or puts the name of one thing into `ret`.
 */
static bool holds_state_alone(int folder, const char *const *suffixes, char ret[NAME_MAX + 1])
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	bool alone = d != NULL;

	ret[0] = '\0';
	if (!d && fd >= 0)
		close(fd);
	while (alone && (e = readdir(d)) != NULL) {
		alone = is_expected(dirfd(d), e->d_name, suffixes);
		if (!alone)
			snprintf(ret, NAME_MAX + 1, "%s", e->d_name);
	}
	if (d)
		closedir(d);
	return alone;
}

/* ---- which account ---- */

/* Why the account cannot be taken; NULL if it can. */
static const char *unusable(struct host *h, const struct privs_account *a)
{
	if (a->id == 0)
		return "there is no such user";
	if (!account_can_become(h, a))
		return "this process cannot become another user";
	if (!account_may(a, AT_FDCWD, "/dev/net/tun", R_OK | W_OK))
		return "that user may not open /dev/net/tun (chmod 666 lets it; to make a "
		       "tunnel takes CAP_NET_ADMIN all the same)";
	return NULL;
}

/*
 * So that a socket that something has removed can be made again, and that mlsh trusts the folder:
 * it gets another owner if it is `from`'s and holds nothing but the socket.
 */
static void give_socket_folder(const char *socket, uid_t from, uid_t uid, gid_t gid)
{
	struct place p = { .fd = -1, .self = uid };
	struct stat st;

	if (!socket || lstat(socket, &st) < 0 || place_split(socket, &p, NULL) < 0 ||
	    place_open(&p, NULL) < 0)
		return;
	if (place_is_own(&p) && fstat(p.fd, &st) == 0 && st.st_uid == from)
		(void)!fchown(p.fd, uid, gid);
	close(p.fd);
}

static void say_root(struct host *h, const struct privs_state *s, const char *why, bool back)
{
	log_info(host_log(h), "started by root, and going on as root, not as %s: %s%s", s->user,
		 why, back ? "; the state folder is root's again" : "");
}

static void say_user(struct host *h, const struct privs_state *s, const struct privs_account *a,
		     bool given)
{
	log_info(host_log(h), "started by root, and going on as the user %s (%u)%s", s->user, a->id,
		 given ? "; the state folder is that user's now" : "");
}

/* As another user's the state would be lost to root, who gives up the right to read it. */
static void stay_root(struct host *h, const struct privs_state *s, int folder, const char *why)
{
	struct stat st = { .st_uid = 0 };
	unsigned given = 0;
	int r = 0;

	if (folder >= 0 && fstat(folder, &st) == 0)
		r = give_all(h, folder, 0, 0, &given);
	if (r < 0)
		log_warn(host_log(h), "the state folder %s cannot be made root's again: %s",
			 s->folder, strerror(-r));
	else if (st.st_uid != 0)
		give_socket_folder(s->socket, st.st_uid, 0, 0);
	say_root(h, s, why, given > 0);
}

/* Returns why root has to stay, NULL if all is the account's. */
static const char *give(struct host *h, const struct privs_state *s, int folder,
			const struct privs_account *a)
{
	unsigned given = 0;
	int r = give_all(h, folder, a->id, a->group_id, &given);

	if (r < 0)
		return "its file system does not give files to another user";
	if (!account_may(a, AT_FDCWD, s->folder, R_OK | W_OK | X_OK))
		return "that user cannot reach the state folder";
	give_socket_folder(s->socket, 0, a->id, a->group_id);
	say_user(h, s, a, given > 0);
	return NULL;
}

/* The folder, as a place that holds a file. */
static int folder_of_state(const struct privs_state *s, unsigned uid, struct place *p,
			   struct err *err)
{
	char inside[PATH_LEN_MAX];
	int n = snprintf(inside, sizeof(inside), "%s/.", s->folder), r;

	if (n < 0 || (size_t)n >= sizeof(inside))
		return err_set(err, -ENAMETOOLONG, "the path %s is too long", s->folder);
	*p = (struct place){ .fd = -1, .self = uid };
	r = place_split(inside, p, err);
	return r < 0 ? r : place_open(p, err);
}

static void say(struct host *h, const struct privs_state *s, const struct privs_account *a,
		const char *why)
{
	if (why)
		say_root(h, s, why, false);
	else
		say_user(h, s, a, false);
}

int privs_give_state(struct host *h, const struct privs_state *s, struct err *err,
		     struct privs_account *ret)
{
	struct privs_account a = { .differs = true, .reaches = true };
	char other[NAME_MAX + 1], holds[NAME_MAX + 32];
	const char *why;
	struct place p;
	int r;

	*ret = (struct privs_account){ .reaches = true };
	if (geteuid() != 0)
		return 0;
	(void)!passwd_find(h, s->user, &a.id, &a.group_id); /* 0 without such a user */
	why = unusable(h, &a);
	if (!s->folder) {
		say(h, s, &a, why);
		if (!why)
			*ret = a;
		return 0;
	}
	r = folder_of_state(s, a.id, &p, err);
	if (r < 0 && !why)
		return r;
	if (r == 0 && !holds_state_alone(p.fd, s->suffixes, other)) {
		snprintf(holds, sizeof(holds), "%s is in its state folder", other);
		say_root(h, s, why ? why : holds, false);
	} else if (why || (why = give(h, s, p.fd, &a)) != NULL) {
		stay_root(h, s, p.fd, why);
	} else {
		*ret = a;
	}
	if (p.fd >= 0)
		close(p.fd);
	return 0;
}

void privs_give_socket(const char *socket, const struct privs_account *a)
{
	if (a->differs)
		give_socket_folder(socket, 0, a->id, a->group_id);
}
