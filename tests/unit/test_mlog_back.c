/* SPDX-License-Identifier: MIT */
/* Records that somebody shows, when a recovery takes the log back or its server changes. */
#include "log_show.h"

/* A recovery drops what came after its base, also on nodes that have that. */
/* [P2-44] */
START_TEST(recovery)
{
	struct kit k = kit_open_with(5), back;
	struct mlog *l = kit_copy(k.log, 6);
	struct entry e;
	struct entry_bytes b;
	struct mlog_take t;
	struct roster_cursor cursor = roster_now(mlog_roster(l));
	struct roster_change c;
	const struct member *five_before;
	struct node_id id5 = kit_id(5), id1 = kit_id(1), id0 = kit_id(0);
	unsigned left = 0, roles = 0;

	five_before = roster_by_id(mlog_roster(l), &id5, ROSTER_CURRENT);
	ck_assert_ptr_nonnull(five_before);
	back = k;
	back.log = kit_copy(k.log, 4); /* up to node 3 */
	e = kit_recover_fields(&back, KIT_CODE, KIT_CODE_NEXT, 1);
	b = kit_sign(&back, &e, KIT_CODE, 0);
	kit_append(&k, &b); /* on the server, which goes back, too */
	ck_assert_uint_eq(mlog_count(k.log), 5);
	ck_assert_uint_eq(mlog_generation(k.log), generation_of(1, 0));
	t = log_show(l, k.log, 4, 5);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	ck_assert(t.reorganised);
	log_equal(l, k.log);
	ck_assert(!member_is_current(five_before));
	ck_assert_int_eq(five_before->left, LEFT_BY_RECOVERY);
	ck_assert_ptr_null(roster_by_id(mlog_roster(l), &id5, ROSTER_ALL));
	ck_assert_int_eq(roster_by_id(mlog_roster(l), &id1, ROSTER_CURRENT)->role, ROLE_ADMIN);
	ck_assert_int_eq(roster_by_id(mlog_roster(l), &id0, ROSTER_CURRENT)->role, ROLE_NODE);
	while (roster_next_change(mlog_roster(l), &cursor, &c)) {
		left += c.kind == ROSTER_LEFT;
		roles += c.kind == ROSTER_ROLE;
	}
	ck_assert_uint_eq(left, 2);
	ck_assert_uint_eq(roles, 2);
	/* the dropped branch is old now, and no fork */
	struct kit old = kit_open_with(5);

	t = log_show(l, old.log, 4, 6);
	ck_assert_int_eq(t.result, TAKEN_OLD);
	kit_close(&old);
	mlog_free(back.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* Of two recoveries of one generation the first stays. */
/* [P2-46] */
START_TEST(code_twice)
{
	struct kit k = kit_open_with(5), a = k, b = k;
	struct entry_bytes x, y;
	struct mlog_take t;

	a.log = kit_copy(k.log, 6);
	b.log = kit_copy(k.log, 6);
	x = kit_recover(&a, KIT_CODE, KIT_CODE_NEXT, 1);
	y = kit_recover(&b, KIT_CODE, KIT_CODE_NEXT + 1, 2);
	kit_append(&a, &x);
	kit_append(&b, &y);
	t = log_show(a.log, b.log, 0, 7);
	ck_assert_int_eq(t.result, TAKEN_CODE_MISUSED);
	ck_assert_uint_eq(mlog_count(a.log), 7);
	mlog_free(a.log);
	mlog_free(b.log);
	kit_close(&k);
}
END_TEST

/* A record of an entry behind a log, dated later and with the receipt of an order key. */
static struct record_bytes put_again(const struct kit *behind, struct span entry,
				     uint64_t generation, unsigned order)
{
	return kit_record_as(behind, entry,
			     (struct order){ .generation = generation,
					     .time_s = behind->now_s + 1 },
			     order);
}

static enum mlog_taken shown_again(const struct kit *k, const struct kit *behind, struct span entry,
				   uint64_t generation, unsigned order)
{
	struct record_bytes b = put_again(behind, entry, generation, order);
	struct span shown = kit_record_span(&b);
	uint64_t count = mlog_count(k->log);
	struct mlog_take t;

	mlog_take(k->log, &shown, 1, &t);
	ck_assert_uint_eq(mlog_count(k->log), count);
	return t.result;
}

/* Our own recover entry at another place is no second use of the code. */
START_TEST(same_recovery_again)
{
	for (int named = 0; named < 2; named++) {
		struct kit k = kit_open_with(5), behind = k;
		struct entry e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);
		struct entry_bytes b;

		e.recover.has_server = named;
		if (named)
			e.recover.server = kit_server(88);
		behind.log = kit_copy(k.log, 6);
		b = kit_sign(&k, &e, KIT_CODE, 0);
		k.order = named ? 88 : k.order;
		kit_append(&k, &b);
		/* by anybody, and by the server */
		ck_assert_int_eq(shown_again(&k, &behind, kit_span(&b), generation_of(1, 0), 99),
				 TAKEN_UNPROVEN);
		ck_assert_int_eq(shown_again(&k, &behind, kit_span(&b), generation_of(1, 0),
					     k.order),
				 TAKEN_LIE);
		mlog_free(behind.log);
		kit_close(&k);
	}
}
END_TEST

/* Bytes that claim a generation accuse nobody. */
START_TEST(claimed_generation)
{
	struct kit k = kit_open_with(5), behind = k;
	struct entry_bytes b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	struct entry_bytes other = kit_remove(&k, 0, 3), forged = kit_recover(&k, 98, 99, 5);

	behind.log = kit_copy(k.log, 6);
	kit_append(&k, &b);
	ck_assert_int_eq(shown_again(&k, &behind, kit_span(&other), generation_of(1, 0), k.order),
			 TAKEN_LIE);
	ck_assert_int_eq(shown_again(&k, &behind, kit_span(&forged), generation_of(1, 0), 99),
			 TAKEN_UNPROVEN);
	mlog_free(behind.log);
	kit_close(&k);

	k = kit_open_with(5);
	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	behind = k;
	behind.log = kit_copy(k.log, 7);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT);
	kit_append(&k, &b);
	for (unsigned code = 1; code < 4; code++) {
		uint64_t claimed = generation_of(code, code);

		ck_assert_int_eq(shown_again(&k, &behind, kit_span(&other), claimed, 99),
				 TAKEN_INVALID);
		ck_assert_int_eq(shown_again(&k, &behind, kit_span(&forged), claimed, 99),
				 TAKEN_INVALID);
	}
	mlog_free(behind.log);
	kit_close(&k);
}
END_TEST

