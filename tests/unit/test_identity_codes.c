/* SPDX-License-Identifier: MIT */
/* Codes that people copy: setup tokens and recovery codes. */
#include "identity/codes.h"
#include "unit.h"

static void check_shape(const char *code, size_t groups)
{
	ck_assert_uint_eq(strlen(code), 5 * groups - 1);
	for (size_t i = 0; code[i]; i++) {
		if (i % 5 == 4)
			ck_assert_int_eq(code[i], '-');
		else
			ck_assert_ptr_nonnull(strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", code[i]));
	}
}

START_TEST(new_codes_have_their_shape_and_differ)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX], other[BOOTSTRAP_CODE_TEXT_MAX];
	char same[BOOTSTRAP_CODE_TEXT_MAX];
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	for (int i = 0; i < 200; i++) {
		bootstrap_code_new(h, code);
		bootstrap_code_new(h, other);
		check_shape(code, 3);
		ck_assert_str_ne(code, other);
		ck_assert_int_eq(bootstrap_code_normalise(code, same), 0);
		ck_assert_str_eq(code, same);
	}
	host_free(h);
}
END_TEST

static const struct {
	const char *text, *normal; /* NULL: refused */
} codes[] = {
	{ "ABCD-EFGH-JKMN", "ABCD-EFGH-JKMN" },
	{ "abcd-efgh-jkmn", "ABCD-EFGH-JKMN" },
	{ "ABCDEFGHJKMN", "ABCD-EFGH-JKMN" },
	{ "iLlI-oO00-1111", "1111-0000-1111" },
	{ "WXYZ-PQRS-TV23", "WXYZ-PQRS-TV23" },
	{ "ABCD-EFGH-JKMU", NULL }, /* no U */
	{ "", NULL },
	{ "ABCD-EFGH-JKM", NULL },
	{ "ABCD-EFGH-JKMNP", NULL },
	{ "ABCD-EFGH-JKMN-", NULL },
	{ "-ABCD-EFGH-JKMN", NULL },
	{ "ABCD--EFGH-JKMN", NULL },
	{ "ABC-DEFGH-JKMN", NULL },
	{ "ABCD-EFGHJKMN", NULL },
	{ "ABCD EFGH JKMN", NULL },
	{ " ABCD-EFGH-JKMN", NULL },
	{ "ABCD-EFGH-JKM\n", NULL },
	{ "ABCD-EFGH-JKM\xc3\xa9", NULL },
};

/* [P1-20] */
START_TEST(codes_are_read_generously_but_completely)
{
	char out[BOOTSTRAP_CODE_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		int r = bootstrap_code_normalise(codes[i].text, out);

		ck_assert_msg(r == (codes[i].normal ? 0 : -EINVAL), "\"%s\": %d", codes[i].text, r);
		if (codes[i].normal)
			ck_assert_str_eq(out, codes[i].normal);
	}
}
END_TEST

#define FP "00112233445566778899aabbccddeeff" FP_CUT "f"
#define FP_CUT "00112233445566778899aabbccddeef"
#define FP_UPPER "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"

START_TEST(setup_token_is_read)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	uint8_t fp[HASH_LEN];
	char hex[2 * HASH_LEN + 1];
	struct err err;

	ck_assert_int_eq(setup_token_parse("abcd-efgh-jkmn@" FP, code, fp, &err), 0);
	ck_assert_str_eq(code, "ABCD-EFGH-JKMN");
	hex_encode(fp, HASH_LEN, hex);
	ck_assert_str_eq(hex, FP);
}
END_TEST

static const struct {
	const char *text, *word;
} bad_tokens[] = {
	{ "", "'@'" },
	{ "ABCD-EFGH-JKMN", "'@'" },
	{ "@" FP, "before" },
	{ "ABCD-EFGH-JKM@" FP, "before" },
	{ "ABCD-EFGH-JKMN-ABCD-EFGH-JKMN-ABCD-EFGH@" FP, "before" },
	{ "ABCD-EFGH-JKMN@", "after" },
	{ "ABCD-EFGH-JKMN@" FP "0", "after" },
	{ "ABCD-EFGH-JKMN@@" FP, "after" },
	{ "ABCD-EFGH-JKMN@" FP " ", "after" },
	{ "ABCD-EFGH-JKMN@" FP_UPPER, "after" },
	{ "ABCD-EFGH-JKMN@00112233445566778899aabbccddeeff" FP_CUT, "after" },
};

START_TEST(bad_setup_token_is_explained)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX] = "kept";
	uint8_t fp[HASH_LEN];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad_tokens); i++) {
		const char *text = bad_tokens[i].text;

		ck_assert_int_eq(setup_token_parse(text, code, fp, &err), -EINVAL);
		ck_assert_msg(strstr(err.text, bad_tokens[i].word), "%s: %s", text, err.text);
		ck_assert_str_eq(code, "kept");
		ck_assert_ptr_null(strstr(err.text, "ABCD")); /* the code is a secret */
	}
}
END_TEST

START_TEST(recovery_code_leads_to_its_key)
{
	char code[RECOVERY_CODE_TEXT_MAX], same[RECOVERY_CODE_TEXT_MAX];
	uint8_t key[KEY_LEN], seed[SIGN_SEED_LEN], again[KEY_LEN], salt[RECOVERY_SALT_LEN] = { 1 };
	struct host *h = NULL;

	ck_assert_int_eq(host_new(NULL, &h), 0);
	ck_assert_int_eq(recovery_code_new(h, salt, code, key), 0);
	check_shape(code, 7);
	ck_assert_int_eq(recovery_code_normalise(code, same), 0);
	ck_assert_str_eq(code, same);
	ck_assert_int_eq(recovery_code_seed(same, salt, seed), 0);
	ck_assert_int_eq(seed_public(seed, again), 0);
	ck_assert_mem_eq(key, again, KEY_LEN);
	salt[31] = 1; /* another cluster's */
	ck_assert_int_eq(recovery_code_key(same, salt, again), 0);
	ck_assert_mem_ne(key, again, KEY_LEN);
	ck_assert_int_eq(recovery_code_normalise("ABCD-EFGH-JKMN", same), -EINVAL);
	host_free(h);
}
END_TEST

UNIT_MAIN("identity/codes", new_codes_have_their_shape_and_differ,
	  codes_are_read_generously_but_completely, setup_token_is_read,
	  bad_setup_token_is_explained, recovery_code_leads_to_its_key)
