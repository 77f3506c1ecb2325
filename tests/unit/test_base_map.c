/* SPDX-License-Identifier: MIT */
/* Tests of base/map.h against a plain array, and of SipHash against its reference. */
#include "base/map.c" /* sees whether a table is new */

#include "unit.h"

static const uint8_t seed[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

/* From the authors' reference implementation: key 00 to 0f, inputs "", 00, 00 01, 00 01 02, ... */
START_TEST(siphash_reference_vectors)
{
	static const uint8_t expected[][8] = {
		{ 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 },
		{ 0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74 },
		{ 0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d },
		{ 0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85 },
		{ 0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf },
		{ 0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18 },
		{ 0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb },
		{ 0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab },
		{ 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 },
		{ 0xb0, 0xe4, 0xa9, 0x0b, 0xdf, 0x82, 0x00, 0x9e },
		{ 0xf3, 0xb9, 0xdd, 0x94, 0xc5, 0xbb, 0x5d, 0x7a },
		{ 0xa7, 0xad, 0x6b, 0x22, 0x46, 0x2f, 0xb3, 0xf4 },
		{ 0xfb, 0xe5, 0x0e, 0x86, 0xbc, 0x8f, 0x1e, 0x75 },
		{ 0x90, 0x3d, 0x84, 0xc0, 0x27, 0x56, 0xea, 0x14 },
		{ 0xee, 0xf2, 0x7a, 0x8e, 0x90, 0xca, 0x23, 0xf7 },
		{ 0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1 },
		{ 0xdb, 0x9b, 0xc2, 0x57, 0x7f, 0xcc, 0x2a, 0x3f },
		{ 0x94, 0x47, 0xbe, 0x2c, 0xf5, 0xe9, 0x9a, 0x69 },
	};
	uint8_t in[ARRAY_LEN(expected)];

	for (size_t len = 0; len < ARRAY_LEN(expected); len++) {
		uint64_t hash = siphash_2_4(seed, in, len);

		for (size_t i = 0; i < 8; i++) /* the reference writes the lowest byte first */
			ck_assert_msg((uint8_t)(hash >> 8 * i) == expected[len][i],
				      "length %zu, byte %zu", len, i);
		in[len] = (uint8_t)len;
	}
}
END_TEST

START_TEST(siphash_of_two_is_that_of_each)
{
	uint8_t a[64], b[64], keys[2][16];
	uint64_t both[2];

	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] = (uint8_t)i;
		b[i] = (uint8_t)(200 - 3 * i);
		keys[i / 32][i / 2 % 16] = (uint8_t)(7 * i);
	}
	for (size_t len = 0; len <= sizeof(a); len++) {
		siphash_2_4_two((const uint8_t *const[]){ keys[0], keys[1] },
				(const void *const[]){ a, b }, len, both);
		ck_assert_uint_eq(both[0], siphash_2_4(keys[0], a, len));
		ck_assert_uint_eq(both[1], siphash_2_4(keys[1], b, len));
	}
}
END_TEST

START_TEST(siphash_depends_on_the_key)
{
	uint8_t other[16];

	for (size_t i = 0; i < sizeof(other); i++) {
		memcpy(other, seed, sizeof(other));
		other[i] ^= 1;
		ck_assert(siphash_2_4(seed, "abc", 3) != siphash_2_4(other, "abc", 3));
	}
}
END_TEST

START_TEST(key_lengths_are_limited)
{
	struct map *m = map_new(seed, MAP_KEY_MAX, 1);

	ck_assert_ptr_nonnull(m);
	map_free(m);
	ck_assert_ptr_null(map_new(seed, 0, 1));
	ck_assert_ptr_null(map_new(seed, MAP_KEY_MAX + 1, 1));
	map_free(NULL);
}
END_TEST

