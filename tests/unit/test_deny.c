/* SPDX-License-Identifier: MIT */
/* Removals that wait for their order: whom they deny, and when that ends. */
#include "log_kit.h"
#include "membership/deny.h"

static bool denied(const struct denials *d, unsigned n)
{
	struct node_id id = kit_id(n);

	return denials_denied(d, &id);
}

static int add(struct denials *d, const struct kit *k, struct entry_bytes b, struct err *err)
{
	return denials_add(d, k->log, kit_span(&b), err);
}

/* [P2-55] */
START_TEST(denies_until_ordered)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b = kit_remove(&k, 0, 1);
	struct node_id id = kit_id(1), author, admin = kit_id(0);
	uint64_t time_s;

	ck_assert_int_eq(add(d, &k, b, NULL), 1);
	ck_assert(denied(d, 1));
	ck_assert(!denied(d, 2));
	ck_assert(denials_author(d, &id, &author, &time_s));
	ck_assert(node_id_equal(&author, &admin));
	ck_assert_int_eq(add(d, &k, b, NULL), 0); /* again */
	ck_assert_uint_eq(denials_count(d), 1);
	k.now_s += 100000; /* it has no window */
	ck_assert_uint_eq(denials_update(d, k.log), 0);
	kit_join(&k, 5);
	ck_assert_uint_eq(denials_update(d, k.log), 0);
	ck_assert(denied(d, 1));
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 1)); /* the log says it now */
	ck_assert_int_eq(add(d, &k, b, NULL), 0);
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* [P2-55] */
START_TEST(who_may)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b;
	struct err err;
	struct entry e;

	ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 2), &err), -EACCES);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 9, 2), &err), -EACCES);
	ck_assert_int_eq(add(d, &k, kit_rename(&k, 0, 2, "desk"), &err), -EBADMSG);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 2, 2), NULL), 1); /* leaves */
	ck_assert(denied(d, 2));
	e = kit_entry(&k, ENTRY_REMOVE, 0);
	e.remove.id[e.remove.n++] = kit_id(3);
	b = kit_forge(&k, &e, 1, 0);
	ck_assert_int_eq(add(d, &k, b, &err), -EKEYREJECTED);
	e.base.seq++; /* of records that we lack */
	b = kit_forge(&k, &e, 0, 0);
	ck_assert_int_eq(add(d, &k, b, &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_UNKNOWN_HEAD);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 0), &err), -EACCES);
	ck_assert_int_eq(err.reason, REFUSAL_LAST_ADMIN);
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* It ends when its author has no right any more, and no second right brings it back. */
/* [P2-57] */
START_TEST(ends_with_the_right)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b;

	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 2), NULL), 1);
	b = kit_demote(&k, 0, 1);
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 2));
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* [P2-57] */
START_TEST(ends_with_a_cancel_and_a_new_key)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes removal = kit_remove(&k, 0, 1), b;
	struct entry r, e;

	ck_assert_int_eq(add(d, &k, removal, NULL), 1);
	ck_assert_int_eq(entry_decode(kit_span(&removal), &r, NULL), 0);
	e = kit_entry(&k, ENTRY_CANCEL, 0);
	e.cancel.what = CANCEL_REMOVAL;
	memcpy(e.cancel.hash, r.payload_hash, HASH_LEN);
	b = kit_sign(&k, &e, 0, 0);
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 1));
	/* a key that was rotated away denies nobody */
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 2), NULL), 1);
	removal = kit_remove(&k, 0, 3);
	b = kit_rotate(&k, 0, 0, 100);
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 2));
	ck_assert_int_eq(add(d, &k, removal, NULL), -EKEYREJECTED);
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* Two admins that remove each other: both are denied, both may still author. */
/* [P2-59] */
START_TEST(mutual)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b;

	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 1), NULL), 1);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 0), NULL), 1);
	ck_assert(denied(d, 0) && denied(d, 1));
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 2), NULL), 1);
	b = kit_remove(&k, 0, 1); /* the order decides */
	k.now_s++;
	kit_append(&k, &b);
	ck_assert_uint_ge(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 0));
	denials_free(d);
	kit_close(&k);
}
END_TEST

START_TEST(recovery_ends_all)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b;

	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 1), NULL), 1);
	b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 0);
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(!denied(d, 1));
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* An author has one entry for each target. */
/* [P2-61] */
START_TEST(one_each)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();

	for (int n = 0; n < 10; n++) {
		k.now_s++;
		ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 1), NULL), n == 0);
	}
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 2), NULL), 1);
	ck_assert_uint_eq(denials_count(d), 2);
	ck_assert_uint_eq(denials_entry(d, 99).len, 0);
	ck_assert_uint_gt(denials_entry(d, 1).len, 0);
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* A reader that keeps its serial number sees each entry once, whatever leaves the list. */
START_TEST(each_is_seen_once)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes first = kit_remove(&k, 0, 1);
	uint64_t serial = 0, begin = 0;

	ck_assert_uint_eq(denials_next(d, &serial).len, 0);
	ck_assert_int_eq(add(d, &k, first, NULL), 1);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 2), NULL), 1);
	ck_assert_uint_gt(denials_next(d, &serial).len, 0);
	ck_assert_uint_gt(denials_next(d, &serial).len, 0);
	ck_assert_uint_eq(denials_next(d, &serial).len, 0);
	kit_append(&k, &first);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert_uint_eq(denials_next(d, &serial).len, 0);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 3), NULL), 1);
	ck_assert(span_equal(denials_next(d, &serial), denials_entry(d, 1)));
	ck_assert_uint_eq(denials_next(d, &serial).len, 0);
	ck_assert(span_equal(denials_next(d, &begin), denials_entry(d, 0)));
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* An admin that denies itself first, and takes that back later, stays denied by the other. */
START_TEST(denies_itself_first)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b = kit_promote(&k, 0, 1);

	kit_append(&k, &b);
	for (int n = 0; n < 10; n++) {
		k.now_s++;
		(void)add(d, &k, kit_remove(&k, 1, 1), NULL);
	}
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 1), NULL), 1);
	b = kit_rotate(&k, 1, 1, 100); /* ends what its key before said */
	kit_append(&k, &b);
	ck_assert_uint_eq(denials_update(d, k.log), 1);
	ck_assert(denied(d, 1));
	denials_free(d);
	kit_close(&k);
}
END_TEST

/* A stolen admin that fills all places makes room for others. */
/* [P2-61] */
START_TEST(full)
{
	struct kit k = kit_open_with(3);
	struct denials *d = denials_new();
	struct entry_bytes b = kit_promote(&k, 0, 1);
	struct err err;

	kit_append(&k, &b);
	for (unsigned n = 0; n < DENIALS_MAX; n++) {
		kit_join(&k, 10 + n);
		ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 10 + n), NULL), 1);
	}
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 1, 2), &err), -ENOSPC);
	ck_assert_int_eq(add(d, &k, kit_remove(&k, 0, 1), NULL), 1);
	ck_assert_uint_eq(denials_count(d), DENIALS_MAX);
	ck_assert(denied(d, 1));
	ck_assert(denied(d, 10));
	ck_assert(!denied(d, 10 + DENIALS_MAX - 1)); /* the newest went */
	denials_free(d);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/deny", denies_until_ordered, who_may, ends_with_the_right,
	  ends_with_a_cancel_and_a_new_key, mutual, recovery_ends_all, one_each, each_is_seen_once,
	  denies_itself_first, full)
