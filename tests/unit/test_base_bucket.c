/* SPDX-License-Identifier: MIT */
/* Tests of base/bucket.h: never more than the burst and the rate allow, whatever the times are. */
#include "base/bucket.h"

#include "unit.h"

START_TEST(starts_full_and_runs_dry)
{
	struct bucket b;

	bucket_init(&b, 1, 3, 1000);
	ck_assert(bucket_take(&b, 2, 1000));
	ck_assert(bucket_take(&b, 1, 1000));
	ck_assert(bucket_take(&b, 0, 1000));
	ck_assert(!bucket_take(&b, 1, 1000));
}
END_TEST

START_TEST(refills_to_the_nanosecond)
{
	struct bucket b;

	bucket_init(&b, 4, 2, 0);
	ck_assert(bucket_take(&b, 2, 0));
	ck_assert(!bucket_take(&b, 1, NS_PER_S / 4 - 1));
	ck_assert(bucket_take(&b, 1, NS_PER_S / 4));
	ck_assert(!bucket_take(&b, 1, NS_PER_S / 2 - 1));
	ck_assert(bucket_take(&b, 1, NS_PER_S / 2));
}
END_TEST

/* Asking often does not round the gain away. */
START_TEST(small_steps_add_up)
{
	struct bucket b;
	uint64_t now;

	bucket_init(&b, 7, 1, 0);
	ck_assert(bucket_take(&b, 1, 0));
	for (now = 1; !bucket_take(&b, 1, now); now += 1000)
		ck_assert_uint_lt(now, NS_PER_S);
	ck_assert_uint_ge(now, NS_PER_S / 7);
	ck_assert_uint_le(now, NS_PER_S / 7 + 1000);
}
END_TEST

START_TEST(holds_no_more_than_the_burst)
{
	struct bucket b;

	bucket_init(&b, 1000, 5, 0);
	ck_assert(!bucket_take(&b, 6, 0));
	ck_assert(!bucket_take(&b, 6, 3600 * NS_PER_S));
	ck_assert(bucket_take(&b, 5, 3600 * NS_PER_S));
	ck_assert(!bucket_take(&b, 1, 3600 * NS_PER_S));
}
END_TEST

START_TEST(refused_takes_cost_nothing)
{
	struct bucket b;

	bucket_init(&b, 1, 4, 0);
	ck_assert(bucket_take(&b, 1, 0));
	for (int i = 0; i < 100; i++)
		ck_assert(!bucket_take(&b, 4, 0));
	ck_assert(bucket_take(&b, 3, 0));
}
END_TEST

START_TEST(empty_and_dead_buckets_give_nothing)
{
	struct bucket b;

	bucket_init(&b, 10, 0, 0);
	ck_assert(!bucket_take(&b, 1, 100 * NS_PER_S));
	bucket_init(&b, 0, 1, 0);
	ck_assert(bucket_take(&b, 1, 0));
	ck_assert(!bucket_take(&b, 1, TIME_NEVER));
}
END_TEST

START_TEST(a_clock_that_goes_back_gives_nothing)
{
	struct bucket b;

	bucket_init(&b, 1, 1, 10 * NS_PER_S);
	ck_assert(bucket_take(&b, 1, 10 * NS_PER_S));
	ck_assert(!bucket_take(&b, 1, 0));
	ck_assert(!bucket_take(&b, 1, 10 * NS_PER_S + NS_PER_S - 1));
	ck_assert(bucket_take(&b, 1, 11 * NS_PER_S));
}
END_TEST

START_TEST(extremes_do_not_overflow)
{
	struct bucket b;

	bucket_init(&b, UINT64_MAX, UINT64_MAX, 0);
	ck_assert(!bucket_take(&b, UINT64_MAX, TIME_NEVER));
	ck_assert(!bucket_take(&b, UINT64_C(1) << 55, TIME_NEVER)); /* times 10^9 it is 0 */
	ck_assert(!bucket_take(&b, (UINT64_C(1) << 33) + 1, TIME_NEVER));
	ck_assert(bucket_take(&b, UINT64_C(1) << 33, TIME_NEVER));
	ck_assert(!bucket_take(&b, 1, TIME_NEVER));
	bucket_init(&b, 1, UINT64_C(1) << 33, 0);
	ck_assert(bucket_take(&b, UINT64_C(1) << 33, 0));
	ck_assert(bucket_take(&b, 1000, 1000 * NS_PER_S));
	ck_assert(!bucket_take(&b, 1, 1000 * NS_PER_S));
}
END_TEST

/* Below 2^bits, small numbers as likely as large ones. */
static uint64_t random_any_size(struct unit_rng *rng, unsigned bits)
{
	return unit_random(rng) >> (64 - bits) >> unit_random_below(rng, bits);
}

/* Against the same thing in billionths, which is full where more than that has come. */
START_TEST(agrees_with_a_model)
{
	struct unit_rng rng = unit_rng_new("agrees_with_a_model");

	for (int round = 0; round < 500; round++) {
		uint64_t rate = random_any_size(&rng, 64);
		uint64_t burst = random_any_size(&rng, 33);
		uint64_t now = unit_random_below(&rng, NS_PER_S);
		const uint64_t full = burst * NS_PER_S; /* below 2^63 */
		uint64_t level = full;
		struct bucket b;

		bucket_init(&b, rate, burst, now);
		for (int i = 0; i < 100; i++) {
			uint64_t step = random_any_size(&rng, 40);
			uint64_t n = unit_random_below(&rng, burst + 2) >> i % 4;
			bool expected;

			now += step;
			if (step > 0 && rate > full / step)
				level = full;
			else
				level = MIN(level + step * rate, full);
			expected = n * NS_PER_S <= level;
			if (expected)
				level -= n * NS_PER_S;
			ck_assert_int_eq(bucket_take(&b, n, now), expected);
		}
	}
}
END_TEST

UNIT_MAIN("base/bucket", starts_full_and_runs_dry, refills_to_the_nanosecond, small_steps_add_up,
	  holds_no_more_than_the_burst, refused_takes_cost_nothing,
	  empty_and_dead_buckets_give_nothing, a_clock_that_goes_back_gives_nothing,
	  extremes_do_not_overflow, agrees_with_a_model)
