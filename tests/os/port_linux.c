/* SPDX-License-Identifier: MIT */
/* The machine that runs the tests. */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/loop.h"
#include "port_kit.h"

#define SLICE (20 * NS_PER_MS) /* between two looks whether it is done */

static struct host *host;
static char folder[64];

struct host *port_begin(void)
{
	const char *base = getenv("TMPDIR");

	umask(0077); /* modes do not depend on it */
	snprintf(folder, sizeof(folder), "%s/mlsh-port-XXXXXX",
		 base && strlen(base) < 32 ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	PORT_OK(host_new(NULL, &host));
	return host;
}

static void folder_remove(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	char inner[512];

	while (d && (e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, e->d_name);
		if (unlink(inner) < 0)
			folder_remove(inner);
	}
	if (d)
		closedir(d);
	ck_assert_int_eq(rmdir(path), 0);
}

void port_end(void)
{
	host_free(host);
	folder_remove(folder);
}

struct host *port_second(void)
{
	return host;
}

struct addr port_address(uint16_t port)
{
	return addr_v4(0x7f000001, port);
}

struct addr port_other_address(uint16_t port)
{
	return addr_v4(0x7f000002, port);
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

void port_pass(uint64_t ns)
{
	struct timer *t = timer_new(host, stop, host);

	clock_refresh(host);
	timer_set_in(t, ns);
	PORT_OK(loop_run(host));
	timer_free(t);
}

void port_wait(bool (*done)(void *ctx), void *ctx, const char *what)
{
	uint64_t until = clock_refresh(host) + 110 * NS_PER_S;
	uint64_t slice = NS_PER_MS / 4;

	while (!done(ctx)) {
		if (clock_refresh(host) > until)
			ck_abort_msg("waited too long for %s", what);
		port_pass(slice);
		slice = MIN(2 * slice, SLICE);
	}
}

const char *port_path(const char *name)
{
	static char paths[8][256];
	static size_t turn;
	char *out = paths[turn++ % 8];

	snprintf(out, sizeof(paths[0]), "%s/%s", folder, name);
	return out;
}

int port_mode(const char *path)
{
	struct stat st;

	return lstat(path, &st) < 0 ? -errno : (int)(st.st_mode & 07777);
}

void port_signal(struct host *h, int signum)
{
	(void)h;
	ck_assert_int_eq(raise(signum), 0);
}

bool port_is_root(void)
{
	return geteuid() == 0;
}

static bool run(const char *command)
{
	return system(command) == 0;
}

bool port_network(void)
{
	const char *why = NULL;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		why = "needs root for a network of its own";
	else if (!run("ip link set lo up && mount --make-rprivate /"))
		why = "needs iproute2";
	else if (access("/dev/net/tun", R_OK | W_OK) < 0)
		why = "needs /dev/net/tun";
	if (why)
		printf("skipped: %s\n", why);
	fflush(stdout);
	return !why;
}

void port_flush_routes(struct host *h)
{
	(void)h;
	ck_assert(run("ip route flush table main"));
}
