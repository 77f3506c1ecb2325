/* SPDX-License-Identifier: MIT */
/* Files: limits, whole or nothing, modes, and whose a secret may be. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "unit.h"

static struct host *host;
static char dir[] = "/tmp/mlsh-test-file-XXXXXX";

static char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *out = paths[next++ % 4];
	snprintf(out, sizeof(paths[0]), "%s/%s", dir, name);
	return out;
}

static void setup(void)
{
	ck_assert_int_eq(host_new(NULL, &host), 0);
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
	char command[64];
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
	host_free(host);
}

static void count_name(void *ctx, const char *name)
{
	strcat(ctx, name);
	strcat(ctx, " ");
}

static void check_content(const char *path, const char *expected)
{
	struct buf b = { 0 };
	ck_assert_int_eq(file_read(host, path, 4096, NULL, &b), 0);
	ck_assert_uint_eq(b.len, strlen(expected));
	ck_assert_str_eq((char *)b.data, expected);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	buf_free(&b);
	buf_free(NULL);
}

START_TEST(a_slot_is_written_over_and_over)
{
	setup();
	struct file_slot *s = NULL;
	struct stat st;
	char *p = path_of("list");
	ck_assert_int_eq(file_slot_open(host, p, 0600, NULL, &s), 0);
	check_content(p, "");
	ck_assert_int_eq(file_slot_write(s, "a longer one", 12), 0);
	check_content(p, "a longer one");
	ck_assert_int_eq(file_slot_write(s, "short", 5), 0);
	check_content(p, "short");
	file_slot_close(s);
	ck_assert_int_eq(file_slot_open(host, p, 0600, NULL, &s), 0);
	check_content(p, "short");	       /* opening it changes nothing */
	ck_assert_int_eq(chmod(dir, 0500), 0); /* nor does losing the folder */
	ck_assert_int_eq(file_slot_write(s, "", 0), 0);
	ck_assert_int_eq(chmod(dir, 0700), 0);
	check_content(p, "");
	file_slot_close(s);
	ck_assert_int_eq(stat(p, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	file_slot_close(NULL);
	teardown();
}
END_TEST

START_TEST(a_slot_is_no_link_and_no_folder)
{
	setup();
	struct file_slot *s = NULL;
	struct err err = { 0 };
	char *target = path_of("target"), *link_to = path_of("link"), *second = path_of("second");
	ck_assert_int_eq(file_write(host, target, "precious", 8, 0600, NULL), 0);
	ck_assert_int_eq(symlink(target, link_to), 0);
	ck_assert_int_eq(file_slot_open(host, link_to, 0600, &err, &s), -ELOOP);
	ck_assert_ptr_nonnull(strstr(err.text, link_to));
	ck_assert_int_eq(link(target, second), 0);
	ck_assert_int_eq(file_slot_open(host, second, 0600, &err, &s), -EINVAL);
	ck_assert_int_lt(file_slot_open(host, dir, 0600, &err, &s), 0);
	ck_assert_int_lt(file_slot_open(host, path_of("missing/x"), 0600, &err, &s), 0);
	ck_assert_ptr_null(s);
	check_content(target, "precious");
	teardown();
}
END_TEST

START_TEST(write_and_read_back)
{
	setup();
	struct stat st;
	char *p = path_of("state");
	umask(077);
	ck_assert_int_eq(file_write(host, p, "one", 3, 0644, NULL), 0);
	ck_assert_int_eq(stat(p, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644); /* whatever the umask is */
	check_content(p, "one");
	ck_assert_int_eq(file_write(host, p, "second", 6, 0600, NULL), 0);
	ck_assert_int_eq(stat(p, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	check_content(p, "second");
	ck_assert_int_eq(file_write(host, p, "", 0, 0600, NULL), 0);
	check_content(p, "");
	char names[128] = "";
	ck_assert_int_eq(dir_list(host, dir, count_name, names, NULL), 0);
	ck_assert_str_eq(names, "state ");
	teardown();
}
END_TEST

/* Whoever has the old file open still reads all of the old content: the new one came beside it. */
START_TEST(write_replaces_instead_of_overwriting)
{
	setup();
	char *p = path_of("state");
	char old[8] = "";
	ck_assert_int_eq(file_write(host, p, "old", 3, 0600, NULL), 0);
	int fd = open(p, O_RDONLY);
	ck_assert_int_eq(file_write(host, p, "newer", 5, 0600, NULL), 0);
	ck_assert_int_eq(read(fd, old, sizeof(old)), 3);
	ck_assert_str_eq(old, "old");
	close(fd);
	teardown();
}
END_TEST

START_TEST(failed_write_leaves_the_old_file_and_nothing_else)
{
	setup();
	struct err err = { 0 };
	char *p = path_of("state");
	ck_assert_int_eq(mkdir(p, 0700), 0); /* a folder cannot be replaced by a file */
	ck_assert_int_lt(file_write(host, p, "x", 1, 0600, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, p));
	ck_assert_int_lt(err.code, 0);
	ck_assert_int_eq(rmdir(p), 0);
	ck_assert_int_eq(rmdir(dir), 0); /* empty: no temporary file was left */
	ck_assert_int_eq(file_write(host, p, "x", 1, 0600, &err), -ENOENT);
	host_free(host);
}
END_TEST

START_TEST(create_refuses_an_existing_file)
{
	setup();
	char *p = path_of("key");
	ck_assert_int_eq(file_create(host, p, "first", 5, 0600, NULL), 0);
	ck_assert_int_eq(file_create(host, p, "second", 6, 0600, NULL), -EEXIST);
	check_content(p, "first");
	ck_assert_int_eq(symlink("/nowhere", path_of("link")), 0);
	ck_assert_int_eq(file_create(host, path_of("link"), "x", 1, 0600, NULL), -EEXIST);
	char names[128] = "";
	ck_assert_int_eq(dir_list(host, dir, count_name, names, NULL), 0);
	ck_assert_str_eq(names, "key ");
	teardown();
}
END_TEST

START_TEST(read_keeps_its_limit)
{
	setup();
	struct buf b = { 0 };
	struct err err = { 0 };
	char *p = path_of("f");
	ck_assert_int_eq(file_write(host, p, "12345678", 8, 0600, NULL), 0);
	ck_assert_int_eq(file_read(host, p, 7, &err, &b), -EFBIG);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(file_read(host, p, 8, NULL, &b), 0);
	buf_free(&b);
	teardown();
}
END_TEST

START_TEST(secret_that_others_may_read_is_refused)
{
	setup();
	struct buf b = { 0 };
	struct err err = { 0 };
	char *p = path_of("key");
	static const unsigned refused[] = { 0640, 0604, 0601, 0620, 0700 | 0070 };
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		ck_assert_int_eq(file_write(host, p, "k", 1, refused[i], NULL), 0);
		ck_assert_int_eq(file_read_private(host, p, 10, &err, &b), -EACCES);
		ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
	}
	ck_assert_int_eq(file_write(host, p, "k", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_read_private(host, p, 10, NULL, &b), 0);
	buf_free(&b);
	teardown();
}
END_TEST

START_TEST(read_refuses_what_is_no_file)
{
	setup();
	struct buf b = { 0 };
	ck_assert_int_eq(file_read(host, path_of("absent"), 10, NULL, &b), -ENOENT);
	ck_assert_int_eq(file_read(host, dir, 10, NULL, &b), -EINVAL);
	ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
	ck_assert_int_eq(file_read(host, path_of("pipe"), 10, NULL, &b),
			 -EINVAL); /* and does not wait */
	ck_assert_int_eq(file_read(host, "/dev/zero", 10, NULL, &b), -EINVAL);
	ck_assert_ptr_null(b.data);
	teardown();
}
END_TEST

START_TEST(secrets_are_the_callers_or_roots)
{
	setup();
	struct buf b = { 0 };
	struct err err = { 0 };
	char *p = path_of("key"), link[200];
	ck_assert_int_eq(file_write(host, p, "data", 4, 0600, NULL), 0);
	ck_assert_int_eq(file_read_private(host, p, 100, NULL, &b), 0);
	ck_assert_str_eq((char *)b.data, "data");
	buf_free(&b);
	if (getuid() == 0) {
		ck_assert_int_eq(chown(p, 4040, 0), 0);
		ck_assert_int_eq(file_read_private(host, p, 100, &err, &b), -EPERM);
		ck_assert_msg(strstr(err.text, "belongs to user 4040"), "%s", err.text);
		ck_assert_int_eq(chown(p, 0, 0), 0);
	}
	snprintf(link, sizeof(link), "%s", path_of("link"));
	ck_assert_int_eq(symlink(path_of("key"), link), 0);
	ck_assert_int_eq(file_read_private(host, link, 100, &err, &b), -ELOOP);
	ck_assert_msg(strstr(err.text, "is a link"), "%s", err.text);
	ck_assert_ptr_null(b.data);
	teardown();
}
END_TEST

START_TEST(remove_says_what_was_not_there)
{
	setup();
	char *p = path_of("f");
	ck_assert_int_eq(file_write(host, p, "x", 1, 0600, NULL), 0);
	ck_assert(file_exists(host, p));
	ck_assert_int_eq(file_remove(host, p), 0);
	ck_assert(!file_exists(host, p));
	ck_assert_int_eq(file_remove(host, p), -ENOENT);
	teardown();
}
END_TEST

START_TEST(dir_make_makes_parents_and_keeps_modes)
{
	setup();
	struct stat st;
	struct err err = { 0 };
	umask(022);
	ck_assert_int_eq(mkdir(path_of("a"), 0755), 0);
	ck_assert_int_eq(dir_make(host, path_of("a/b/c"), 0700, NULL), 0);
	ck_assert_int_eq(dir_make(host, path_of("a/b/c"), 0777, NULL), 0);
	ck_assert_int_eq(stat(path_of("a"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(stat(path_of("a/b"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(path_of("a/b/c"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(file_write(host, path_of("file"), "", 0, 0600, NULL), 0);
	ck_assert_int_eq(dir_make(host, path_of("file/x"), 0700, &err), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(err.text, "file/x"));
	teardown();
}
END_TEST

START_TEST(forget_takes_what_a_crash_left)
{
	setup();
	char names[128] = "";
	static const char *const stays[] = { ".key.0123456789abcde", ".key.0123456789abcdeg",
					     ".keys.0123456789abcdef", "key.0123456789abcdef" };

	ck_assert_int_eq(file_forget(host, path_of("a/key")), 0);
	ck_assert_int_eq(mkdir(path_of("a"), 0700), 0);
	ck_assert_int_eq(file_forget(host, path_of("a/key")), 0);
	ck_assert_int_eq(file_write(host, path_of("a/key"), "x", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("a/.key.0123456789abcdef"), "x", 1, 0600, NULL),
			 0);
	ck_assert_int_eq(file_write(host, path_of("a/.key.fedcba9876543210"), "x", 1, 0600, NULL),
			 0);
	ck_assert_int_eq(dir_remove(host, path_of("a")), -ENOTEMPTY);
	ck_assert_int_eq(file_forget(host, path_of("a/key")), 0);
	ck_assert_int_eq(dir_remove(host, path_of("a")), 0);
	ck_assert_int_eq(dir_remove(host, path_of("a")), -ENOENT);
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		ck_assert_int_eq(file_write(host, path_of(stays[i]), "x", 1, 0600, NULL), 0);
	ck_assert_int_eq(file_forget(host, path_of("key")), 0);
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		ck_assert(file_exists(host, path_of(stays[i])));
	ck_assert_int_eq(dir_remove(host, path_of(stays[3])), -ENOTDIR);
	ck_assert_int_eq(dir_list(host, dir, count_name, names, NULL), 0);
	ck_assert_str_eq(names, "key.0123456789abcdef ");
	teardown();
}
END_TEST

START_TEST(dir_list_sorts_and_takes_files_only)
{
	setup();
	char names[128] = "";
	ck_assert_int_eq(dir_list(host, path_of("absent"), count_name, names, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("b"), "", 0, 0600, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("c"), "", 0, 0600, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of("a"), "", 0, 0600, NULL), 0);
	ck_assert_int_eq(file_write(host, path_of(".a.0123456789abcdef"), "", 0, 0600, NULL), 0);
	ck_assert_int_eq(mkdir(path_of("folder"), 0700), 0);
	ck_assert_int_eq(symlink(path_of("a"), path_of("link")), 0);
	ck_assert_int_eq(dir_list(host, dir, count_name, names, NULL), 0);
	ck_assert_str_eq(names, "a b c ");
	ck_assert_int_eq(dir_list(host, path_of("a"), count_name, names, NULL), -ENOTDIR);
	teardown();
}
END_TEST

START_TEST(a_locked_file_is_one_processs_own)
{
	struct file_lock *lock = NULL, *second = NULL;
	int pid = 0, status, fds[2];
	struct err err;
	char byte, path[128];
	setup();
	snprintf(path, sizeof(path), "%s", path_of("lock"));
	ck_assert_int_eq(pipe(fds), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		if (file_lock(host, path, &pid, &err, &lock) == 0)
			(void)!write(fds[1], "x", 1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	ck_assert_int_eq(file_lock(host, path, &pid, &err, &lock), -EBUSY);
	ck_assert_int_eq(pid, child);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(file_lock(host, path, &pid, &err, &lock), 0); /* nothing is left of it */
	ck_assert_int_eq(file_lock(host, path, &pid, &err, &second), -EBUSY);
	ck_assert_int_eq(pid, getpid());
	file_unlock(lock);
	ck_assert_int_eq(file_lock(host, path, &pid, &err, &second), 0);
	file_unlock(second);
	ck_assert_int_eq(file_lock(host, path_of("absent/lock"), &pid, &err, &lock), -ENOENT);
	teardown();
}
END_TEST

/* Its holder writes to it: never to what somebody has linked there. */
START_TEST(a_lock_is_no_trap)
{
	struct file_lock *lock = NULL;
	char victim[128], path[128], text[8] = "";
	int pid = 0;
	FILE *f;

	setup();
	snprintf(victim, sizeof(victim), "%s", path_of("victim"));
	snprintf(path, sizeof(path), "%s", path_of("lock"));
	ck_assert_int_eq(file_write(host, victim, "secret", 6, 0600, NULL), 0);
	ck_assert_int_eq(link(victim, path), 0);
	ck_assert_int_eq(file_lock(host, path, &pid, NULL, &lock), -EMLINK);
	f = fopen(victim, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
	fclose(f);
	ck_assert_str_eq(text, "secret");
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(file_lock(host, path, &pid, NULL, &lock), -EMLINK);
	unlink(path);
	unlink(victim);
	teardown();
}
END_TEST

/* What a crash left behind the last whole part is cut off. */
START_TEST(add_cuts_a_torn_end)
{
	setup();
	struct err err = { 0 };
	char *p = path_of("log");
	ck_assert_int_eq(file_add(host, p, 0, "x", 1, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, p));
	ck_assert_int_eq(file_write(host, p, "one two tor", 11, 0600, NULL), 0);
	ck_assert_int_eq(file_add(host, p, 8, "three ", 6, NULL), 0);
	check_content(p, "one two three ");
	ck_assert_int_eq(file_add(host, p, 14, "", 0, NULL), 0);
	check_content(p, "one two three ");
	/* Shorter than the new part, so that nothing of the old end is left behind it. */
	ck_assert_int_eq(file_add(host, p, 4, "2", 1, NULL), 0);
	check_content(p, "one 2");
	teardown();
}
END_TEST

/* Somebody else has shortened it, or put another file there. */
START_TEST(add_notices_another_file)
{
	setup();
	struct err err = { 0 };
	char *p = path_of("log"), *other = path_of("other");
	ck_assert_int_eq(file_write(host, p, "short", 5, 0600, NULL), 0);
	ck_assert_int_eq(file_add(host, p, 6, "x", 1, &err), -ESTALE);
	ck_assert_ptr_nonnull(strstr(err.text, "shorter"));
	check_content(p, "short");
	ck_assert_int_eq(link(p, other), 0);
	ck_assert_int_eq(file_add(host, p, 5, "x", 1, &err), -EINVAL);
	ck_assert_int_eq(unlink(p), 0);
	ck_assert_int_eq(symlink(other, p), 0);
	ck_assert_int_eq(file_add(host, p, 5, "x", 1, &err), -ELOOP);
	check_content(other, "short");
	ck_assert_int_eq(unlink(p), 0);
	ck_assert_int_eq(mkfifo(p, 0600), 0);
	ck_assert_int_lt(file_add(host, p, 0, "x", 1, &err),
			 0); /* and does not wait for a reader */
	ck_assert_int_eq(unlink(p), 0);
	ck_assert_int_eq(mkdir(p, 0700), 0);
	ck_assert_int_eq(file_add(host, p, 0, "x", 1, &err), -EINVAL);
	teardown();
}
END_TEST

/* No room in the middle: what was whole before stays, and the next call puts the end right. */
START_TEST(add_without_room_keeps_what_was_there)
{
	setup();
	static const struct rlimit room = { 8, RLIM_INFINITY };
	struct rlimit before;
	struct err err = { 0 };
	struct buf b = { 0 };
	char *p = path_of("log");
	ck_assert_int_eq(file_write(host, p, "whole ", 6, 0600, NULL), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &room), 0);
	int r = file_add(host, p, 6, "another", 7, &err);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	ck_assert_int_eq(r, -EFBIG);
	ck_assert_ptr_nonnull(strstr(err.text, p));
	ck_assert_int_eq(file_read(host, p, 64, NULL, &b), 0);
	ck_assert_uint_le(b.len, 8);
	ck_assert_mem_eq(b.data, "whole ", 6);
	buf_free(&b);
	ck_assert_int_eq(file_add(host, p, 6, "another", 7, NULL), 0);
	check_content(p, "whole another");
	teardown();
}
END_TEST

UNIT_MAIN("os/file", add_cuts_a_torn_end, add_notices_another_file,
	  add_without_room_keeps_what_was_there, a_slot_is_written_over_and_over,
	  a_slot_is_no_link_and_no_folder, write_and_read_back,
	  write_replaces_instead_of_overwriting, failed_write_leaves_the_old_file_and_nothing_else,
	  create_refuses_an_existing_file, read_keeps_its_limit,
	  secret_that_others_may_read_is_refused, read_refuses_what_is_no_file,
	  secrets_are_the_callers_or_roots, remove_says_what_was_not_there,
	  dir_make_makes_parents_and_keeps_modes, forget_takes_what_a_crash_left,
	  dir_list_sorts_and_takes_files_only, a_locked_file_is_one_processs_own, a_lock_is_no_trap)
