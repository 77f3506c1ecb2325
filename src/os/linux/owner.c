/* SPDX-License-Identifier: MIT */
/*
 * A server that is started as root hands its files to an account of its own and becomes it. Root is
 * an ordinary owner without capabilities, but the owner of the whole machine: dropping them is not
 * enough.
 *
 * The folder may belong to somebody else, who can put links into it at any moment. So each part of
 * the path is opened by itself, without following, and each file by its name in the opened folder;
 * owners are changed through descriptors.
 */
#include <cap-ng.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/linux/internal.h"
#include "os/privs.h"

#define PATH_LEN_MAX 4096
#define FILES_MAX 8 /* the file and its companions */

/* ---- paths ---- */

struct place {
	char folder[PATH_LEN_MAX];
	const char *name; /* of the file, in the caller's path */
	int fd;		  /* of the folder, O_RDONLY */
	unsigned self;	  /* the account that all this is for */
	bool shared;	  /* others than root and the account can exchange names on the way */
};

static int path_split(const char *path, struct place *p, struct err *err)
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

static int folder_open(struct place *p, struct err *err)
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

/* ---- can the process change its user? ---- */

/* Drops root's groups, and tries the user out. */
static bool can_become(struct host *h, const struct privs_account *a)
{
	if (setgroups(0, NULL) < 0)
		log_debug(host_log(h), "the groups of root stay: %s", strerror(errno));
	if (setegid(a->gid) < 0)
		return false;
	bool can = seteuid(a->uid) == 0;
	if (can && seteuid(0) < 0)
		DIE("the saved user id is root's, but the way back to it is closed");
	if (setegid(0) < 0)
		DIE("the way back to the group of root is closed");
	return can;
}

/* Whether the account may do `mode` (R_OK and the like) to a folder that root has open. */
static bool account_may(const struct privs_account *a, int fd, const char *path, int mode)
{
	setfsgid(a->gid);
	setfsuid(a->uid); /* takes the file capabilities away as well */
	bool may = faccessat(fd, path, mode, AT_EACCESS) == 0;
	setfsuid(0);
	setfsgid(0);
	return may;
}

/* ---- handing over ---- */

/* What was changed, to be changed back if the rest fails. */
struct handed {
	int fd;
	uid_t uid;
	gid_t gid;
};

struct handover {
	const struct privs_account *to;
	struct handed done[FILES_MAX + 1];
	size_t n;
};

static int give_fd(struct handover *o, int fd, const struct stat *st)
{
	if (st->st_uid == o->to->uid && st->st_gid == o->to->gid) {
		close(fd);
		return 0;
	}
	if (fchownat(fd, "", o->to->uid, o->to->gid, AT_EMPTY_PATH) < 0) {
		int code = -errno;
		close(fd);
		return code;
	}
	o->done[o->n++] = (struct handed){ fd, st->st_uid, st->st_gid };
	return 0;
}

static void handover_end(struct handover *o, bool undo)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct handed *d = &o->done[i];
		if (undo)
			(void)!fchownat(d->fd, "", d->uid, d->gid, AT_EMPTY_PATH);
		close(d->fd);
	}
	o->n = 0;
}

/* -ENOENT; -EINVAL: not a regular file; -EMLINK: several names; else what the kernel says. */
static int give_file(struct handover *o, int folder, const char *name)
{
	int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (st.st_nlink > 1 && st.st_uid != o->to->uid)
		r = -EMLINK;
	else
		return give_fd(o, fd, &st);
	close(fd);
	return r;
}

/* The folder holds the file, its companions and nothing else. */
static bool is_own_folder(const struct place *p)
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

