/* SPDX-License-Identifier: MIT */
/* Waiting times: bounds for every number of failures and all random numbers. */
#include "client/backoff.h"

#include "unit.h"

#define TRIES 2000

START_TEST(first_retry_is_quick)
{
	struct unit_rng rng = unit_rng_new("first_retry_is_quick");

	for (int i = 0; i < TRIES; i++) {
		ck_assert_uint_le(backoff_delay(1, unit_random(&rng)), 200 * NS_PER_MS);
		ck_assert_uint_ge(backoff_delay(1, unit_random(&rng)), 100 * NS_PER_MS);
	}
	ck_assert_uint_le(backoff_delay(1, UINT64_MAX), 200 * NS_PER_MS);
	ck_assert_uint_le(backoff_delay(0, 0), 200 * NS_PER_MS);
}
END_TEST

START_TEST(delays_grow_and_stay_below_five_seconds)
{
	struct unit_rng rng = unit_rng_new("delays_grow_and_stay_below_five_seconds");

	for (unsigned failures = 1; failures < 100; failures++) {
		uint64_t whole = failures > 5 ? 5000 : 200u << (failures - 1);

		for (int i = 0; i < TRIES / 10; i++) {
			uint64_t d = backoff_delay(failures, unit_random(&rng));

			ck_assert_uint_le(d, whole * NS_PER_MS);
			ck_assert_uint_ge(d, whole * NS_PER_MS / 2);
		}
	}
	ck_assert_uint_le(backoff_delay(UINT32_MAX, 3), 5 * NS_PER_S);
}
END_TEST

/* Many nodes that lost the same server do not come back in step. */
START_TEST(delays_are_spread)
{
	struct unit_rng rng = unit_rng_new("delays_are_spread");
	unsigned slot[10] = { 0 };

	for (int i = 0; i < TRIES; i++)
		slot[(backoff_delay(20, unit_random(&rng)) - 2500 * NS_PER_MS) * 10 /
		     (2500 * NS_PER_MS + 1)]++;
	for (size_t i = 0; i < 10; i++)
		ck_assert_uint_gt(slot[i], TRIES / 20);
}
END_TEST

/* [P3-30] */
START_TEST(asked_waits_are_never_shortened)
{
	struct unit_rng rng = unit_rng_new("asked_waits_are_never_shortened");

	for (int i = 0; i < TRIES; i++) {
		uint64_t asked = unit_random_below(&rng, 300 * NS_PER_S);
		uint64_t d = backoff_asked(asked, unit_random(&rng));

		ck_assert_uint_ge(d, asked);
		ck_assert_uint_le(d, asked + (asked / 4 > NS_PER_S ? asked / 4 : NS_PER_S));
	}
}
END_TEST

UNIT_MAIN("client/backoff", first_retry_is_quick, delays_grow_and_stay_below_five_seconds,
	  delays_are_spread, asked_waits_are_never_shortened)
