/* SPDX-License-Identifier: MIT */
/* The local socket: boundaries, credentials, queues, and its place in the file system. */
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "local_kit.h"
#include "os/posix/local_internal.h"

static const struct local_limits one = { .conns = 1, .of_user = 1 };

static void check_refused(const char *at, int code, const char *text)
{
	struct side s = { 0 };
	struct err err = { 0 };

	ck_assert_int_eq(local_connect(localkit_host, at, &localkit_ops, &s, &err, &s.conn), code);
	ck_assert_msg(strstr(err.text, text) && strstr(err.text, at), "%s", err.text);
}

START_TEST(why_there_is_no_connection_is_said)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd[] = { socket(AF_UNIX, SOCK_SEQPACKET, 0), socket(AF_UNIX, SOCK_STREAM, 0), -1 };

	localkit_setup();
	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	check_refused(localkit_path, -ENOENT, "nothing at");
	ck_assert_int_eq(bind(fd[0], (struct sockaddr *)&a, sizeof(a)), 0);
	check_refused(localkit_path, -ECONNREFUSED, "no process listens at");
	ck_assert_int_eq(unlink(localkit_path), 0);
	ck_assert_int_eq(bind(fd[1], (struct sockaddr *)&a, sizeof(a)) | listen(fd[1], 1), 0);
	check_refused(localkit_path, -EPROTOTYPE, "another kind of socket");
	ck_assert_int_eq(unlink(localkit_path), 0);
	fd[2] = open(localkit_path, O_CREAT | O_WRONLY, 0600);
	check_refused(localkit_path, -ENOTSOCK, "is not a socket");
	ck_assert_int_eq(unlink(localkit_path), 0);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		ck_assert_int_eq(close(fd[i]), 0);
	localkit_teardown();
}
END_TEST

START_TEST(messages_keep_their_boundaries)
{
	localkit_setup();
	localkit_listen_here();
	static struct side s;
	static uint8_t big[LOCAL_MESSAGE_MAX + 1];
	localkit_connect_here(&s);
	ck_assert_int_eq(local_send(s.conn, "one", 3), 0);
	ck_assert_int_eq(local_send(s.conn, "three", 5), 0);
	localkit_wait_events(4, "two echoes");
	ck_assert_uint_eq(s.n_messages, 2);
	ck_assert_uint_eq(s.last_len, 5);
	ck_assert_mem_eq(s.last, "three", 5);
	memset(big, 7, sizeof(big));
	ck_assert_int_eq(local_send(s.conn, big, LOCAL_MESSAGE_MAX), 0);
	localkit_wait_events(2, "the echo of the largest message");
	ck_assert_uint_eq(s.last_len, LOCAL_MESSAGE_MAX);
	ck_assert_mem_eq(s.last, big, LOCAL_MESSAGE_MAX);
	ck_assert_int_eq(local_send(s.conn, big, LOCAL_MESSAGE_MAX + 1), -EMSGSIZE);
	ck_assert_int_eq(local_send(s.conn, big, 0), -EMSGSIZE);
	local_conn_close(s.conn);
	localkit_wait_events(1, "the end");
	ck_assert(localkit_server.sides[0].closed);
	localkit_teardown();
}
END_TEST

START_TEST(kernel_says_who_asks)
{
	localkit_setup();
	localkit_listen_here();
	static struct side s;
	localkit_connect_here(&s);
	ck_assert_int_eq(local_send(s.conn, "x", 1), 0);
	localkit_wait_events(2, "the echo");
	struct local_cred cred = local_conn_cred(localkit_server.sides[0].conn);
	ck_assert_uint_eq(cred.uid, getuid());
	ck_assert_uint_eq(cred.gid, getgid());
	gid_t groups[1024];
	int n = getgroups(ARRAY_LEN(groups), groups);
	if (n <= LOCAL_GROUPS_MAX)
		ck_assert_uint_eq(cred.n_groups, (size_t)n);
	local_conn_close(s.conn);
	localkit_teardown();
}
END_TEST