static int give_folder(struct handover *o, const struct place *p)
{
	struct stat st;

	if (account_may(o->to, p->fd, ".", R_OK | W_OK | X_OK) || !is_own_folder(p))
		return 0;
	int fd = fstat(p->fd, &st) < 0 ? -1 : openat(p->fd, ".", O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : give_fd(o, fd, &st);
}

static int give_files(struct handover *o, const struct place *p, const struct privs_file *f,
		      struct err *err)
{
	char name[PATH_LEN_MAX];
	int r = give_file(o, p->fd, p->name);

	for (size_t i = 0; (r == 0 || r == -ENOENT) && f->companions[i] && o->n < FILES_MAX; i++) {
		snprintf(name, sizeof(name), "%s%s", p->name, f->companions[i]);
		r = give_file(o, p->fd, name);
	}
	if (r == -EMLINK)
		return err_set(err, r,
			       "%s or a file beside it has several names (hard links): any "
			       "user could have made one; put a copy in its place",
			       f->path);
	if (r == -EINVAL)
		return err_set(err, r, "%s or a file beside it is not a regular file", f->path);
	return r == -ENOENT ? 0 : r;
}

/* Best effort: somebody else's file, or link, is looked at by those who give it away. */
static void make_companion(const struct place *p, const struct privs_file *f)
{
	char name[PATH_LEN_MAX];

	snprintf(name, sizeof(name), "%s%s", p->name, f->made);
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
}

/* How will the account get at the file? */
static int find_way(const struct place *p, struct privs_account *a, struct err *err)
{
	a->reaches = account_may(a, AT_FDCWD, p->folder, R_OK | W_OK | X_OK);
	if (a->reaches || !p->shared)
		return 0;
	a->searches = account_may(a, p->fd, ".", R_OK | W_OK | X_OK);
	if (a->searches)
		return 0;
	return err_set(err, -EPERM,
		       "the folder %s, or one above it, belongs to another user, who "
		       "could exchange what root opens there, and holds other files, so that it "
		       "cannot be handed over (to user id %u). Give the database a folder of its "
		       "own",
		       p->folder, a->uid);
}

/* The folder is open. */
static int hand_over(struct host *h, const struct place *p, const struct privs_file *f,
		     struct privs_account *a, struct err *err)
{
	struct handover o = { .to = a };
	int r;

	if (f->made)
		make_companion(p, f);
	r = give_files(&o, p, f, err);
	if (r == 0)
		r = give_folder(&o, p);
	handover_end(&o, r < 0);
	if (r == -EMLINK || r == -EINVAL)
		return r;
	if (r < 0) {
		log_warn(host_log(h), "%s cannot be given to another user (%s): going on as root",
			 f->path, strerror(-r));
		return 0;
	}
	a->differs = true;
	return find_way(p, a, err);
}

int privs_take_over(struct host *h, const struct privs_file *f, struct err *err,
		    struct privs_account *ret)
{
	struct privs_account a = { .uid = PRIVS_UNNAMED_ID, .gid = PRIVS_UNNAMED_ID };
	struct place p = { .fd = -1 };
	int r;

	*ret = (struct privs_account){ .reaches = true };
	if (geteuid() != 0)
		return 0;
	(void)!passwd_find(h, f->user, &a.uid, &a.gid); /* without such a user: the unnamed one */
	if (a.uid == 0 || !can_become(h, &a)) {
		log_info(host_log(h), "this process cannot become another user: going on as root");
		return 0;
	}
	p.self = a.uid;
	r = path_split(f->path, &p, err);
	if (r == 0)
		r = folder_open(&p, err);
	if (r == 0)
		r = hand_over(h, &p, f, &a, err);
	if (p.fd >= 0)
		close(p.fd);
	if (r == 0 && a.differs)
		*ret = a;
	return r;
}

int privs_account_of(struct host *h, const struct privs_file *f, struct err *err,
		     struct privs_account *ret)
{
	struct privs_account a = { .differs = true };
	struct place p = { .fd = -1 };
	struct stat st;

	*ret = (struct privs_account){ .reaches = true };
	if (geteuid() != 0)
		return 0;
	if (lstat(f->path, &st) < 0)
		return -errno;
	if (st.st_uid == 0)
		return privs_take_over(h, f, err, ret);
	a.uid = st.st_uid;
	a.gid = st.st_gid;
	p.self = a.uid;
	int r = path_split(f->path, &p, err);
	if (r < 0 || !can_become(h, &a))
		return r;
	r = folder_open(&p, err);
	if (r == 0)
		r = find_way(&p, &a, err);
	if (p.fd >= 0)
		close(p.fd);
	if (r == 0)
		*ret = a;
	return r;
}

/* ---- becoming ---- */

static int caps_only(const unsigned *caps, size_t n, capng_select_t sets)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0)
		return -errno;
	bool keep[CAP_LAST_CAP + 1] = { false };
	for (size_t i = 0; i < n; i++)
		keep[caps[i]] = capng_have_capability(CAPNG_PERMITTED, caps[i]);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < n; i++)
		if (keep[caps[i]])
			(void)capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, caps[i]);
	return capng_apply(sets) < 0 ? -EPERM : 0;
}

int privs_become(struct host *h, const struct privs_account *a, struct err *err)
{
	/* for the socket, and for privs_drop to empty the bounding set */
	static const unsigned kept[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_SETPCAP,
					 CAP_DAC_READ_SEARCH };
	int r = 0;

	if (!a->differs)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setresgid(a->gid, a->gid, a->gid) < 0 ||
	    setresuid(a->uid, a->uid, a->uid) < 0)
		r = -errno;
	if (r == 0)
		r = caps_only(kept, ARRAY_LEN(kept) - !a->searches, CAPNG_SELECT_CAPS);
	if (r == 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "cannot become the user with id %u: %s", a->uid,
			       strerror(-r));
	log_debug(host_log(h), "going on as the user with id %u", a->uid);
	return 0;
}