/* The next attempt of a recovery, whatever became of the one before. */
/* [P2-44] */
START_TEST(superseded)
{
	struct kit k = kit_open_with(5), a = k, b = k, none = k;
	struct entry_bytes x = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1), y, z;
	struct mlog_take t;
	struct err err;

	a.log = kit_copy(k.log, 6);
	b.log = kit_copy(k.log, 6);
	none.log = kit_copy(k.log, 6);
	kit_append(&a, &x);
	y = kit_recover_again(&k, KIT_CODE_NEXT, 70, 2, &x);
	kit_append(&b, &y);
	ck_assert_uint_eq(mlog_generation(b.log), generation_of(1, 1));
	/* with the first one or without it; the first is old news behind it */
	t = log_show(none.log, b.log, 6, 7);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	t = log_show(b.log, a.log, 6, 7);
	ck_assert_msg(t.result == TAKEN_OLD, "%d %s", t.result, t.why.text);
	ck_assert_int_eq(kit_order(&b, b.log, kit_span(&x), &err), -ESTALE);
	ck_assert_int_eq(err.reason, REFUSAL_SUPERSEDED);
	t = log_show(a.log, b.log, 6, 7);
	ck_assert_msg(t.result == TAKEN && t.reorganised, "%d %s", t.result, t.why.text);
	log_equal(a.log, b.log);
	/* a third attempt, on the server itself; its code is the next one's number */
	z = kit_recover_again(&k, 70, 71, 3, &y);
	kit_append(&b, &z);
	ck_assert_uint_eq(mlog_generation(b.log), generation_of(1, 2));
	t = log_show(a.log, b.log, 0, 7);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(a.log, b.log);
	x = kit_recover(&b, 71, 72, 1);
	kit_append(&b, &x);
	ck_assert_uint_eq(mlog_generation(b.log), generation_of(2, 0));
	mlog_free(a.log);
	mlog_free(b.log);
	mlog_free(none.log);
	kit_close(&k);
}
END_TEST

