/* SPDX-License-Identifier: MIT */
/* The server's database: what it keeps, and what survives kill -9 and a power cut. */
#include "signal/db.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signal/db_internal.h"
#include "unit.h"

#define CODE "ABCD-EFGH-JKMN"

static char dir[64], folder[80], path[128];
static const uint8_t cluster[HASH_LEN] = { 1, 2, 3 }, other[HASH_LEN] = { 9 };
static const struct node_id node = { { 7 } };

static void begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.40s/mlsh-db-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(folder, sizeof(folder), "%s/state", dir);
	snprintf(path, sizeof(path), "%s/signal.db", folder);
}

static void end(void)
{
	static const char *const names[] = { "signal.db", "signal.db-wal", "signal.db-shm",
					     "copy.db",	  "copy.db-wal",   "copy.db-shm" };
	char file[200];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		unlink(file);
	}
	rmdir(folder);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct db *open_db(void)
{
	struct err err = { .code = 0 };
	struct db *d = NULL;
	int r = db_open(path, true, &err, &d);

	ck_assert_msg(r == 0, "%s", err.text);
	return d;
}

static void add_cluster(struct db *d, const uint8_t id[HASH_LEN])
{
	struct db_cluster c = { .subnet = { 0x64400000, 10 } };

	memcpy(c.id, id, sizeof(c.id));
	ck_assert_int_eq(db_cluster_add(d, &c, 1, NULL), 0);
}

static int count_record(void *ctx, uint64_t seq, struct span entry)
{
	uint64_t *n = ctx;

	ck_assert_uint_eq(seq, *n); /* no gap */
	ck_assert_uint_ge(entry.len, 4);
	ck_assert_uint_eq(load_be32(entry.data), seq);
	++*n;
	return 0;
}

static uint64_t entries(struct db *d)
{
	uint64_t n = 0;

	ck_assert_int_eq(db_records(d, cluster, count_record, &n, NULL), 0);
	return n;
}

/* Entry n with its address, in a transaction, as an admission is stored. */
static int store(struct db *d, uint64_t n, struct err *err)
{
	uint8_t bytes[500] = { 0 };
	int r;

	store_be32(bytes, (uint32_t)n);
	if ((r = db_begin(d, err)) < 0)
		return r;
	if ((r = db_record_add(d, cluster, n, span_of(bytes, sizeof(bytes)), err)) < 0 ||
	    (r = db_address_add(d, (ip4)(0x64400001 + n), cluster, &node, err)) < 0) {
		db_rollback(d);
		return r;
	}
	return db_commit(d, err);
}

/* --- opening ---------------------------------------------------------------------------------- */

