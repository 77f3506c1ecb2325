/* SPDX-License-Identifier: MIT */
/* Deterministic CBOR: known bytes, and that nothing has a second encoding. */
#include "proto/cbor.h"

#include <errno.h>

#include "unit.h"

static struct span from_hex(const char *hex, uint8_t *buf)
{
	size_t len = strlen(hex) / 2;

	ck_assert_int_eq(hex_decode(hex, strlen(hex), buf, len), 0);
	return span_of(buf, len);
}

static void check_bytes(const struct cbor_writer *w, const char *expected)
{
	struct span s = cbor_writer_span(w);
	char hex[256];

	ck_assert_uint_lt(2 * s.len, sizeof(hex));
	hex_encode(s.data, s.len, hex);
	ck_assert_str_eq(hex, expected);
}

/* RFC 8949 appendix A, and the limits of each length */
static const struct {
	uint64_t v;
	const char *hex;
} numbers[] = {
	{ 0, "00" },
	{ 10, "0a" },
	{ 23, "17" },
	{ 24, "1818" },
	{ 25, "1819" },
	{ 100, "1864" },
	{ 255, "18ff" },
	{ 256, "190100" },
	{ 1000, "1903e8" },
	{ 65535, "19ffff" },
	{ 65536, "1a00010000" },
	{ 1000000, "1a000f4240" },
	{ UINT32_MAX, "1affffffff" },
	{ UINT64_C(4294967296), "1b0000000100000000" },
	{ UINT64_C(1000000000000), "1b000000e8d4a51000" },
	{ UINT64_MAX, "1bffffffffffffffff" },
};

START_TEST(numbers_have_their_bytes)
{
	uint8_t buf[16];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
		struct cbor_reader r;

		cbor_put_uint(&w, numbers[i].v);
		check_bytes(&w, numbers[i].hex);
		r = cbor_reader_of(cbor_writer_span(&w));
		ck_assert_uint_eq(cbor_get_uint(&r, UINT64_MAX), numbers[i].v);
		ck_assert_int_eq(cbor_reader_end(&r), 0);
		if (numbers[i].v > 0) {
			r = cbor_reader_of(cbor_writer_span(&w));
			ck_assert_uint_eq(cbor_get_uint(&r, numbers[i].v - 1), 0);
			ck_assert_int_eq(cbor_reader_end(&r), -EBADMSG);
		}
	}
}
END_TEST

/* [P2-2] */
START_TEST(everything_has_its_bytes)
{
	uint8_t buf[64];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));

	cbor_put_array(&w, 7);
	cbor_put_bool(&w, true);
	cbor_put_bool(&w, false);
	cbor_put_null(&w);
	cbor_put_bytes(&w, "\x01\x02", 2);
	cbor_put_text(&w, "I\xc3\xa4");
	cbor_put_bytes(&w, NULL, 0);
	cbor_put_array(&w, 0);
	check_bytes(&w, "87f5f4f642010263"
			"49c3a4"
			"4080");
}
END_TEST

START_TEST(written_is_read)
{
	uint8_t buf[1024], fixed[4];
	char text[8];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));
	struct cbor_reader r;
	static const uint8_t long_bytes[300] = { 1, 2, 3 };

	cbor_put_array(&w, 8);
	cbor_put_bytes(&w, long_bytes, sizeof(long_bytes));
	cbor_put_text(&w, "text");
	cbor_put_text_span(&w, span_of(NULL, 0));
	cbor_put_bytes(&w, "abcd", 4);
	cbor_put_null(&w);
	cbor_put_bool(&w, true);
	cbor_put_array(&w, 30);
	for (unsigned i = 0; i < 30; i++)
		cbor_put_uint(&w, i);
	cbor_put_uint(&w, 7);

	r = cbor_reader_of(cbor_writer_span(&w));
	cbor_get_array(&r, 8);
	ck_assert(span_equal(cbor_get_bytes(&r, 0, 300), span_of(long_bytes, 300)));
	cbor_get_text_copy(&r, text, sizeof(text));
	ck_assert_str_eq(text, "text");
	ck_assert_uint_eq(cbor_get_text(&r, 0, 8).len, 0);
	cbor_get_bytes_fixed(&r, fixed, 4);
	ck_assert_mem_eq(fixed, "abcd", 4);
	ck_assert(cbor_get_null(&r));
	ck_assert(!cbor_get_null(&r));
	ck_assert(cbor_get_bool(&r));
	ck_assert_uint_eq(cbor_get_array_len(&r, 30), 30);
	for (unsigned i = 0; i < 30; i++)
		ck_assert_uint_eq(cbor_get_uint(&r, 100), i);
	ck_assert_int_eq(cbor_reader_end(&r), -EBADMSG); /* one is left */
	ck_assert_uint_eq(cbor_get_uint(&r, 100), 7);
	ck_assert_int_eq(cbor_reader_end(&r), 0);
}
END_TEST

