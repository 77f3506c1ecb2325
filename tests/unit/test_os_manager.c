/* SPDX-License-Identifier: MIT */
/* What reaches the socket that $NOTIFY_SOCKET names, also from a process without rights. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "os/manager.h"
#include "os/posix/watch.h"
#include "os/privs.h"
#include "os_unit.h"

struct receiver {
	struct host *host;
	int fd;
	char folder[64], path[96];
	struct fd_watch *watch;
	char words[1024];
	unsigned alive, wanted; /* signs of life; the loop stops at so many */
};

static void on_message(void *ctx)
{
	struct receiver *r = ctx;
	char text[256];
	ssize_t n = recv(r->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0)
		return;
	text[n] = '\0';
	if (strcmp(text, "WATCHDOG=1") == 0) {
		if (++r->alive >= r->wanted)
			loop_stop(r->host);
		return;
	}
	ck_assert(strlen(r->words) + strlen(text) + 2 <= sizeof(r->words));
	strcat(strcat(r->words, text), "\n");
}

/* A name with @ in front is an abstract one. */
static void receive_at(struct receiver *r, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(a.sun_path, name, strlen(name));
	if (name[0] == '@')
		a.sun_path[0] = '\0';
	r->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(r->fd, 0);
	ck_assert_int_eq(bind(r->fd, (struct sockaddr *)&a, len), 0);
	r->watch = fd_watch_new(r->host, r->fd, true, false, on_message, r);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void receiver_init(struct receiver *r)
{
	*r = (struct receiver){ .host = os_unit_host(), .folder = "/tmp/mlsh-manager.XXXXXX" };
	ck_assert_ptr_nonnull(mkdtemp(r->folder));
	snprintf(r->path, sizeof(r->path), "%s/notify", r->folder);
	unsetenv("WATCHDOG_PID");
	ck_assert_int_eq(setenv("WATCHDOG_USEC", "20000", 1), 0);
}

static void receiver_close(struct receiver *r)
{
	fd_watch_free(r->watch);
	close(r->fd);
	(void)unlink(r->path);
}

static void receiver_end(struct receiver *r)
{
	receiver_close(r);
	(void)rmdir(r->folder);
	host_free(r->host);
}

/* Runs until so many signs of life have come. */
static void hear(struct receiver *r, unsigned alive)
{
	r->alive = 0;
	r->wanted = alive;
	os_unit_run(r->host, "signs of life");
}

static void line(void *ctx, char out[MANAGER_STATUS_MAX])
{
	snprintf(out, MANAGER_STATUS_MAX, "%s", *(const char **)ctx);
}

START_TEST(a_path_and_an_abstract_name)
{
	char abstract[64];
	const char *text = "2 clusters";

	for (int i = 0; i < 2; i++) {
		struct receiver r;
		struct manager *m;

		receiver_init(&r);
		snprintf(abstract, sizeof(abstract), "@mlsh-test-%d", (int)getpid());
		receive_at(&r, i == 0 ? r.path : abstract);
		m = manager_new(r.host, line, &text);
		ck_assert_ptr_nonnull(m);
		manager_ready(m);
		hear(&r, 3);
		ck_assert_str_eq(r.words, "READY=1\nSTATUS=2 clusters\n");
		manager_stopping(m);
		hear(&r, 1);
		ck_assert_ptr_nonnull(strstr(r.words, "\nSTOPPING=1\n"));
		manager_free(m);
		receiver_end(&r);
	}
}
END_TEST

/* After privs_drop no such socket can be made, and the manager comes back with a new one. */
static void tell_without_rights(struct receiver *r, enum privs_role role)
{
	const struct privs_paths paths = { 0 };
	const char *text = "ready";
	struct manager *m;
	struct err err = { 0 };

	r->host = os_unit_host(); /* a loop of its own */
	receive_at(r, r->path);
	m = manager_new(r->host, line, &text);
	ck_assert_ptr_nonnull(m);
	receiver_close(r); /* the manager makes its socket again */
	receive_at(r, r->path);
	if (privs_drop(r->host, role, &paths, &err) < 0)
		ck_abort_msg("%s", err.text);
	manager_ready(m);
	hear(r, 3);
	ck_assert_str_eq(r->words, "READY=1\nSTATUS=ready\n");
	manager_reloading(m);
	hear(r, 1);
	ck_assert_ptr_nonnull(strstr(r->words, "\nRELOADING=1\nMONOTONIC_USEC="));
	manager_free(m);
}

/* In a process of its own, as what else runs in this one needs its rights. */
static void without_rights(enum privs_role role)
{
	struct receiver r;
	int status;
	pid_t pid;

	receiver_init(&r);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		tell_without_rights(&r, role);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	(void)unlink(r.path);
	(void)rmdir(r.folder);
	host_free(r.host);
	ck_assert_int_eq(status, 0);
}

START_TEST(of_the_server_without_rights)
{
	without_rights(PRIVS_SIGNAL);
}
END_TEST

START_TEST(of_the_daemon_without_rights)
{
	without_rights(PRIVS_DAEMON);
}
END_TEST

/* The environment of a process that is not meant, or that nobody manages. */
START_TEST(nobody_waits)
{
	const char *text = "alive";
	char other[16];
	struct receiver r;
	struct manager *m;

	receiver_init(&r);
	unsetenv("NOTIFY_SOCKET");
	ck_assert_ptr_null(manager_new(r.host, line, &text));
	manager_ready(NULL);
	manager_touch(NULL);
	manager_reloading(NULL);
	manager_stopping(NULL);
	manager_free(NULL);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	ck_assert_ptr_null(manager_new(r.host, line, &text));
	setenv("NOTIFY_SOCKET", r.path, 1); /* nobody listens there */
	ck_assert_ptr_null(manager_new(r.host, line, &text));
	receive_at(&r, r.path);
	snprintf(other, sizeof(other), "%d", (int)getppid());
	setenv("WATCHDOG_PID", other, 1);
	m = manager_new(r.host, line, &text);
	manager_ready(m);
	os_unit_run_for(r.host, 100 * NS_PER_MS); /* ten signs of life, if they were wanted */
	ck_assert_uint_eq(r.alive, 0);
	ck_assert_str_eq(r.words, "READY=1\nSTATUS=alive\n");
	manager_free(m);
	receiver_end(&r);
}
END_TEST

UNIT_MAIN("os/manager", a_path_and_an_abstract_name, of_the_server_without_rights,
	  of_the_daemon_without_rights, nobody_waits)
