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
#include <sys/random.h>

/*
 * Check writes down each assertion that held, to name the last one before a crash. In a loop over
 * every bit of a file that would take most of the time: a line that was written down lately is not
 * written down again.
 */
static inline void unit_mark(const char *file, int line)
{
	static struct {
		const char *file;
		int line;
	} lately[16];
	unsigned slot = (unsigned)line % 16;

	if (lately[slot].line == line && lately[slot].file == file)
		return;
	lately[slot].file = file;
	lately[slot].line = line;
	(_mark_point)(file, line);
}
#define _mark_point(file, line) unit_mark(file, line)

/* Is this one of the words of MLSH_TEST_WITHOUT (tests/run -x)? */
static inline bool unit_is_left_out(const char *name)
{
	const char *words = getenv("MLSH_TEST_WITHOUT");
	size_t len = strlen(name);

	for (const char *at = words; at && (at = strstr(at, name)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

/* A name that is left out must be that of a test, else the list is older than the tests. */
static inline bool unit_knows_left_out(size_t found)
{
	const char *words = getenv("MLSH_TEST_WITHOUT");
	size_t named = 0;

	for (const char *at = words; at && *at; at += strspn(at, " "), named++)
		at += strcspn(at, " ");
	if (named != found)
		printf("MLSH_TEST_WITHOUT names %zu tests, and %zu are here\n", named, found);
	return named == found;
}

/*
 * Runs the tests as one suite, with MLSH_TEST_CASE in the environment those whose names contain it.
 * Returns the exit status of main. If no test was run, that is a failure, too.
 */
static inline int unit_run(const char *name, const TTest *const *tests, size_t count)
{
	const char *wanted = getenv("MLSH_TEST_CASE");
	size_t left_out = 0;
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *sr = srunner_create(suite);
	int failed, run;

	for (size_t i = 0; i < count; i++)
		if (unit_is_left_out(tests[i]->name))
			left_out++;
		else if (!wanted || strstr(tests[i]->name, wanted))
			tcase_add_test(tcase, tests[i]);
	tcase_set_timeout(tcase, 120); /* seconds: a hang, not a loaded machine */
	suite_add_tcase(suite, tcase);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	run = srunner_ntests_run(sr);
	srunner_free(sr);
	return failed > 0 || run == 0 || !unit_knows_left_out(left_out);
}

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
static inline struct unit_rng unit_rng_new(const char *test)
{
	const char *text = getenv("MLSH_TEST_SEED");
	struct unit_rng rng;

	if (text)
		rng.state = strtoull(text, NULL, 0);
	else
		ck_assert_int_eq(getrandom(&rng.state, sizeof(rng.state), 0), sizeof(rng.state));
	printf("%s: MLSH_TEST_SEED=%#llx\n", test, (unsigned long long)rng.state);
	fflush(stdout);
	return rng;
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static inline uint64_t unit_random(struct unit_rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1; n is not 0. */
static inline uint64_t unit_random_below(struct unit_rng *rng, uint64_t n)
{
	return unit_random(rng) % n;
}

static inline void unit_random_bytes(struct unit_rng *rng, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)unit_random(rng);
}

#endif
