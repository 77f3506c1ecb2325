/* SPDX-License-Identifier: AGPL-3.0-only */
/* Backups: taking the image of a database, and writing it. */
#include "signal/backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signal/db_file.h"

/* The first bytes from the other process; the message or the image follows. */
struct answer {
	int code;
	struct err err;
	size_t len;
};

static int take_checked(const char *path, struct err *err, struct buf *ret)
{
	struct db *db = NULL;
	int r = db_image_take(path, err, NULL, ret);

	if (r == 0)
		r = db_image_open(span_of(ret->data, ret->len), path, err, &db);
	db_close(db);
	if (r < 0)
		buf_free(ret);
	return r;
}

/* --- as another user -------------------------------------------------------------------------- */

static int send_all(int fd, const void *data, size_t len)
{
	const uint8_t *from = data;

	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Returns -EPIPE if the other process ends too early. */
static int receive_all(int fd, void *data, size_t len)
{
	uint8_t *to = data;

	while (len > 0) {
		ssize_t n = read(fd, to, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		to += n;
		len -= (size_t)n;
	}
	return 0;
}

static void child(struct host *h, const struct privs_account *owner, const char *path, int fd)
{
	struct answer a = { 0 };
	struct buf image = { 0 };

	a.code = privs_become(h, owner, &a.err);
	if (a.code == 0)
		a.code = take_checked(path, &a.err, &image);
	a.len = image.len;
	if (send_all(fd, &a, sizeof(a)) == 0 && image.len > 0)
		(void)!send_all(fd, image.data, image.len);
	buf_free(&image);
	_exit(0);
}

static int receive(int fd, const char *path, struct err *err, struct buf *ret)
{
	struct answer a;
	int r = receive_all(fd, &a, sizeof(a));

	if (r == 0 && a.code < 0) {
		*err = a.err;
		return a.code;
	}
	if (r == 0 && (a.len == 0 || a.len > BACKUP_MAX_BYTES))
		r = -EFBIG;
	ret->data = r == 0 ? malloc(a.len + 1) : NULL;
	if (r == 0 && !ret->data)
		r = -ENOMEM;
	if (r == 0) {
		ret->len = a.len;
		ret->data[a.len] = '\0';
		r = receive_all(fd, ret->data, a.len);
	}
	if (r < 0) {
		buf_free(ret);
		return err_set(err, r, "database %s: the process that reads it failed: %s.", path,
			       strerror(-r));
	}
	return 0;
}

static int take_as(struct host *h, const struct privs_account *owner, const char *path,
		   struct err *err, struct buf *ret)
{
	int fds[2], r;
	pid_t pid;

	if (pipe(fds) < 0)
		return err_set(err, -errno, "a pipe cannot be made: %s.", strerror(errno));
	pid = fork();
	if (pid < 0) {
		r = err_set(err, -errno, "a process cannot be made: %s.", strerror(errno));
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (pid == 0) {
		close(fds[0]);
		child(h, owner, path, fds[1]);
	}
	close(fds[1]);
	r = receive(fds[0], path, err, ret);
	close(fds[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int backup_take(struct host *h, const struct privs_account *owner, const char *path,
		struct err *err, struct buf *ret)
{
	*ret = (struct buf){ 0 };
	if (owner->differs && (owner->reaches || owner->searches))
		return take_as(h, owner, path, err, ret);
	return take_checked(path, err, ret);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Writing over the database in use would destroy it. */
static bool is_in_use(const char *path, const char *file)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[DB_PATH_TEXT_MAX + 16];
	struct stat own, st;

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		if (stat(file, &st) == 0 && stat(name, &own) == 0 && st.st_dev == own.st_dev &&
		    st.st_ino == own.st_ino)
			return true;
	}
	return false;
}

int backup_write(struct host *h, const char *path, const char *file, struct span image, bool force,
		 struct err *err)
{
	int r;

	if (is_in_use(path, file))
		return err_set(err, -EINVAL, "%s is a file of the server's database itself.", file);
	r = force ? file_write(h, file, image.data, image.len, 0600, err)
		  : file_create(h, file, image.data, image.len, 0600, err);
	if (r == -EEXIST)
		return err_set(err, r, "%s is there already: choose another name, or --force.",
			       file);
	return r;
}