START_TEST(db_is_made_for_its_owner_only)
{
	struct stat st;
	char wal[200];
	struct db *d;

	begin();
	umask(0);
	d = open_db();
	add_cluster(d, cluster);
	ck_assert_int_eq(stat(folder, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	ck_assert_int_eq(stat(wal, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	db_close(d);
	ck_assert_int_eq(chmod(path, 0644), 0); /* a restored copy, say */
	db_close(open_db());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	end();
}
END_TEST

/* --- contents --------------------------------------------------------------------------------- */

static enum code_state state_of(struct db *d, const char *code, int64_t now_s)
{
	struct code_info info;

	ck_assert_int_eq(db_code_find(d, code, now_s, &info, NULL), 0);
	return info.state;
}

/* [P1-22] */
START_TEST(codes_are_hashed_and_burn_once)
{
	static const uint8_t salt[CODE_SALT_LEN] = { 4 };
	static char content[1 << 16];
	struct code_info info;
	struct db *d;
	size_t n;
	FILE *f;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	ck_assert_int_eq(state_of(d, CODE, 10), CODE_UNKNOWN);
	ck_assert_int_eq(db_code_add(d, CODE, salt, 10, 0, NULL), 0);
	ck_assert_int_eq(db_code_add(d, "0000-0000-0000", salt, 10, 20, NULL), 0);
	ck_assert_int_eq(state_of(d, CODE, 1000000), CODE_OPEN);
	ck_assert_int_eq(state_of(d, "0000-0000-0000", 19), CODE_OPEN);
	ck_assert_int_eq(state_of(d, "0000-0000-0000", 20), CODE_EXPIRED);
	ck_assert_int_eq(state_of(d, "ABCD-EFGH-JKM0", 10), CODE_UNKNOWN);

	ck_assert_int_eq(db_code_find(d, "0000-0000-0000", 10, &info, NULL), 0);
	ck_assert_int_eq(db_code_burn(d, info.id, cluster, 21, NULL), -ESTALE); /* expired */
	ck_assert_int_eq(db_code_find(d, CODE, 10, &info, NULL), 0);
	ck_assert_int_eq(db_code_burn(d, info.id, other, 11, NULL), -EIO); /* no such cluster */
	ck_assert_int_eq(db_code_burn(d, info.id, cluster, 11, NULL), 0);
	ck_assert_int_eq(db_code_burn(d, info.id, cluster, 11, NULL), -ESTALE);
	ck_assert_int_eq(db_code_find(d, CODE, 10, &info, NULL), 0);
	ck_assert_int_eq(info.state, CODE_USED);
	ck_assert_mem_eq(info.cluster_id, cluster, HASH_LEN);
	db_close(d);

	f = fopen(path, "rb");
	n = fread(content, 1, sizeof(content), f);
	fclose(f);
	ck_assert_uint_gt(n, 1000);
	ck_assert_ptr_null(memmem(content, n, CODE, strlen(CODE)));
	ck_assert_ptr_null(memmem(content, n, "ABCDEFGH", 8));
	end();
}
END_TEST

START_TEST(open_codes_are_bounded)
{
	static const uint8_t salt[CODE_SALT_LEN];
	struct db *d;

	begin();
	d = open_db();
	ck_assert_int_eq(db_begin(d, NULL), 0);
	for (int i = 0; i < CODES_OPEN_MAX; i++)
		ck_assert_int_eq(db_code_add(d, CODE, salt, 1, i == 0 ? 100 : 0, NULL), 0);
	ck_assert_int_eq(db_code_add(d, CODE, salt, 1, 0, NULL), -ENOSPC);
	ck_assert_int_eq(db_code_add(d, CODE, salt, 100, 0, NULL), 0); /* one has expired */
	db_rollback(d);
	db_close(d);
	end();
}
END_TEST

static size_t count_entries(struct db *d)
{
	sqlite3_stmt *stmt;
	size_t n;

	ck_assert_int_eq(db_prepare(d, "SELECT count(*) FROM record", &stmt, NULL), 0);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	n = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

/* Requests of a batch that come after the failure must not be stored while all are refused. */
START_TEST(nothing_is_stored_after_a_write_that_ended_the_transaction)
{
	static const uint8_t big[60000], little[100];
	struct err err = { 0 };
	struct db *d;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	ck_assert_int_eq(store(d, 0, NULL), 0);
	ck_assert_int_eq(sqlite3_exec(d->sql, "PRAGMA max_page_count = 30", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(db_begin(d, NULL), 0);
	ck_assert_int_eq(db_savepoint(d, NULL), 0);
	ck_assert_int_eq(db_record_add(d, cluster, 1, span_of(little, sizeof(little)), NULL), 0);
	db_savepoint_end(d, true);
	ck_assert_int_eq(db_savepoint(d, NULL), 0);
	for (uint64_t n = 2; !sqlite3_get_autocommit(d->sql); n++)
		(void)!db_record_add(d, cluster, n, span_of(big, sizeof(big)), NULL);
	db_savepoint_end(d, false);
	ck_assert_int_eq(db_savepoint(d, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	ck_assert_int_eq(db_commit(d, NULL), -EIO);
	ck_assert_uint_eq(count_entries(d), 1);
	ck_assert_int_eq(store(d, 1, NULL), 0); /* the next transaction is a new one */
	db_close(d);
	end();
}
END_TEST

/* [P3-48] */
START_TEST(places_and_addresses_are_given_out_once)
{
	struct span e = span_of("\0\0\0\0entry", 9);
	ip4 highest = 1;
	struct db *d;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	add_cluster(d, other);
	ck_assert_int_eq(db_record_add(d, cluster, 0, e, NULL), 0);
	ck_assert_int_eq(db_record_add(d, cluster, 0, e, NULL), -EEXIST);
	ck_assert_int_eq(db_record_add(d, other, 0, e, NULL), 0);
	/* but one that a recovery has dropped, whose place is free again */
	ck_assert_int_eq(db_record_add(d, cluster, 1, e, NULL), 0);
	ck_assert_int_eq(db_record_add(d, cluster, 2, e, NULL), 0);
	ck_assert_int_eq(db_records_drop(d, cluster, 1, NULL), 0);
	ck_assert_uint_eq(entries(d), 1);
	ck_assert_int_eq(db_record_add(d, cluster, 0, e, NULL), -EEXIST);
	ck_assert_int_eq(db_record_add(d, other, 0, e, NULL), -EEXIST);

	ck_assert_int_eq(db_address_highest(d, (struct prefix4){ 0x64400000, 10 }, &highest, NULL),
			 0);
	ck_assert_uint_eq(highest, 0);
	ck_assert_int_eq(db_address_add(d, 0x64400001, cluster, &node, NULL), 0);
	ck_assert_int_eq(db_address_add(d, 0x64400001, other, &node, NULL), -EEXIST);
	ck_assert_int_eq(db_address_add(d, 0x64400009, other, &node, NULL), 0);
	ck_assert_int_eq(db_address_add(d, 0x0a000001, other, &node, NULL), 0);
	ck_assert_int_eq(db_address_highest(d, (struct prefix4){ 0x64400000, 10 }, &highest, NULL),
			 0);
	ck_assert_uint_eq(highest, 0x64400009);
	db_close(d);
	end();
}
END_TEST

START_TEST(transactions_are_whole)
{
	struct db *d, *second = NULL;
	struct err err;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	ck_assert_int_eq(store(d, 0, NULL), 0);
	ck_assert_int_eq(db_address_add(d, 0x64400002, cluster, &node, NULL), 0);
	ck_assert_int_eq(store(d, 1, NULL), -EEXIST); /* its address is taken: no entry either */
	ck_assert_uint_eq(entries(d), 1);

	/* somebody else writes: waited for, then said */
	ck_assert_int_eq(db_open(path, false, NULL, &second), 0);
	ck_assert_int_eq(db_begin(second, NULL), 0);
	ck_assert_int_eq(db_begin(d, &err), -EBUSY);
	db_close(second); /* rolls back */
	ck_assert_int_eq(db_begin(d, NULL), 0);
	ck_assert_int_eq(db_commit(d, NULL), 0);
	db_close(d);
	end();
}
END_TEST

START_TEST(a_full_disk_undoes_the_transaction)
{
	struct rlimit limit = { 8192, RLIM_INFINITY };
	struct db *d;
	struct err err;
	uint64_t n;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	ck_assert_int_eq(store(d, 0, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(store(d, 1, &err), -EIO);
	ck_assert_uint_gt(strlen(err.text), 10);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_uint_eq(entries(d), 1);
	for (n = 1; n < 20; n++)
		ck_assert_int_eq(store(d, n, &err), 0);
	ck_assert_uint_eq(entries(d), 20);
	db_close(d);
	end();
}
END_TEST

/* --- sudden ends ------------------------------------------------------------------------------ */

/* Stores entries forever, telling the number of each once it is acknowledged. */
static void writer(int fd, uint64_t n)
{
	struct db *d = open_db();

	for (;; n++) {
		uint8_t told[4];

		if (store(d, n, NULL) < 0)
			_exit(1);
		store_be32(told, (uint32_t)n);
		if (write(fd, told, 4) != 4)
			_exit(1);
	}
}

START_TEST(kill_9_loses_nothing_acknowledged)
{
	struct unit_rng rng = unit_rng_new("kill_9_loses_nothing_acknowledged");
	uint64_t stored = 0;
	struct db *d;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	db_close(d);
	for (int round = 0; round < 6; round++) {
		uint64_t acknowledged = stored, kill_at = 1 + unit_random_below(&rng, 60), now;
		uint8_t told[4];
		int fds[2], status;
		pid_t child;

		ck_assert_int_eq(pipe(fds), 0);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			close(fds[0]);
			writer(fds[1], stored);
		}
		close(fds[1]);
		for (uint64_t i = 0; i < kill_at && read(fds[0], told, 4) == 4; i++)
			acknowledged = load_be32(told) + 1;
		kill(child, SIGKILL);
		while (read(fds[0], told, 4) == 4)
			acknowledged = load_be32(told) + 1;
		close(fds[0]);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status));
		d = open_db();
		now = entries(d);
		db_close(d);
		ck_assert_uint_ge(now, acknowledged);
		ck_assert_uint_le(now, acknowledged + 1); /* stored, and not yet told */
		stored = now;
	}
	ck_assert_uint_ge(stored, 6);
	end();
}
END_TEST

static size_t read_whole(const char *file, uint8_t **ret)
{
	FILE *f = fopen(file, "rb");
	size_t cap = 1 << 20, n;

	ck_assert_ptr_nonnull(f);
	*ret = malloc(cap);
	n = fread(*ret, 1, cap, f);
	ck_assert_uint_lt(n, cap);
	fclose(f);
	return n;
}

static void write_whole(const char *file, const uint8_t *data, size_t len)
{
	FILE *f = fopen(file, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

/* Power goes while the log of changes is being written: it ends anywhere. */
START_TEST(a_power_cut_leaves_whole_transactions)
{
	uint8_t *main_file, *wal_file;
	size_t main_len, wal_len, acknowledged_len[12];
	char wal[200], copy[200], copy_wal[220];
	struct db *d;

	begin();
	d = open_db();
	add_cluster(d, cluster);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	for (uint64_t n = 0; n < ARRAY_LEN(acknowledged_len); n++) {
		struct stat st;

		ck_assert_int_eq(store(d, n, NULL), 0);
		ck_assert_int_eq(stat(wal, &st), 0);
		acknowledged_len[n] = (size_t)st.st_size;
	}
	main_len = read_whole(path, &main_file);
	wal_len = read_whole(wal, &wal_file);
	db_close(d);
	snprintf(copy, sizeof(copy), "%s/copy.db", folder);
	snprintf(copy_wal, sizeof(copy_wal), "%s-wal", copy);
	for (size_t cut = 0; cut <= wal_len; cut += cut + 4001 < wal_len ? 4001 : 509) {
		struct db *c = NULL;
		uint64_t kept = 0, n = 0;
		struct err err;
		int r;

		write_whole(copy, main_file, main_len);
		write_whole(copy_wal, wal_file, cut);
		while (kept < ARRAY_LEN(acknowledged_len) && acknowledged_len[kept] <= cut)
			kept++;
		r = db_open(copy, true, &err, &c);
		ck_assert_msg(r == 0, "cut at %zu: %s", cut, err.text);
		ck_assert_int_eq(db_records(c, cluster, count_record, &n, NULL), 0);
		ck_assert_uint_eq(n, kept);
		db_close(c);
		unlink(copy);
		unlink(copy_wal);
	}
	free(main_file);
	free(wal_file);
	end();
}
END_TEST

UNIT_MAIN("signal/db", db_is_made_for_its_owner_only, codes_are_hashed_and_burn_once,
	  open_codes_are_bounded, nothing_is_stored_after_a_write_that_ended_the_transaction,
	  places_and_addresses_are_given_out_once, transactions_are_whole,
	  a_full_disk_undoes_the_transaction, kill_9_loses_nothing_acknowledged,
	  a_power_cut_leaves_whole_transactions)
