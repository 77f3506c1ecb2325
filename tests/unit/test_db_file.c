/* SPDX-License-Identifier: MIT */
/*
 * The database as a file: a copy of it alone is whole at any time, rests of an old one are never
 * taken for a new one, damage is named, and one process serves it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "db_kit.h"

/* --- copies while it is written --------------------------------------------------------------- */

/* Stores entries until it is killed, and tells of each when a server would answer. */
static void writer(int fd, uint64_t n)
{
	struct err err;
	struct db *d = dbkit_open_db(dbkit_path);

	if (db_serve(d, &err) < 0)
		_exit(1);
	for (;; n++) {
		uint8_t told[4];

		if (dbkit_store(d, n) < 0)
			_exit(1);
		store_be32(told, (uint32_t)n);
		if (write(fd, told, 4) != 4)
			_exit(1);
	}
}

/* How many were answered so far. */
static uint64_t answered(int fd, uint64_t so_far)
{
	uint8_t told[4];

	while (read(fd, told, 4) == 4)
		so_far = load_be32(told) + 1;
	return so_far;
}

static void await_one(int fd)
{
	uint8_t told[4];

	fcntl(fd, F_SETFL, 0);
	ck_assert_int_eq(read(fd, told, 4), 4);
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

/* As cp does it, but in small pieces, which is as good as a slow disk. */
static void copy_file(struct unit_rng *rng)
{
	static uint8_t piece[16384];
	int in = open(dbkit_path, O_RDONLY),
	    out = open(dbkit_copy, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	ck_assert_int_ge(in, 0);
	ck_assert_int_ge(out, 0);
	while ((n = read(in, piece, 512 + unit_random_below(rng, sizeof(piece) - 512))) > 0) {
		ck_assert_int_eq(write(out, piece, (size_t)n), n);
		if (unit_random_below(rng, 4) == 0)
			usleep((useconds_t)unit_random_below(rng, 3000));
	}
	close(in);
	close(out);
}

START_TEST(a_copy_made_while_nodes_join_has_all_that_was_answered)
{
	struct unit_rng rng = unit_rng_new("a_copy_made_while_nodes_join");
	uint64_t stored = 0, before;
	int fds[2], status;
	pid_t child;

	dbkit_begin();
	dbkit_made_with_cluster();
	for (int round = 0; round < 6; round++) {
		ck_assert_int_eq(pipe(fds), 0);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			close(fds[0]);
			writer(fds[1], stored);
		}
		close(fds[1]);
		for (int i = 0; i < 8; i++) {
			await_one(fds[0]);
			before = answered(fds[0], stored);
			copy_file(&rng);
			ck_assert_uint_ge(dbkit_entries_of(dbkit_copy), before);
			dbkit_remove_all(dbkit_copy);
		}
		usleep((useconds_t)unit_random_below(&rng, 20000));
		kill(child, SIGKILL);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status));
		before = answered(fds[0], stored);
		close(fds[0]);
		stored = dbkit_entries_of(dbkit_path);
		ck_assert_uint_ge(stored, before);
	}
	dbkit_end();
}
END_TEST

START_TEST(the_file_alone_is_whole_after_a_checkpoint)
{
	struct unit_rng rng = { 1 };
	struct stat st;
	char wal[200];
	struct db *d;

	dbkit_begin();
	dbkit_made_with_cluster();
	d = dbkit_open_db(dbkit_path);
	for (uint64_t n = 0; n < 30; n++) {
		ck_assert_int_eq(dbkit_store(d, n), 0);
		if (n % 10 == 0) {
			copy_file(&rng);
			ck_assert_uint_eq(dbkit_entries_of(dbkit_copy), n + 1);
			dbkit_remove_all(dbkit_copy);
		}
	}
	snprintf(wal, sizeof(wal), "%s-wal", dbkit_path);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_int_eq(st.st_size, 0); /* nothing that a restored copy could be mixed with */
	db_close(d);
	dbkit_end();
}
END_TEST

