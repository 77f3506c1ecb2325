/* SPDX-License-Identifier: MIT */
/* One process made into two: what the worker asks is answered, and they end together. */
#include "os/split.h"

#include <signal.h>
#include <sys/wait.h>

#include "os_unit.h"

#define REQUEST_MAX 100000

static struct host *host;
static size_t asked; /* bytes, by the keeper's count */

/* Refuses what begins with 'n'. */
static int answer(void *ctx, struct span request, struct err *err)
{
	ck_assert_ptr_eq(ctx, &asked);
	asked += request.len;
	if (request.len > 0 && request.data[0] == 'n')
		return err_set(err, -EPERM, "not %.*s", (int)request.len, request.data);
	return 0;
}

/* Runs `work` in a worker; what the keeper returns. */
static int split(int (*work)(struct split *s))
{
	struct split *s = NULL;
	struct err err = { 0 };
	int r = split_fork(host, &err, &s);

	ck_assert_int_ge(r, 0);
	if (r == 1)
		_exit(work(s));
	asked = 0;
	r = split_keep(s, REQUEST_MAX, answer, &asked);
	split_free(s);
	return r;
}

static int ask_some(struct split *s)
{
	static uint8_t large[REQUEST_MAX];
	struct err err = { 0 };

	if (split_end_together(s) != 0 || split_ask(s, span_str("yes"), &err) != 0 ||
	    split_ask(s, span_of(NULL, 0), &err) != 0 ||
	    split_ask(s, span_of(large, sizeof(large)), &err) != 0)
		return 1;
	if (split_ask(s, span_str("no"), &err) != -EPERM || strcmp(err.text, "not no") != 0)
		return 2;
	return 42;
}

static int ask_too_much(struct split *s)
{
	static uint8_t larger[REQUEST_MAX + 1];
	struct err err = { 0 };

	if (split_ask(s, span_of(larger, sizeof(larger)), &err) != -EPIPE)
		return 1;
	return split_ask(s, span_str("yes"), &err) == -EPIPE && err.text[0] ? 0 : 2;
}

static int end_by_signal(struct split *s)
{
	(void)s;
	raise(SIGKILL);
	return 0;
}

START_TEST(the_worker_is_answered)
{
	host = os_unit_host();
	ck_assert_int_eq(split(ask_some), 42);
	ck_assert_uint_eq(asked, 3 + REQUEST_MAX + 2);
	ck_assert_int_eq(split(ask_too_much), 0);
	ck_assert_uint_eq(asked, 0);
	ck_assert_int_eq(split(end_by_signal), 128 + SIGKILL);
	host_free(host);
}
END_TEST

static volatile sig_atomic_t got;

static void on_signal(int number)
{
	got = number;
}

/* Waits for SIGTERM, and asks once it is ready. */
static int wait_for_signal(struct split *s)
{
	sigset_t all, none;

	sigemptyset(&none);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGTERM, on_signal);
	if (split_ask(s, span_str("yes"), NULL) != 0)
		return 1;
	while (!got)
		sigsuspend(&none);
	return got == SIGTERM ? 7 : 2;
}

static int kill_keeper(void *ctx, struct span request, struct err *err)
{
	(void)ctx, (void)request, (void)err;
	raise(SIGTERM); /* which the keeper hands on */
	return 0;
}

START_TEST(signals_are_handed_on)
{
	struct split *s = NULL;

	host = os_unit_host();
	if (split_fork(host, NULL, &s) == 1)
		_exit(wait_for_signal(s));
	ck_assert_int_eq(split_keep(s, REQUEST_MAX, kill_keeper, NULL), 7);
	split_free(s);
	host_free(host);
}
END_TEST

static int end_keeper(void *ctx, struct span request, struct err *err)
{
	(void)ctx, (void)request, (void)err;
	raise(SIGKILL);
	return 0;
}

/* The worker holds the other end of a pipe, which reads its end when the worker is gone. */
START_TEST(the_worker_ends_with_the_keeper)
{
	int pipe_fds[2];
	char c;

	host = os_unit_host();
	ck_assert_int_eq(pipe(pipe_fds), 0);
	pid_t keeper = fork();
	ck_assert_int_ge(keeper, 0);
	if (keeper == 0) {
		struct split *s = NULL;

		close(pipe_fds[0]);
		if (split_fork(host, NULL, &s) == 0) {
			close(pipe_fds[1]);
			split_keep(s, REQUEST_MAX, end_keeper, NULL);
		} else if (split_end_together(s) == 0) {
			(void)!split_ask(s, span_str("end"), NULL);
			for (;;)
				pause();
		}
		_exit(1);
	}
	close(pipe_fds[1]);
	ck_assert_int_eq(read(pipe_fds[0], &c, 1), 0);
	close(pipe_fds[0]);
	ck_assert_int_eq(waitpid(keeper, NULL, 0), keeper);
	host_free(host);
}
END_TEST

UNIT_MAIN("os/split", the_worker_is_answered, signals_are_handed_on,
	  the_worker_ends_with_the_keeper)
