/* SPDX-License-Identifier: MIT */
/* The list of open invites. */
#include "client/invites.h"
#include "unit.h"

static struct invite_note note(unsigned n, uint64_t expiry_s)
{
	struct invite_note i = { .expiry_s = expiry_s };

	store_be32(i.nonce, n);
	return i;
}

static int add(struct invite_list *l, unsigned n, uint64_t expiry_s)
{
	struct invite_note i = note(n, expiry_s);

	return invites_add(l, &i);
}

START_TEST(each_is_kept_once)
{
	struct invite_list l = { 0 };

	ck_assert_int_eq(add(&l, 1, 100), 0);
	ck_assert_int_eq(add(&l, 2, 100), 0);
	ck_assert_int_eq(add(&l, 1, 100), 0);
	ck_assert_uint_eq(l.n, 2);
}
END_TEST

START_TEST(there_is_a_limit)
{
	struct invite_list l = { 0 };

	for (unsigned n = 0; n < INVITES_MAX; n++)
		ck_assert_int_eq(add(&l, n, 100 + n), 0);
	ck_assert_int_eq(add(&l, 10000, 100), -ENOSPC);
	ck_assert_int_eq(add(&l, 3, 100), 0); /* it is there already */
	ck_assert_uint_eq(l.n, INVITES_MAX);
	invites_remove(&l, note(3, 0).nonce);
	ck_assert_int_eq(add(&l, 10000, 100), 0);
}
END_TEST

START_TEST(removing_takes_only_that_one)
{
	struct invite_list l = { 0 };

	for (unsigned n = 1; n <= 3; n++)
		ck_assert_int_eq(add(&l, n, 100 * n), 0);
	invites_remove(&l, note(9, 0).nonce);
	ck_assert_uint_eq(l.n, 3);
	invites_remove(&l, note(1, 0).nonce);
	ck_assert_uint_eq(l.n, 2);
	invites_remove(&l, note(3, 0).nonce);
	invites_remove(&l, note(2, 0).nonce);
	ck_assert_uint_eq(l.n, 0);
}
END_TEST

START_TEST(what_ran_out_is_dropped)
{
	struct invite_list l = { 0 };

	ck_assert(!invites_drop_expired(&l, 1000));
	ck_assert_int_eq(add(&l, 1, 300), 0);
	ck_assert_int_eq(add(&l, 2, 200), 0);
	ck_assert_int_eq(add(&l, 3, 400), 0);
	ck_assert(!invites_drop_expired(&l, 200)); /* good in its last second */
	ck_assert_uint_eq(l.n, 3);
	ck_assert(invites_drop_expired(&l, 301));
	ck_assert_uint_eq(l.n, 1);
	ck_assert_uint_eq(l.item[0].expiry_s, 400);
}
END_TEST

UNIT_MAIN("client/invites", each_is_kept_once, there_is_a_limit, removing_takes_only_that_one,
	  what_ran_out_is_dropped)
