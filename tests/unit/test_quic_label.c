/* SPDX-License-Identifier: MIT */
/* Tests of quic/label.h: labels and generations survive, and different ones never look alike. */
#include "quic/label.h"

#include "unit.h"

static const uint64_t numbers[] = { 1, 2, 255, 65536, UINT64_C(1) << 32, UINT64_MAX };

START_TEST(numbers_come_back)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		for (size_t j = 0; j < ARRAY_LEN(numbers); j++) {
			struct label_path p;

			label_path_set(&p, numbers[i], numbers[j]);
			ck_assert(label_of(&p.path) == numbers[i]);
			ck_assert(label_generation_of(&p.path) == numbers[j]);
		}
	}
}
END_TEST

START_TEST(numbers_survive_a_copy)
{
	struct label_path p;
	ngtcp2_path_storage copy;

	label_path_set(&p, 77, 88);
	ngtcp2_path_storage_zero(&copy);
	ngtcp2_path_copy(&copy.path, &p.path);
	label_path_set(&p, 1, 1);
	ck_assert(label_of(&copy.path) == 77 && label_generation_of(&copy.path) == 88);
}
END_TEST

/* ngtcp2 takes a path for another when either address differs. */
START_TEST(paths_are_equal_only_with_both_numbers)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct label_path a, b, c;

		label_path_set(&a, numbers[i], 5);
		label_path_set(&b, numbers[i], 6);
		label_path_set(&c, numbers[(i + 1) % ARRAY_LEN(numbers)], 5);
		ck_assert(ngtcp2_path_eq(&a.path, &a.path));
		ck_assert(!ngtcp2_path_eq(&a.path, &b.path));
		ck_assert(!ngtcp2_path_eq(&a.path, &c.path));
	}
}
END_TEST

UNIT_MAIN("quic/label", numbers_come_back, numbers_survive_a_copy,
	  paths_are_equal_only_with_both_numbers)