/* A thief who finds a used paper supersedes nothing with it. */
/* [P2-44] */
START_TEST(thief_supersedes)
{
	struct kit k = kit_open_with(5), owner = k, thief = k, first = k, behind = k;
	struct entry_bytes x = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1), y, z;
	struct mlog_take t;
	struct err err;

	behind.log = kit_copy(k.log, 6);
	owner.log = kit_copy(k.log, 6);
	thief.log = kit_copy(k.log, 6);
	first.log = kit_copy(k.log, 6);
	kit_append(&owner, &x);
	y = kit_recover(&thief, KIT_CODE, 80, 5);
	kit_append(&first, &y);
	z = kit_recover_again(&thief, 80, 81, 5, &y);
	kit_append(&thief, &z);
	t = log_show(owner.log, thief.log, 6, 7);
	ck_assert_msg(t.result == TAKEN_CODE_MISUSED, "%d %s", t.result, t.why.text);
	ck_assert_int_eq(kit_order(&owner, owner.log, kit_span(&z), &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_RECOVERY_CODE);
	/* the owner's next code wins over all of the thief's attempts */
	y = kit_recover(&owner, KIT_CODE_NEXT, 82, 2);
	kit_append(&owner, &y);
	t = log_show(thief.log, owner.log, 6, 8);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(thief.log, owner.log);
	/* two attempts that supersede one */
	y = kit_recover_again(&behind, KIT_CODE_NEXT, 83, 1, &x);
	z = kit_recover_again(&behind, KIT_CODE_NEXT, 84, 2, &x);
	mlog_free(owner.log);
	mlog_free(thief.log);
	owner.log = kit_copy(k.log, 6);
	thief.log = kit_copy(k.log, 6);
	kit_append(&owner, &y);
	kit_append(&thief, &z);
	t = log_show(owner.log, thief.log, 6, 7);
	ck_assert_msg(t.result == TAKEN_CODE_MISUSED, "%d %s", t.result, t.why.text);
	mlog_free(owner.log);
	mlog_free(thief.log);
	mlog_free(first.log);
	mlog_free(behind.log);
	kit_close(&k);
}
END_TEST

/* Renewal ends a paper for good, however many attempts are made of it. */
/* [P2-44] */
START_TEST(renewal_is_not_superseded)
{
	struct kit k = kit_open_with(5), thief = k;
	struct entry_bytes b = kit_promote(&k, 0, 1), x, y;
	struct mlog_take t;
	struct err err;

	kit_append(&k, &b);
	thief.log = kit_copy(k.log, 7);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT);
	kit_append(&k, &b);
	x = kit_recover(&thief, KIT_CODE, 80, 5);
	y = kit_recover_again(&thief, 80, 81, 5, &x);
	ck_assert_int_eq(kit_order(&k, k.log, kit_span(&y), &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_RECOVERY_CODE);
	kit_append(&thief, &y);
	t = log_show(k.log, thief.log, 7, 8);
	ck_assert_msg(t.result == TAKEN_CODE_MISUSED, "%d %s", t.result, t.why.text);
	/* and the new paper wins over them */
	b = kit_recover(&k, KIT_CODE_NEXT, 82, 2);
	kit_append(&k, &b);
	t = log_show(thief.log, k.log, 7, 9);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(thief.log, k.log);
	mlog_free(thief.log);
	kit_close(&k);
}
END_TEST

