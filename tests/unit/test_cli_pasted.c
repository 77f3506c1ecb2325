/* SPDX-License-Identifier: MIT */
/* Secrets as people paste them. */
#include "unit.h"

#include <string.h>

#include "cli/pasted.h"

START_TEST(what_is_around_a_secret_is_left_out)
{
	static const struct {
		const char *pasted, *secret;
	} cases[] = {
		{ "mlsh://h/abc", "mlsh://h/abc" },
		{ "  mlsh://h/abc \t", "mlsh://h/abc" },
		{ "mlsh://h/abc\r", "mlsh://h/abc" },
		{ "'mlsh://h/abc'", "mlsh://h/abc" },
		{ "<mlsh://h/abc>", "mlsh://h/abc" },
		{ "mlsh adopt mlsh://h/abc --name x", "mlsh://h/abc" },
		{ "sudo mlsh adopt 'mlsh://h/abc'", "mlsh://h/abc" },
		{ "here it is: mlsh://h/abc", "mlsh://h/abc" },
		{ "\xc2\xa0mlsh://h/abc\xe2\x80\x8b", "mlsh://h/abc" },
		{ "\xef\xbb\xbfmlsh://h/abc", "mlsh://h/abc" },
		{ "\033[200~mlsh://h/abc\033[201~", "mlsh://h/abc" },
		{ "\xe2\x80\x9cmlsh://h/abc\xe2\x80\x9d", "mlsh://h/abc" },
		{ "ABCD-EFGH-JKMN@00ff", "ABCD-EFGH-JKMN@00ff" },
		{ " \"ABCD-EFGH-JKMN@00ff\"\r", "ABCD-EFGH-JKMN@00ff" },
		{ "\033[200~ABCD-EFGH-JKMN@00ff\033[201~", "ABCD-EFGH-JKMN@00ff" },
		{ "ABCD EFGH JKMN@00ff", "ABCD EFGH JKMN@00ff" },
		{ "", "" },
		{ "' '", "" },
		{ "\033[200~\033[201~", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[80];

		snprintf(text, sizeof(text), "%s", cases[i].pasted);
		pasted_clean(text);
		ck_assert_str_eq(text, cases[i].secret);
	}
}
END_TEST

START_TEST(nothing_of_the_rest_stays_in_memory)
{
	char text[64] = "a secret mlsh://h/x trailing secret";
	static const char zeros[64];

	pasted_clean(text);
	ck_assert_str_eq(text, "mlsh://h/x");
	ck_assert_mem_eq(text + 10, zeros, 9);
}
END_TEST

START_TEST(lines_that_continue_a_url)
{
	ck_assert(pasted_continues("abcDEF019-_"));
	ck_assert(!pasted_continues(""));
	ck_assert(!pasted_continues("mlsh://other"));
	ck_assert(!pasted_continues("two words"));
	ck_assert(!pasted_continues("nas$"));
}
END_TEST

UNIT_MAIN("cli/pasted", what_is_around_a_secret_is_left_out, nothing_of_the_rest_stays_in_memory,
	  lines_that_continue_a_url)
