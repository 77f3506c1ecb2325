/* SPDX-License-Identifier: MIT */
/* The main program of a unit test, and its random numbers. */
#include "unit.h"

#include <sys/random.h>

void unit_mark(const char *file, int line)
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

/* Is this one of the words of MLSH_TEST_WITHOUT (tests/run -x)? */
static bool unit_is_left_out(const char *name)
{
	const char *words = getenv("MLSH_TEST_WITHOUT");
	size_t len = strlen(name);

	for (const char *at = words; at && (at = strstr(at, name)) != NULL; at += len)
		if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

/* A name that is left out must be that of a test, else the list is older than the tests. */
static bool unit_knows_left_out(size_t found)
{
	const char *words = getenv("MLSH_TEST_WITHOUT");
	size_t named = 0;

	for (const char *at = words; at && *at; at += strspn(at, " "), named++)
		at += strcspn(at, " ");
	if (named != found)
		printf("MLSH_TEST_WITHOUT names %zu tests, and %zu are here\n", named, found);
	return named == found;
}

int unit_run(const char *name, const TTest *const *tests, size_t count)
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

struct unit_rng unit_rng_new(const char *test)
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

uint64_t unit_random(struct unit_rng *rng)
{
	uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t unit_random_below(struct unit_rng *rng, uint64_t n)
{
	return unit_random(rng) % n;
}

void unit_random_bytes(struct unit_rng *rng, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)unit_random(rng);
}
