/* SPDX-License-Identifier: MIT */
/* A loop that ends, a network of the test's own, commands. */
#include "os_unit.h"

struct host *os_unit_host(void)
{
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}

static void os_unit_too_late(void *ctx)
{
	ck_abort_msg("waited too long for %s", (const char *)ctx);
}

void os_unit_run(struct host *h, const char *waiting_for)
{
	struct timer *t = timer_new(h, os_unit_too_late, (void *)(uintptr_t)waiting_for);

	clock_refresh(h);
	timer_set_in(t, 300 * NS_PER_S);
	ck_assert_int_eq(loop_run(h), 0);
	timer_free(t);
}

void os_unit_stop(void *ctx)
{
	loop_stop(ctx);
}

void os_unit_run_for(struct host *h, uint64_t ns)
{
	struct timer *t = timer_new(h, os_unit_stop, h);

	clock_refresh(h);
	timer_set_in(t, ns);
	ck_assert_int_eq(loop_run(h), 0);
	timer_free(t);
}

void os_unit_skip(const char *why)
{
	printf("skipped: %s\n", why);
	fflush(stdout);
}

bool os_unit_namespace(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
		return true;
	os_unit_skip("needs root for a network namespace");
	return false;
}

bool os_unit_command(const char *command)
{
	return system(command) == 0;
}
