/* SPDX-License-Identifier: MIT */
/* A process that finds a fault of its own ends, and says where. */
#undef MLSH_ASSERT
#define MLSH_ASSERT
#include "base/assert.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static unsigned evaluated;

static void unreachable(void)
{
	UNREACHABLE();
}

static void die(void)
{
	DIE("no memory for it");
}

static void assert_wrong(void)
{
	ASSERT(evaluated == 7);
}

/* Runs `fn` in a process of its own, which must abort. What it printed is in `text`. */
static void must_die(void (*fn)(void), char text[256])
{
	int out[2], status;
	ssize_t len;
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(out[1]);
	len = read(out[0], text, 255);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	close(out[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

START_TEST(the_place_and_the_reason_are_printed)
{
	char text[256];

	must_die(die, text);
	ck_assert_str_eq(text, "tests/unit/test_base_assert.c:22: no memory for it\n");
	must_die(unreachable, text);
	ck_assert_str_eq(text, "tests/unit/test_base_assert.c:17: this line cannot be reached\n");
	must_die(assert_wrong, text);
	ck_assert_str_eq(text, "tests/unit/test_base_assert.c:27: ASSERT(evaluated == 7) does not "
			       "hold\n");
}
END_TEST

START_TEST(what_holds_is_evaluated_once)
{
	evaluated = 0;
	ASSERT(++evaluated == 1);
	ck_assert_uint_eq(evaluated, 1);
}
END_TEST

#undef MLSH_ASSERT
#undef ASSERT
#undef MLSH_BASE_ASSERT_H
#include "base/assert.h"

START_TEST(without_checks_nothing_is_evaluated)
{
	evaluated = 0;
	ASSERT(++evaluated == 7);
	ck_assert_uint_eq(evaluated, 0);
}
END_TEST

UNIT_MAIN("base/assert", the_place_and_the_reason_are_printed, what_holds_is_evaluated_once,
	  without_checks_nothing_is_evaluated)
