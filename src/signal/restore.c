/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Restores a backup, in this order: makes the new database whole under another name; copies the old
 * one aside; removes its companions, which would be mixed with the new one; gives the new one its
 * name; writes the mark beside it.
 */
#include "signal/restore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "identity/identity.h"
#include "signal/backup.h"
#include "signal/bootstrap.h"
#include "signal/db_file.h"
#include "signal/mark.h"

#define NEW_SUFFIX ".restoring"
#define KEPT_SUFFIX ".before-restore-"
#define READ_PIECE 65536

/* --- reading ---------------------------------------------------------------------------------- */

static int read_stdin(struct err *err, struct buf *ret)
{
	struct buf b = { 0 };
	size_t cap = 0;
	ssize_t n = 0;

	do {
		uint8_t *more = b.data;

		if (b.len + READ_PIECE + 1 > cap) {
			cap = 2 * cap + READ_PIECE + 1;
			more = cap <= BACKUP_MAX_BYTES ? realloc(b.data, cap) : NULL;
		}
		if (!more) {
			buf_free(&b);
			return err_set(err, -ENOMEM, "standard input: too much for memory.");
		}
		b.data = more;
		n = read(STDIN_FILENO, b.data + b.len, READ_PIECE);
		if (n > 0)
			b.len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		int r = err_set(err, -errno, "standard input: %s.", strerror(errno));

		buf_free(&b);
		return r;
	}
	*ret = b;
	return 0;
}

int restore_read(struct host *h, const char *file, struct err *err, struct buf *ret)
{
	char wal[CONFIG_PATH_TEXT_MAX + 8];
	struct stat st;

	if (strcmp(file, "-") == 0)
		return read_stdin(err, ret);
	snprintf(wal, sizeof(wal), "%s-wal", file);
	if (stat(wal, &st) == 0 && st.st_size > 0)
		return err_set(
			err, -EINVAL,
			"%s is not whole without its companion %s-wal, as after a crash. Put "
			"both in place by hand, or use another backup.",
			file, file);
	return file_read(h, file, BACKUP_MAX_BYTES, err, ret);
}

/* --- checking --------------------------------------------------------------------------------- */

static int check_keys(struct db *db, const char *file, struct err *err)
{
	struct identity *id = NULL;
	struct err why = { 0 };
	struct buf signing = { 0 };
	int r = bootstrap_identity(db, &id, &why);

	/* an operator's own key is a file of theirs */
	if (r == 0 || r == -ENOENT)
		r = db_setting_get(db, "token_signing_key", &signing, &why);
	if (r == -ENOENT)
		r = err_set(&why, -EINVAL, "the server's keys are missing: no server has used it.");
	identity_free(id);
	buf_free(&signing);
	return r < 0 ? err_set(err, r, "%s: %s", file, why.text) : 0;
}

int restore_check(struct host *h, struct span image, const char *file, struct view *ret,
		  struct err *err)
{
	struct view v = { 0 };
	int r = view_of_image(h, image, file, &v, err);

	if (r == 0)
		r = db_check_whole(v.db, err);
	if (r == 0)
		r = check_keys(v.db, file, err);
	if (r < 0)
		view_close(&v);
	else
		*ret = v;
	return r;
}

int restore_check_logs(const struct view *v, struct err *err)
{
	const struct mlog *log;
	struct err why;
	int first = 0;

	for (size_t i = 0; i < v->n_clusters; i++) {
		int r = view_log(v, &v->cluster[i], &log, &why);

		if (r < 0 && first == 0) {
			first = r;
			*err = why;
		}
	}
	return first;
}

/* --- the new one, under another name ---------------------------------------------------------- */

/*
 * Returns a number for the mark that no start takes for that of an older copy, as far as the file
 * beside it tells.
 */
static int raise_mark(struct host *h, struct db *db, const char *path, struct mark_value *ret,
		      struct err *err)
{
	struct mark_value file;
	int r = mark_db_get(db, ret, err);

	if (r == -ENOENT) {
		*ret = (struct mark_value){ .count = 0 };
		random_fill(h, ret->id, sizeof(ret->id));
		r = 0;
	}
	if (r == 0 && mark_file_get(h, path, &file) == 0 &&
	    memcmp(file.id, ret->id, sizeof(file.id)) == 0)
		ret->count = MAX(ret->count, file.count);
	ret->count++;
	return r < 0 ? r : mark_db_put(db, ret, err);
}

static int adjust(struct host *h, const char *fresh, const char *path, bool accept,
		  struct mark_value *ret_mark, struct err *err)
{
	struct db *db = NULL;
	int r = db_open(fresh, false, err, &db);

	if (r == 0)
		r = db_begin(db, err);
	if (r == 0)
		r = raise_mark(h, db, path, ret_mark, err);
	if (r == 0)
		r = accept ? db_accept(db, NULL, clock_wall_s(h), err)
			   : db_waiting_all(db, clock_wall_s(h), err);
	if (r == 0)
		r = db_commit(db, err);
	db_close(db); /* the last one to close it leaves no companions */
	return r;
}

