/* SPDX-License-Identifier: MIT */
/* A server's database in a folder of its own. */
#include "db_kit.h"

char dbkit_dir[64], dbkit_path[128], dbkit_copy[128];
const uint8_t dbkit_cluster[HASH_LEN] = { 1, 2, 3 };
const struct node_id dbkit_node = { { 7 } };

void dbkit_begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dbkit_dir, sizeof(dbkit_dir), "%.40s/mlsh-file-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dbkit_dir));
	snprintf(dbkit_path, sizeof(dbkit_path), "%s/signal.db", dbkit_dir);
	snprintf(dbkit_copy, sizeof(dbkit_copy), "%s/copy.db", dbkit_dir);
}

void dbkit_remove_all(const char *file)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[200];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", file, suffix[i]);
		unlink(name);
	}
}

void dbkit_end(void)
{
	dbkit_remove_all(dbkit_path);
	dbkit_remove_all(dbkit_copy);
	ck_assert_int_eq(rmdir(dbkit_dir), 0);
}

struct db *dbkit_open_db(const char *file)
{
	struct err err = { .code = 0 };
	struct db *d = NULL;
	int r = db_open(file, true, &err, &d);

	ck_assert_msg(r == 0, "%s", err.text);
	return d;
}

struct server dbkit_server_start(void)
{
	struct server s;
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe(fds), 0);
	s.pid = fork();
	ck_assert_int_ge(s.pid, 0);
	if (s.pid == 0) {
		struct db *d = dbkit_open_db(dbkit_path);

		if (db_serve(d, NULL) == 0)
			(void)!write(fds[1], "x", 1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	snprintf(s.text, sizeof(s.text), "process %d", (int)s.pid);
	return s;
}

void dbkit_server_kill(const struct server *s)
{
	kill(s->pid, SIGKILL);
	ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
}

void dbkit_made_with_cluster(void)
{
	struct db_cluster c = { .subnet = { 0x64400000, 10 } };
	struct db *d = dbkit_open_db(dbkit_path);

	memcpy(c.id, dbkit_cluster, sizeof(c.id));
	ck_assert_int_eq(db_cluster_add(d, &c, 1, NULL), 0);
	db_close(d);
}

void dbkit_make_file(const char *name, const char *suffix, const char *content)
{
	char file[200];
	FILE *f;

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	f = fopen(file, "wb");
	ck_assert_ptr_nonnull(f);
	fputs(content, f);
	ck_assert_int_eq(fclose(f), 0);
}

int dbkit_store(struct db *d, uint64_t n)
{
	uint8_t bytes[ENTRY_BYTES] = { 0 };
	struct err err;
	int r;

	store_be32(bytes, (uint32_t)n);
	if (db_begin(d, &err) < 0 ||
	    db_record_add(d, dbkit_cluster, n, span_of(bytes, sizeof(bytes)), &err) < 0 ||
	    db_address_add(d, (ip4)(0x64400001 + n), dbkit_cluster, &dbkit_node, &err) < 0 ||
	    db_commit(d, &err) < 0)
		return -EIO;
	while ((r = db_checkpoint(d, false, &err)) == -EAGAIN)
		usleep(100);
	return r;
}

static int count_entry(void *ctx, uint64_t seq, struct span entry)
{
	uint64_t *n = ctx;

	ck_assert_uint_eq(seq, *n);
	ck_assert_uint_eq(load_be32(entry.data), seq);
	++*n;
	return 0;
}

uint64_t dbkit_entries_of(const char *file)
{
	struct prefix4 subnet = { 0x64400000, 10 };
	struct db *d = dbkit_open_db(file);
	struct err err = { .code = 0 };
	uint64_t n = 0;
	ip4 highest = 0;
	int r = db_serve(d, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(db_records(d, dbkit_cluster, count_entry, &n, NULL), 0);
	ck_assert_int_eq(db_address_highest(d, subnet, &highest, NULL), 0);
	ck_assert_uint_eq(highest, n ? 0x64400000 + n : 0);
	db_close(d);
	return n;
}

uint64_t dbkit_entries_in(struct span image)
{
	struct err err = { .code = 0 };
	struct db *d = NULL;
	uint64_t n = 0;
	int r = db_image_open(image, "image", &err, &d);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(db_records(d, dbkit_cluster, count_entry, &n, NULL), 0);
	db_close(d);
	return n;
}

struct host *dbkit_real_host(void)
{
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}