START_TEST(other_users_are_seen_as_such)
{
	if (getuid() != 0) {
		os_unit_skip("needs root to be another user");
		return;
	}
	localkit_setup();
	ck_assert_int_eq(chmod(localkit_dir, 0755), 0);
	localkit_listen_here();
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct sockaddr_un a = { .sun_family = AF_UNIX };
		const gid_t groups[] = { 4242, 4343 };
		int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
		_exit(setgroups(2, groups) || setgid(4141) || setuid(4040) ||
		      connect(fd, (struct sockaddr *)&a, sizeof(a)) || send(fd, "x", 1, 0) != 1 ||
		      recv(fd, &a, 1, 0) != 1);
	}
	localkit_wait_events(2, "message and end");
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(localkit_server.sides[0].closed);
	localkit_teardown();
}
END_TEST

/* A raw connection, for what local_send refuses to send. */
static int connect_raw(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static size_t open_descriptors(void)
{
	size_t n = 0;
	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Descriptors that a caller attaches never get into the process that receives. */
/* [P5-12] */
START_TEST(attached_descriptors_do_not_pass)
{
	localkit_setup();
	localkit_listen_here();
	int fd = connect_raw();
	union {
		char data[CMSG_SPACE(5 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { (char[]){ 'x' }, 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(5 * sizeof(int));
	size_t before = open_descriptors();
	ck_assert_int_eq(sendmsg(fd, &m, 0), 1);
	localkit_wait_events(1, "the message");
	ck_assert_uint_eq(localkit_server.sides[0].n_messages, 1);
	ck_assert_uint_eq(open_descriptors(), before + 1); /* the connection */
	close(fd);
	localkit_wait_events(1, "the end");
	localkit_teardown();
}
END_TEST

START_TEST(too_long_a_message_ends_the_connection)
{
	localkit_setup();
	localkit_listen_here();
	static uint8_t big[LOCAL_MESSAGE_MAX + 1];
	int fd = connect_raw();
	ck_assert_int_eq(send(fd, big, sizeof(big), 0), sizeof(big));
	localkit_wait_events(1, "the end");
	ck_assert(localkit_server.sides[0].closed);
	ck_assert_uint_eq(localkit_server.sides[0].n_messages, 0);
	close(fd);
	localkit_teardown();
}
END_TEST

START_TEST(unread_messages_queue_up_to_a_limit)
{
	localkit_setup();
	localkit_listen_here();
	static uint8_t big[16384];
	int fd = connect_raw(), r = 0;
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	localkit_wait_events(1, "the connection");
	struct local_conn *conn = localkit_server.sides[0].conn;
	char c;
	ck_assert_int_eq(recv(fd, &c, 1, 0), 1);
	uint32_t sent = 0;
	for (; r == 0; sent++) {
		memcpy(big, &sent, sizeof(sent));
		r = local_send(conn, big, sizeof(big));
	}
	sent--;
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_ge(sent, 2560);
	ck_assert_uint_le(sent, 2800);
	/* A peer that reads late still gets all of them, in order. */
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (uint32_t i = 0; i < sent;) {
		ssize_t n = recv(fd, big, sizeof(big), 0);
		if (n < 0) {
			ck_assert_int_eq(errno, EAGAIN);
			os_unit_run_for(localkit_host, NS_PER_MS);
			continue;
		}
		ck_assert_int_eq(n, sizeof(big));
		ck_assert_mem_eq(big, &i, sizeof(i));
		i++;
	}
	ck_assert_int_eq(local_send(conn, "y", 1), 0);
	close(fd);
	localkit_wait_events(1, "the end");
	localkit_teardown();
}
END_TEST

/* Sends until the queue is full. Returns the bytes. */
static size_t fill(struct local_conn *c)
{
	static uint8_t big[60000];
	size_t n = 0;

	while (local_send(c, big, sizeof(big)) == 0)
		n += sizeof(big);
	return n;
}

START_TEST(one_long_reply_of_a_user_fits)
{
	localkit_setup();
	localkit_listen_here();
	int first = connect_raw(), second = connect_raw();
	ck_assert_int_eq(send(first, "x", 1, 0), 1);
	ck_assert_int_eq(send(second, "x", 1, 0), 1);
	localkit_wait_events(2, "both connections");
	ck_assert_uint_ge(fill(localkit_server.sides[0].conn), 65u << 20);
	size_t beside = fill(localkit_server.sides[1].conn);
	ck_assert_uint_ge(beside, (4u << 20) - 60000);
	ck_assert_uint_le(beside, 6u << 20);
	close(first);
	close(second);
	localkit_wait_events(2, "both ends");
	localkit_teardown();
}
END_TEST

/* The server's side of a connection that has one message and more replies than it may keep. */
static struct side *not_reading(int *ret_fd)
{
	struct side *s = &localkit_server.sides[0];

	localkit_listen_here();
	*ret_fd = connect_raw();
	ck_assert_int_eq(send(*ret_fd, "x", 1, 0), 1);
	localkit_wait_events(1, "the connection");
	ck_assert_uint_gt(fill(s->conn), 0);
	s->echo = false;
	return s;
}

/* What it asks for meanwhile would be work for nobody. */
START_TEST(who_does_not_read_is_not_read)
{
	localkit_setup();
	int fd;
	struct side *s = not_reading(&fd);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(send(fd, "y", 1, MSG_DONTWAIT), 1);
	os_unit_run_for(localkit_host, 20 * NS_PER_MS);
	ck_assert_uint_eq(s->n_messages, 1);
	close(fd); /* with requests that nobody waits for any more */
	localkit_wait_events(1, "the end");
	ck_assert_uint_eq(s->n_messages, 1);
	ck_assert(s->closed);
	localkit_teardown();
}
END_TEST

START_TEST(who_reads_at_last_is_read)
{
	localkit_setup();
	int fd;
	static uint8_t big[16384];
	struct side *s = not_reading(&fd);
	ck_assert_int_eq(send(fd, "y", 1, MSG_DONTWAIT), 1);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; s->n_messages < 2; i++) {
		ck_assert_int_lt(i, 10000);
		while (recv(fd, big, sizeof(big), 0) > 0)
			;
		os_unit_run_for(localkit_host, NS_PER_MS);
	}
	close(fd);
	localkit_wait_events(1, "the end");
	localkit_teardown();
}
END_TEST

START_TEST(connection_idle_for_longest_makes_room)
{
	localkit_setup();
	localkit_server.max = 2;
	localkit_listen_here();
	static struct side a, b, c;
	/* Root would lose none. */
	ck_assert_int_eq(chmod(localkit_dir, 0755), 0);
	ck_assert(getuid() != 0 || seteuid(4040) == 0);
	localkit_connect_here(&a);
	ck_assert_int_eq(local_send(a.conn, "a", 1), 0);
	localkit_wait_events(2, "the echo");
	localkit_connect_here(&b);
	ck_assert_int_eq(local_send(b.conn, "b", 1), 0);
	localkit_wait_events(2, "the echo");
	ck_assert_int_eq(local_send(a.conn, "a", 1), 0);
	localkit_wait_events(2, "the echo");
	localkit_connect_here(&c);
	localkit_wait_events(2, "both ends of the one that is evicted");
	ck_assert(b.closed && localkit_server.sides[1].closed);
	ck_assert(!a.closed && !c.closed);
	ck_assert_int_eq(local_send(c.conn, "c", 1), 0);
	localkit_wait_events(2, "the echo");
	ck_assert_int_eq(seteuid(getuid()), 0);
	local_conn_close(a.conn);
	local_conn_close(c.conn);
	localkit_teardown();
}
END_TEST

START_TEST(connection_can_be_refused)
{
	localkit_setup();
	localkit_listen_here();
	static struct side s;
	localkit_server.refuse = 1;
	localkit_connect_here(&s);
	localkit_wait_events(1, "the refusal");
	ck_assert(s.closed);
	localkit_connect_here(&s);
	ck_assert_int_eq(local_send(s.conn, "x", 1), 0);
	localkit_wait_events(2, "the echo");
	local_conn_close(s.conn);
	localkit_teardown();
}
END_TEST

START_TEST(connection_is_closed_in_its_callback)
{
	localkit_setup();
	localkit_listen_here();
	static struct side s;
	localkit_connect_here(&s);
	s.close_on_message = true;
	ck_assert_int_eq(local_send(s.conn, "x", 1), 0);
	localkit_wait_events(3, "echo and end");
	ck_assert_ptr_null(s.conn);
	ck_assert(localkit_server.sides[0].closed);
	local_conn_close(NULL);
	local_listener_close(NULL);
	localkit_teardown();
}
END_TEST

START_TEST(send_to_nobody_fails)
{
	localkit_setup();
	localkit_listen_here();
	int fd = connect_raw();
	ck_assert_int_eq(send(fd, "x", 1, 0), 1);
	localkit_wait_events(1, "the connection");
	close(fd);
	ck_assert_int_eq(local_send(localkit_server.sides[0].conn, "x", 1), -EPIPE);
	localkit_wait_events(1, "the end");
	ck_assert(localkit_server.sides[0].closed);
	localkit_teardown();
}
END_TEST

/* ---- its place ---- */

START_TEST(dead_socket_is_replaced_and_a_living_one_is_not)
{
	localkit_setup();
	struct stat st;
	struct err err = { 0 };
	struct local_listener *second = NULL;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	ck_assert_int_eq(bind(dead, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(dead, 1), 0);
	close(dead); /* as kill -9 leaves it */
	umask(077);
	localkit_listen_here();
	ck_assert_int_eq(stat(localkit_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	ck_assert_int_eq(local_listen(localkit_host, localkit_path, one, &localkit_ops,
				      localkit_on_accepted, &localkit_server, &err, &second),
			 -EADDRINUSE);
	ck_assert_ptr_null(second);
	ck_assert_ptr_nonnull(strstr(err.text, localkit_path));
	ck_assert_int_eq(access(localkit_path, F_OK), 0);
	localkit_teardown();
}
END_TEST

START_TEST(other_files_are_not_replaced)
{
	localkit_setup();
	struct local_listener *l = NULL;
	struct err err = { 0 };
	int fd = open(localkit_path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	ck_assert_int_eq(local_listen(localkit_host, localkit_path, one, &localkit_ops,
				      localkit_on_accepted, &localkit_server, &err, &l),
			 -EADDRINUSE);
	ck_assert_msg(strstr(err.text, "not a socket"), "%s", err.text);
	ck_assert_int_eq(unlink(localkit_path), 0);
	/* What keeps it from being made is not taken for another process. */
	ck_assert_int_ne(local_listen(localkit_host, "/sys/socket", one, &localkit_ops,
				      localkit_on_accepted, &localkit_server, &err, &l),
			 -EADDRINUSE);
	ck_assert_ptr_null(l);
	ck_assert_ptr_null(strstr(err.text, "another process"));
	char longer[200];
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(local_listen(localkit_host, longer, one, &localkit_ops,
				      localkit_on_accepted, &localkit_server, &err, &l),
			 -ENAMETOOLONG);
	ck_assert_int_eq(local_listen(localkit_host, "/absent/s", one, &localkit_ops,
				      localkit_on_accepted, &localkit_server, &err, &l),
			 -ENOENT);
	localkit_teardown();
}
END_TEST

/* A program that took the place meanwhile keeps it. */
START_TEST(close_removes_only_its_own_path)
{
	localkit_setup();
	localkit_listen_here();
	ck_assert_int_eq(unlink(localkit_path), 0);
	struct local_listener *first = localkit_server.listener;
	localkit_listen_here();
	local_listener_close(first);
	ck_assert_int_eq(access(localkit_path, F_OK), 0);
	localkit_teardown();
}
END_TEST

/* As systemd does it with a unit's RuntimeDirectory, folder and all. */
START_TEST(a_removed_socket_is_made_again)
{
	struct side before = { 0 }, after = { 0 };
	localkit_setup();
	localkit_listen_here();
	localkit_connect_here(&before);
	ck_assert_int_eq(local_send(before.conn, "x", 1), 0);
	localkit_wait_events(2, "the first words");
	ck_assert_int_eq(unlink(localkit_path), 0);
	ck_assert_int_eq(rmdir(localkit_dir), 0);
	for (int i = 0; i < 100 && access(localkit_path, F_OK) < 0; i++)
		os_unit_run_for(localkit_host, 100 * NS_PER_MS);
	localkit_connect_here(&after); /* a new one comes */
	ck_assert_int_eq(local_send(after.conn, "x", 1), 0);
	localkit_wait_events(2, "the echo to a new connection");
	ck_assert_int_eq(local_send(before.conn, "x", 1), 0); /* an old one goes on */
	localkit_wait_events(2, "the echo to an old connection");
	local_conn_close(before.conn);
	local_conn_close(after.conn);
	localkit_teardown();
}
END_TEST

START_TEST(absent_daemon_is_told_apart)
{
	localkit_setup();
	struct err err = { 0 };
	struct local_conn *c = NULL;
	ck_assert_int_eq(local_connect(localkit_host, localkit_path, &localkit_ops, NULL, &err, &c),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, localkit_path));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	close(fd);
	ck_assert_int_eq(local_connect(localkit_host, localkit_path, &localkit_ops, NULL, &err, &c),
			 -ECONNREFUSED);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(unlink(localkit_path), 0);
	localkit_teardown();
}
END_TEST

/* ---- groups ---- */

static void mount_over(const char *target, const char *text)
{
	char name[] = "/tmp/mlsh-test-group-XXXXXX";
	int fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ck_assert_int_eq(mount(name, target, NULL, MS_BIND, NULL), 0);
	unlink(name);
}

static bool in_group(unsigned uid, unsigned gid, const char *group)
{
	struct local_cred cred = { .uid = uid, .gid = gid };
	return local_cred_in_group(localkit_host, &cred, group);
}

START_TEST(membership_of_groups)
{
	if (!os_unit_namespace())
		return;
	localkit_host = os_unit_host();
	ck_assert(os_unit_command("mount --make-rprivate /"));
	mount_over("/etc/group", "root:x:0:\nbroken\nmlshx:x:51:alice\n"
				 "mlsh:x:50:bob,carol\nempty:x:52:\n"
				 "bad:x:-1:bob\nlast:x:53:dave");
	mount_over("/etc/passwd", "root:x:0:0::/:/bin/sh\nalice:x:1000:1000::/:\n"
				  "bob:x:1001:1001::/:\ncarol2:x:1002:1002::/:\n"
				  "carol:x:1002:1002::/:\nerin:x:1003:50::/:\n"
				  "junk\n:x:1005:50::/:\ndave:x:1006:1006::/:");
	ck_assert(in_group(1001, 1001, "mlsh")); /* listed */
	ck_assert(in_group(1002, 1002, "mlsh")); /* listed under one of its names */
	/* the primary group, though not the current one */
	ck_assert(in_group(1003, 1003, "mlsh"));
	ck_assert(in_group(1004, 50, "mlsh"));	  /* the current group */
	ck_assert(!in_group(1000, 1000, "mlsh")); /* of mlshx, not of mlsh */
	ck_assert(!in_group(1005, 1005, "mlsh")); /* a line without a name */
	ck_assert(!in_group(0, 0, "mlsh"));
	ck_assert(!in_group(1001, 1001, "bad"));
	ck_assert(!in_group(1001, 1001, "absent"));
	ck_assert(!in_group(1001, 1001, "broken"));
	ck_assert(in_group(1006, 1006, "last")); /* without a final newline */
	struct local_cred cred = { .uid = 1, .gid = 1, .groups = { 7, 50 }, .n_groups = 2 };
	ck_assert(local_cred_in_group(localkit_host, &cred, "mlsh"));
	cred.n_groups = 1;
	ck_assert(!local_cred_in_group(localkit_host, &cred, "mlsh"));
	host_free(localkit_host);
}
END_TEST

UNIT_MAIN("os/local", why_there_is_no_connection_is_said, messages_keep_their_boundaries,
	  kernel_says_who_asks, other_users_are_seen_as_such, attached_descriptors_do_not_pass,
	  too_long_a_message_ends_the_connection, unread_messages_queue_up_to_a_limit,
	  one_long_reply_of_a_user_fits, who_does_not_read_is_not_read, who_reads_at_last_is_read,
	  connection_idle_for_longest_makes_room, connection_can_be_refused,
	  connection_is_closed_in_its_callback, send_to_nobody_fails,
	  dead_socket_is_replaced_and_a_living_one_is_not, other_files_are_not_replaced,
	  close_removes_only_its_own_path, a_removed_socket_is_made_again,
	  absent_daemon_is_told_apart, membership_of_groups)
