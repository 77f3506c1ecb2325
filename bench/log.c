/* SPDX-License-Identifier: MIT */
/*
 * What a membership log of MEMBERS costs a node: to take it for the first time, to read it again at
 * a start, to add a record to it, and to be handed it by `mlsh connect`; by the daemon's own way
 * to its files. Every 50th member is renamed, every 100th removed.
 *
 *	log [MEMBERS [RUNS]]	prints one line a figure: smallest, median, largest
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "client/store.h"
#include "path.h"
#include "unit/log_kit.h"

#define RUNS_MAX 99
#define FIRST_MEMBERS 100 /* "append is O(1)": measured from this many on */

struct bench {
	struct host *h;
	struct kit k;
	struct store store;
	struct cluster_file cluster;
	char dir[64];
	size_t runs;
};

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes that this process has given to write(). */
static unsigned long long written(void)
{
	unsigned long long read = 0, bytes = 0;
	FILE *f = fopen("/proc/self/io", "r");

	if (!f || fscanf(f, "rchar: %llu wchar: %llu", &read, &bytes) != 2)
		abort();
	fclose(f);
	return bytes;
}

static int smaller(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *value, size_t n, const char *unit)
{
	qsort(value, n, sizeof(*value), smaller);
	printf("%-44s %9.3f %9.3f %9.3f %s\n", what, value[0], value[n / 2], value[n - 1], unit);
}

static void grow(struct kit *k, unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		struct entry_bytes b;
		char name[32];

		k->now_s++;
		kit_join(k, n);
		if (n % 50 == 0) {
			snprintf(name, sizeof(name), "renamed%u", n);
			b = kit_rename(k, 0, n, name);
			kit_append(k, &b);
		}
		if (n % 100 == 99) {
			b = kit_remove(k, 0, n - 1);
			kit_append(k, &b);
		}
	}
}

static struct mlog *load(struct bench *b, struct log_place *place)
{
	struct err err = { 0 };
	struct mlog *l;

	if (store_load_log(b->h, &b->store, &b->cluster, &l, place, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return l;
}

/* Reads the file `runs` times. */
static void measure_load(struct bench *b, const char *what)
{
	double cost[RUNS_MAX];

	for (size_t i = 0; i < b->runs; i++) {
		double before = cpu_s();
		struct mlog *l = load(b, NULL);

		cost[i] = cpu_s() - before;
		if (mlog_count(l) != mlog_count(b->k.log))
			abort();
		mlog_free(l);
	}
	print(what, cost, b->runs, "s CPU");
}

/* The caller's copy is the daemon's, or an older one. */
static void measure_upload(struct bench *b)
{
	struct log_trust trust = { .known = b->k.log };
	double cost[RUNS_MAX];
	struct buf bytes;

	if (log_file_encode(b->k.log, &bytes) < 0)
		abort();
	for (size_t i = 0; i < b->runs; i++) {
		double before = cpu_s();
		struct log_read read;

		if (log_file_decode(b->h, span_of(bytes.data, bytes.len), mlog_cluster_id(b->k.log),
				    &trust, &read, NULL) < 0 ||
		    read.verified > 0)
			abort();
		cost[i] = cpu_s() - before;
		mlog_free(read.log);
	}
	print("connect again: an upload that is known", cost, b->runs, "s CPU");
	buf_free(&bytes);
}

/* One member more, as often as there are runs, each saved. */
static void measure_append(struct bench *b, struct log_place *place, unsigned members)
{
	double cost[RUNS_MAX], bytes[RUNS_MAX];
	char what[64];

	for (size_t i = 0; i < b->runs; i++) {
		unsigned long long was;
		double before;

		kit_join(&b->k, 20000 + members + (unsigned)i);
		was = written();
		before = cpu_s();
		if (store_add_log(b->h, &b->store, &b->cluster, b->k.log, place, NULL) < 0)
			abort();
		cost[i] = (cpu_s() - before) * 1e6;
		bytes[i] = (double)(written() - was);
	}
	snprintf(what, sizeof(what), "append at %u members", members);
	print(what, bytes, b->runs, "bytes written");
	print("", cost, b->runs, "us CPU");
}

static void bench_open(struct bench *b)
{
	if (host_new(NULL, &b->h) < 0 || !mkdtemp(b->dir) ||
	    store_open(b->dir, NULL, NULL, &b->store) < 0)
		abort();
	b->k = kit_open();
	b->cluster = (struct cluster_file){ .cluster = "homelab" };
	memcpy(b->cluster.cluster_id, mlog_cluster_id(b->k.log), HASH_LEN);
}

static void bench_close(struct bench *b)
{
	char command[128];

	kit_close(&b->k);
	host_free(b->h);
	snprintf(command, sizeof(command), "rm -rf %s", b->dir);
	if (system(command) != 0)
		exit(1);
}

static unsigned members = 10000;
static size_t runs = 9;

START_TEST(costs_of_a_log)
{
	struct bench b = { .dir = "/tmp/mlsh-bench-log-XXXXXX", .runs = runs };
	struct log_place place = { .bytes = 0 };
	unsigned have = 1;

	bench_open(&b);
	printf("%-44s %9s %9s %9s\n", "", "smallest", "median", "largest");
	for (unsigned n = FIRST_MEMBERS; n <= members; n *= 10) {
		grow(&b.k, have, n);
		have = n;
		if (store_add_log(b.h, &b.store, &b.cluster, b.k.log, &place, NULL) < 0)
			abort();
		measure_append(&b, &place, n);
	}
	printf("%zu records, %zu bytes on disk, %zu members\n", mlog_count(b.k.log), place.bytes,
	       roster_count(mlog_roster(b.k.log), ROSTER_CURRENT));
	measure_load(&b, "first verification of the whole log");
	if (store_mark_verified(b.h, &b.store, &b.cluster, b.k.log, NULL) < 0)
		abort();
	measure_load(&b, "start, verified before");
	measure_upload(&b);
	bench_close(&b);
}
END_TEST

int main(int argc, char **argv)
{
	members = argc > 1 ? (unsigned)atoi(argv[1]) : members;
	runs = argc > 2 ? (size_t)atoi(argv[2]) : runs;
	if (members < FIRST_MEMBERS || members > 10000 || runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: log [100..10000 [1..%d]]\n", RUNS_MAX);
		return 2;
	}
	return path_main(costs_of_a_log);
}