START_TEST(put_get_remove)
{
	struct map *m = map_new(seed, 4, 10);
	int a, b;

	ck_assert_ptr_null(map_get(m, "key1"));
	ck_assert_ptr_null(map_remove(m, "key1"));
	ck_assert_int_eq(map_put(m, "key1", &a), 0);
	ck_assert_int_eq(map_put(m, "key2", &b), 0);
	ck_assert_ptr_eq(map_get(m, "key1"), &a);
	ck_assert_ptr_eq(map_get(m, "key2"), &b);
	ck_assert_ptr_null(map_get(m, "key3"));
	ck_assert_uint_eq(map_count(m), 2);
	ck_assert_ptr_eq(map_remove(m, "key1"), &a);
	ck_assert_ptr_null(map_remove(m, "key1"));
	ck_assert_ptr_null(map_get(m, "key1"));
	ck_assert_ptr_eq(map_get(m, "key2"), &b);
	ck_assert_uint_eq(map_count(m), 1);
	map_free(m);
}
END_TEST

START_TEST(put_refuses)
{
	struct map *m = map_new(seed, 4, 2);
	int a, b;

	ck_assert_int_eq(map_put(m, "key1", NULL), -EINVAL);
	ck_assert_int_eq(map_put(m, "key1", &a), 0);
	ck_assert_int_eq(map_put(m, "key1", &b), -EEXIST);
	ck_assert_ptr_eq(map_get(m, "key1"), &a);
	ck_assert_int_eq(map_put(m, "key2", &b), 0);
	ck_assert_int_eq(map_put(m, "key3", &b), -ENOSPC);
	ck_assert_int_eq(map_put(m, "key2", &a), -EEXIST);
	ck_assert_ptr_null(map_get(m, "key3"));
	ck_assert_uint_eq(map_count(m), 2);
	ck_assert_ptr_eq(map_remove(m, "key1"), &a);
	ck_assert_int_eq(map_put(m, "key3", &b), 0);
	map_free(m);
}
END_TEST

/* Also where graves fill the table: what fits after map_reserve is put without a new table. */
START_TEST(reserved_room_needs_no_new_table)
{
	struct unit_rng rng = unit_rng_new("reserved_room_needs_no_new_table");
	struct map *m = map_new(seed, 4, 5000);
	uint32_t next = 0, oldest = 0;

	for (unsigned round = 0; round < 300; round++) {
		size_t n = unit_random_below(&rng, 40);
		void **table;

		ck_assert_int_eq(map_reserve(m, n), 0);
		table = m->values;
		for (size_t i = 0; i < n; i++, next++)
			ck_assert_int_eq(map_put(m, &next, m), 0);
		ck_assert_ptr_eq(m->values, table);
		for (size_t i = unit_random_below(&rng, 40); i > 0 && oldest < next; i--) {
			ck_assert_ptr_eq(map_remove(m, &oldest), m);
			oldest++;
		}
		ck_assert_uint_eq(map_count(m), next - oldest);
	}
	ck_assert_int_eq(map_reserve(m, 5000 - map_count(m)), 0);
	ck_assert_int_eq(map_reserve(m, 5001 - map_count(m)), -ENOSPC);
	map_free(m);
}
END_TEST

START_TEST(nothing_fits_into_a_map_for_nothing)
{
	struct map *m = map_new(seed, 1, 0);
	int a;

	ck_assert_int_eq(map_put(m, "k", &a), -ENOSPC);
	ck_assert_ptr_null(map_get(m, "k"));
	map_free(m);
}
END_TEST

/* Keys that come and go, as connection ids do, neither fill the table nor hide what stays. */
START_TEST(churn_does_not_wear_it_out)
{
	struct map *m = map_new(seed, 8, 64);
	int kept, passing;
	uint8_t key[8] = { 0 };

	for (uint64_t i = 0; i < 40; i++) {
		store_be64(key, i);
		ck_assert_int_eq(map_put(m, key, &kept), 0);
	}
	for (uint64_t i = 1000; i < 200000; i++) {
		store_be64(key, i);
		ck_assert_int_eq(map_put(m, key, &passing), 0);
		store_be64(key, i - 10);
		ck_assert_ptr_eq(map_remove(m, key), i < 1010 ? NULL : &passing);
	}
	ck_assert_uint_eq(map_count(m), 50);
	for (uint64_t i = 0; i < 40; i++) {
		store_be64(key, i);
		ck_assert_ptr_eq(map_get(m, key), &kept);
	}
	map_free(m);
}
END_TEST

