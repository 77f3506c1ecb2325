/* SPDX-License-Identifier: MIT */
/*
 * What every unit test file shares: its main program, and random numbers that can be repeated.
 *
 *	START_TEST(span_equal_compares_length) { ... } END_TEST
 *	UNIT_MAIN("base/bytes", span_equal_compares_length, ...)
 */
#ifndef MLSH_TESTS_UNIT_H
#define MLSH_TESTS_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Check writes down each assertion that held, to name the last one before a crash. In a loop over
 * every bit of a file that would take most of the time: a line that was written down lately is not
 * written down again.
 */
void unit_mark(const char *file, int line);
#define _mark_point(file, line) unit_mark(file, line)

/*
 * Runs the tests as one suite, with MLSH_TEST_CASE in the environment those whose names contain it.
 * Returns the exit status of main. If no test was run, that is a failure, too.
 */
int unit_run(const char *name, const TTest *const *tests, size_t count);

#define UNIT_MAIN(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = { __VA_ARGS__ };                                      \
                                                                                                   \
		return unit_run(name, tests, sizeof(tests) / sizeof(tests[0]));                    \
	}

struct unit_rng {
	uint64_t state;
};

/* The seed is MLSH_TEST_SEED or new, and printed, so that a failure can be repeated. */
struct unit_rng unit_rng_new(const char *test);

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t unit_random(struct unit_rng *rng);

/* 0 to n - 1; n is not 0. */
uint64_t unit_random_below(struct unit_rng *rng, uint64_t n);

void unit_random_bytes(struct unit_rng *rng, void *out, size_t len);

#endif
