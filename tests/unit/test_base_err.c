/* SPDX-License-Identifier: MIT */
/* Tests of base/err.h and base/text.h: messages are printable and never a success. */
#include "base/err.h"

#include <string.h>

#include "base/text.h"
#include "unit.h"

START_TEST(set_fills_message_and_returns_code)
{
	struct err err = { .reason = 7 };

	ck_assert_int_eq(err_set(&err, -EINVAL, "port %d of \"%s\"", 5, "nas"), -EINVAL);
	ck_assert_int_eq(err.code, -EINVAL);
	ck_assert_int_eq(err.reason, 0);
	ck_assert_str_eq(err.text, "port 5 of \"nas\"");
}
END_TEST

START_TEST(set_without_err_returns_code)
{
	ck_assert_int_eq(err_set(NULL, -ENOENT, "nobody reads %d", 1), -ENOENT);
}
END_TEST

START_TEST(set_cuts_long_text)
{
	struct err err;
	char text[2000];

	memset(&err, 'z', sizeof(err));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(err_set(&err, -E2BIG, "%s", text), -E2BIG);
	ck_assert_int_eq(err.text[sizeof(err.text) - 1], '\0');
	ck_assert_int_eq(strspn(err.text, "x"), sizeof(err.text) - 1);
}
END_TEST

START_TEST(set_replaces_half_a_character_where_it_cuts)
{
	struct err err;
	char text[2000] = "";

	for (size_t i = 0; i + 3 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3); /* e with acute accent */
	err_set(&err, -E2BIG, "%s", text);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_int_eq(err.text[sizeof(err.text) - 2], '?');
	ck_assert_mem_eq(err.text + sizeof(err.text) - 4, "\xc3\xa9", 2);
}
END_TEST

START_TEST(set_may_use_the_old_message)
{
	struct err err;

	err_set(&err, -EIO, "first");
	err_set(&err, -EPERM, "%s, then second", err.text);
	ck_assert_str_eq(err.text, "first, then second");
	ck_assert_int_eq(err.code, -EPERM);
}
END_TEST

START_TEST(set_makes_remote_text_printable)
{
	struct err err;

	err_set(&err, -EPROTO, "server said \"%s\"", "a\nb\x1b[2Jc\x7f\xc2\x9bZ");
	ck_assert_str_eq(err.text, "server said \"a?b?[2Jc???Z\"");
}
END_TEST

START_TEST(prefix_keeps_code_and_reason)
{
	struct err err;

	err_set(&err, -ENOENT, "no such file");
	err.reason = 3;
	ck_assert_int_eq(err_prefix(&err, "reading \"%s\"", "identity"), -ENOENT);
	ck_assert_str_eq(err.text, "reading \"identity\": no such file");
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_int_eq(err.reason, 3);
}
END_TEST

START_TEST(prefix_cuts_and_makes_printable)
{
	struct err err;
	char text[600];

	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	err_set(&err, -ENOENT, "tail");
	ck_assert_int_eq(err_prefix(&err, "\r%s", text), -ENOENT);
	ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
	ck_assert_int_eq(err.text[0], '?');
	ck_assert_int_eq(err.text[1], 'y');
}
END_TEST

START_TEST(prefix_is_never_a_success)
{
	struct err err = { .code = 0 };

	ck_assert_int_lt(err_prefix(NULL, "context"), 0);
	ck_assert_int_lt(err_prefix(&err, "context"), 0);
	ck_assert_int_lt(err.code, 0);
}
END_TEST

static void check_text(const char *in, const char *expected)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", in);
	text_make_printable(text);
	ck_assert_str_eq(text, expected);
}

START_TEST(text_keeps_what_is_printable)
{
	static const char *const kept[] = {
		"",	    "plain ~ text", "caf\xc3\xa9",  "\xe2\x82\xac",	"\xf0\x9f\x90\x9f",
		"\xc2\xa0", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		check_text(kept[i], kept[i]);
}
END_TEST

START_TEST(text_replaces_controls_and_overrides)
{
	check_text("a\tb\r\n", "a?b??");
	check_text("\x01\x1f\x7f", "???");
	check_text("\xc2\x80\xc2\x9f", "????");		  /* C1 */
	check_text("\xd8\x9c", "??");			  /* Arabic letter mark */
	check_text("\xe2\x80\x8e\xe2\x80\x8f", "??????"); /* LRM, RLM */
	check_text("\xe2\x80\xa8x", "???x");		  /* line separator */
	check_text("\xe2\x80\xae"
		   "cod.exe",
		   "???cod.exe");	   /* right-to-left override */
	check_text("\xe2\x81\xa6", "???"); /* isolate */
}
END_TEST

START_TEST(text_replaces_what_is_not_utf8)
{
	check_text("\x80", "?");
	check_text("\xff\xfe", "??");
	check_text("\xc3", "?");
	check_text("\xc3"
		   "a",
		   "?a");
	check_text("\xe2\x82", "??");
	check_text("\xe2\x82"
		   "a",
		   "??a");
	check_text("\xc0\xaf", "??"); /* overlong '/' */
	check_text("\xe0\x80\xaf", "???");
	check_text("\xed\xa0\x80", "???");	/* surrogate */
	check_text("\xf4\x90\x80\x80", "????"); /* beyond U+10FFFF */
	check_text("\xf8\x88\x80\x80\x80", "?????");
}
END_TEST

START_TEST(text_of_random_bytes_settles_at_once)
{
	struct unit_rng rng = unit_rng_new("text_of_random_bytes_settles_at_once");

	for (int round = 0; round < 20000; round++) {
		char text[24], again[24];
		size_t len = unit_random_below(&rng, sizeof(text) - 1);

		for (size_t i = 0; i < len; i++)
			text[i] = (char)(1 + unit_random_below(&rng, 255));
		text[len] = '\0';
		text_make_printable(text);
		ck_assert_uint_eq(strlen(text), len);
		memcpy(again, text, len + 1);
		text_make_printable(again);
		ck_assert_str_eq(again, text);
		for (size_t i = 0; i < len; i++)
			ck_assert(text[i] != '\n' && text[i] != '\x1b' && text[i] != '\x7f');
	}
}
END_TEST

UNIT_MAIN("base/err", set_fills_message_and_returns_code, set_without_err_returns_code,
	  set_cuts_long_text, set_replaces_half_a_character_where_it_cuts,
	  set_may_use_the_old_message, set_makes_remote_text_printable,
	  prefix_keeps_code_and_reason, prefix_cuts_and_makes_printable, prefix_is_never_a_success,
	  text_keeps_what_is_printable, text_replaces_controls_and_overrides,
	  text_replaces_what_is_not_utf8, text_of_random_bytes_settles_at_once)
