/* SPDX-License-Identifier: MIT */
/* What os/local.h promises: messages, ends, limits, who is there. */
#include "os/file.h"
#include "os/local.h"
#include "port_kit.h"

#define SIDES 8

struct side {
	struct local_conn *conn;
	size_t n_messages, bytes;
	uint8_t last[LOCAL_MESSAGE_MAX];
	size_t last_len;
	bool closed, echo, close_on_message;
};

static struct host *h;
static struct local_listener *listener;
static struct side client, clients[SIDES], served[SIDES];
static size_t n_served;
static bool refuse;

static void on_message(void *ctx, struct local_conn *c, struct span m)
{
	struct side *s = ctx;

	ck_assert_ptr_eq(s->conn, c);
	ck_assert(!s->closed);
	ck_assert_uint_gt(m.len, 0);
	memcpy(s->last, m.data, m.len);
	s->last_len = m.len;
	s->bytes += m.len;
	s->n_messages++;
	if (s->echo)
		PORT_OK(local_send(c, m.data, m.len));
	if (s->close_on_message) {
		local_conn_close(c);
		s->conn = NULL;
	}
}

static void on_closed(void *ctx, struct local_conn *c)
{
	struct side *s = ctx;

	ck_assert_ptr_eq(s->conn, c);
	ck_assert(!s->closed);
	s->closed = true;
	local_conn_close(c);
	s->conn = NULL;
}

static const struct local_ops ops = { .message = on_message, .closed = on_closed };

static void *on_accepted(void *ctx, struct local_conn *c)
{
	struct side *s = &served[n_served];

	ck_assert_ptr_eq(ctx, served);
	if (refuse)
		return NULL;
	ck_assert_uint_lt(n_served, SIDES);
	n_served++;
	*s = (struct side){ .conn = c, .echo = true };
	return s;
}

static void begin(struct local_limits limits)
{
	h = port_begin();
	PORT_OK(local_listen(h, port_path("socket"), limits, &ops, on_accepted, served, NULL,
			     &listener));
}

static void end(void)
{
	local_listener_close(listener);
	port_end();
}

static void dial(struct side *s)
{
	*s = (struct side){ 0 };
	PORT_OK(local_connect(port_second(), port_path("socket"), &ops, s, NULL, &s->conn));
}

static const struct local_limits wide = { SIDES, SIDES };

static bool is_closed(void *ctx)
{
	return ((struct side *)ctx)->closed;
}

static bool has_message(void *ctx)
{
	return ((struct side *)ctx)->n_messages > 0;
}

static bool has_two(void *ctx)
{
	return ((struct side *)ctx)->n_messages == 2;
}

START_TEST(messages_keep_their_boundaries_and_sizes)
{
	static uint8_t big[LOCAL_MESSAGE_MAX + 1];

	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "one", 3));
	PORT_OK(local_send(client.conn, "three", 5));
	ck_assert_uint_eq(client.n_messages, 0); /* nothing from within a call */
	port_wait(has_two, &client, "two echoes");
	ck_assert_uint_eq(client.last_len, 5);
	ck_assert_mem_eq(client.last, "three", 5);
	ck_assert_int_eq(local_send(client.conn, big, 0), -EMSGSIZE);
	ck_assert_int_eq(local_send(client.conn, big, sizeof(big)), -EMSGSIZE);
	client.n_messages = 0;
	memset(big, 7, sizeof(big));
	PORT_OK(local_send(client.conn, big, LOCAL_MESSAGE_MAX));
	port_wait(has_message, &client, "the largest message");
	ck_assert_uint_eq(client.last_len, LOCAL_MESSAGE_MAX);
	ck_assert_mem_eq(client.last, big, LOCAL_MESSAGE_MAX);
	local_conn_close(client.conn);
	local_conn_close(NULL);
	port_wait(is_closed, &served[0], "the end");
	ck_assert(!client.closed); /* who closes is not told */
	end();
}
END_TEST

START_TEST(what_was_sent_before_the_end_arrives)
{
	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	PORT_OK(local_send(client.conn, "b", 1));
	port_wait(has_two, &client, "two echoes");
	served[0].echo = false;
	PORT_OK(local_send(client.conn, "c", 1));
	PORT_OK(local_send(client.conn, "d", 1));
	local_conn_close(client.conn);
	port_wait(is_closed, &served[0], "the end");
	ck_assert_uint_eq(served[0].n_messages, 4);
	ck_assert_mem_eq(served[0].last, "d", 1);
	end();
}
END_TEST

