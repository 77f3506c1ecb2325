/* SPDX-License-Identifier: MIT */
/*
 * Restoring a backup: the old database is kept, a running server is not robbed of its own, and a
 * process that is killed at any of its steps leaves the old database or the new one, whole.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "db_kit.h"
#include "signal/mark.h"
#include "signal/restore.h"

#define OLD_ENTRIES 7
#define NEW_ENTRIES 3

static struct host *h;
static struct buf image; /* NEW_ENTRIES */

static void fill(const char *file, uint64_t n)
{
	struct db *d = dbkit_open_db(file);

	for (uint64_t i = 0; i < n; i++)
		ck_assert_int_eq(dbkit_store(d, i), 0);
	db_close(d);
}

/* Its last entry as a server leaves it that is killed then: in the -wal only. */
static void fill_and_die(const char *file, uint64_t n)
{
	uint8_t bytes[ENTRY_BYTES] = { 0 };
	pid_t child;
	int status;

	fill(file, n - 1);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct db *d = dbkit_open_db(file);

		store_be32(bytes, (uint32_t)n - 1);
		_exit(db_begin(d, NULL) < 0 ||
		      db_record_add(d, dbkit_cluster, n - 1, span_of(bytes, sizeof(bytes)), NULL) <
			      0 ||
		      db_address_add(d, (ip4)(0x64400000 + n), dbkit_cluster, &dbkit_node, NULL) <
			      0 ||
		      db_commit(d, NULL) < 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Calls fn for each file in the folder that is not the database itself. */
static void each_beside(void (*fn)(const char *file))
{
	struct dirent *e;
	DIR *folder = opendir(dbkit_dir);
	char file[400];

	ck_assert_ptr_nonnull(folder);
	while ((e = readdir(folder)) != NULL) {
		snprintf(file, sizeof(file), "%s/%s", dbkit_dir, e->d_name);
		if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
			if (strcmp(file, dbkit_path) != 0)
				fn(file);
	}
	closedir(folder);
}

static void remove_file(const char *file)
{
	ck_assert_int_eq(unlink(file), 0);
}

static void not_unfinished(const char *file)
{
	ck_assert_msg(!strstr(file, ".restoring"), "%s", file);
}

static unsigned kept;
static uint64_t kept_entries;

static void count_kept(const char *file)
{
	if (strstr(file, "/signal.db.before-restore-") && !strstr(file, "-wal") &&
	    !strstr(file, "-shm")) {
		kept++;
		kept_entries = dbkit_entries_of(file);
	}
}

static void count_all_kept(void)
{
	kept = 0;
	kept_entries = 0;
	each_beside(count_kept);
}

/* The image of a database with few entries; an old one with more of them in place. */
static void prepare(void)
{
	struct privs_account self = { .reaches = true };
	struct mark_value mark = { .id = { 5 }, .count = 40 };
	struct db *d;

	dbkit_begin();
	h = dbkit_real_host();
	dbkit_made_with_cluster();
	fill(dbkit_path, NEW_ENTRIES);
	d = dbkit_open_db(dbkit_path);
	ck_assert_int_eq(mark_db_put(d, &mark, NULL), 0);
	db_close(d);
	ck_assert_int_eq(backup_take(h, &self, dbkit_path, NULL, &image), 0);
	dbkit_remove_all(dbkit_path);
	dbkit_made_with_cluster();
	fill_and_die(dbkit_path, OLD_ENTRIES);
}

static void finish(void)
{
	each_beside(remove_file);
	buf_free(&image);
	host_free(h);
	dbkit_end();
}

static int place(bool accept, struct restored *done, struct err *err)
{
	return restore_place(h, dbkit_path, span_of(image.data, image.len), accept, done, err);
}

static int waiting(void)
{
	struct db *d = dbkit_open_db(dbkit_path);
	int n = db_waiting_count(d, NULL);

	db_close(d);
	return n;
}

START_TEST(the_old_one_is_kept)
{
	struct mark_value beside, in = { .count = 0 };
	struct restored done;
	struct err err = { .code = 0 };
	struct db *d;
	int r;

	prepare();
	for (int i = 0; i < 3; i++) {
		r = place(i == 2, &done, &err);
		ck_assert_msg(r == 0, "%s", err.text);
		ck_assert(done.replaced);
		ck_assert_uint_eq(dbkit_entries_of(done.kept), i == 0 ? OLD_ENTRIES : NEW_ENTRIES);
		ck_assert_uint_eq(dbkit_entries_of(dbkit_path), NEW_ENTRIES);
		ck_assert_int_eq(waiting(), i != 2);
		d = dbkit_open_db(dbkit_path);
		ck_assert_int_eq(mark_db_get(d, &in, NULL), 0);
		db_close(d);
		ck_assert_int_eq(mark_file_get(h, dbkit_path, &beside), 0);
		ck_assert_mem_eq(&in, &beside, sizeof(in)); /* no start takes it for older */
		ck_assert_uint_eq(in.count, 41 + (unsigned)i);
	}
	/* nothing there: a new machine */
	each_beside(remove_file);
	dbkit_remove_all(dbkit_path);
	ck_assert_int_eq(place(false, &done, NULL), 0);
	ck_assert(!done.replaced);
	ck_assert_uint_eq(dbkit_entries_of(dbkit_path), NEW_ENTRIES);
	finish();
}
END_TEST

/* Rests of a lost database, or one that SQLite cannot read, are kept, too, and not mixed in. */
START_TEST(what_cannot_be_read_is_kept_as_it_is)
{
	struct restored done;
	char file[RESTORE_KEPT_MAX + 8], text[32] = "";
	FILE *f;

	prepare();
	dbkit_make_file(dbkit_path, "", "no database");
	dbkit_make_file(dbkit_path, "-wal", "its rest");
	ck_assert_int_eq(place(false, &done, NULL), 0);
	ck_assert_uint_eq(dbkit_entries_of(dbkit_path), NEW_ENTRIES);
	for (int i = 0; i < 2; i++) {
		snprintf(file, sizeof(file), "%s%s", done.kept, i ? "-wal" : "");
		f = fopen(file, "r");
		ck_assert_ptr_nonnull(f);
		ck_assert_ptr_nonnull(fgets(text, sizeof(text), f));
		ck_assert_str_eq(text, i ? "its rest" : "no database");
		fclose(f);
	}
	dbkit_remove_all(dbkit_path);
	dbkit_make_file(dbkit_path, "-wal", "its rest");
	ck_assert_int_eq(place(false, &done, NULL), 0);
	ck_assert_uint_eq(dbkit_entries_of(dbkit_path), NEW_ENTRIES);
	finish();
}
END_TEST

START_TEST(a_running_server_is_left_alone)
{
	struct restored done;
	struct err err = { .code = 0 };
	struct server running;

	prepare();
	running = dbkit_server_start();
	ck_assert_int_eq(place(true, &done, &err), -EBUSY);
	ck_assert_msg(strstr(err.text, running.text), "%s", err.text);
	dbkit_server_kill(&running);
	ck_assert_uint_eq(dbkit_entries_of(dbkit_path), OLD_ENTRIES);
	finish();
}
END_TEST

/* No room, or no right: the old one stays, and nothing unfinished is left. */
START_TEST(what_cannot_be_written_changes_nothing)
{
	static const rlim_t rooms[] = { 0, 5000, 20000 };
	struct restored done;
	pid_t child;
	int status;

	prepare();
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++) {
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			struct rlimit room = { rooms[i], rooms[i] };
			struct err err = { .code = 0 };

			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, &room);
			_exit(place(false, &done, &err) < 0 && strlen(err.text) > 20 ? 0 : 1);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		ck_assert_uint_eq(dbkit_entries_of(dbkit_path), OLD_ENTRIES);
		each_beside(not_unfinished);
	}
	finish();
}
END_TEST