START_TEST(full_buffer_is_an_error_that_stays)
{
	uint8_t buf[4];
	struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));

	cbor_put_bytes(&w, "abc", 3);
	ck_assert_uint_eq(cbor_writer_span(&w).len, 4);
	cbor_put_uint(&w, 1);
	ck_assert_ptr_null(cbor_writer_span(&w).data);
	w = cbor_writer_of(buf, sizeof(buf));
	cbor_put_bytes(&w, "abcd", 4);
	cbor_put_uint(&w, 1); /* would fit */
	ck_assert_ptr_null(cbor_writer_span(&w).data);
	w = cbor_writer_of(buf, 0);
	cbor_put_array(&w, 1);
	ck_assert_ptr_null(cbor_writer_span(&w).data);
	w = cbor_writer_of(buf, sizeof(buf));
	cbor_put_array(&w, SIZE_MAX);
	ck_assert_ptr_null(cbor_writer_span(&w).data);
	w = cbor_writer_of(buf, 2);
	cbor_put_array(&w, 70000);
	ck_assert_ptr_null(cbor_writer_span(&w).data);
}
END_TEST

/* Reads one item of any kind that the protocol has, whatever it is. */
static bool readable(struct span s)
{
	for (int kind = 0; kind < 6; kind++) {
		struct cbor_reader r = cbor_reader_of(s);

		switch (kind) {
		case 0:
			cbor_get_uint(&r, UINT64_MAX);
			break;
		case 1:
			cbor_get_bytes(&r, 0, SIZE_MAX);
			break;
		case 2:
			cbor_get_text(&r, 0, SIZE_MAX);
			break;
		case 3:
			cbor_get_array_len(&r, SIZE_MAX);
			break;
		case 4:
			cbor_get_bool(&r);
			break;
		default:
			if (!cbor_get_null(&r)) /* no failure by itself */
				continue;
		}
		if (cbor_reader_end(&r) == 0)
			return true;
	}
	return false;
}

/* clang-format off */
static const char *const refused[] = {
	"",
	"1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", /* longer than needed */
	"1b0000000000000000", "1b00000000ffffffff",
	"5800", "580161", "59000161", "5a0000000161", "5b000000000000000161",
	"7800", "780161", "79000161",
	"9800", "990000", "9a00000000", "9b0000000000000000",
	"18", "19", "1901", "1a000000", "1b00000000000000", /* cut off */
	"41", "4261", "61", "6261", "5818", "5affffffff", "5bffffffffffffffff",
	"7bffffffffffffffff",
	"1c", "1d", "1e", "1f", "3c", "5c", "5d", "5e", "7c", "9c", "9d", "9e", "fc", "fd", "fe",
	"5f", "5fff", "5f4161ff", "7fff", "7f6161ff", "9fff", "9f01ff", /* indefinite */
	"bfff", "ff",
	"20", "3903e7", "3bffffffffffffffff",	/* negative */
	"a0", "a10101",				/* map */
	"c001", "c24161", "d81801",		/* tag */
	"f7", "f0", "f8ff", "f818", "f814", "f815", "f816", /* other simple values */
	"f90000", "fa00000000", "fb0000000000000000", /* floats */
	"0000", "f5f5", "f6f6", "4000", "6000", "8000", /* more than one item */
	"6100", "610a", "617f", "62c280", "62c29f", /* control characters */
	"6180", "61c3", "62c328", "62c0af", "63e080af", "63eda080", "64f0808080", "64f4908080",
	"65f888808080",
};
/* clang-format on */

/* [P2-2] [P2-3] */
START_TEST(other_forms_are_refused)
{
	uint8_t buf[64];

	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		ck_assert_msg(!readable(from_hex(refused[i], buf)), "%s", refused[i]);
}
END_TEST