START_TEST(sending_to_one_who_is_gone_fails)
{
	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	local_conn_close(client.conn);
	ck_assert_int_eq(local_send(served[0].conn, "x", 1), -EPIPE);
	ck_assert(!served[0].closed); /* follows */
	port_wait(is_closed, &served[0], "the end");
	end();
}
END_TEST

START_TEST(a_callback_may_close_its_connection)
{
	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	served[0].close_on_message = true;
	served[0].echo = false;
	PORT_OK(local_send(client.conn, "b", 1));
	PORT_OK(local_send(client.conn, "c", 1));
	port_wait(is_closed, &client, "the end");
	ck_assert_uint_eq(served[0].n_messages, 2);
	ck_assert(!served[0].closed);
	end();
}
END_TEST

START_TEST(a_refused_connection_is_closed)
{
	begin(wide);
	refuse = true;
	dial(&client);
	port_wait(is_closed, &client, "the end of a refused connection");
	refuse = false;
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	local_conn_close(client.conn);
	end();
}
END_TEST

START_TEST(the_end_of_a_listener_ends_its_connections)
{
	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	local_listener_close(listener);
	listener = NULL;
	ck_assert(!served[0].closed); /* who closes is not told */
	port_wait(is_closed, &client, "the end");
	ck_assert_int_eq(local_connect(h, port_path("socket"), &ops, &client, NULL, &client.conn),
			 -ENOENT);
	end();
}
END_TEST

START_TEST(a_place_has_one_listener)
{
	struct local_listener *second = NULL;
	struct err err = { 0 };
	char long_path[256] = { 0 };

	begin(wide);
	ck_assert_int_eq(local_listen(port_second(), port_path("socket"), wide, &ops, on_accepted,
				      served, &err, &second),
			 -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("socket")));
	PORT_OK(file_write(h, port_path("file"), "x", 1, 0600, NULL));
	ck_assert_int_eq(local_listen(h, port_path("file"), wide, &ops, on_accepted, served, &err,
				      &second),
			 -EADDRINUSE);
	ck_assert_int_eq(local_listen(h, port_path("missing/socket"), wide, &ops, on_accepted,
				      served, &err, &second),
			 -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	ck_assert_int_eq(local_listen(h, long_path, wide, &ops, on_accepted, served, &err, &second),
			 -ENAMETOOLONG);
	ck_assert_int_eq(local_listen(h, port_path("s"),
				      (struct local_limits){ LOCAL_CONNS_MAX + 1, 1 }, &ops,
				      on_accepted, served, &err, &second),
			 -EINVAL);
	ck_assert_ptr_null(second);
	ck_assert(file_exists(h, port_path("file")));
	end();
}
END_TEST

START_TEST(why_nobody_answers_is_said)
{
	char long_path[256] = { 0 };
	struct err err = { 0 };

	begin(wide);
	ck_assert_int_eq(local_connect(h, port_path("no"), &ops, &client, &err, &client.conn),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, port_path("no")));
	PORT_OK(file_write(h, port_path("file"), "x", 1, 0600, NULL));
	ck_assert_int_eq(local_connect(h, port_path("file"), &ops, &client, &err, &client.conn),
			 -ENOTSOCK);
	memset(long_path, 'x', sizeof(long_path) - 1);
	ck_assert_int_eq(local_connect(h, long_path, &ops, &client, &err, &client.conn),
			 -ENAMETOOLONG);
	ck_assert_ptr_null(client.conn);
	end();
}
END_TEST

START_TEST(at_the_limit_one_gives_way)
{
	begin((struct local_limits){ 2, 1 });
	for (size_t i = 0; i < 2; i++) {
		dial(&clients[i]);
		PORT_OK(local_send(clients[i].conn, "a", 1));
		if (i == 0 || port_is_root())
			port_wait(has_message, &clients[i], "an echo");
	}
	/* The administrator has no limit of its own, and loses no connection to a new one. */
	if (port_is_root()) {
		dial(&clients[2]);
		port_wait(is_closed, &clients[2], "the end of the third one");
		ck_assert(!clients[0].closed && !clients[1].closed);
		ck_assert_uint_eq(n_served, 2);
		local_conn_close(clients[0].conn);
	} else {
		port_wait(is_closed, &clients[0], "the end of the idle one");
	}
	local_conn_close(clients[1].conn);
	end();
}
END_TEST