/* --- backups ---------------------------------------------------------------------------------- */

/* The same bytes are a database again, with all that was answered before they were taken. */
START_TEST(a_backup_taken_while_nodes_join_has_all_that_was_answered)
{
	struct unit_rng rng = unit_rng_new("a_backup_taken_while_nodes_join");
	struct privs_account self = { .reaches = true };
	struct host *h = dbkit_real_host();
	struct db_server server;
	struct buf image;
	uint64_t before = 0;
	int fds[2];
	pid_t child;

	dbkit_begin();
	dbkit_made_with_cluster();
	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(fds[0]);
		writer(fds[1], 0);
	}
	close(fds[1]);
	for (int i = 0; i < 30; i++) {
		await_one(fds[0]);
		before = answered(fds[0], before);
		if (i % 2) {
			struct err err = { .code = 0 };
			int r = backup_take(h, &self, dbkit_path, &err, &image);

			ck_assert_msg(r == 0, "%s", err.text);
			ck_assert_int_eq(backup_write(h, dbkit_path, dbkit_copy,
						      span_of(image.data, image.len), true, NULL),
					 0);
			ck_assert_uint_ge(dbkit_entries_of(dbkit_copy), before);
			dbkit_remove_all(dbkit_copy);
		} else {
			ck_assert_int_eq(db_image_take(dbkit_path, NULL, &server, &image), 0);
			ck_assert(server.running);
			ck_assert_int_eq(server.pid, child);
		}
		ck_assert_uint_ge(dbkit_entries_in(span_of(image.data, image.len)), before);
		buf_free(&image);
		usleep((useconds_t)unit_random_below(&rng, 3000));
	}
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(fds[0]);
	ck_assert_int_eq(db_image_take(dbkit_path, NULL, &server, &image), 0);
	ck_assert(!server.running);
	ck_assert_uint_ge(dbkit_entries_in(span_of(image.data, image.len)), before);
	buf_free(&image);
	host_free(h);
	dbkit_end();
}
END_TEST

