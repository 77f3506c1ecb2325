/* SPDX-License-Identifier: MIT */
/* Starts and stops a D-Bus daemon. */
#include "os_bus.h"

bool os_bus_start(struct os_bus *b, const char *path)
{
	char address[128], listen[160], line[256];
	int out[2];

	snprintf(b->path, sizeof(b->path), "%s", path);
	snprintf(address, sizeof(address), "unix:path=%s", path);
	snprintf(listen, sizeof(listen), "--address=%s", address);
	ck_assert_int_eq(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
	ck_assert_int_eq(pipe(out), 0);
	b->pid = fork();
	ck_assert_int_ge(b->pid, 0);
	if (b->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO); /* it complains of its limits */
		execlp("dbus-daemon", "dbus-daemon", "--session", "--nofork", "--nopidfile", listen,
		       "--print-address=1", (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	ssize_t n = read(out[0], line, sizeof(line)); /* its address: it listens */
	close(out[0]);
	if (n > 0)
		return true;
	waitpid(b->pid, NULL, 0);
	b->pid = 0;
	os_unit_skip("needs dbus-daemon");
	return false;
}

void os_bus_stop(struct os_bus *b)
{
	if (!b->pid)
		return;
	ck_assert_int_eq(kill(b->pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(b->pid, NULL, 0), b->pid);
	ck_assert_int_eq(unlink(b->path), 0);
	b->pid = 0;
}
