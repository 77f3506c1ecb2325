/* SPDX-License-Identifier: MIT */
/* Tests of the table of destinations. */
#include "overlay/datapath/fib.h"

#include "base/macros.h"

#include "unit.h"

/* The table never looks into a peer. */
static struct dest *dest_no(uintptr_t n)
{
	return (struct dest *)(n * 16 + 16);
}

START_TEST(every_route_is_found_and_no_other)
{
	struct fib t = { 0 };
	const unsigned n = 10000;
	ip4 base = 0x64400001;

	ck_assert_ptr_null(fib_lookup(&t, base));
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(fib_add(&t, base + i, dest_no(i)), 0);
	ck_assert_uint_eq(t.n, n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_ptr_eq(fib_lookup(&t, base + i), dest_no(i));
	for (unsigned i = 0; i < n; i++)
		ck_assert_ptr_null(fib_lookup(&t, base + n + i));
	ck_assert_ptr_null(fib_lookup(&t, base - 1));
	ck_assert_ptr_null(fib_lookup(&t, 0));
	fib_fini(&t);
	ck_assert_ptr_null(fib_lookup(&t, base));
}
END_TEST

START_TEST(a_route_can_be_replaced)
{
	struct fib t = { 0 };

	ck_assert_int_eq(fib_add(&t, 5, dest_no(1)), 0);
	ck_assert_int_eq(fib_add(&t, 5, dest_no(2)), 0);
	ck_assert_uint_eq(t.n, 1);
	ck_assert_ptr_eq(fib_lookup(&t, 5), dest_no(2));
	fib_fini(&t);
}
END_TEST

START_TEST(scattered_addresses_work_like_neighbours)
{
	struct unit_rng rng = unit_rng_new("route");
	struct fib t = { 0 };
	ip4 to[3000];

	for (unsigned i = 0; i < 3000; i++) {
		to[i] = (ip4)unit_random(&rng) << 8 | i;
		ck_assert_int_eq(fib_add(&t, to[i], dest_no(i)), 0);
	}
	for (unsigned i = 0; i < 3000; i++) {
		struct dest *p = fib_lookup(&t, to[i]);

		ck_assert_ptr_nonnull(p);
		ck_assert(p == dest_no(i) || to[(uintptr_t)p / 16 - 1] == to[i]);
	}
	fib_fini(&t);
}
END_TEST

/* Additions and removals in any order, against a plain array; few slots, so that runs are long. */
START_TEST(removed_routes_leave_the_others_found)
{
	struct unit_rng rng = unit_rng_new("removed_routes_leave_the_others_found");
	struct fib t = { 0 };
	struct dest *at[40] = { NULL };
	size_t n = 0;

	for (unsigned round = 0; round < 3000; round++) {
		size_t i = unit_random_below(&rng, ARRAY_LEN(at));
		ip4 to = 0x64600000 + (ip4)(i % 8 + (i / 8) * 0x10000);

		if (at[i]) {
			ck_assert(!fib_remove(&t, to, dest_no(999)));
			ck_assert(fib_remove(&t, to, at[i]));
			at[i] = NULL;
			n--;
		} else {
			ck_assert(!fib_remove(&t, to, dest_no(i)));
			at[i] = dest_no(i);
			ck_assert_int_eq(fib_add(&t, to, at[i]), 0);
			n++;
		}
		ck_assert_uint_eq(t.n, n);
		for (size_t k = 0; k < ARRAY_LEN(at); k++) {
			ip4 a = 0x64600000 + (ip4)(k % 8 + (k / 8) * 0x10000);

			ck_assert_ptr_eq(fib_lookup(&t, a), at[k]);
		}
	}
	fib_fini(&t);
}
END_TEST

UNIT_MAIN("overlay/fib", every_route_is_found_and_no_other, a_route_can_be_replaced,
	  scattered_addresses_work_like_neighbours, removed_routes_leave_the_others_found)
