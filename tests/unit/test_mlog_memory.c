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

/* Fails the first allocation, then the second and so on, until it succeeds. How many failed. */
static long append_scarcely(struct kit *k, const struct entry_bytes *b)
{
	struct head before = mlog_head(k->log), after;
	size_t members = roster_count(mlog_roster(k->log), ROSTER_CURRENT);
	ip4 next = mlog_next_address(k->log);
	struct entry e;
	long n;
	int r;

	ck_assert_int_eq(entry_decode(kit_span(b), &e, NULL), 0);
	for (n = 0;; n++) {
		struct err err = { .code = 0 };

		allocations_left = n;
		r = mlog_append(k->log, kit_span(b), &err);
		allocations_left = -1;
		if (r == 0)
			return n;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_int_eq(err.reason, REFUSAL_INTERNAL);
		after = mlog_head(k->log);
		ck_assert_mem_eq(&before, &after, sizeof(before));
		ck_assert_uint_eq(roster_count(mlog_roster(k->log), ROSTER_CURRENT), members);
		ck_assert_uint_eq(mlog_next_address(k->log), next);
		ck_assert_ptr_null(mlog_entry(k->log, e.seq).data);
		if (e.type == ENTRY_CANCEL) {
			ck_assert(!mlog_invite_used(k->log, e.cancel.nonce));
			continue;
		}
		ck_assert_ptr_null(roster_by_id(mlog_roster(k->log), &e.author, ROSTER_CURRENT));
		ck_assert(!roster_by_name(mlog_roster(k->log), span_str(e.admit.node_name),
					  ROSTER_ALL));
		ck_assert_ptr_null(roster_by_address(mlog_roster(k->log), e.admit.address,
						     ROSTER_CURRENT));
		ck_assert(!mlog_invite_used(k->log, e.admit.invite_decoded.nonce));
	}
}

START_TEST(entries_without_memory)
{
	struct kit k = kit_open();
	long failures = 0;

	/* far enough for every array and map to grow a few times */
	for (unsigned n = 1; n <= 150; n++) {
		struct kit_invite i = kit_invite(&k, n), j = kit_invite(&k, 1000 + n);
		struct entry_bytes b = kit_admit(&k, &i, n);

		failures += append_scarcely(&k, &b);
		ck_assert_ptr_eq(mlog_invite_redeemer(k.log, i.inv.nonce),
				 roster_at(mlog_roster(k.log), n));
		b = kit_cancel(&k, j.inv.nonce);
		failures += append_scarcely(&k, &b);
	}
	/* each member is an allocation; each of the arrays and maps grew three times */
	ck_assert_int_gt(failures, 150 + 3 * 7);
	ck_assert_uint_eq(roster_count(mlog_roster(k.log), ROSTER_CURRENT), 151);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/mlog memory", new_log_without_memory, entries_without_memory)
