/* SPDX-License-Identifier: MIT */
/* Feature bits as `mlsh nodes` shows them. */
#include "unit.h"

#include "cli/table.h"

static const char *bits_of(const char *json, char out[TABLE_BITS_MAX])
{
	struct json_object *o = json_tokener_parse(json);
	const char *text;

	ck_assert_ptr_nonnull(o);
	text = table_bits(o, "features", out);
	json_object_put(o);
	return text;
}

START_TEST(bits_are_numbers)
{
	char out[TABLE_BITS_MAX], all[64 * 4 + 32] = "{\"features\":[0";

	ck_assert_str_eq(bits_of("{\"features\":null}", out), "?");
	ck_assert_str_eq(bits_of("{}", out), "?");
	ck_assert_str_eq(bits_of("{\"features\":[]}", out), "-");
	ck_assert_str_eq(bits_of("{\"features\":[0]}", out), "0");
	ck_assert_str_eq(bits_of("{\"features\":[0,3,63]}", out), "0 3 63");
	for (int bit = 1; bit < 64; bit++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), ",%d", bit);
	strcat(all, "]}");
	bits_of(all, out);
	ck_assert_uint_eq(strlen(out), 10 * 2 + 54 * 3 - 1);
	ck_assert_str_eq(out + strlen(out) - 5, "62 63");
}
END_TEST

/* Without any, there is no column of them. */
START_TEST(any_bits)
{
	static const struct {
		const char *json;
		bool any;
	} cases[] = {
		{ "[]", false },
		{ "[{\"features\":[]},{\"features\":null},{}]", false },
		{ "[{\"features\":null},{\"features\":[7]}]", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct json_object *list = json_tokener_parse(cases[i].json);

		ck_assert(table_any_bits(list, "features") == cases[i].any);
		json_object_put(list);
	}
}
END_TEST

UNIT_MAIN("cli/table", bits_are_numbers, any_bits)