static void remove_hidden(void)
{
	struct dirent *e;
	DIR *folder = opendir(dbkit_dir);
	char file[400];

	ck_assert_ptr_nonnull(folder);
	while ((e = readdir(folder)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", dbkit_dir, e->d_name);
		if (strncmp(e->d_name, ".copy.db.", 9) == 0)
			unlink(file);
	}
	closedir(folder);
}

/* Of a backup that is killed at a random moment there is the old file, or the whole new one. */
START_TEST(a_backup_that_is_killed_is_whole_or_as_it_was)
{
	struct unit_rng rng = unit_rng_new("a_backup_that_is_killed");
	struct privs_account self = { .reaches = true };
	struct host *h = dbkit_real_host();
	uint64_t have = 0, stored = 0;
	uint64_t within_us = 4000; /* follows what a backup takes on this machine */
	unsigned killed = 0;
	struct buf image;
	struct db *d;
	pid_t child;
	int status;

	dbkit_begin();
	dbkit_made_with_cluster();
	for (int round = 0; round < 60; round++) {
		d = dbkit_open_db(dbkit_path);
		ck_assert_int_eq(dbkit_store(d, stored++), 0);
		db_close(d);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			_exit(backup_take(h, &self, dbkit_path, NULL, &image) < 0 ||
			      backup_write(h, dbkit_path, dbkit_copy,
					   span_of(image.data, image.len), true, NULL) < 0);
		usleep((useconds_t)unit_random_below(&rng, within_us));
		kill(child, SIGKILL);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		killed += WIFSIGNALED(status);
		within_us = WIFSIGNALED(status) ? within_us * 5 / 4 : within_us * 4 / 5 + 1;
		ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		if (access(dbkit_copy, F_OK) == 0) {
			uint64_t n = dbkit_entries_of(dbkit_copy);

			ck_assert(n == have || n == stored);
			have = n;
		}
		ck_assert(WIFSIGNALED(status) || have == stored);
	}
	ck_assert_uint_gt(killed, 0);
	ck_assert_uint_gt(have, 0);
	ck_assert_uint_eq(dbkit_entries_of(dbkit_path), stored);
	remove_hidden();
	host_free(h);
	dbkit_end();
}
END_TEST

START_TEST(a_backup_replaces_nothing_unasked)
{
	struct privs_account self = { .reaches = true };
	struct host *h = dbkit_real_host();
	struct stat st;
	struct buf image;
	struct span bytes;

	dbkit_begin();
	dbkit_made_with_cluster();
	ck_assert_int_eq(backup_take(h, &self, dbkit_path, NULL, &image), 0);
	bytes = span_of(image.data, image.len);
	ck_assert_int_eq(backup_write(h, dbkit_path, dbkit_path, bytes, true, NULL), -EINVAL);
	ck_assert_int_eq(backup_write(h, dbkit_path, dbkit_copy, bytes, false, NULL), 0);
	ck_assert_int_eq(stat(dbkit_copy, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(backup_write(h, dbkit_path, dbkit_copy, bytes, false, NULL), -EEXIST);
	ck_assert_int_eq(backup_write(h, dbkit_path, dbkit_copy, bytes, true, NULL), 0);
	buf_free(&image);
	host_free(h);
	dbkit_end();
}
END_TEST

/* What is no backup, and each damaged byte of a page that counts. */
START_TEST(a_damaged_image_is_refused)
{
	struct privs_account self = { .reaches = true };
	struct host *h = dbkit_real_host();
	struct db *d = NULL;
	struct buf image;

	dbkit_begin();
	dbkit_made_with_cluster();
	d = dbkit_open_db(dbkit_path);
	for (uint64_t n = 0; n < 40; n++)
		ck_assert_int_eq(dbkit_store(d, n), 0);
	db_close(d);
	ck_assert_int_eq(backup_take(h, &self, dbkit_path, NULL, &image), 0);
	ck_assert_int_eq(db_image_open(span_str(""), "x", NULL, &d), -EINVAL);
	ck_assert_int_eq(db_image_open(span_str("a text and not a database"), "x", NULL, &d),
			 -EINVAL);
	ck_assert_int_lt(db_image_open(span_of(image.data, image.len / 2), "x", NULL, &d), 0);
	memset(image.data + image.len - 2 * 4096, 0, 4096);
	ck_assert_int_eq(db_image_open(span_of(image.data, image.len), "x", NULL, &d), -EIO);
	buf_free(&image);
	host_free(h);
	dbkit_end();
}
END_TEST

/* --- rests ------------------------------------------------------------------------------------ */

static void refused(int code, const char *words)
{
	struct db *d = NULL;
	struct err err = { .code = 0 };
	int r = db_open(dbkit_path, true, &err, &d);

	if (r == 0)
		r = db_serve(d, &err);
	db_close(d);
	ck_assert_int_eq(r, code);
	ck_assert_ptr_nonnull(strstr(err.text, dbkit_path));
	ck_assert_msg(strstr(err.text, words), "%s", err.text);
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text) - 1); /* not cut off */
}

START_TEST(rests_of_a_database_are_not_a_new_server)
{
	static const char *const suffix[] = { "-wal", "-shm", "-journal" };
	char name[200];

	dbkit_begin();
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		dbkit_make_file(dbkit_path, suffix[i], "");
		refused(-EINVAL, suffix[i]);
		dbkit_make_file(dbkit_path, "", "");
		refused(-EINVAL, suffix[i]);
		ck_assert_int_eq(unlink(dbkit_path), 0);
		snprintf(name, sizeof(name), "%s%s", dbkit_path, suffix[i]);
		ck_assert_int_eq(unlink(name), 0); /* not touched */
	}
	dbkit_make_file(dbkit_path, "", "");
	refused(-EINVAL, "empty");
	ck_assert_int_eq(unlink(dbkit_path), 0);
	db_close(dbkit_open_db(dbkit_path)); /* nothing there: a new one */
	dbkit_end();
}
END_TEST

