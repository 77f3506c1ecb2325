/* SPDX-License-Identifier: MIT */
/*
 * The files that follow a connect request, from callers with bad intentions: endless, slow, huge,
 * early, several at once. The daemon keeps its limits and goes on answering the others.
 */
#include "mesh.h"

enum { ROOT = 0, ALICE = 1000, BOB = 1001, GROUP = 4242 };

static const char ok[] = "{\"ok\":true}";

/* A caller that does as the test wants. */
struct caller {
	struct host *host;
	struct local_conn *conn;
	uint64_t acked;
	unsigned acks, replies;
	bool closed;
	char reply[CONTROL_PIECE_MAX + 2];
};

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	struct caller *c = ctx;

	(void)conn;
	if (control_ack_decode(m, &c->acked) == 0) {
		c->acks++;
		return;
	}
	ck_assert_uint_eq(m.data[0], CONTROL_LAST);
	ck_assert_uint_lt(m.len, sizeof(c->reply));
	memcpy(c->reply, m.data + 1, m.len - 1);
	c->reply[m.len - 1] = '\0';
	c->replies++;
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	struct caller *c = ctx;

	local_conn_close(conn);
	c->conn = NULL;
	c->closed = true;
}

static void call(struct mesh_node *n, struct caller *c, unsigned uid, unsigned gid)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };

	*c = (struct caller){ .host = world_host_boot(n->host) };
	world_host_user(c->host, uid, gid);
	SIM_CHECK_OK(n->mesh->w, local_connect(c->host, CONTROL_SOCKET, &ops, c, NULL, &c->conn));
}

static void hang_up(struct caller *c)
{
	local_conn_close(c->conn);
	c->conn = NULL;
	world_host_crash(c->host);
}

static void say(struct mesh_node *n, struct caller *c, const struct control_request *r)
{
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(r, request, sizeof(request));

	SIM_CHECK(n->mesh->w, len > 0);
	SIM_CHECK_OK(n->mesh->w, local_send(c->conn, request, (size_t)len));
	sim_pass(n->mesh->w, MS);
}

/* A connect request that names these sizes. */
static void begin(struct mesh_node *n, struct caller *c, unsigned uid, const uint64_t *size)
{
	struct control_request r = { .verb = CONTROL_CONNECT, .cluster = MESH_CLUSTER };

	call(n, c, uid, GROUP);
	memcpy(r.size, size, sizeof(r.size));
	say(n, c, &r);
}

static void send_bytes(struct mesh_node *n, struct caller *c, size_t len)
{
	static const uint8_t bytes[CONTROL_PIECE_MAX];

	SIM_CHECK_OK(n->mesh->w, local_send(c->conn, bytes, len));
	sim_pass(n->mesh->w, MS);
}

/* Asks for the status as another user does: at once answered, whatever else goes on. */
static void check_answers(struct mesh_node *n)
{
	const struct control_request r = { .verb = CONTROL_STATUS };
	struct caller c;

	call(n, &c, BOB + 1, BOB);
	say(n, &c, &r);
	ck_assert_uint_eq(c.replies, 1);
	ck_assert_ptr_nonnull(strstr(c.reply, "\"clusters\":[]"));
	hang_up(&c);
}

static struct mesh_node *node_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_setup(n);
	mesh_daemon_start(n);
	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	*ret = m;
	return n;
}

/* An honest one, by root, whatever the others do. */
static void check_connects(struct mesh_node *n)
{
	struct handover files;
	char *reply;

	SIM_CHECK_OK(n->mesh->w, handover_read(n->host, &n->store, MESH_CLUSTER, &files, NULL));
	reply = mesh_hand_over(n, MESH_CLUSTER, &files);
	ck_assert_str_eq(reply, ok);
	free(reply);
	handover_free(&files);
}

static const uint64_t small[] = { 100, 100, 100, 100 };
static const uint64_t large[] = { 100, 64u << 20, 100, 100 };

/* [P5-4] */
START_TEST(sizes_are_checked_before_anything_is_sent)
{
	static const struct {
		uint64_t size[CONTROL_FILES];
		const char *why;
	} cases[] = {
		{ { UINT64_MAX, 1, 1, 1 }, "the description of the cluster is larger than 640" },
		{ { 641, 1, 1, 1 }, "the description of the cluster is larger" },
		{ { 1, (64u << 20) + 1, 1, 1 }, "the membership log is larger" },
		{ { 1, UINT64_MAX, 1, 1 }, "the membership log is larger" },
		{ { 1, 1, 8193, 1 }, "the certificate is larger" },
		{ { 1, 1, 1, UINT64_C(1) << 32 }, "the private key is larger" },
		{ { 1, 0, 1, 1 }, "the membership log is empty" },
	};
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct caller c;

		begin(n, &c, ALICE, cases[i].size);
		ck_assert_uint_eq(c.acks, 0);
		ck_assert_msg(strstr(c.reply, cases[i].why), "%s", c.reply);
		hang_up(&c);
	}
	check_connects(n);
	mesh_free(m);
}
END_TEST

