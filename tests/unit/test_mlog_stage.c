/* SPDX-License-Identifier: MIT */
/* What is staged can be taken back as a whole: nothing is lost, and nothing stays. */
#include "log_kit.h"

/* A database that fails costs nothing: the same entries are accepted again. */
/* [P2-39] */
START_TEST(rollback)
{
	struct kit k = kit_open_with(3);
	struct head head = mlog_head(k.log);
	struct kit_invite i = kit_invite(&k, 9);
	struct entry_bytes b = kit_admit(&k, &i, 9), c = kit_remove(&k, 0, 1);
	struct node_id id9 = kit_id(9);
	const struct member *one = kit_member(&k, 1);

	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(kit_order(&k, k.log, kit_span(&b), NULL), 0);
		ck_assert_int_eq(kit_order(&k, k.log, kit_span(&c), NULL), 0);
		ck_assert(!member_is_current(one));
		ck_assert_ptr_nonnull(roster_by_id(mlog_roster(k.log), &id9, ROSTER_CURRENT));
		if (round == 2)
			break;
		ck_assert_int_eq(mlog_rollback(k.log), 0);
		ck_assert_uint_eq(mlog_head(k.log).seq, head.seq);
		ck_assert_ptr_eq(kit_member(&k, 1), one);
		ck_assert(member_is_current(one));
		ck_assert_ptr_null(roster_by_id(mlog_roster(k.log), &id9, ROSTER_ALL));
		ck_assert(!mlog_invite_used(k.log, i.inv.nonce));
	}
	mlog_commit(k.log);
	kit_close(&k);
}
END_TEST

/* A recovery that goes back is taken back as a whole, too. */
START_TEST(rollback_of_recovery)
{
	struct kit k = kit_open_with(3), back = k;
	struct head head = mlog_head(k.log);
	struct entry_bytes b;

	back.log = kit_copy(k.log, 2);
	b = kit_recover(&back, KIT_CODE, KIT_CODE_NEXT, 1);
	ck_assert_int_eq(kit_order(&k, k.log, kit_span(&b), NULL), 0);
	ck_assert_uint_eq(mlog_count(k.log), 3);
	ck_assert_int_eq(mlog_rollback(k.log), 0);
	ck_assert_uint_eq(mlog_count(k.log), 4);
	ck_assert_mem_eq(mlog_head(k.log).hash, head.hash, HASH_LEN);
	ck_assert(member_is_current(kit_member(&k, 3)));
	kit_append(&k, &b);
	ck_assert_uint_eq(mlog_count(k.log), 3);
	ck_assert_ptr_null(kit_member(&k, 3));
	mlog_free(back.log);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/stage", rollback, rollback_of_recovery)