/* A downgrade: else the file would be called damaged, and the database a restored one. */
START_TEST(a_mark_of_a_newer_version_is_left_alone)
{
	static const char newer[] = "mlsh-signal mark v2 and more\n";
	struct mark *mark = NULL;
	struct err err = { .code = 0 };
	struct buf now = { 0 };
	char file[sizeof(dbkit_path) + 8];
	bool restored = false;
	struct db *d;

	prepare();
	dbkit_make_file(dbkit_path, MARK_SUFFIX, newer);
	d = dbkit_open_db(dbkit_path);
	ck_assert_int_eq(mark_open(h, d, dbkit_path, &err, &restored, &mark), -EPROTONOSUPPORT);
	ck_assert_msg(strstr(err.text, "signal.db.mark was written by a newer mlsh-signal"), "%s",
		      err.text);
	ck_assert(!restored);
	db_close(d);
	ck_assert_int_eq(waiting(), 0);
	snprintf(file, sizeof(file), "%s" MARK_SUFFIX, dbkit_path);
	ck_assert_int_eq(file_read(h, file, 100, NULL, &now), 0);
	ck_assert_str_eq((const char *)now.data, newer);
	buf_free(&now);
	finish();
}
END_TEST

/* --- killed ----------------------------------------------------------------------------------- */

