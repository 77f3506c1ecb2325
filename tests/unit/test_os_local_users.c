/* SPDX-License-Identifier: MIT */
/* The local socket and its users: places for each of them, and who may listen. */
#include <grp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "local_kit.h"
#include "os/local_room.h"

static ptrdiff_t room(const unsigned *uids, size_t n, unsigned uid)
{
	static const struct local_limits limits = { .conns = 6, .of_user = 3 };
	struct local_seat seats[8];

	for (size_t i = 0; i < n; i++)
		seats[i] = (struct local_seat){ .user = user_of_number(uids[i]),
						.used_at = 100 - i };
	return local_room(seats, n, &limits, user_of_number(uid));
}

/* The later seats were used less recently. */
/* [P5-13] */
START_TEST(users_have_their_own_places_and_root_keeps_its)
{
	static const unsigned a[] = { 1, 1, 1, 2, 0, 3 }, root[] = { 0, 0, 0, 0, 0, 0 },
			      b[] = { 0, 0, 0, 0, 0, 9 }, c[] = { 1, 1, 2, 2, 3, 4 };

	ck_assert_int_eq(room(a, 0, 1), LOCAL_ROOM_FREE);
	ck_assert_int_eq(room(a, 2, 1), LOCAL_ROOM_FREE);
	ck_assert_int_eq(room(a, 3, 1), 2); /* its own, though there is room */
	ck_assert_int_eq(room(a, 5, 2), LOCAL_ROOM_FREE);
	ck_assert_int_eq(room(a, 6, 1), 2);
	ck_assert_int_eq(room(a, 6, 4), 2); /* of the one that has most */
	ck_assert_int_eq(room(a, 6, 0), 2);
	ck_assert_int_eq(room(c, 6, 5), 3);
	ck_assert_int_eq(room(root, 5, 0), LOCAL_ROOM_FREE);
	ck_assert_int_eq(room(root, 6, 0), LOCAL_ROOM_FULL);
	ck_assert_int_eq(room(root, 6, 1), LOCAL_ROOM_FULL);
	ck_assert_int_eq(room(b, 6, 1), 5);
	ck_assert_int_eq(room(b, 6, 0), 5);
}
END_TEST

/* Runs `child` as another user, with no connection to this process but the socket. */
static pid_t as_user(unsigned uid, void (*child)(void))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setgroups(0, NULL) || setgid(uid) || setuid(uid))
			_exit(1);
		child();
		_exit(0);
	}
	return pid;
}

static void fill(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int last = -1;
	char c;

	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	for (int i = 0; i < CONNS + 3; i++) {
		last = socket(AF_UNIX, SOCK_SEQPACKET, 0);
		if (connect(last, (struct sockaddr *)&a, sizeof(a)))
			_exit(2);
	}
	/* The last one is served, whatever became of the others. */
	if (send(last, "x", 1, 0) != 1 || recv(last, &c, 1, 0) != 1)
		_exit(3);
}

/* [P5-13] */
START_TEST(a_user_that_fills_the_socket_pushes_out_nobody_else)
{
	static struct side mine;
	int status;

	if (getuid() != 0) {
		os_unit_skip("needs root to be another user");
		return;
	}
	localkit_setup();
	ck_assert_int_eq(chmod(localkit_dir, 0755), 0);
	localkit_server.max = 3;
	localkit_server.of_user = 2;
	localkit_listen_here();
	localkit_connect_here(&mine);
	ck_assert_int_eq(local_send(mine.conn, "r", 1), 0);
	localkit_wait_events(2, "the echo");
	pid_t child = as_user(4040, fill);
	while (waitpid(child, &status, WNOHANG) == 0)
		os_unit_run_for(localkit_host, NS_PER_MS);
	ck_assert_int_eq(status, 0);
	ck_assert(!mine.closed);
	ck_assert_int_eq(local_send(mine.conn, "r", 1), 0);
	localkit_wait_events(2, "the echo");
	local_conn_close(mine.conn);
	localkit_teardown();
}
END_TEST

static void squat(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	char c;

	memcpy(a.sun_path, localkit_path, sizeof(localkit_path));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
		_exit(1);
	fd = accept(fd, NULL, NULL);
	_exit(recv(fd, &c, 1, 0) == 0 ? 0 : 2); /* not a byte comes */
}

/* [P5-11] */
START_TEST(another_user_at_the_socket_is_found_out)
{
	static struct side s;
	struct err err = { 0 };
	int status;

	if (getuid() != 0) {
		os_unit_skip("needs root to be another user");
		return;
	}
	localkit_setup();
	ck_assert_int_eq(chmod(localkit_dir, 01777), 0);
	pid_t child = as_user(4040, squat);
	while (local_connect(localkit_host, localkit_path, &localkit_ops, &s, &err, &s.conn) < 0)
		os_unit_run_for(localkit_host, NS_PER_MS);
	ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err), -EPERM);
	ck_assert_msg(strstr(err.text, "user 4040 listens at"), "%s", err.text);
	ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "nobody", &err), -EPERM);
	local_conn_close(s.conn);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(unlink(localkit_path), 0);
	localkit_teardown();
}
END_TEST

/* [P5-11] */
START_TEST(a_folder_that_others_may_write_is_not_trusted)
{
	static struct side s;
	struct err err = { 0 };

	localkit_setup();
	localkit_listen_here();
	localkit_connect_here(&s);
	ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err), 0);
	ck_assert_int_eq(chmod(localkit_dir, 0775), 0);
	ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err), -EPERM);
	ck_assert_msg(strstr(err.text, "chmod go-w"), "%s", err.text);
	ck_assert_int_eq(chmod(localkit_dir, 01777), 0); /* as /tmp: what is ours stays */
	ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err), 0);
	ck_assert_int_eq(chmod(localkit_dir, 0700), 0);
	if (getuid() == 0) {
		ck_assert_int_eq(chown(localkit_dir, 4040, 0), 0);
		ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err),
				 -EPERM);
		ck_assert_msg(strstr(err.text, "belongs to user 4040"), "%s", err.text);
		ck_assert_int_eq(chown(localkit_dir, 65534, 0), 0); /* the daemon's own user */
		ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "no such user", &err),
				 -EPERM);
		ck_assert_int_eq(local_check_listener(s.conn, localkit_path, "nobody", &err), 0);
		ck_assert_int_eq(chown(localkit_dir, 0, 0), 0);
	}
	local_conn_close(s.conn);
	localkit_teardown();
}
END_TEST

UNIT_MAIN("os/local users", users_have_their_own_places_and_root_keeps_its,
	  a_user_that_fills_the_socket_pushes_out_nobody_else,
	  another_user_at_the_socket_is_found_out, a_folder_that_others_may_write_is_not_trusted)