/* What an older mlsh-signal left in the file, and a copy of it alone has: a header. */
START_TEST(a_database_without_tables_is_refused)
{
	sqlite3 *s = NULL;

	dbkit_begin();
	ck_assert_int_eq(sqlite3_open(dbkit_path, &s), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(s, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(s);
	refused(-EINVAL, "empty");
	dbkit_end();
}
END_TEST

START_TEST(a_start_that_was_killed_leaves_nothing_in_the_way)
{
	dbkit_begin();
	dbkit_make_file(dbkit_path, ".new", "rubbish");
	dbkit_make_file(dbkit_path, ".new-wal", "rubbish");
	db_close(dbkit_open_db(dbkit_path));
	dbkit_end(); /* and the rubbish is gone */
}
END_TEST

/* --- damage ----------------------------------------------------------------------------------- */

START_TEST(damage_is_named_with_a_remedy)
{
	static const uint8_t zero[4096];
	struct stat st;
	struct db *d;
	int fd;

	dbkit_begin();
	dbkit_made_with_cluster();
	d = dbkit_open_db(dbkit_path);
	for (uint64_t n = 0; n < 40; n++)
		ck_assert_int_eq(dbkit_store(d, n), 0);
	db_close(d);
	ck_assert_int_eq(stat(dbkit_path, &st), 0);
	fd = open(dbkit_path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, zero, sizeof(zero), st.st_size - 2 * 4096), sizeof(zero));
	refused(-EIO, "backup");
	ck_assert_int_eq(pwrite(fd, "this is not a database", 22, 0), 22);
	refused(-EIO, "backup");
	close(fd);
	dbkit_end();
}
END_TEST

/* --- one server ------------------------------------------------------------------------------- */

START_TEST(a_second_server_names_the_first)
{
	struct server first;
	struct db *d;

	dbkit_begin();
	dbkit_made_with_cluster();
	first = dbkit_server_start();
	refused(-EBUSY, first.text);
	d = dbkit_open_db(dbkit_path); /* `mlsh-signal token` writes beside it */
	ck_assert_int_eq(dbkit_store(d, 0), 0);
	db_close(d);
	dbkit_server_kill(&first);
	d = dbkit_open_db(dbkit_path);
	ck_assert_int_eq(db_serve(d, NULL), 0); /* a lock of the dead does not stay */
	db_close(d);
	dbkit_end();
}
END_TEST

START_TEST(a_lock_is_not_waited_for_by_a_server)
{
	struct db *d, *other;
	struct err err;

	dbkit_begin();
	dbkit_made_with_cluster();
	d = dbkit_open_db(dbkit_path);
	other = dbkit_open_db(dbkit_path);
	db_wait_never(d);
	ck_assert_int_eq(db_begin(other, NULL), 0);
	for (int i = 0; i < 1000; i++) /* 2000 s if it waited */
		ck_assert_int_eq(db_begin(d, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "Another program"));
	db_close(dbkit_open_db(dbkit_path)); /* nor does a start need the lock */
	db_rollback(other);
	ck_assert_int_eq(db_begin(d, NULL), 0);
	db_rollback(d);
	db_close(other);
	db_close(d);
	dbkit_end();
}
END_TEST

UNIT_MAIN("signal/db_file", a_copy_made_while_nodes_join_has_all_that_was_answered,
	  a_backup_taken_while_nodes_join_has_all_that_was_answered,
	  a_backup_that_is_killed_is_whole_or_as_it_was, a_backup_replaces_nothing_unasked,
	  a_damaged_image_is_refused, the_file_alone_is_whole_after_a_checkpoint,
	  rests_of_a_database_are_not_a_new_server, a_database_without_tables_is_refused,
	  a_start_that_was_killed_leaves_nothing_in_the_way, damage_is_named_with_a_remedy,
	  a_second_server_names_the_first, a_lock_is_not_waited_for_by_a_server)
