/* SPDX-License-Identifier: AGPL-3.0-only */
/* The database as a file. */
#include "signal/db_file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
/* A byte far behind those that SQLite locks (from 1 GiB on) and behind every real database. */
#define SERVE_BYTE ((off_t)1 << 62)

static int folder_of(const char *path, char out[DB_PATH_TEXT_MAX], struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (len >= DB_PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "the path is too long.");
	if (len == 0)
		strcpy(out, slash ? "/" : ".");
	else
		snprintf(out, DB_PATH_TEXT_MAX, "%.*s", (int)len, path);
	return 0;
}

int db_folder_make(const char *path, struct err *err)
{
	char folder[DB_PATH_TEXT_MAX];
	int r = folder_of(path, folder, err);

	if (r == 0 && mkdir(folder, 0700) < 0 && errno != EEXIST)
		r = err_set(err, -errno, "the folder %s cannot be made: %s.", folder,
			    strerror(errno));
	return r;
}

/* --- what lies there -------------------------------------------------------------------------- */

/*
 * Returns true if the files are there that SQLite keeps beside a database while it is open, or
 * after a crash.
 */
static const char *rest_of(const char *path)
{
	static const char *const suffix[] = { "-wal", "-journal", "-shm" };
	char file[DB_PATH_TEXT_MAX + 16];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(file, sizeof(file), "%s%s", path, suffix[i]);
		if (lstat(file, &st) == 0)
			return suffix[i];
	}
	return NULL;
}

static int check_missing(const char *path, struct err *err)
{
	const char *rest = rest_of(path);
	const char *slash = strrchr(path, '/');

	if (!rest)
		return -ENOENT;
	return err_set(err, -EINVAL,
		       "the file is missing, but its companion %s%s is there. Put the database "
		       "back, from a backup if need be, together with its companions if you have "
		       "them. To begin as a new server, which no existing node accepts, remove "
		       "%s%s first.",
		       slash ? slash + 1 : path, rest, path, rest);
}

int db_file_empty(const char *path, struct err *err)
{
	const char *rest = rest_of(path);

	return err_set(err, -EINVAL,
		       "the file is empty%s%s: an incomplete copy? Put a whole copy in its "
		       "place%s. To begin as a new server, which no existing node accepts, "
		       "remove it%s.",
		       rest ? ", but has a companion " : "", rest ? rest : "",
		       rest ? ", with that copy's companions" : "",
		       rest ? " and its companions" : "");
}

/* The most frequent cause: somebody has typed the program's name where systemd runs the server. */
static const char not_mine[] =
	": the file must belong to the user that mlsh-signal runs as. If systemd runs the server "
	"(`systemctl status mlsh-signal`), leave it to that; for a server of your own name another "
	"file (MLSH_SIGNAL_DB)";

int db_file_check(const char *path, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), r = 0;

	if (fd < 0 && errno == ENOENT)
		return check_missing(path, err);
	if (fd < 0)
		return err_set(err, -errno, "%s%s.", strerror(errno),
			       errno == EACCES || errno == EPERM ? not_mine : "");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		r = err_set(err, -EINVAL, "it is not a file.");
	else if (st.st_size == 0)
		r = db_file_empty(path, err);
	else if ((st.st_mode & 077) != 0 && fchmod(fd, 0600) < 0)
		r = err_set(err, -errno, "others can read it, and its mode cannot be changed: %s.",
			    strerror(errno));
	close(fd);
	return r;
}

/* --- a new one -------------------------------------------------------------------------------- */

void db_file_discard(const char *path)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char file[DB_PATH_TEXT_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(file, sizeof(file), "%s%s", path, suffix[i]);
		(void)unlink(file);
	}
}

/* Names the owner that the file needs: in a container the user is a number that nobody chose. */
static int not_our_folder(const char *path, struct err *err)
{
	char folder[DB_PATH_TEXT_MAX];
	unsigned uid = (unsigned)geteuid();
	int r = folder_of(path, folder, err);

	return r < 0 ? r
		     : err_set(err, -EACCES,
			       "user id %u, which mlsh-signal runs as, may not make files in its "
			       "folder. Give that to it: chown %u:%u %.300s; or start mlsh-signal "
			       "as root, and it does so by itself.",
			       uid, uid, (unsigned)getegid(), folder);
}

