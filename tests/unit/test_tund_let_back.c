/* SPDX-License-Identifier: MIT */
/* Tests of tund/let_back.h: who came back by a recovery, and whether it said so. */
#include "log_kit.h"

#include "tund/let_back.h"

/* Shows `from`'s records to `l`, and what follows to `b`. Returns how often it had news. */
static unsigned follow(struct let_back *b, struct mlog *l, const struct mlog *from, uint64_t first)
{
	struct roster_cursor at = roster_now(mlog_roster(l));
	struct node_id self = kit_id(2);
	struct roster_change c;
	unsigned news = 0;
	struct span shown[16];
	struct mlog_take t;
	size_t n = 0;

	for (uint64_t seq = first; seq < mlog_count(from); seq++)
		shown[n++] = mlog_record(from, seq);
	mlog_take(l, shown, n, &t);
	ck_assert_msg(t.result == TAKEN, "%s", t.why.text);
	mlog_commit(l);
	while (roster_next_change(mlog_roster(l), &at, &c))
		news += let_back_note(b, l, &self, &c, at);
	return news;
}

/* Node 3 was removed; the recovery by node 1 does not know, keeps it out, or names it. */
START_TEST(says_who_came_back)
{
	enum { UNKNOWN, KEPT, NAMED, CASES };

	for (int how = 0; how < CASES; how++) {
		struct kit k = kit_open_with(3), back = k;
		struct let_back b = { .line = "" };
		struct mlog *l;
		struct entry_bytes x;
		struct entry e;

		back.log = kit_copy(k.log, 4);
		x = kit_remove(&k, 0, 3);
		kit_append(&k, &x);
		l = kit_copy(k.log, 5);
		e = kit_recover_fields(&back, KIT_CODE, KIT_CODE_NEXT, how == NAMED ? 3 : 1);
		if (how == KEPT)
			e.recover.removed.id[e.recover.removed.n++] = kit_id(3);
		x = kit_sign(&back, &e, KIT_CODE, 0);
		kit_append(&back, &x);
		ck_assert_uint_eq(follow(&b, l, back.log, 4), how == UNKNOWN);
		ck_assert_int_eq(strstr(b.line, "record 4") != NULL, how == UNKNOWN);
		if (how == UNKNOWN) { /* over a restart, and until it is removed again */
			struct let_back again = { .line = "" };

			let_back_recall(&again, l, &b.of);
			ck_assert_str_eq(again.line, b.line);
			identity_free(back.admin);
			back.admin = kit_identity(1);
			x = kit_remove(&back, 1, 3);
			kit_append(&back, &x);
			ck_assert_uint_eq(follow(&b, l, back.log, 5), 1);
			ck_assert_str_eq(b.line, "");
			let_back_recall(&b, l, &again.of); /* what was kept is stale */
			ck_assert_str_eq(b.line, "");
			k.admin = back.admin;
		}
		mlog_free(l);
		mlog_free(back.log);
		kit_close(&k);
	}
}
END_TEST

/* Nodes 3 and 2 were removed, and a recovery knows of neither. */
START_TEST(all_are_named)
{
	struct kit k = kit_open_with(4), back = k;
	struct let_back b = { .line = "" }, other = { .line = "" };
	struct entry_bytes x;
	struct mlog *l;

	back.log = kit_copy(k.log, 5);
	for (unsigned n = 3; n <= 4; n++) {
		x = kit_remove(&k, 0, n);
		kit_append(&k, &x);
	}
	l = kit_copy(k.log, 7);
	x = kit_recover(&back, KIT_CODE, KIT_CODE_NEXT, 1);
	kit_append(&back, &x);
	ck_assert_uint_eq(follow(&b, l, back.log, 5), 2);
	ck_assert_uint_eq(b.of.n, 2);
	ck_assert_ptr_nonnull(strstr(b.line, " and "));
	ck_assert_ptr_nonnull(strstr(b.line, "let them back in without naming them: remove them"));
	let_back_recall(&other, k.log, &b.of); /* a log without the recovery */
	ck_assert_str_eq(other.line, "");
	mlog_free(l);
	mlog_free(back.log);
	kit_close(&k);
}
END_TEST

/* Somebody who joins for the first time, before or behind a recovery, came back from nowhere. */
START_TEST(newcomers_are_none)
{
	struct kit k = kit_open_with(3);
	struct let_back b = { .line = "" };
	struct mlog *l = kit_copy(k.log, 3);
	struct entry_bytes x = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 0);

	kit_append(&k, &x);
	kit_join(&k, 5);
	ck_assert_uint_eq(follow(&b, l, k.log, 3), 0);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("tund/let_back", says_who_came_back, all_are_named, newcomers_are_none)