/* A step is a system call that changes a file or a folder. */
static bool is_step(uint64_t nr)
{
	static const long steps[] = {
		SYS_openat,   SYS_write,     SYS_pwrite64, SYS_fsync,	SYS_fdatasync,
		SYS_linkat,   SYS_renameat2, SYS_unlinkat, SYS_mkdirat, SYS_ftruncate,
#ifdef SYS_open
		SYS_open,     SYS_rename,    SYS_unlink,   SYS_link,
#endif
		SYS_renameat,
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if ((uint64_t)steps[i] == nr)
			return true;
	return false;
}

/* Runs until the child stops or ends; true if it has ended. */
static bool run_on(pid_t child, int *status)
{
	ck_assert_int_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(child, status, 0), child);
	return WIFEXITED(*status) || WIFSIGNALED(*status);
}

/* Kills the child just before its n-th step. False if it had fewer, and has ended well. */
static bool kill_before(pid_t child, unsigned n)
{
	struct __ptrace_syscall_info info;
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_TRACESYSGOOD), 0);
	while (!run_on(child, &status)) {
		ck_assert_int_gt(ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof(info),
					&info),
				 0);
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !is_step(info.entry.nr) || n-- > 0)
			continue;
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		return true;
	}
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

/* The earlier state, without waiting for the disk. */
static void put_old_back(const struct buf old[2])
{
	char file[200];

	dbkit_remove_all(dbkit_path);
	each_beside(remove_file);
	for (int i = 0; i < 2; i++) {
		FILE *f;

		snprintf(file, sizeof(file), "%s%s", dbkit_path, i ? "-wal" : "");
		f = fopen(file, "wb");
		ck_assert_ptr_nonnull(f);
		ck_assert_uint_eq(fwrite(old[i].data, 1, old[i].len, f), old[i].len);
		ck_assert_int_eq(fclose(f), 0);
		ck_assert_int_eq(chmod(file, 0600), 0);
	}
}

START_TEST(it_may_be_killed_at_each_step)
{
	struct restored done;
	struct buf old[2];
	char wal[200];
	unsigned n, was_old = 0, was_new = 0;
	uint64_t have;
	pid_t child;

	prepare();
	snprintf(wal, sizeof(wal), "%s-wal", dbkit_path);
	ck_assert_int_eq(file_read(h, dbkit_path, BACKUP_MAX_BYTES, NULL, &old[0]), 0);
	ck_assert_int_eq(file_read(h, wal, BACKUP_MAX_BYTES, NULL, &old[1]), 0);
	ck_assert_uint_gt(old[1].len, 0);
	for (n = 0;; n++) {
		bool killed;

		put_old_back(old);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
				_exit(77);
			raise(SIGSTOP);
			_exit(place(false, &done, NULL) < 0);
		}
		killed = kill_before(child, n);
		have = dbkit_entries_of(dbkit_path);
		ck_assert(have == OLD_ENTRIES || have == NEW_ENTRIES);
		ck_assert(killed || have == NEW_ENTRIES);
		count_all_kept();
		ck_assert_uint_le(kept, 1);
		if (have == NEW_ENTRIES || kept == 1)
			ck_assert_uint_eq(kept_entries, OLD_ENTRIES);
		if (have == NEW_ENTRIES)
			ck_assert_int_eq(waiting(), 1);
		was_old += have == OLD_ENTRIES;
		was_new += have == NEW_ENTRIES;
		/* and the next run is not in its own way */
		if (killed && n % 8 == 0) {
			ck_assert_int_eq(place(false, &done, NULL), 0);
			ck_assert_uint_eq(dbkit_entries_of(dbkit_path), NEW_ENTRIES);
		}
		if (!killed)
			break;
	}
	ck_assert_uint_gt(was_old, 10);
	ck_assert_uint_gt(was_new, 2);
	buf_free(&old[0]);
	buf_free(&old[1]);
	finish();
}
END_TEST

UNIT_MAIN("signal/restore", the_old_one_is_kept, what_cannot_be_read_is_kept_as_it_is,
	  a_running_server_is_left_alone, what_cannot_be_written_changes_nothing,
	  a_mark_of_a_newer_version_is_left_alone, it_may_be_killed_at_each_step)