START_TEST(visits_each_entry_once)
{
	struct map *m = map_new(seed, 2, 1000);
	int values[500];
	void *value;
	size_t pos = 0, seen = 0;

	ck_assert(!map_next(m, &pos, &value));
	ck_assert(!map_next(m, &pos, &value));
	for (uint16_t i = 0; i < ARRAY_LEN(values); i++) {
		values[i] = 0;
		ck_assert_int_eq(map_put(m, &i, &values[i]), 0);
	}
	for (pos = 0; map_next(m, &pos, &value); seen++)
		ck_assert_int_eq((*(int *)value)++, 0);
	ck_assert_uint_eq(seen, ARRAY_LEN(values));
	map_free(m);
}
END_TEST

START_TEST(visited_entries_may_be_removed)
{
	struct map *m = map_new(seed, 2, 1000);
	struct {
		uint16_t key;
		int visits;
	} entries[500] = { 0 }, *e;
	size_t pos = 0, seen = 0;
	void *value;

	for (uint16_t i = 0; i < ARRAY_LEN(entries); i++) {
		entries[i].key = i;
		ck_assert_int_eq(map_put(m, &i, &entries[i]), 0);
	}
	while (map_next(m, &pos, &value)) {
		e = value;
		ck_assert_int_eq(e->visits++, 0);
		if (e->key % 3 != 0)
			ck_assert_ptr_eq(map_remove(m, &e->key), e);
		seen++;
	}
	ck_assert_uint_eq(seen, ARRAY_LEN(entries));
	ck_assert_uint_eq(map_count(m), (ARRAY_LEN(entries) + 2) / 3);
	for (uint16_t i = 0; i < ARRAY_LEN(entries); i++)
		ck_assert_ptr_eq(map_get(m, &i), i % 3 == 0 ? &entries[i] : NULL);
	map_free(m);
}
END_TEST

/* Random operations on few keys; the array says what the answer is. */
START_TEST(agrees_with_an_array)
{
	struct unit_rng rng = unit_rng_new("agrees_with_an_array");

	for (int round = 0; round < 100; round++) {
		uint8_t random_seed[16], key[MAP_KEY_MAX] = { 0 };
		void *model[256] = { NULL };
		size_t count = 0, max = unit_random_below(&rng, 256);
		size_t key_len = 1 + unit_random_below(&rng, MAP_KEY_MAX);
		struct map *m;

		unit_random_bytes(&rng, random_seed, sizeof(random_seed));
		m = map_new(random_seed, key_len, max);
		ck_assert_ptr_nonnull(m);
		for (int i = 0; i < 3000; i++) {
			uint8_t k = (uint8_t)unit_random(&rng);
			void *value = &model[unit_random_below(&rng, 256)];

			key[key_len - 1] = k;
			switch (unit_random_below(&rng, 4)) {
			case 0:
				ck_assert_ptr_eq(map_remove(m, key), model[k]);
				count -= model[k] != NULL;
				model[k] = NULL;
				break;
			case 1:
				ck_assert_ptr_eq(map_get(m, key), model[k]);
				break;
			default:
				if (model[k]) {
					ck_assert_int_eq(map_put(m, key, value), -EEXIST);
				} else if (count == max) {
					ck_assert_int_eq(map_put(m, key, value), -ENOSPC);
				} else {
					ck_assert_int_eq(map_put(m, key, value), 0);
					model[k] = value;
					count++;
				}
			}
			ck_assert_uint_eq(map_count(m), count);
		}
		map_free(m);
	}
}
END_TEST

UNIT_MAIN("base/map", siphash_reference_vectors, siphash_of_two_is_that_of_each,
	  siphash_depends_on_the_key, key_lengths_are_limited, put_get_remove, put_refuses,
	  reserved_room_needs_no_new_table, nothing_fits_into_a_map_for_nothing,
	  churn_does_not_wear_it_out, visits_each_entry_once, visited_entries_may_be_removed,
	  agrees_with_an_array)
