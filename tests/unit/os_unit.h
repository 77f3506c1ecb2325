/* SPDX-License-Identifier: MIT */
/*
 * What the tests of os/linux share: a loop that fails instead of hanging, and a network namespace
 * of their own (each test is its own process) where root can have one.
 */
#ifndef MLSH_TESTS_OS_UNIT_H
#define MLSH_TESTS_OS_UNIT_H

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "os/loop.h"
#include "unit.h"

static inline struct host *os_unit_host(void)
{
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}

static inline void os_unit_too_late(void *ctx)
{
	ck_abort_msg("waited too long for %s", (const char *)ctx);
}

/* Runs the loop until a callback stops it; fails after minutes: a hang, not a loaded machine. */
static inline void os_unit_run(struct host *h, const char *waiting_for)
{
	struct timer *t = timer_new(h, os_unit_too_late, (void *)(uintptr_t)waiting_for);

	clock_refresh(h);
	timer_set_in(t, 300 * NS_PER_S);
	ck_assert_int_eq(loop_run(h), 0);
	timer_free(t);
}

static inline void os_unit_stop(void *ctx)
{
	loop_stop(ctx);
}

/* Runs the loop for some time. */
static inline void os_unit_run_for(struct host *h, uint64_t ns)
{
	struct timer *t = timer_new(h, os_unit_stop, h);

	clock_refresh(h);
	timer_set_in(t, ns);
	ck_assert_int_eq(loop_run(h), 0);
	timer_free(t);
}

static inline void os_unit_skip(const char *why)
{
	printf("skipped: %s\n", why);
	fflush(stdout);
}

/*
 * A fresh, empty network and private mounts for this process. False, and a word about it, when not
 * root.
 */
static inline bool os_unit_namespace(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
		return true;
	os_unit_skip("needs root for a network namespace");
	return false;
}

/* A command of iproute2 or the like; false when it fails or is not there. */
static inline bool os_unit_command(const char *command)
{
	return system(command) == 0;
}

#endif
