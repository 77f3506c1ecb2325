/* SPDX-License-Identifier: MIT */
/* Records that are dated too far ahead are held back, and nothing but a recovery excuses a date. */
#include "log_show.h"

#define YEAR (365 * 86400u)

/* The same as show, with the latest date that may be taken. */
static struct mlog_take show_until(struct mlog *l, const struct mlog *from, uint64_t begin,
				   uint64_t latest_s)
{
	struct span records[64];
	struct mlog_take t;
	size_t n = 0;

	for (uint64_t seq = begin; seq < mlog_count(from); seq++)
		records[n++] = mlog_record(from, seq);
	mlog_take_until(l, records, n, latest_s, &t);
	mlog_commit(l);
	return t;
}

static void ahead(struct kit *k, const char *name)
{
	struct entry_bytes b;

	k->now_s += YEAR;
	b = kit_rename(k, 0, 1, name);
	kit_append(k, &b);
}

/* [P2-51] */
START_TEST(what_stands_before_it_is_taken)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 2);
	uint64_t now_s = k.now_s;
	struct mlog_take t;

	ahead(&k, "later");
	ahead(&k, "latest");
	t = show_until(l, k.log, 2, now_s + 600);
	ck_assert_int_eq(t.result, TAKEN);
	ck_assert_uint_eq(t.added, 4);
	ck_assert_uint_eq(t.held.seq, 6);
	ck_assert_uint_eq(t.held.time_s, now_s + YEAR);
	/* again: nothing is left to take */
	t = show_until(l, k.log, 2, now_s + YEAR - 1);
	ck_assert_uint_eq(t.added, 0);
	ck_assert_uint_eq(t.held.seq, 6);
	/* on the second it is in time, and the next one is not */
	t = show_until(l, k.log, 2, now_s + YEAR);
	ck_assert_uint_eq(t.added, 1);
	ck_assert_uint_eq(t.held.seq, 7);
	t = show_until(l, k.log, 2, now_s + 2 * YEAR);
	ck_assert_uint_eq(t.held.seq, 0);
	log_equal(l, k.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Between receipts nothing can be cut: all since the last one waits. */
START_TEST(a_stretch_without_a_receipt_waits_as_a_whole)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 4);
	uint64_t now_s = k.now_s;
	struct record r;
	struct record_bytes bare;
	struct span shown[3];
	struct mlog_take t;

	ahead(&k, "later");
	ck_assert_int_eq(record_decode(mlog_record(k.log, 5), &r, NULL), 0);
	r.receipt = NULL;
	ck_assert_int_eq(record_encode(&r, &bare), 0);
	shown[0] = mlog_record(k.log, 4);
	shown[1] = kit_record_span(&bare);
	shown[2] = mlog_record(k.log, 6);
	mlog_take_until(l, shown, 3, now_s, &t);
	mlog_commit(l);
	ck_assert_int_eq(t.result, TAKEN);
	ck_assert_uint_eq(t.added, 1);
	ck_assert_uint_eq(t.held.seq, 6);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* It sets the time back, wherever a wrong clock had brought it. */
/* [P2-51] */
START_TEST(a_recovery_excuses_what_it_builds_on)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6);
	uint64_t now_s = k.now_s;
	struct entry_bytes b;
	struct mlog_take t;

	ahead(&k, "later");
	k.now_s = now_s + 60;
	b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	kit_append(&k, &b);
	t = show_until(l, k.log, 3, now_s + 600);
	ck_assert_msg(t.result == TAKEN, "%s", t.why.text);
	ck_assert_uint_eq(t.held.seq, 0);
	log_equal(l, k.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Shown with a recovery that no code has made, or that is dated ahead itself. */
START_TEST(a_false_recovery_excuses_nothing)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6);
	uint64_t now_s = k.now_s;
	struct entry_bytes b;
	struct record_bytes false_one;
	struct span shown[2];
	struct mlog_take t;
	struct entry e;

	ahead(&k, "later");
	e = kit_recover_fields(&k, 77, KIT_CODE_NEXT, 1);
	b = kit_forge(&k, &e, 77, 0);
	k.now_s = now_s;
	false_one = kit_record(&k, kit_span(&b), 0, KIT_ORDER);
	shown[0] = mlog_record(k.log, 6);
	shown[1] = kit_record_span(&false_one);
	mlog_take_until(l, shown, 2, now_s + 600, &t);
	mlog_commit(l);
	ck_assert_int_ne(t.result, TAKEN);
	ck_assert_uint_eq(t.added, 0);
	ck_assert_uint_eq(mlog_count(l), 6);

	k.now_s = now_s + YEAR;
	b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	kit_append(&k, &b);
	t = show_until(l, k.log, 6, now_s + 600);
	ck_assert_uint_eq(t.added, 0);
	ck_assert_uint_eq(t.held.seq, 6);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* A recovery drops records of ours: it is taken in time only, and so is what follows it. */
START_TEST(a_recovery_from_ahead_drops_nothing)
{
	struct kit k = kit_open_with(5);
	struct mlog *l;
	uint64_t now_s;
	struct entry_bytes b = kit_rename(&k, 0, 1, "ours"), recover;
	struct mlog_take t;

	recover = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	l = kit_copy(k.log, 6);
	ck_assert_int_eq(kit_order(&k, l, kit_span(&b), NULL), 0);
	mlog_commit(l);
	k.now_s += YEAR;
	now_s = k.now_s;
	kit_append(&k, &recover);
	b = kit_remove(&k, 1, 3);
	k.now_s += YEAR;
	kit_append(&k, &b);
	t = show_until(l, k.log, 6, now_s - 1);
	ck_assert_uint_eq(t.held.seq, 6);
	ck_assert(!t.reorganised && mlog_generation(l) == 0 && mlog_count(l) == 7);
	t = show_until(l, k.log, 6, now_s);
	ck_assert_uint_eq(t.held.seq, 7);
	ck_assert(t.reorganised && mlog_generation(l) > 0 && mlog_count(l) == 7);
	t = show_until(l, k.log, 6, now_s + YEAR);
	ck_assert_uint_eq(t.held.seq, 0);
	log_equal(l, k.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* A date hides no proof. */
/* [P2-51] */
START_TEST(a_lie_from_ahead_is_a_lie)
{
	struct kit k = kit_open_with(5), other = k;
	struct entry_bytes b;
	struct mlog_take t;

	other.log = kit_copy(k.log, 5);
	other.now_s += YEAR;
	b = kit_rename(&other, 0, 1, "later");
	kit_append(&other, &b);
	t = show_until(k.log, other.log, 5, k.now_s + 600);
	ck_assert_int_eq(t.result, TAKEN_LIE);
	ck_assert_uint_eq(mlog_count(k.log), 6);
	mlog_free(other.log);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("mlog/ahead", what_stands_before_it_is_taken,
	  a_stretch_without_a_receipt_waits_as_a_whole, a_recovery_excuses_what_it_builds_on,
	  a_false_recovery_excuses_nothing, a_recovery_from_ahead_drops_nothing,
	  a_lie_from_ahead_is_a_lie)
