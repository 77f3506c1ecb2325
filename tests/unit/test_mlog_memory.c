/* SPDX-License-Identifier: MIT */
/*
 * The membership log when memory runs out: whichever allocation fails, the log is as it was, and
 * the same entry is accepted once there is memory again. The log and its maps are compiled into
 * this test with an allocator that can fail.
 */
#include <stdlib.h>

/* How many more allocations succeed; negative: all. */
static long allocations_left = -1;

static int out_of_memory(void)
{
	if (allocations_left < 0)
		return 0;
	return allocations_left == 0 || allocations_left-- == 0;
}

static void *scarce_malloc(size_t len)
{
	return out_of_memory() ? NULL : malloc(len);
}

static void *scarce_calloc(size_t n, size_t len)
{
	return out_of_memory() ? NULL : calloc(n, len);
}

static void *scarce_realloc(void *p, size_t len)
{
	return out_of_memory() ? NULL : realloc(p, len);
}

#define malloc scarce_malloc
#define calloc scarce_calloc
#define realloc scarce_realloc
#include "base/map.c"
#include "membership/roster.c"
#include "membership/mlog.c"
#include "membership/take.c"
#include "membership/apply.c"
#undef malloc
#undef calloc
#undef realloc

#include "log_kit.h"

START_TEST(new_log_without_memory)
{
	static const uint8_t seed[16];
	struct mlog *l;
	long n = 0;

	do {
		allocations_left = n++;
		l = mlog_new(seed);
		allocations_left = -1;
	} while (!l);
	ck_assert_int_gt(n, 5); /* itself and five maps at least */
	mlog_free(l);
}
END_TEST

/*
 * Fails the first allocation, then the second and so on, until the server orders the entry, and
 * then the same for a node that is shown the record. How many failed.
 */
static long append_scarcely(struct kit *k, struct mlog *follower, const struct entry_bytes *b)
{
	struct head before = mlog_head(k->log), after;
	size_t members = roster_count(mlog_roster(k->log), ROSTER_CURRENT);
	struct mlog_take t;
	struct span record;
	long n, failures;

	for (failures = 0;; failures++) {
		struct err err = { .code = 0 };
		int r;

		allocations_left = failures;
		r = kit_order(k, k->log, kit_span(b), &err);
		allocations_left = -1;
		if (r == 0)
			break;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_int_eq(err.reason, REFUSAL_INTERNAL);
		after = mlog_head(k->log);
		ck_assert_mem_eq(&before, &after, sizeof(before));
		ck_assert_uint_eq(roster_count(mlog_roster(k->log), ROSTER_CURRENT), members);
	}
	mlog_commit(k->log);
	record = mlog_record(k->log, mlog_count(k->log) - 1);
	for (n = 0;; n++) {
		allocations_left = n;
		mlog_take(follower, &record, 1, &t);
		allocations_left = -1;
		mlog_commit(follower);
		if (t.result == TAKEN)
			return failures + n;
		ck_assert_int_eq(t.result, TAKEN_NO_MEMORY);
		ck_assert_mem_eq(mlog_head(follower).hash, before.hash, HASH_LEN);
	}
}

START_TEST(records_without_memory)
{
	struct kit k = kit_open();
	struct mlog *follower = kit_copy(k.log, 1);
	long failures = 0;

	/* far enough for every array and map to grow a few times */
	for (unsigned n = 1; n <= 100; n++) {
		struct kit_invite i = kit_invite(&k, n), j = kit_invite(&k, 1000 + n);
		struct entry_bytes b = kit_admit(&k, &i, n);

		failures += append_scarcely(&k, follower, &b);
		ck_assert_ptr_eq(mlog_invite_redeemer(k.log, i.inv.nonce),
				 roster_at(mlog_roster(k.log), n));
		b = n % 2 ? kit_cancel(&k, j.inv.nonce) : kit_remove(&k, 0, n);
		failures += append_scarcely(&k, follower, &b);
	}
	ck_assert_int_gt(failures, 2 * (100 + 3 * 7));
	ck_assert_uint_eq(roster_count(mlog_roster(follower), ROSTER_CURRENT), 51);
	mlog_free(follower);
	kit_close(&k);
}
END_TEST

/* A recovery that goes back, whichever allocation fails: the log is as it was, or recovered. */
START_TEST(recovery_without_memory)
{
	struct kit k = kit_open(), back;
	struct mlog *follower;
	struct entry_bytes b;
	long failures = 0;

	for (unsigned n = 1; n <= 20; n++)
		kit_join(&k, n);
	follower = kit_copy(k.log, 21);
	back = k;
	back.log = kit_copy(k.log, 11);
	b = kit_recover(&back, KIT_CODE, KIT_CODE_NEXT, 1);
	failures = append_scarcely(&k, follower, &b);
	ck_assert_int_gt(failures, 20);
	ck_assert_uint_eq(mlog_count(follower), 12);
	ck_assert_uint_eq(roster_count(mlog_roster(follower), ROSTER_CURRENT), 11);
	mlog_free(back.log);
	mlog_free(follower);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/mlog memory", new_log_without_memory, records_without_memory,
	  recovery_without_memory)
