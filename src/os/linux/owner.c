/* SPDX-License-Identifier: MIT */
/*
 * A server that is started as root hands its files to an account of its own and becomes it. Root is
 * an ordinary owner without capabilities, but the owner of the whole machine: dropping them is not
 * enough. Each file is opened by its name in the opened folder (place.h); owners are changed
 * through descriptors.
 */
#include <cap-ng.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/linux/internal.h"
#include "os/linux/place.h"
#include "os/posix/users.h"
#include "os/privs.h"

#define FILES_MAX 8 /* the file and its companions */

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
	if (st->st_uid == o->to->id && st->st_gid == o->to->group_id) {
		close(fd);
		return 0;
	}
	if (fchownat(fd, "", o->to->id, o->to->group_id, AT_EMPTY_PATH) < 0) {
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
	else if (st.st_nlink > 1 && st.st_uid != o->to->id)
		r = -EMLINK;
	else
		return give_fd(o, fd, &st);
	close(fd);
	return r;
}

static int give_folder(struct handover *o, const struct place *p)
{
	struct stat st;

	if (account_may(o->to, p->fd, ".", R_OK | W_OK | X_OK) || !place_is_own(p))
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
		       p->folder, a->id);
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
	struct privs_account a = { .id = PRIVS_UNNAMED_ID, .group_id = PRIVS_UNNAMED_ID };
	struct place p = { .fd = -1 };
	int r;

	*ret = (struct privs_account){ .reaches = true };
	if (geteuid() != 0)
		return 0;
	(void)!passwd_find(h, f->user, &a.id,
			   &a.group_id); /* without such a user: the unnamed one */
	if (a.id == 0 || !account_can_become(h, &a)) {
		log_info(host_log(h), "this process cannot become another user: going on as root");
		return 0;
	}
	p.self = a.id;
	r = place_split(f->path, &p, err);
	if (r == 0)
		r = place_open(&p, err);
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
	a.id = st.st_uid;
	a.group_id = st.st_gid;
	p.self = a.id;
	int r = place_split(f->path, &p, err);
	if (r < 0 || !account_can_become(h, &a))
		return r;
	r = place_open(&p, err);
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
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
	    setresgid(a->group_id, a->group_id, a->group_id) < 0 ||
	    setresuid(a->id, a->id, a->id) < 0)
		r = -errno;
	if (r == 0)
		r = caps_only(kept, ARRAY_LEN(kept) - !a->searches, CAPNG_SELECT_CAPS);
	if (r == 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, r, "cannot become the user with id %u: %s", a->id,
			       strerror(-r));
	log_debug(host_log(h), "going on as the user with id %u", a->id);
	return 0;
}
