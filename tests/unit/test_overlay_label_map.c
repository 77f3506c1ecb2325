/* SPDX-License-Identifier: MIT */
/* Tests of the labels of paths, and of the places for handshakes that others began. */
#include "overlay/peering/label_map.h"

#include "unit.h"

static const struct addr local = { .port = 7000 };

static struct addr from(unsigned n)
{
	return addr_v4(0x0a000000 + n / 1000, (uint16_t)(1 + n % 1000));
}

static path_label take(struct label_map *m, unsigned n)
{
	struct addr a = from(n);

	return label_pending_take(m, &a, &local);
}

START_TEST(a_label_is_never_used_again)
{
	struct label_map m = { 0 };
	path_label last = 0;

	for (unsigned i = 0; i < 5 * PENDING_PATHS; i++) {
		path_label l = i % 2 ? label_new(&m) : take(&m, i);

		ck_assert_uint_gt(l, last);
		last = l;
		label_pending_release(&m, l);
	}
}
END_TEST

START_TEST(connections_from_one_address_share_a_path)
{
	struct label_map m = { 0 };
	struct addr a = from(1), other = { .port = 7001 };
	path_label l = take(&m, 1);
	const struct pending_path *p = label_pending(&m, l);

	ck_assert_uint_eq(take(&m, 1), l);
	ck_assert_uint_ne(take(&m, 2), l);
	ck_assert_uint_ne(label_pending_take(&m, &a, &other), l);
	ck_assert_ptr_nonnull(p);
	ck_assert(addr_equal(&p->from, &a) && addr_equal(&p->local, &local));
	ck_assert_uint_eq(p->users, 2);
}
END_TEST

/* A stranger with many ports gets no place that a handshake is using. */
START_TEST(a_place_in_use_is_not_taken)
{
	struct label_map m = { 0 };
	path_label first = take(&m, 0);

	for (unsigned i = 1; i < PENDING_PATHS; i++)
		ck_assert_uint_ne(take(&m, i), 0);
	ck_assert_uint_eq(take(&m, PENDING_PATHS), 0);
	ck_assert_uint_eq(take(&m, 0), first);

	label_pending_release(&m, first);
	ck_assert_uint_eq(take(&m, PENDING_PATHS), 0); /* the second user is still there */
	label_pending_release(&m, first);
	label_pending_release(&m, first);
	ck_assert_ptr_nonnull(label_pending(&m, first)); /* until its place is needed */
	ck_assert_uint_ne(take(&m, PENDING_PATHS), 0);
	ck_assert_ptr_null(label_pending(&m, first));
}
END_TEST

START_TEST(no_label_is_no_path)
{
	struct label_map m = { 0 };

	ck_assert_ptr_null(label_pending(&m, 0));
	ck_assert_ptr_null(label_pending(&m, 77));
	label_pending_release(&m, 0);
	label_pending_release(&m, 77);
	ck_assert_uint_eq(take(&m, 1), 1);
}
END_TEST

UNIT_MAIN("overlay/label_map", a_label_is_never_used_again,
	  connections_from_one_address_share_a_path, a_place_in_use_is_not_taken,
	  no_label_is_no_path)
