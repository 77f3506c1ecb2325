/* SPDX-License-Identifier: MIT */
/* A listener that echoes, and sides that note events. */
#include "local_kit.h"

struct host *localkit_host;
char localkit_dir[32] = "/tmp/mlsh-test-local-XXXXXX";
char localkit_path[64];

struct server localkit_server;
static size_t awaited; /* messages and ends until the loop stops */

static void event_seen(void)
{
	if (awaited && --awaited == 0)
		loop_stop(localkit_host);
}

void localkit_wait_events(size_t n, const char *what)
{
	awaited = n;
	os_unit_run(localkit_host, what);
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

const struct local_ops localkit_ops = { .message = on_message, .closed = on_closed };

void *localkit_on_accepted(void *ctx, struct local_conn *c)
{
	ck_assert_ptr_eq(ctx, &localkit_server);
	if (localkit_server.refuse) {
		localkit_server.refuse--;
		return NULL;
	}
	/* Places of connections that ended are taken again. */
	size_t at = 0;
	while (at < localkit_server.n && !localkit_server.sides[at].closed)
		at++;
	ck_assert_uint_lt(at, CONNS);
	if (at == localkit_server.n)
		localkit_server.n++;
	struct side *s = &localkit_server.sides[at];
	*s = (struct side){ 0 };
	s->conn = c;
	s->echo = true;
	return s;
}

void localkit_setup(void)
{
	localkit_host = os_unit_host();
	ck_assert_ptr_nonnull(mkdtemp(localkit_dir));
	snprintf(localkit_path, sizeof(localkit_path), "%s/socket", localkit_dir);
}

void localkit_listen_here(void)
{
	struct err err = { 0 };
	struct local_limits limits = { .conns = localkit_server.max ? localkit_server.max : CONNS,
				       .of_user = localkit_server.of_user ? localkit_server.of_user
									  : CONNS };
	int r = local_listen(localkit_host, localkit_path, limits, &localkit_ops,
			     localkit_on_accepted, &localkit_server, &err,
			     &localkit_server.listener);
	ck_assert_msg(r == 0, "%s", err.text);
}

void localkit_teardown(void)
{
	local_listener_close(localkit_server.listener);
	ck_assert_int_eq(access(localkit_path, F_OK), -1);
	ck_assert_int_eq(rmdir(localkit_dir), 0);
	host_free(localkit_host);
}

void localkit_connect_here(struct side *s)
{
	struct err err = { 0 };
	*s = (struct side){ 0 };
	int r = local_connect(localkit_host, localkit_path, &localkit_ops, s, &err, &s->conn);
	ck_assert_msg(r == 0, "%s", err.text);
}
