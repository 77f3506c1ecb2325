/* SPDX-License-Identifier: MIT */
/* Two processes and the stream socket between them: a length and a request, a code and a text. */
#include "os/split.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct split {
	int fd;
	pid_t other; /* the keeper's, or the worker's */
};

struct answer {
	int32_t code;
	char text[sizeof(((struct err *)0)->text)];
};

static volatile sig_atomic_t worker; /* for the signal handler; 0 if it has ended */

static bool write_all(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *data, size_t len)
{
	uint8_t *at = data;

	while (len > 0) {
		ssize_t n = recv(fd, at, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

int split_fork(struct host *h, struct err *err, struct split **ret)
{
	struct split *s = malloc(sizeof(*s));
	int pair[2];
	pid_t self = getpid(), pid;

	(void)h;
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(s);
		return err_set(err, s ? -errno : -ENOMEM, "cannot make a second process: %s",
			       strerror(s ? errno : ENOMEM));
	}
	fflush(NULL); /* or both would write it */
	pid = fork();
	if (pid < 0) {
		int code = -errno;
		close(pair[0]);
		close(pair[1]);
		free(s);
		return err_set(err, code, "cannot make a second process: %s", strerror(-code));
	}
	close(pair[pid == 0]);
	*s = (struct split){ .fd = pair[pid != 0], .other = pid == 0 ? self : pid };
	*ret = s;
	return pid == 0;
}

void split_free(struct split *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s);
}

int split_end_together(struct split *s)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return getppid() == s->other ? 0 : -ESRCH;
}

int split_ask(struct split *s, struct span request, struct err *err)
{
	uint64_t len = request.len;
	struct answer a;

	if (!write_all(s->fd, &len, sizeof(len)) || !write_all(s->fd, request.data, request.len) ||
	    !read_all(s->fd, &a, sizeof(a)))
		return err_set(err, -EPIPE, "the process that writes files is gone");
	a.text[sizeof(a.text) - 1] = '\0';
	return a.code < 0 ? err_set(err, a.code, "%s", a.text) : 0;
}

/* Returns false if there is no further request. */
static bool answer_one(struct split *s, size_t max,
		       int (*fn)(void *ctx, struct span request, struct err *), void *ctx)
{
	struct answer a = { .code = -ENOMEM };
	struct err err = { 0 };
	uint64_t len;
	uint8_t *data;
	bool whole;

	if (!read_all(s->fd, &len, sizeof(len)) || len > max)
		return false;
	data = malloc((size_t)len + 1);
	if (!data)
		return false;
	whole = read_all(s->fd, data, (size_t)len);
	if (whole) {
		a.code = fn(ctx, span_of(data, (size_t)len), &err);
		memcpy(a.text, err.text, sizeof(a.text));
	}
	free(data);
	return whole && write_all(s->fd, &a, sizeof(a));
}

static void on_signal(int number)
{
	if (worker > 0)
		kill((pid_t)worker, number);
}

static void forward(int number)
{
	struct sigaction old, new = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (number == SIGHUP && sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN)
		return;
	(void)!sigaction(number, &new, NULL);
}

int split_keep(struct split *s, size_t max, int (*fn)(void *ctx, struct span request, struct err *),
	       void *ctx)
{
	int status = 0;

	worker = (sig_atomic_t)s->other;
	forward(SIGINT);
	forward(SIGTERM);
	forward(SIGHUP);
	while (answer_one(s, max, fn, ctx))
		;
	/* The socket of a worker that goes on is still open: it has broken the rules. */
	shutdown(s->fd, SHUT_RDWR);
	while (waitpid(s->other, &status, 0) < 0 && errno == EINTR)
		;
	worker = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
