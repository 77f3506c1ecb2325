/* SPDX-License-Identifier: MIT */
/* What the tests of the local socket share: a listener that echoes, and sides that note events. */
#ifndef MLSH_TESTS_LOCAL_KIT_H
#define MLSH_TESTS_LOCAL_KIT_H

#include <sys/stat.h>

#include "os/local.h"
#include "os_unit.h"

#define CONNS 8

static struct host *host;
static char dir[] = "/tmp/mlsh-test-local-XXXXXX";
static char path[64];

struct side {
	struct local_conn *conn;
	uint8_t last[LOCAL_MESSAGE_MAX];
	size_t last_len, n_messages;
	bool closed, echo, close_on_message;
};

struct server {
	struct local_listener *listener;
	struct side sides[CONNS];
	size_t n, max, of_user, refuse; /* refuse: accept so many more with NULL */
};

static struct server server;
static size_t awaited; /* messages and ends until the loop stops */

static void event_seen(void)
{
	if (awaited && --awaited == 0)
		loop_stop(host);
}

static void wait_events(size_t n, const char *what)
{
	awaited = n;
	os_unit_run(host, what);
}

static void on_message(void *ctx, struct local_conn *c, struct span m)
{
	struct side *s = ctx;
	ck_assert_ptr_eq(c, s->conn);
	ck_assert_uint_gt(m.len, 0);
	memcpy(s->last, m.data, m.len);
	s->last_len = m.len;
	s->n_messages++;
	if (s->echo)
		ck_assert_int_eq(local_send(c, m.data, m.len), 0);
	if (s->close_on_message) {
		local_conn_close(c);
		s->conn = NULL;
	}
	event_seen();
}

static void on_closed(void *ctx, struct local_conn *c)
{
	struct side *s = ctx;
	ck_assert_ptr_eq(c, s->conn);
	ck_assert(!s->closed);
	s->closed = true;
	local_conn_close(c);
	s->conn = NULL;
	event_seen();
}

static const struct local_ops ops = { .message = on_message, .closed = on_closed };

static void *on_accepted(void *ctx, struct local_conn *c)
{
	ck_assert_ptr_eq(ctx, &server);
	if (server.refuse) {
		server.refuse--;
		return NULL;
	}
	/* Places of connections that ended are taken again. */
	size_t at = 0;
	while (at < server.n && !server.sides[at].closed)
		at++;
	ck_assert_uint_lt(at, CONNS);
	if (at == server.n)
		server.n++;
	struct side *s = &server.sides[at];
	*s = (struct side){ 0 };
	s->conn = c;
	s->echo = true;
	return s;
}

static void setup(void)
{
	host = os_unit_host();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
}

static void listen_here(void)
{
	struct err err = { 0 };
	struct local_limits limits = { .conns = server.max ? server.max : CONNS,
				       .of_user = server.of_user ? server.of_user : CONNS };
	int r = local_listen(host, path, limits, &ops, on_accepted, &server, &err,
			     &server.listener);
	ck_assert_msg(r == 0, "%s", err.text);
}

static void teardown(void)
{
	local_listener_close(server.listener);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(rmdir(dir), 0);
	host_free(host);
}

static void connect_here(struct side *s)
{
	struct err err = { 0 };
	*s = (struct side){ 0 };
	int r = local_connect(host, path, &ops, s, &err, &s->conn);
	ck_assert_msg(r == 0, "%s", err.text);
}

#endif
