/* SPDX-License-Identifier: MIT */
/* Tests of base/bytes.h: one valid text form for every byte string, and comparison of secrets. */
#include "base/bytes.h"

#include <errno.h>

#include "unit.h"

START_TEST(span_compares_bytes_and_length)
{
	ck_assert(span_equal(span_str("abc"), span_of("abcd", 3)));
	ck_assert(span_equal(span_of(NULL, 0), span_str("")));
	ck_assert(!span_equal(span_str("abc"), span_str("abd")));
	ck_assert(!span_equal(span_str("abc"), span_str("ab")));
	ck_assert(!span_equal(span_str(""), span_str("a")));
}
END_TEST

START_TEST(loads_and_stores_are_big_endian)
{
	static const uint8_t bytes[8] = { 0x81, 0x02, 0x03, 0x84, 0xf5, 0x06, 0x07, 0xf8 };
	uint8_t out[8];

	ck_assert_uint_eq(load_be16(bytes), 0x8102);
	ck_assert_uint_eq(load_be32(bytes), 0x81020384);
	ck_assert_uint_eq(load_be64(bytes), UINT64_C(0x81020384f50607f8));
	store_be16(out, 0x8102);
	ck_assert_mem_eq(out, bytes, 2);
	store_be32(out, 0x81020384);
	ck_assert_mem_eq(out, bytes, 4);
	store_be64(out, UINT64_C(0x81020384f50607f8));
	ck_assert_mem_eq(out, bytes, 8);
}
END_TEST

