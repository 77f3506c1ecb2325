/* SPDX-License-Identifier: MIT */
/* Words for refusals: each reason has its own, and what a server says can do no harm. */
#include "client/refuse.h"

#include "unit.h"

static bool has_name(int reason)
{
	return strcmp(refusal_name(reason), "unknown") != 0;
}

START_TEST(each_reason_has_words_of_its_own)
{
	const char *unknown = refuse_words((enum refusal)9999);

	for (int i = 1; i < 200; i++) {
		if (!has_name(i))
			continue;
		ck_assert_str_ne(refuse_words((enum refusal)i), unknown);
		ck_assert_uint_gt(strlen(refuse_words((enum refusal)i)), 25);
		ck_assert_int_lt(refusal_code((enum refusal)i), 0);
		for (int k = i + 1; k < 200; k++)
			ck_assert(!has_name(k) || strcmp(refuse_words((enum refusal)i),
							 refuse_words((enum refusal)k)) != 0);
	}
	ck_assert_int_lt(refusal_code((enum refusal)9999), 0);
}
END_TEST

START_TEST(code_and_reason_travel_together)
{
	struct err err = { 0 };

	ck_assert_int_eq(refuse(&err, 0, REFUSAL_NAME_TAKEN, "the name %s", "nas"), -EEXIST);
	ck_assert_int_eq(err.code, -EEXIST);
	ck_assert_int_eq(err.reason, REFUSAL_NAME_TAKEN);
	ck_assert_str_eq(err.text, "the name nas");
	ck_assert_int_eq(refuse(NULL, 0, REFUSAL_NAME_TAKEN, "x"), -EEXIST);
	ck_assert_int_eq(refuse(&err, -EBADMSG, REFUSAL_NAME_TAKEN, "no name"), -EBADMSG);
	ck_assert_int_eq(err.code, -EBADMSG);
	ck_assert_int_eq(err.reason, REFUSAL_NAME_TAKEN);
	refusal_make_public(&err);
	ck_assert_int_eq(err.reason, REFUSAL_NAME_TAKEN);
	err.reason = REFUSAL_FORK;
	refusal_make_public(&err);
	ck_assert_int_eq(err.reason, REFUSAL_BAD_ENTRY);
}
END_TEST

/* [P3-5] */
START_TEST(the_servers_own_words_are_marked)
{
	struct err err = { 0 };
	const char *said = "No \"such\" code";

	refuse_by_server(&err, REFUSAL_BAD_CODE, "the signal server s.example", span_str(said), 7);
	ck_assert_int_eq(err.reason, REFUSAL_BAD_CODE);
	ck_assert_ptr_eq(strstr(err.text, "the signal server s.example refused: "), err.text);
	ck_assert_ptr_nonnull(strstr(err.text, refuse_words(REFUSAL_BAD_CODE)));
	ck_assert_ptr_nonnull(strstr(err.text, "Again in 7 s."));
	ck_assert_ptr_null(strstr(err.text, "says")); /* it would say the same twice */
	refuse_by_server(&err, REFUSAL_INVITE_USED, "s", span_str(said), 7);
	ck_assert_ptr_nonnull(strstr(err.text, "(The server says: \"No \"such\" code\")"));
	refuse_by_server(&err, REFUSAL_INVITE_USED, "s", (struct span){ 0 }, 0);
	ck_assert_ptr_null(strstr(err.text, "says"));
	ck_assert_ptr_null(strstr(err.text, "Again"));
}
END_TEST

/* [P3-5] */
START_TEST(a_servers_words_can_not_reach_the_terminal_raw)
{
	char said[300];
	struct err err = { 0 };

	memset(said, 'A', sizeof(said));
	memcpy(said, "\033[2J\r\n\0%s%n", 11);
	refuse_by_server(&err, REFUSAL_RATE, "s", span_of(said, sizeof(said)), UINT32_MAX);
	for (const char *c = err.text; *c; c++)
		ck_assert(*c >= ' ' && *c != 127);
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
}
END_TEST

UNIT_MAIN("client/refuse", each_reason_has_words_of_its_own, code_and_reason_travel_together,
	  the_servers_own_words_are_marked, a_servers_words_can_not_reach_the_terminal_raw)