/* Only a user that may connect the cluster gets as far as to be asked for files. */
/* [P5-4] */
START_TEST(a_user_that_may_not_connect_sends_nothing)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct control_request r = { .verb = CONTROL_CONNECT, .cluster = MESH_CLUSTER };
	struct caller c;

	call(n, &c, BOB, BOB);
	memcpy(r.size, large, sizeof(large));
	say(n, &c, &r);
	ck_assert_uint_eq(c.acks, 0);
	ck_assert_msg(strstr(c.reply, "the group mlsh"), "%s", c.reply);
	hang_up(&c);
	mesh_free(m);
}
END_TEST

/* [P5-7] */
START_TEST(more_than_was_named_ends_it)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c;

	begin(n, &c, ALICE, small);
	ck_assert_uint_eq(c.acks, 1);
	send_bytes(n, &c, 399);
	ck_assert_uint_eq(c.replies, 0);
	send_bytes(n, &c, 2);
	ck_assert_uint_eq(c.replies, 1);
	ck_assert_msg(strstr(c.reply, "more came"), "%s", c.reply);
	/* Without an end: nothing of it is kept, answered, or taken for a request. */
	for (int i = 0; i < 1000; i++)
		send_bytes(n, &c, CONTROL_PIECE_MAX);
	ck_assert_uint_eq(c.replies, 1);
	check_answers(n);
	check_connects(n);
	hang_up(&c);
	mesh_free(m);
}
END_TEST

/* [P5-7] */
START_TEST(files_that_were_not_asked_for_end_it)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller first, second;

	begin(n, &first, ALICE, small);
	begin(n, &second, ALICE, small);
	ck_assert_uint_eq(second.acks, 0);
	send_bytes(n, &second, 10);
	ck_assert_msg(strstr(second.reply, "before they were asked for"), "%s", second.reply);
	ck_assert_uint_eq(first.replies, 0);
	hang_up(&first);
	hang_up(&second);
	check_connects(n);
	mesh_free(m);
}
END_TEST

/* [P5-7] */
START_TEST(a_silent_one_ends_after_five_seconds)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c;

	begin(n, &c, ALICE, small);
	sim_pass(m->w, 4 * SECOND);
	send_bytes(n, &c, 1);
	sim_pass(m->w, 4900 * MS);
	ck_assert_uint_eq(c.replies, 0);
	sim_pass(m->w, 200 * MS);
	ck_assert_msg(strstr(c.reply, "did not arrive in time"), "%s", c.reply);
	hang_up(&c);
	mesh_free(m);
}
END_TEST

/* [P5-7] */
START_TEST(a_slow_one_ends_after_a_minute)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c;

	begin(n, &c, ALICE, small);
	for (int i = 0; i < 14; i++) {
		ck_assert_uint_eq(c.replies, 0);
		send_bytes(n, &c, 1);
		sim_pass(m->w, 4 * SECOND);
		check_answers(n);
	}
	sim_pass(m->w, 4 * SECOND);
	ck_assert_msg(strstr(c.reply, "did not arrive in time"), "%s", c.reply);
	check_connects(n);
	hang_up(&c);
	mesh_free(m);
}
END_TEST

/* A user's second one waits for the first, and others do not. */
/* [P5-5] */
START_TEST(one_upload_at_a_time_for_each_user)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c[3], other, root;

	for (int i = 0; i < 3; i++)
		begin(n, &c[i], ALICE, small);
	ck_assert_uint_eq(c[0].acks + c[1].acks + c[2].acks, 1);
	begin(n, &other, BOB, small);
	ck_assert_uint_eq(other.acks, 1);
	begin(n, &root, ROOT, small);
	ck_assert_uint_eq(root.acks, 1);
	hang_up(&c[0]); /* in the middle */
	sim_pass(m->w, MS);
	ck_assert_uint_eq(c[1].acks, 1);
	ck_assert_uint_eq(c[2].acks, 0);
	send_bytes(n, &c[1], 400); /* whole, and rubbish */
	ck_assert_msg(strstr(c[1].reply, "\"ok\":false"), "%s", c[1].reply);
	ck_assert_uint_eq(c[2].acks, 1);
	sim_pass(m->w, 6 * SECOND);
	hang_up(&c[1]);
	hang_up(&c[2]);
	hang_up(&other);
	hang_up(&root);
	check_connects(n);
	mesh_free(m);
}
END_TEST