static int write_image(const char *file, struct span image, struct err *err)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), r = fd < 0 ? -errno : 0;
	size_t at = 0;

	while (r == 0 && at < image.len) {
		ssize_t n = write(fd, image.data + at, image.len - at);

		if (n < 0 && errno != EINTR)
			r = -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r < 0 ? err_set(err, r, "%s cannot be written: %s.", file, strerror(-r)) : 0;
}

static int make_new(struct host *h, const char *fresh, const char *path, struct span image,
		    bool accept, struct mark_value *ret_mark, struct err *err)
{
	int r = db_file_new(fresh, err); /* removes what an earlier run may have left */

	if (r == 0)
		r = write_image(fresh, image, err);
	return r < 0 ? r : adjust(h, fresh, path, accept, ret_mark, err);
}

/* --- the old one ------------------------------------------------------------------------------ */

/* Moves what the -wal holds into the file, which is whole without it then, unless it is damaged. */
static void gather(const char *path)
{
	struct db *db = NULL;

	if (db_open(path, false, NULL, &db) < 0)
		return;
	db_close(db);
}

/* Copies a file, if it exists and is not empty. Returns 1 if it did. */
static int copy_aside(struct host *h, const char *from, const char *to, struct err *err)
{
	struct buf b = { 0 };
	int r = file_read(h, from, BACKUP_MAX_BYTES, err, &b);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && b.len > 0)
		r = file_create(h, to, b.data, b.len, 0600, err);
	if (r == 0)
		r = b.len > 0;
	buf_free(&b);
	return r;
}

static void kept_name(struct host *h, const char *path, char ret[RESTORE_KEPT_MAX])
{
	time_t now = (time_t)clock_wall_s(h);
	char when[24] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(ret, RESTORE_KEPT_MAX, "%s" KEPT_SUFFIX "%s", path, when);
	for (unsigned i = 2; file_exists(h, ret);
	     i++) /* for a second copy within the same second */
		snprintf(ret, RESTORE_KEPT_MAX, "%s" KEPT_SUFFIX "%s.%u", path, when, i);
}

static int keep_old(struct host *h, const char *path, struct restored *ret, struct err *err)
{
	char from[DB_PATH_TEXT_MAX + 8], to[RESTORE_KEPT_MAX + 8];
	int wal, r;

	kept_name(h, path, ret->kept);
	snprintf(from, sizeof(from), "%s-wal", path);
	snprintf(to, sizeof(to), "%s-wal", ret->kept);
	wal = copy_aside(h, from, to, err);
	r = wal < 0 ? wal : copy_aside(h, path, ret->kept, err);
	ret->replaced = wal > 0 || r > 0;
	return r < 0 ? r : 0;
}

static int remove_companions(struct host *h, const char *path, struct err *err)
{
	static const char *const suffix[] = { "-wal", "-shm", "-journal" };
	char file[DB_PATH_TEXT_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		int r;

		snprintf(file, sizeof(file), "%s%s", path, suffix[i]);
		r = file_remove(h, file);
		if (r < 0 && r != -ENOENT)
			return err_set(err, r, "%s cannot be removed: %s.", file, strerror(-r));
	}
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/*
 * Keeps servers from starting on a database until *ret_fd is closed. -EBUSY: a server runs. *ret_fd
 * is -1 if there is no database; a server that makes one at this very moment then wins.
 */
static int hold(const char *path, int *ret_fd, struct err *err)
{
	int r;

	*ret_fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*ret_fd < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "database %s: %s.", path, strerror(errno));
	r = db_file_hold(*ret_fd, err);
	return r < 0 ? err_prefix(err, "database %s", path) : 0;
}

static int put_in_place(struct host *h, const char *fresh, const char *path, int old_fd,
			struct restored *ret, struct err *err)
{
	int r;

	r = keep_old(h, path, ret, err);
	if (r == 0 && old_fd >= 0)
		gather(path);
	if (r == 0)
		r = remove_companions(h, path, err);
	if (r == 0)
		r = old_fd >= 0 ? db_file_replace(fresh, path, err)
				: db_file_publish(fresh, path, err);
	return r;
}

int restore_place(struct host *h, const char *path, struct span image, bool accept,
		  struct restored *ret, struct err *err)
{
	char fresh[DB_PATH_TEXT_MAX + sizeof(NEW_SUFFIX)];
	struct mark_value mark;
	int old_fd = -1, new_fd = -1, r;

	*ret = (struct restored){ 0 };
	if (strlen(path) >= DB_PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "database %s: the path is too long.", path);
	snprintf(fresh, sizeof(fresh), "%s" NEW_SUFFIX, path);
	r = db_folder_make(path, err);
	if (r == 0)
		r = hold(path, &old_fd, err);
	if (r < 0)
		goto end;
	r = make_new(h, fresh, path, image, accept, &mark, err);
	if (r == 0) /* until the mark is there, too */
		r = hold(fresh, &new_fd, err);
	if (r == 0)
		r = put_in_place(h, fresh, path, old_fd, ret, err);
	if (r < 0)
		db_file_discard(fresh);
	else if ((r = mark_file_put(h, path, &mark, err)) < 0)
		r = err_prefix(err, "the backup is in place, but not its mark");
end:
	if (new_fd >= 0)
		close(new_fd);
	if (old_fd >= 0)
		close(old_fd);
	return r;
}