START_TEST(secrets_differ_in_any_bit)
{
	uint8_t a[32] = { 1, 2, 3 }, b[32] = { 1, 2, 3 };

	ck_assert(secret_equal(a, b, sizeof(a)));
	ck_assert(secret_equal(a, NULL, 0));
	for (size_t bit = 0; bit < 8 * sizeof(b); bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_msg(!secret_equal(a, b, sizeof(a)), "bit %zu", bit);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	b[31] = 1;
	ck_assert(secret_equal(a, b, 31));
}
END_TEST

START_TEST(wipe_stays_inside_its_bounds)
{
	static const uint8_t expected[8] = { 1, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t bytes[8];

	memset(bytes, 1, sizeof(bytes));
	secret_wipe(bytes + 1, 6);
	ck_assert_mem_eq(bytes, expected, sizeof(bytes));
	secret_wipe(NULL, 0);
}
END_TEST

START_TEST(hex_encodes_in_lower_case)
{
	static const uint8_t in[] = { 0x00, 0x9a, 0xbc, 0xff };
	char out[2 * sizeof(in) + 1];

	hex_encode(in, sizeof(in), out);
	ck_assert_str_eq(out, "009abcff");
	hex_encode(NULL, 0, out);
	ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(hex_refuses_other_forms)
{
	static const char *const bad[] = {
		"",	    "00",	"0",	    "00112",	      "0011223",  "001122334",
		"0011223g", "0011223G", "00112 33", "001122AA",	      "0x112233", "0011223:",
		"0011223/", "0011223`", "-0112233", "\xc3\xa9_12233",
	};
	uint8_t out[4] = { 9, 9, 9, 9 };
	static const uint8_t untouched[4] = { 9, 9, 9, 9 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(hex_decode(bad[i], strlen(bad[i]), out, sizeof(out)) == -EINVAL,
			      "\"%s\" was accepted", bad[i]);
		ck_assert_mem_eq(out, untouched, sizeof(out));
	}
	ck_assert_int_eq(hex_decode("00\0"
				    "11223",
				    8, out, sizeof(out)),
			 -EINVAL);
	ck_assert_int_eq(hex_decode("", 0, out, SIZE_MAX / 2 + 1), -EINVAL);
	ck_assert_int_eq(hex_decode("00112233", 8, out, sizeof(out)), 0);
}
END_TEST

START_TEST(hex_comes_back)
{
	struct unit_rng rng = unit_rng_new("hex_comes_back");

	for (int round = 0; round < 2000; round++) {
		uint8_t in[40], out[40];
		char text[81];
		size_t len = unit_random_below(&rng, sizeof(in) + 1);

		unit_random_bytes(&rng, in, len);
		hex_encode(in, len, text);
		ck_assert_uint_eq(strlen(text), 2 * len);
		ck_assert_int_eq(hex_decode(text, 2 * len, out, len), 0);
		ck_assert(len == 0 || memcmp(in, out, len) == 0);
	}
}
END_TEST

static void check_base64url(const char *bytes, const char *text)
{
	size_t len = strlen(bytes);
	char encoded[16];
	uint8_t decoded[16];

	ck_assert_uint_eq(BASE64URL_LEN(len), strlen(text));
	base64url_encode((const uint8_t *)bytes, len, encoded);
	ck_assert_str_eq(encoded, text);
	ck_assert_int_eq(base64url_decode(text, strlen(text), decoded, len), len);
	ck_assert(memcmp(decoded, bytes, len) == 0);
}

/* RFC 4648 section 10, without the padding; and the two digits that differ from base64. */
START_TEST(base64url_vectors)
{
	check_base64url("", "");
	check_base64url("f", "Zg");
	check_base64url("fo", "Zm8");
	check_base64url("foo", "Zm9v");
	check_base64url("foob", "Zm9vYg");
	check_base64url("fooba", "Zm9vYmE");
	check_base64url("foobar", "Zm9vYmFy");
	check_base64url("\xfb\xff\xbe", "-_--");
}
END_TEST

START_TEST(base64url_refuses_other_forms)
{
	static const char *const bad[] = {
		"A",	 "Zm9vY",	   "Zg==",  "Zm8=", "Zm9v=", "Zm9+", "Zm9/",
		"Zm 9v", "Zm9v\n",	   " Zm9v", "Zh",   "Zv",    "Zm9",  "Zm-",
		"Z.",	 "Zm9vYg\xc3\xa9", "@@@@",  "[[[[", "````",  "{{{{",
	};
	uint8_t out[16] = { 9, 9, 9 };
	static const uint8_t untouched[3] = { 9, 9, 9 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(base64url_decode(bad[i], strlen(bad[i]), out, sizeof(out)) == -EINVAL,
			      "\"%s\" was accepted", bad[i]);
		ck_assert_mem_eq(out, untouched, sizeof(untouched));
	}
	ck_assert_int_eq(base64url_decode("Zm\0v", 4, out, sizeof(out)), -EINVAL);
}
END_TEST

START_TEST(base64url_stops_at_the_capacity)
{
	uint8_t out[4] = { 9, 9, 9, 9 };
	static const uint8_t untouched[4] = { 9, 9, 9, 9 };

	ck_assert_int_eq(base64url_decode("Zm9vYg", 6, out, 3), -ENOSPC);
	ck_assert_int_eq(base64url_decode("Zg", 2, out, 0), -ENOSPC);
	ck_assert_int_eq(base64url_decode("Zm9vYmFy", 8, out, 4), -ENOSPC);
	ck_assert_mem_eq(out, untouched, sizeof(out));
	ck_assert_int_eq(base64url_decode("", 0, NULL, 0), 0);
}
END_TEST

/* Whatever decodes encodes to the same text: no byte string has two forms. */
START_TEST(base64url_has_one_form)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct unit_rng rng = unit_rng_new("base64url_has_one_form");
	size_t accepted = 0;

	for (int round = 0; round < 5000; round++) {
		char text[24], again[24];
		uint8_t bytes[16];
		size_t len = unit_random_below(&rng, 20);
		ptrdiff_t n;

		for (size_t i = 0; i < len; i++)
			text[i] = digits[unit_random_below(&rng, 64)];
		text[len] = '\0';
		n = base64url_decode(text, len, bytes, sizeof(bytes));
		if (n < 0)
			continue;
		accepted++;
		ck_assert_uint_eq(BASE64URL_LEN((size_t)n), len);
		base64url_encode(bytes, (size_t)n, again);
		ck_assert_str_eq(again, text);
	}
	ck_assert_uint_gt(accepted, 100);
}
END_TEST

START_TEST(base64url_comes_back)
{
	struct unit_rng rng = unit_rng_new("base64url_comes_back");

	for (int round = 0; round < 2000; round++) {
		uint8_t in[50], out[50];
		char text[BASE64URL_LEN(sizeof(in)) + 1];
		size_t len = unit_random_below(&rng, sizeof(in) + 1);

		unit_random_bytes(&rng, in, len);
		base64url_encode(in, len, text);
		ck_assert_uint_eq(strlen(text), BASE64URL_LEN(len));
		ck_assert_int_eq(base64url_decode(text, strlen(text), out, len), len);
		ck_assert(len == 0 || memcmp(in, out, len) == 0);
	}
}
END_TEST

UNIT_MAIN("base/bytes", span_compares_bytes_and_length, loads_and_stores_are_big_endian,
	  secrets_differ_in_any_bit, wipe_stays_inside_its_bounds, hex_encodes_in_lower_case,
	  hex_refuses_other_forms, hex_comes_back, base64url_vectors, base64url_refuses_other_forms,
	  base64url_stops_at_the_capacity, base64url_has_one_form, base64url_comes_back)
