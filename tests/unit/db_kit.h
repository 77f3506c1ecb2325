/* SPDX-License-Identifier: MIT */
/* A server's database in a folder of its own, with entries that are numbered, and counting them. */
#ifndef MLSH_TESTS_DB_KIT_H
#define MLSH_TESTS_DB_KIT_H

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signal/backup.h"
#include "unit.h"

#define ENTRY_BYTES 700

static char dir[64], path[128], copy[128];
static const uint8_t cluster[HASH_LEN] = { 1, 2, 3 };
static const struct node_id node = { { 7 } };

static inline void begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.40s/mlsh-file-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/signal.db", dir);
	snprintf(copy, sizeof(copy), "%s/copy.db", dir);
}

static inline void remove_all(const char *file)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[200];

	for (size_t i = 0; i < ARRAY_LEN(suffix); i++) {
		snprintf(name, sizeof(name), "%s%s", file, suffix[i]);
		unlink(name);
	}
}

static inline void end(void)
{
	remove_all(path);
	remove_all(copy);
	ck_assert_int_eq(rmdir(dir), 0);
}

static inline struct db *open_db(const char *file)
{
	struct err err = { .code = 0 };
	struct db *d = NULL;
	int r = db_open(file, true, &err, &d);

	ck_assert_msg(r == 0, "%s", err.text);
	return d;
}

/* A server in another process that serves the database. */
struct server {
	pid_t pid;
	char text[32]; /* "process 123", as messages name it */
};

static inline struct server server_start(void)
{
	struct server s;
	int fds[2];
	char byte;

	ck_assert_int_eq(pipe(fds), 0);
	s.pid = fork();
	ck_assert_int_ge(s.pid, 0);
	if (s.pid == 0) {
		struct db *d = open_db(path);

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

static inline void server_kill(const struct server *s)
{
	kill(s->pid, SIGKILL);
	ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
}

static inline void made_with_cluster(void)
{
	struct db_cluster c = { .subnet = { 0x64400000, 10 } };
	struct db *d = open_db(path);

	memcpy(c.id, cluster, sizeof(c.id));
	ck_assert_int_eq(db_cluster_add(d, &c, 1, NULL), 0);
	db_close(d);
}

static inline void make_file(const char *name, const char *suffix, const char *content)
{
	char file[200];
	FILE *f;

	snprintf(file, sizeof(file), "%s%s", name, suffix);
	f = fopen(file, "wb");
	ck_assert_ptr_nonnull(f);
	fputs(content, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* Entry n with its address, as an admission is stored, and what the server does behind it. */
static inline int store(struct db *d, uint64_t n)
{
	uint8_t bytes[ENTRY_BYTES] = { 0 };
	struct err err;
	int r;

	store_be32(bytes, (uint32_t)n);
	if (db_begin(d, &err) < 0 ||
	    db_record_add(d, cluster, n, span_of(bytes, sizeof(bytes)), &err) < 0 ||
	    db_address_add(d, (ip4)(0x64400001 + n), cluster, &node, &err) < 0 ||
	    db_commit(d, &err) < 0)
		return -EIO;
	while ((r = db_checkpoint(d, false, &err)) == -EAGAIN)
		usleep(100);
	return r;
}

static inline int count_entry(void *ctx, uint64_t seq, struct span entry)
{
	uint64_t *n = ctx;

	ck_assert_uint_eq(seq, *n);
	ck_assert_uint_eq(load_be32(entry.data), seq);
	++*n;
	return 0;
}

static inline uint64_t entries_of(const char *file)
{
	struct prefix4 subnet = { 0x64400000, 10 };
	struct db *d = open_db(file);
	struct err err = { .code = 0 };
	uint64_t n = 0;
	ip4 highest = 0;
	int r = db_serve(d, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(db_records(d, cluster, count_entry, &n, NULL), 0);
	ck_assert_int_eq(db_address_highest(d, subnet, &highest, NULL), 0);
	ck_assert_uint_eq(highest, n ? 0x64400000 + n : 0);
	db_close(d);
	return n;
}

static inline uint64_t entries_in(struct span image)
{
	struct err err = { .code = 0 };
	struct db *d = NULL;
	uint64_t n = 0;
	int r = db_image_open(image, "image", &err, &d);

	ck_assert_msg(r == 0, "%s", err.text);
	ck_assert_int_eq(db_records(d, cluster, count_entry, &n, NULL), 0);
	db_close(d);
	return n;
}

static inline struct host *real_host(void)
{
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}

#endif
