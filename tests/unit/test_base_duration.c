/* SPDX-License-Identifier: MIT */
/* Tests of base/duration.h. */
#include "base/duration.h"

#include <errno.h>

#include "unit.h"

START_TEST(what_people_type)
{
	static const struct {
		const char *text;
		uint64_t s;
	} good[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "3600", 3600 },
		{ "90s", 90 },
		{ "30m", 1800 },
		{ "12h", 43200 },
		{ "7d", 604800 },
		{ "007d", 604800 },
		{ "999999999", 999999999 },
		{ "999999999d", 86399999913600 },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t s = 7;

		ck_assert_msg(duration_parse(good[i].text, &s) == 0, "%s", good[i].text);
		ck_assert_uint_eq(s, good[i].s);
	}
}
END_TEST

START_TEST(what_is_none)
{
	static const char *const bad[] = {
		"",    "s",	   "-1",  "+1",		" 1",	       "1 ",
		"1w",  "1H",	   "1hh", "1h30m",	"1.5h",	       "0x10",
		"1e3", "\xd9\xa1", "1\n", "1234567890", "1234567890d", "h1",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t s = 7;

		ck_assert_msg(duration_parse(bad[i], &s) == -EINVAL, "%s", bad[i]);
		ck_assert_uint_eq(s, 7);
	}
}
END_TEST

UNIT_MAIN("base/duration", what_people_type, what_is_none)
