/* SPDX-License-Identifier: MIT */
/* A file that one process holds as its own. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/posix/system.h"

struct file_lock {
	int fd;
};

/* The holder's id, as it wrote it; 0 if it is not there, or no such process is seen from here. */
static int pid_read(int fd)
{
	char text[16] = "";
	long pid;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	pid = strtol(text, NULL, 10);
	if (pid <= 0 || pid > INT32_MAX)
		return 0;
	return process_is_seen((int)pid) ? (int)pid : 0;
}

static void pid_write(int fd)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* for people only: on a full disk the lock holds without it */
	if (ftruncate(fd, 0) == 0)
		(void)!pwrite(fd, text, (size_t)n, 0);
}

/* Writing to a file that has another name, which a user chose, could be a trap. */
static bool is_lone_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

int file_lock(struct host *h, const char *path, int *ret_pid, struct err *err,
	      struct file_lock **ret)
{
	struct file_lock *l = malloc(sizeof(*l));
	int r;

	(void)h;
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (l->fd < 0 && errno != EISDIR && errno != ELOOP) {
		r = err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	} else if (l->fd < 0 || !is_lone_file(l->fd)) {
		r = err_set(err, -EMLINK, "%s is not a file with one name: remove it", path);
	} else if (flock(l->fd, LOCK_EX | LOCK_NB) == 0) {
		pid_write(l->fd);
		*ret = l;
		return 0;
	} else if (errno == EWOULDBLOCK) {
		*ret_pid = pid_read(l->fd);
		r = err_set(err, -EBUSY, "%s is held by another process", path);
	} else {
		r = err_set(err, -errno, "cannot lock %s: %s", path, strerror(errno));
	}
	if (l->fd >= 0)
		close(l->fd);
	free(l);
	return r;
}

void file_unlock(struct file_lock *l)
{
	if (!l)
		return;
	close(l->fd);
	free(l);
}