int db_file_new(const char *path, struct err *err)
{
	int fd;

	db_file_discard(path); /* a file that stays fails the calls below, or SQLite */
	fd = open(path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0 && errno == EACCES)
		return not_our_folder(path, err);
	if (fd < 0)
		return err_set(err, -errno, "the new file %s cannot be made: %s.", path,
			       strerror(errno));
	close(fd);
	return 0;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

int db_file_publish(const char *from, const char *path, struct err *err)
{
	char folder[DB_PATH_TEXT_MAX];
	int r = folder_of(path, folder, err);

	if (r < 0)
		return r;
	r = sync_path(from, O_RDWR);
	/* not rename(): a database that was made meanwhile stays */
	if (r == 0 && link(from, path) < 0)
		r = -errno;
	if (r == -EPERM || r == -EOPNOTSUPP || r == -ENOSYS) /* the file system has no links */
		r = rename(from, path) < 0 ? -errno : 0;
	else
		(void)unlink(from);
	if (r == 0)
		r = sync_path(folder, O_RDONLY | O_DIRECTORY);
	return r < 0 ? err_set(err, r, "a new database cannot be put in place: %s.", strerror(-r))
		     : 0;
}

int db_file_replace(const char *from, const char *path, struct err *err)
{
	char folder[DB_PATH_TEXT_MAX];
	int r = folder_of(path, folder, err);

	if (r < 0)
		return r;
	r = sync_path(from, O_RDWR);
	if (r == 0)
		r = rename(from, path) < 0 ? -errno : sync_path(folder, O_RDONLY | O_DIRECTORY);
	return r < 0 ? err_set(err, r, "a database cannot be put in place: %s.", strerror(-r)) : 0;
}

/* --- locks ------------------------------------------------------------------------------------ */

int db_file_descriptor(const char *path)
{
	struct stat want, st;

	if (stat(path, &want) < 0)
		return -1;
	for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
		if (fstat(fd, &st) == 0 && st.st_dev == want.st_dev && st.st_ino == want.st_ino)
			return fd;
	return -1;
}

int db_file_serve(int fd, struct err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SERVE_BYTE, .l_len = 1
	};

	if (fcntl(fd, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
		return 0; /* a file system without locks: SQLite would have refused it */
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0)
		return err_set(err, -EBUSY,
			       "another mlsh-signal serves it already, process %ld. "
			       "Stop that one first, or give this one a database of "
			       "its own (MLSH_SIGNAL_DB).",
			       (long)lock.l_pid);
	return err_set(err, -EBUSY,
		       "another mlsh-signal serves it already, in another container "
		       "or on another machine, or restores it. Stop that one first.");
}

/* A lock of the open file and not of the process (fcntl(2), "Open file description locks"). */
int db_file_hold(int fd, struct err *err)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SERVE_BYTE, .l_len = 1
	};
	long pid;

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES))
		return 0; /* as above */
	pid = db_file_server(fd);
	if (pid > 0)
		return err_set(err, -EBUSY,
			       "mlsh-signal runs on it, process %ld. Stop it first "
			       "(systemctl stop mlsh-signal).",
			       pid);
	return err_set(err, -EBUSY,
		       "mlsh-signal runs on it, in another container or on another machine, or "
		       "restores it. Stop it first.");
}

long db_file_server(int fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SERVE_BYTE, .l_len = 1
	};

	if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid > 0 ? (long)lock.l_pid : -1;
}

/* Returns true if another process holds one of SQLite's locks: then it reads by SQLite's rules. */
static bool sqlite_elsewhere(int fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = SERVE_BYTE
	};

	return fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

/*
 * A write lease (fcntl(2), "Leases"): the kernel grants it while no other program has the file
 * open, and lets an open() of others wait until it is given back. The kernel announces such a wait
 * by a signal; this chooses one that does nothing.
 */
bool db_file_lock(int fd)
{
	if (fd < 0)
		return true;
	(void)fcntl(fd, F_SETSIG, SIGURG);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		return true;
	return errno != EAGAIN || sqlite_elsewhere(fd);
}

void db_file_unlock(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
}
