/* SPDX-License-Identifier: MIT */
/*
 * The datagram socket of systemd that $NOTIFY_SOCKET names. Not sd_notify of libsystemd: it opens a
 * socket for each message, which a process that has given up its rights cannot. One that is
 * connected already passes seccomp and Landlock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "os/manager_link.h"

struct manager_link {
	int fd;
	struct sockaddr_un to;
	socklen_t len;
};

/* A name that begins with @ is one of the kernel's own table: its first byte is zero. */
static int address_of(const char *name, struct manager_link *l, struct err *err)
{
	size_t len = strlen(name);

	l->to.sun_family = AF_UNIX;
	if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(l->to.sun_path))
		return err_set(err, -EAFNOSUPPORT,
			       "NOTIFY_SOCKET=%.100s is neither a path nor a name with @ in front",
			       name);
	memcpy(l->to.sun_path, name, len);
	if (name[0] == '@')
		l->to.sun_path[0] = '\0';
	l->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
	return 0;
}

static int connect_to(struct manager_link *l)
{
	return connect(l->fd, (const struct sockaddr *)&l->to, l->len) < 0 ? -errno : 0;
}

/* Returns a number of the environment, or 0 if it is missing, invalid or too large. */
static uint64_t number_in(const char *name, uint64_t max)
{
	const char *text = getenv(name);
	unsigned long long value;
	char end;

	if (!text || text[0] < '0' || text[0] > '9' || sscanf(text, "%llu%c", &value, &end) != 1)
		return 0;
	return value <= max ? value : 0;
}

/* sd_watchdog_enabled(3): meant for the process that WATCHDOG_PID names, if it is set. */
static uint64_t watchdog_ns(void)
{
	if (getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID", INT32_MAX) != (uint64_t)getpid())
		return 0;
	return number_in("WATCHDOG_USEC", UINT64_MAX / NS_PER_S) * NS_PER_US;
}

int manager_link_open(struct host *h, struct err *err, struct manager_link **ret,
		      uint64_t *ret_watchdog_ns)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct manager_link *l;
	int r;

	(void)h;
	*ret = NULL;
	if (!name || !*name)
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->fd = -1;
	r = address_of(name, l, err);
	if (r == 0) {
		l->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		r = l->fd < 0 ? -errno : connect_to(l);
		if (r < 0)
			(void)err_set(err, r, "%.100s: %s", name, strerror(-r));
	}
	if (r < 0) {
		manager_link_close(l);
		return r;
	}
	*ret_watchdog_ns = watchdog_ns();
	*ret = l;
	return 0;
}

int manager_link_send(struct manager_link *l, const char *lines)
{
	size_t len = strlen(lines);

	if (send(l->fd, lines, len, MSG_NOSIGNAL) >= 0)
		return 0;
	if (errno != ECONNREFUSED && errno != ENOTCONN)
		return -errno;
	/* The manager has made its socket again. */
	if (connect_to(l) == 0 && send(l->fd, lines, len, MSG_NOSIGNAL) >= 0)
		return 0;
	return -errno;
}

void manager_link_close(struct manager_link *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

uint64_t manager_link_clock_us(const struct manager_link *l)
{
	struct timespec ts;

	(void)l;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}