/* A code that was renewed cannot go back behind its renewal; the new one wins over its use. */
START_TEST(renewed_code)
{
	struct kit k = kit_open_with(5), thief = k, owner = k;
	struct entry_bytes b;
	struct mlog_take t;
	struct err err;

	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	thief.log = kit_copy(k.log, 7);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT);
	kit_append(&k, &b);
	b = kit_recover(&thief, KIT_CODE, 77, 5);
	ck_assert_int_eq(kit_order(&k, k.log, kit_span(&b), &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_RECOVERY_CODE);
	kit_append(&thief, &b);
	t = log_show(k.log, thief.log, 0, 8);
	ck_assert_int_eq(t.result, TAKEN_CODE_MISUSED);
	ck_assert_uint_eq(mlog_count(k.log), 8);
	owner.log = k.log;
	b = kit_recover(&owner, KIT_CODE_NEXT, 78, 2);
	kit_append(&owner, &b);
	t = log_show(thief.log, owner.log, 7, 9);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(thief.log, owner.log);
	mlog_free(thief.log);
	kit_close(&k);
}
END_TEST

/* A node on the other branch of a fork follows a recovery of the first. */
START_TEST(recovery_heals_fork)
{
	struct kit k = kit_open_with(5), other = k;
	struct kit_invite i;
	struct entry_bytes b;
	struct mlog_take t;

	other.log = kit_copy(k.log, 4);
	i = kit_invite(&other, 70);
	b = kit_admit(&other, &i, 7);
	kit_append(&other, &b);
	b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	kit_append(&k, &b);
	t = log_show(other.log, k.log, 4, 7);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(other.log, k.log);
	mlog_free(other.log);
	kit_close(&k);
}
END_TEST

/* The order key changes with signal, which the old server orders. */
START_TEST(moved)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6);
	struct entry_bytes b = kit_signal(&k, 0, KIT_ORDER_NEXT);
	struct err err;
	struct mlog_take t;

	kit_append(&k, &b);
	b = kit_remove(&k, 0, 5);
	ck_assert_int_eq(kit_order(&k, k.log, kit_span(&b), &err), -ENOKEY);
	k.order = KIT_ORDER_NEXT;
	kit_append(&k, &b);
	t = log_show(l, k.log, 6, 8);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(l, k.log);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

/* The change of the key came alone, two records behind it together: others have them from it. */
START_TEST(moved_in_pieces)
{
	struct kit k = kit_open_with(5);
	struct mlog *l = kit_copy(k.log, 6), *other = kit_copy(k.log, 6);
	struct entry_bytes b = kit_signal(&k, 0, KIT_ORDER_NEXT);
	struct mlog_take t;

	kit_append(&k, &b);
	k.order = KIT_ORDER_NEXT;
	for (unsigned n = 4; n <= 5; n++) {
		b = kit_remove(&k, 0, n);
		kit_append(&k, &b);
	}
	ck_assert_int_eq(log_show(l, k.log, 6, 7).result, TAKEN);
	ck_assert_int_eq(log_show(l, k.log, 7, 9).result, TAKEN);
	t = log_show(other, l, 6, 9);
	ck_assert_msg(t.result == TAKEN, "%d %s", t.result, t.why.text);
	log_equal(other, k.log);
	mlog_free(other);
	mlog_free(l);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/back", recovery, code_twice, same_recovery_again, claimed_generation,
	  superseded, thief_supersedes, renewal_is_not_superseded, renewed_code,
	  recovery_heals_fork, moved, moved_in_pieces)