START_TEST(text_may_be_any_printable_character)
{
	static const char *const good[] = { "6120",	"617e",	    "62c2a0",	  "63e28082",
					    "63ed9fbf", "63ee8080", "64f09f909f", "64f48fbfbf" };
	uint8_t buf[64];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(readable(from_hex(good[i], buf)), "%s", good[i]);
}
END_TEST

START_TEST(limits_are_exact)
{
	uint8_t buf[64];
	char text[4];
	struct cbor_reader r;

	r = cbor_reader_of(from_hex("43616263", buf));
	ck_assert_uint_eq(cbor_get_bytes(&r, 3, 3).len, 3);
	r = cbor_reader_of(from_hex("43616263", buf));
	ck_assert_ptr_null(cbor_get_bytes(&r, 4, 9).data);
	ck_assert(r.failed);
	r = cbor_reader_of(from_hex("43616263", buf));
	ck_assert_ptr_null(cbor_get_bytes(&r, 0, 2).data);
	r = cbor_reader_of(from_hex("63616263", buf));
	cbor_get_text_copy(&r, text, 4);
	ck_assert_str_eq(text, "abc");
	r = cbor_reader_of(from_hex("63616263", buf));
	cbor_get_text_copy(&r, text, 3);
	ck_assert(r.failed);
	ck_assert_str_eq(text, "");
	r = cbor_reader_of(from_hex("820000", buf));
	cbor_get_array(&r, 2);
	ck_assert(!r.failed);
	r = cbor_reader_of(from_hex("820000", buf));
	cbor_get_array(&r, 3);
	ck_assert(r.failed);
	r = cbor_reader_of(from_hex("8200", buf)); /* more than there are bytes */
	cbor_get_array(&r, 2);
	ck_assert(r.failed);
	r = cbor_reader_of(from_hex("83000000", buf));
	ck_assert_uint_eq(cbor_get_array_len(&r, 2), 0);
	ck_assert(r.failed);
	memset(text, 'x', sizeof(text));
	r = cbor_reader_of(from_hex("43616263", buf));
	cbor_get_bytes_fixed(&r, text, 4);
	ck_assert_mem_eq(text, "\0\0\0\0", 4);
}
END_TEST

START_TEST(error_stays)
{
	uint8_t buf[8];
	struct cbor_reader r = cbor_reader_of(from_hex("0101f641614161", buf));

	ck_assert_uint_eq(cbor_get_bytes(&r, 0, 9).len, 0);
	ck_assert_uint_eq(cbor_get_uint(&r, 9), 0);
	ck_assert(!cbor_get_null(&r));
	ck_assert_uint_eq(cbor_get_array_len(&r, 9), 0);
	ck_assert_int_eq(cbor_reader_end(&r), -EBADMSG);
}
END_TEST

/* What reads at all is written back to the very same bytes. */
START_TEST(random_bytes_have_one_form)
{
	struct unit_rng rng = unit_rng_new("random_bytes_have_one_form");
	uint8_t buf[12], out[12];

	for (int round = 0; round < 300000; round++) {
		size_t len = 1 + unit_random_below(&rng, sizeof(buf));
		struct cbor_reader r;
		struct cbor_writer w = cbor_writer_of(out, sizeof(out));
		uint64_t v;
		struct span s;

		unit_random_bytes(&rng, buf, len);
		buf[0] &= 0x7f | (uint8_t)unit_random(&rng);
		r = cbor_reader_of(span_of(buf, len));
		v = cbor_get_uint(&r, UINT64_MAX);
		if (!r.failed) {
			cbor_put_uint(&w, v);
			ck_assert_mem_eq(out, buf, (size_t)(r.at - buf));
			ck_assert_uint_eq(w.len, (size_t)(r.at - buf));
			continue;
		}
		r = cbor_reader_of(span_of(buf, len));
		s = cbor_get_bytes(&r, 0, SIZE_MAX);
		if (!r.failed) {
			cbor_put_bytes(&w, s.data, s.len);
			ck_assert_mem_eq(out, buf, (size_t)(r.at - buf));
			ck_assert_uint_eq(w.len, (size_t)(r.at - buf));
		}
	}
}
END_TEST

UNIT_MAIN("proto/cbor", numbers_have_their_bytes, everything_has_its_bytes, written_is_read,
	  full_buffer_is_an_error_that_stays, other_forms_are_refused,
	  text_may_be_any_printable_character, limits_are_exact, error_stays,
	  random_bytes_have_one_form)