/* Sends pieces until no more are taken; returns how many were. */
static size_t fill(struct local_conn *c, size_t len)
{
	static uint8_t piece[LOCAL_MESSAGE_MAX];
	size_t n = 0;
	int r = 0;

	for (; n < 100000 && (r = local_send(c, piece, len)) == 0; n++)
		;
	ck_assert_int_eq(r, -ENOBUFS);
	return n;
}

static bool has_expected(void *ctx)
{
	return served[0].n_messages == *(size_t *)ctx;
}

/* The other side cannot read meanwhile: it is the same loop's turn. */
START_TEST(a_sender_has_a_queue_with_limits)
{
	size_t n, expected;

	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	served[0].echo = false;
	n = fill(client.conn, 60000);
	ck_assert_uint_ge(n * 60000, (4u << 20) - 60000);
	ck_assert_uint_le(n * 60000, 8u << 20);
	expected = 1 + n;
	port_wait(has_expected, &expected, "all that was queued");
	n = fill(client.conn, 1);
	ck_assert_uint_ge(n, 2560);
	ck_assert_uint_le(n, 8000);
	expected += n;
	port_wait(has_expected, &expected, "all that was queued");
	ck_assert(!served[0].closed);
	local_conn_close(client.conn);
	end();
}
END_TEST

/* A reply may be long: on the listener's side there is room for 66 MiB. */
START_TEST(a_reply_has_a_longer_queue)
{
	size_t n;

	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	n = fill(served[0].conn, 60000);
	ck_assert_uint_ge(n * 60000, (66u << 20) - 60000);
	ck_assert_uint_le(n * 60000, 72u << 20);
	local_conn_close(client.conn);
	port_wait(is_closed, &served[0], "the end");
	end();
}
END_TEST

START_TEST(both_sides_know_who_is_there)
{
	char text[USER_TEXT_MAX];
	struct user there, here;

	begin(wide);
	dial(&client);
	PORT_OK(local_send(client.conn, "a", 1));
	port_wait(has_message, &client, "an echo");
	there = local_conn_user(client.conn);
	here = local_conn_user(served[0].conn);
	ck_assert(user_equal(there, here));
	ck_assert(user_equal(there, user_self(h)));
	ck_assert_int_eq(user_is_admin(there), port_is_root());
	ck_assert(user_equal(user_of_number(user_number(here)), here));
	ck_assert_uint_gt(strlen(user_text(here, text)), 0);
	ck_assert(!local_conn_in_group(served[0].conn, "no-such-group-here"));
	ck_assert(!user_self_in_group(h, "no-such-group-here"));
	local_conn_close(client.conn);
	end();
}
END_TEST

START_TEST(a_secret_goes_to_a_safe_place_only)
{
	struct local_listener *there = NULL;
	struct err err = { 0 };
	const struct {
		const char *folder;
		unsigned mode;
		int code;
	} cases[] = {
		{ "safe", 0755, 0 },
		{ "sticky", 01777, 0 },
		{ "open", 0777, -EPERM },
		{ "group", 0775, -EPERM },
	};

	begin(wide);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char name[32];

		PORT_OK(dir_make(h, port_path(cases[i].folder), cases[i].mode, NULL));
		snprintf(name, sizeof(name), "%s/s", cases[i].folder);
		PORT_OK(local_listen(h, port_path(name), wide, &ops, on_accepted, served, NULL,
				     &there));
		PORT_OK(local_connect(port_second(), port_path(name), &ops, &client, NULL,
				      &client.conn));
		ck_assert_int_eq(local_check_listener(client.conn, port_path(name), "nobody-here",
						      &err),
				 cases[i].code);
		if (cases[i].code)
			ck_assert_ptr_nonnull(strstr(err.text, cases[i].folder));
		local_conn_close(client.conn);
		local_listener_close(there);
	}
	end();
}
END_TEST

UNIT_MAIN("port/local", messages_keep_their_boundaries_and_sizes,
	  what_was_sent_before_the_end_arrives, sending_to_one_who_is_gone_fails,
	  a_callback_may_close_its_connection, a_refused_connection_is_closed,
	  the_end_of_a_listener_ends_its_connections, a_place_has_one_listener,
	  why_nobody_answers_is_said, at_the_limit_one_gives_way, a_sender_has_a_queue_with_limits,
	  a_reply_has_a_longer_queue, both_sides_know_who_is_there,
	  a_secret_goes_to_a_safe_place_only)
