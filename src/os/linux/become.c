/* SPDX-License-Identifier: MIT */
/* fork, and exec in the parent: process 1 of a container stays process 1. */
#include "os/become.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* "<folder of this program>/<name>" */
static int beside(const char *name, char out[PATH_MAX], struct err *err)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return err_set(err, -errno, "cannot tell where this program lies (/proc): %s",
			       strerror(errno));
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	if (snprintf(out, PATH_MAX, "%s/%s", self, name) >= PATH_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of %s is too long", name);
	return access(out, X_OK) == 0
		       ? 0
		       : err_set(err, -errno, "cannot start %s: %s", out, strerror(errno));
}

/* What the child does not wait for leaves no zombie, since the program ignores SIGCHLD, too. */
static int exec_beside_child(const char *path, const char *name, pid_t child, struct err *err)
{
	char argv0[NAME_MAX + 1];
	char *argv[] = { argv0, NULL };
	int code;

	snprintf(argv0, sizeof(argv0), "%s", name);
	signal(SIGCHLD, SIG_IGN);
	execv(path, argv);
	code = -errno;
	signal(SIGCHLD, SIG_DFL);
	kill(child, SIGKILL);
	(void)!waitpid(child, NULL, 0);
	return err_set(err, code, "cannot start %s: %s", path, strerror(-code));
}

int become_program(struct host *h, const char *name, struct err *err)
{
	char path[PATH_MAX];
	pid_t self = getpid(), child;
	int rc = beside(name, path, err);

	(void)h;
	if (rc < 0)
		return rc;
	fflush(NULL); /* or both would write it */
	child = fork();
	if (child < 0)
		return err_set(err, -errno, "cannot make a second process: %s", strerror(errno));
	if (child > 0)
		return exec_beside_child(path, name, child, err);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != self)
		_exit(1); /* the program has ended already */
	return 0;
}
