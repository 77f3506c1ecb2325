/* SPDX-License-Identifier: MIT */
/* Small files, read with a limit and written whole or not at all. */
#include "os/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/posix/system.h"

#define DIR_ENTRIES_MAX 65536

void buf_free(struct buf *b)
{
	if (!b || !b->data)
		return;
	secret_wipe(b->data, b->len);
	free(b->data);
	*b = (struct buf){ 0 };
}

/* Reads up to `cap` bytes from the start; fewer at the end of the file. */
static ssize_t read_all(int fd, uint8_t *out, size_t cap)
{
	size_t len = 0;
	while (len < cap) {
		ssize_t n = pread(fd, out + len, cap - len, (off_t)len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* `st` is of fd, a regular file. */
static int read_regular(int fd, const struct stat *st, const char *what, size_t limit,
			struct err *err, struct buf *ret)
{
	if ((uint64_t)st->st_size > limit)
		return err_set(err, -EFBIG, "%s is larger than %zu bytes", what, limit);
	/* One byte more than it should have, to notice that it grew. */
	size_t cap = (size_t)st->st_size + 1;
	uint8_t *data = malloc(cap);
	if (!data)
		return err_set(err, -ENOMEM, "out of memory");
	ssize_t n = read_all(fd, data, cap);
	if (n < 0 || (size_t)n == cap) {
		int code = n < 0 ? (int)n : -EAGAIN;
		secret_wipe(data, cap);
		free(data);
		return err_set(err, code, "cannot read %s: %s", what,
			       n < 0 ? strerror(-code) : "it changed meanwhile, try again");
	}
	data[n] = '\0';
	*ret = (struct buf){ data, (size_t)n };
	return 0;
}

/* May the file at `path` be taken for a secret of the caller? */
static int check_private(const struct stat *st, const char *path, struct err *err)
{
	unsigned self = geteuid();
	if (st->st_mode & 077)
		return err_set(err, -EACCES,
			       "%s holds a secret and others may use it (mode %04o): "
			       "run chmod 600 on it",
			       path, (unsigned)st->st_mode & 07777);
	if (st->st_uid != 0 && st->st_uid != self)
		return err_set(err, -EPERM,
			       "%s belongs to user %u, but user %u reads it: run this as its "
			       "owner, or set HOME to your own folder",
			       path, (unsigned)st->st_uid, self);
	return 0;
}

static int read_path(const char *path, bool secret, size_t limit, struct err *err, struct buf *ret)
{
	struct stat st;
	/* Non-blocking: the path may be a pipe, and opening one waits for its writer. */
	int fd = open(path,
		      O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (secret ? O_NOFOLLOW : 0));
	int r;
	if (fd < 0 && errno == ELOOP && secret)
		return err_set(err, -ELOOP,
			       "%s is a link; a secret is read from the file itself "
			       "only",
			       path);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0)
		r = err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = err_set(err, -EINVAL, "%s is not a regular file", path);
	else
		r = secret ? check_private(&st, path, err) : 0;
	if (r == 0)
		r = read_regular(fd, &st, path, limit, err, ret);
	close(fd);
	return r;
}

int file_read(struct host *h, const char *path, size_t limit, struct err *err, struct buf *ret)
{
	(void)h;
	return read_path(path, false, limit, err, ret);
}

int file_read_private(struct host *h, const char *path, size_t limit, struct err *err,
		      struct buf *ret)
{
	(void)h;
	return read_path(path, true, limit, err, ret);
}

/* Length of the folder part of a path, without the last slash; 0 when there is none. */
static size_t dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return 0;
	return slash == path ? 1 : (size_t)(slash - path);
}

static int dir_sync(const char *path)
{
	size_t len = dir_len(path);
	char *dir = len ? strndup(path, len) : strdup(".");
	if (!dir)
		return -ENOMEM;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(dir);
	return r;
}

/* "<dir>/.<name>.<random>": hidden, so that dir_list passes over what a crash leaves behind. */
static char *temporary_name(struct host *h, const char *path)
{
	size_t at = dir_len(path);
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char *out;
	if (asprintf(&out, "%.*s%s.%s.%016llx", (int)at, path, at > 1 ? "/" : "", name,
		     (unsigned long long)random_u64(h)) < 0)
		return NULL;
	return out;
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int rename_new(const char *from, const char *to)
{
	int r = rename_to_new(from, to);

	if (r != -ENOSYS)
		return r;
	/* A second name is refused when the first exists. */
	if (link(from, to) < 0)
		return -errno;
	unlink(from);
	return 0;
}

static int write_whole(struct host *h, const char *path, const void *data, size_t len,
		       unsigned mode, bool replace, struct err *err)
{
	char *tmp = temporary_name(h, path);
	if (!tmp)
		return err_set(err, -ENOMEM, "out of memory");
	int r;
	/* The mode as it was asked for, and no change of it: confined daemons cannot. */
	mode_t before = umask(0);
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	r = -errno;
	umask(before);
	if (fd < 0)
		goto fail_name;
	r = write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		goto fail;
	r = replace ? (rename(tmp, path) < 0 ? -errno : 0) : rename_new(tmp, path);
	if (r < 0)
		goto fail;
	free(tmp);
	r = dir_sync(path);
	if (r < 0)
		return err_set(err, r, "cannot sync the folder of %s: %s", path, strerror(-r));
	return 0;
fail:
	unlink(tmp);
fail_name:
	free(tmp);
	return err_set(err, r, "cannot write %s: %s", path, strerror(-r));
}

int file_write(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
	       struct err *err)
{
	return write_whole(h, path, data, len, mode, true, err);
}

int file_create(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
		struct err *err)
{
	return write_whole(h, path, data, len, mode, false, err);
}

struct file_slot {
	int fd;
};

int file_slot_open(struct host *h, const char *path, unsigned mode, struct err *err,
		   struct file_slot **ret)
{
	struct file_slot *s = malloc(sizeof(*s));
	struct stat st;
	mode_t before;
	int r = 0;
	(void)h;
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	before = umask(0);
	s->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		r = errno == EISDIR ? -EINVAL : -errno;
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		r = -EINVAL;
	umask(before);
	if (r < 0) {
		file_slot_close(s);
		return err_set(err, r, "cannot write %s: %s", path,
			       r == -EINVAL ? "it is not a file with one name" : strerror(-r));
	}
	*ret = s;
	return 0;
}

static int write_at(int fd, size_t offset, const uint8_t *from, size_t len)
{
	size_t at = 0;
	while (at < len) {
		ssize_t n = pwrite(fd, from + at, len - at, (off_t)(offset + at));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	return 0;
}

int file_slot_write(struct file_slot *s, const void *data, size_t len)
{
	int r = write_at(s->fd, 0, data, len);
	if (r < 0)
		return r;
	return ftruncate(s->fd, (off_t)len) < 0 ? -errno : 0;
}

static int add_at(int fd, size_t at, const void *data, size_t len)
{
	struct stat st;
	int r;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -EINVAL;
	if ((uint64_t)st.st_size < at)
		return -ESTALE;
	if ((uint64_t)st.st_size > at && ftruncate(fd, (off_t)at) < 0)
		return -errno;
	r = write_at(fd, at, data, len);
	return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

int file_add(struct host *h, const char *path, size_t at, const void *data, size_t len,
	     struct err *err)
{
	(void)h;
	int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int r = fd < 0 ? -errno : add_at(fd, at, data, len);
	if (r == -EISDIR)
		r = -EINVAL;
	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r < 0 ? err_set(err, r, "cannot add to %s: %s", path,
			       r == -EINVAL   ? "it is not a file with one name"
			       : r == -ESTALE ? "it has become shorter"
					      : strerror(-r))
		     : 0;
}

void file_slot_close(struct file_slot *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

int file_remove(struct host *h, const char *path)
{
	(void)h;
	if (unlink(path) < 0)
		return -errno;
	return dir_sync(path);
}

bool file_exists(struct host *h, const char *path)
{
	(void)h;
	struct stat st;
	return stat(path, &st) == 0;
}

/* Is `name` what temporary_name makes for the file `of`: ".<of>.<16 hexadecimal digits>"? */
static bool is_temporary_of(const char *name, const char *of)
{
	size_t len = strlen(of);

	return name[0] == '.' && strncmp(name + 1, of, len) == 0 && name[1 + len] == '.' &&
	       strlen(name) == len + 2 + 16 && strspn(name + len + 2, "0123456789abcdef") == 16;
}

/* Another process may be writing the file now: then its writing fails. */
static int remove_temporaries(int fd, const char *of)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = d ? 0 : -errno;

	if (!d)
		close(fd);
	while (d && (e = readdir(d)) != NULL) {
		if (is_temporary_of(e->d_name, of) && unlinkat(fd, e->d_name, 0) < 0)
			r = -errno;
	}
	if (d)
		closedir(d);
	return r;
}

int file_forget(struct host *h, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = dir_len(path);
	char *dir = len ? strndup(path, len) : strdup(".");
	int r = dir ? 0 : -ENOMEM, fd;

	(void)h;
	if (r == 0 && unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	fd = r == 0 ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (r == 0 && fd < 0)
		r = errno == ENOENT ? 0 : -errno;
	else if (r == 0 && (r = remove_temporaries(fd, slash ? slash + 1 : path)) == 0)
		r = dir_sync(path);
	free(dir);
	return r;
}

int dir_remove(struct host *h, const char *path)
{
	(void)h;
	if (rmdir(path) < 0)
		return errno == EEXIST ? -ENOTEMPTY : -errno;
	return dir_sync(path);
}

static int dir_make_one(const char *path, unsigned mode)
{
	struct stat st;
	mode_t before = umask(0);
	/* EROFS and EACCES may hide that it exists. */
	int code = mkdir(path, mode) < 0 ? -errno : 0;
	umask(before);
	if (code == 0)
		return 0;
	if (stat(path, &st) == 0)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	return code;
}

int dir_make(struct host *h, const char *path, unsigned mode, struct err *err)
{
	(void)h;
	char *dir = strdup(path);
	if (!dir)
		return err_set(err, -ENOMEM, "out of memory");
	int r = 0;
	for (char *at = dir; r == 0 && *at; at++) {
		if (*at != '/' || at == dir)
			continue;
		*at = '\0';
		r = dir_make_one(dir, mode);
		*at = '/';
	}
	if (r == 0)
		r = dir_make_one(dir, mode);
	free(dir);
	if (r < 0)
		return err_set(err, r, "cannot make the folder %s: %s", path, strerror(-r));
	return 0;
}

static bool is_regular(DIR *d, const char *name)
{
	struct stat st;
	return fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(DIR *d, char ***names, size_t *n)
{
	size_t cap = 0;
	const struct dirent *e;
	while (errno = 0, (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || !is_regular(d, e->d_name))
			continue;
		if (*n == DIR_ENTRIES_MAX)
			return -EFBIG;
		if (*n == cap) {
			cap = cap ? 2 * cap : 32;
			char **more = reallocarray(*names, cap, sizeof(char *));
			if (!more)
				return -ENOMEM;
			*names = more;
		}
		(*names)[*n] = strdup(e->d_name);
		if (!(*names)[*n])
			return -ENOMEM;
		(*n)++;
	}
	return -errno;
}

int dir_list(struct host *h, const char *path, void (*fn)(void *ctx, const char *name), void *ctx,
	     struct err *err)
{
	(void)h;
	char **names = NULL;
	size_t n = 0;
	DIR *d = opendir(path);
	if (!d && errno == ENOENT)
		return 0;
	int r = d ? read_names(d, &names, &n) : -errno;
	if (d)
		closedir(d);
	if (r == 0 && n > 0) {
		qsort(names, n, sizeof(*names), compare_names);
		for (size_t i = 0; i < n; i++)
			fn(ctx, names[i]);
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	if (r < 0)
		return err_set(err, r, "cannot list %s: %s", path, strerror(-r));
	return 0;
}