/* 64 MiB each: two at a time, and meanwhile the small ones and root's pass. */
/* [P5-6] */
START_TEST(large_uploads_of_many_users_are_bounded_together)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c[10], one, root;
	unsigned asked = 0;

	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		begin(n, &c[i], 2000 + i, large);
		asked += c[i].acks;
	}
	ck_assert_uint_eq(asked, 2);
	begin(n, &one, ALICE, small);
	ck_assert_uint_eq(one.acks, 1);
	begin(n, &root, ROOT, large);
	ck_assert_uint_eq(root.acks, 1);
	check_answers(n);
	sim_pass(m->w, 5 * SECOND);
	ck_assert_uint_eq(c[0].replies, 1);
	ck_assert_uint_eq(c[2].acks + c[3].acks, 2);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		hang_up(&c[i]);
	hang_up(&one);
	hang_up(&root);
	check_connects(n);
	mesh_free(m);
}
END_TEST

/* A window is acknowledged once it is there, whole; what an honest caller sends comes through. */
START_TEST(each_window_is_acknowledged)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct caller c;

	begin(n, &c, ALICE, large);
	for (unsigned w = 0; w < 5; w++) {
		ck_assert_uint_eq(c.acks, w + 1);
		ck_assert_uint_eq(c.acked, (uint64_t)w * CONTROL_WINDOW);
		for (unsigned i = 0; i < CONTROL_WINDOW / CONTROL_PIECE_MAX; i++) {
			ck_assert_uint_eq(c.acks, w + 1);
			send_bytes(n, &c, CONTROL_PIECE_MAX);
		}
	}
	ck_assert_uint_eq(c.replies, 0);
	hang_up(&c);
	mesh_free(m);
}
END_TEST

/* Users that fill the socket push out neither root nor, for long, anybody else. */
START_TEST(many_users_fill_the_socket)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct control_request watch = { .verb = CONTROL_WATCH, .cluster = MESH_CLUSTER };
	static struct caller c[300];
	struct caller root, alice;

	check_connects(n);
	call(n, &root, ROOT, ROOT);
	say(n, &root, &watch);
	ck_assert_uint_ge(root.replies, 1);
	call(n, &alice, ALICE, ALICE);
	sim_pass(m->w, SECOND);
	for (unsigned i = 0; i < 100; i++) /* one user alone: at its own expense */
		call(n, &c[i], BOB, BOB);
	sim_pass(m->w, SECOND);
	ck_assert(!root.closed && !alice.closed);
	ck_assert(c[0].closed && !c[99].closed);
	for (unsigned i = 100; i < ARRAY_LEN(c); i++) {
		call(n, &c[i], 3000 + i, BOB);
		sim_pass(m->w, MS);
	}
	ck_assert(!root.closed);
	check_answers(n);
	check_connects(n);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		hang_up(&c[i]);
	hang_up(&root);
	hang_up(&alice);
	mesh_free(m);
}
END_TEST

/* A process that squats the socket's path gets not a byte of the command. */
/* [P5-11] */
START_TEST(another_user_at_the_path_is_found_out)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	static const struct local_limits limits = { .conns = 4, .of_user = 4 };
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");
	struct host *squatter = world_host_boot(n->host);
	struct local_listener *l = NULL;
	struct caller c = { .host = n->host };
	struct err err = { 0 };

	world_host_user(squatter, BOB, BOB);
	SIM_CHECK_OK(m->w, local_listen(squatter, "/tmp/s", limits, &ops, NULL, NULL, NULL, &l));
	SIM_CHECK_OK(m->w, local_connect(n->host, "/tmp/s", &ops, &c, NULL, &c.conn));
	ck_assert_int_eq(local_check_listener(c.conn, "/tmp/s", CONTROL_USER, &err), -EPERM);
	ck_assert_msg(strstr(err.text, "user 1001 listens at /tmp/s"), "%s", err.text);
	world_group_add(n->host, CONTROL_USER, 77, BOB); /* the daemon's user may */
	ck_assert_int_eq(local_check_listener(c.conn, "/tmp/s", CONTROL_USER, &err), 0);
	local_conn_close(c.conn);
	local_listener_close(l);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/upload", sizes_are_checked_before_anything_is_sent,
	  a_user_that_may_not_connect_sends_nothing, more_than_was_named_ends_it,
	  files_that_were_not_asked_for_end_it, a_silent_one_ends_after_five_seconds,
	  a_slow_one_ends_after_a_minute, one_upload_at_a_time_for_each_user,
	  large_uploads_of_many_users_are_bounded_together, each_window_is_acknowledged,
	  many_users_fill_the_socket, another_user_at_the_path_is_found_out)
