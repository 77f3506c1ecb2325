/* SPDX-License-Identifier: MIT */
/* Tests of base/cursor.h: nothing is read or written out of bounds, and an error stays. */
#include "base/cursor.h"

#include <errno.h>

#include "unit.h"

static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17 };

START_TEST(reads_everything)
{
	struct reader r = reader_of(span_of(bytes, sizeof(bytes)));
	uint8_t copy[1];
	struct span s;

	ck_assert_uint_eq(reader_left(&r), 18);
	ck_assert_uint_eq(read_u8(&r), 0);
	ck_assert_uint_eq(read_u16(&r), 0x0102);
	ck_assert_uint_eq(read_u32(&r), 0x03040506);
	ck_assert_uint_eq(read_u64(&r), UINT64_C(0x0708090a0b0c0d0e));
	s = read_span(&r, 2);
	ck_assert_ptr_eq(s.data, bytes + 15);
	ck_assert_uint_eq(s.len, 2);
	ck_assert_int_eq(reader_end(&r), -EBADMSG);
	read_copy(&r, copy, 1);
	ck_assert_uint_eq(copy[0], 17);
	ck_assert_uint_eq(reader_left(&r), 0);
	ck_assert_int_eq(reader_end(&r), 0);
}
END_TEST

START_TEST(empty_input_ends_at_once)
{
	struct reader r = reader_of(span_of(NULL, 0));

	read_copy(&r, NULL, 0);
	ck_assert_uint_eq(read_span(&r, 0).len, 0);
	ck_assert_int_eq(reader_end(&r), 0);
	ck_assert_uint_eq(read_u8(&r), 0);
	ck_assert_int_eq(reader_end(&r), -EBADMSG);
}
END_TEST

START_TEST(rest_is_an_error)
{
	struct reader r = reader_of(span_of(bytes, 2));

	ck_assert_uint_eq(read_u8(&r), 0);
	ck_assert_int_eq(reader_end(&r), -EBADMSG);
}
END_TEST

/* One byte too few for each read: nothing, and nothing afterwards either though bytes are there. */
START_TEST(each_read_fails_one_byte_short)
{
	uint8_t copy[4] = { 9, 9, 9, 9 };
	static const uint8_t zeros[4];
	struct reader r;

	r = reader_of(span_of(bytes, 1));
	ck_assert_uint_eq(read_u16(&r), 0);
	ck_assert(r.failed);
	r = reader_of(span_of(bytes + 1, 3));
	ck_assert_uint_eq(read_u32(&r), 0);
	ck_assert_uint_eq(read_u8(&r), 0);
	ck_assert_uint_eq(reader_left(&r), 0);
	ck_assert_int_eq(reader_end(&r), -EBADMSG);
	r = reader_of(span_of(bytes + 1, 7));
	ck_assert_uint_eq(read_u64(&r), 0);
	ck_assert_uint_eq(read_u16(&r), 0);
	r = reader_of(span_of(bytes + 1, 3));
	ck_assert_uint_eq(read_span(&r, 4).len, 0);
	ck_assert_ptr_null(read_span(&r, 0).data);
	r = reader_of(span_of(bytes + 1, 3));
	read_copy(&r, copy, 4);
	ck_assert_mem_eq(copy, zeros, 4);
	copy[0] = 9;
	read_copy(&r, copy, 1);
	ck_assert_uint_eq(copy[0], 0);
}
END_TEST

START_TEST(huge_lengths_fail)
{
	struct reader r = reader_of(span_of(bytes, sizeof(bytes)));
	uint8_t buf[4];
	struct writer w = writer_of(buf, sizeof(buf));

	ck_assert_uint_eq(read_u8(&r), 0);
	ck_assert_uint_eq(read_span(&r, SIZE_MAX).len, 0);
	ck_assert_int_eq(reader_end(&r), -EBADMSG);
	write_u8(&w, 1);
	write_bytes(&w, bytes, SIZE_MAX);
	ck_assert(w.failed);
	ck_assert_uint_eq(writer_span(&w).len, 0);
}
END_TEST

START_TEST(writes_everything)
{
	uint8_t buf[sizeof(bytes)];
	struct writer w = writer_of(buf, sizeof(buf));

	write_u8(&w, 0);
	write_u16(&w, 0x0102);
	write_u32(&w, 0x03040506);
	write_u64(&w, UINT64_C(0x0708090a0b0c0d0e));
	write_bytes(&w, bytes + 15, 3);
	write_bytes(&w, NULL, 0);
	ck_assert(span_equal(writer_span(&w), span_of(bytes, sizeof(bytes))));
}
END_TEST

START_TEST(each_write_fails_one_byte_short)
{
	static const uint8_t untouched[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	static const size_t sizes[] = { 1, 2, 4, 8, 5 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint8_t buf[8];
		struct writer w = writer_of(buf, sizes[i] - 1);

		memcpy(buf, untouched, sizeof(buf));
		switch (sizes[i]) {
		case 1:
			write_u8(&w, 1);
			break;
		case 2:
			write_u16(&w, 1);
			break;
		case 4:
			write_u32(&w, 1);
			break;
		case 8:
			write_u64(&w, 1);
			break;
		default:
			write_bytes(&w, bytes, sizes[i]);
			break;
		}
		write_bytes(&w, bytes, 0);
		if (sizes[i] > 1)
			write_u8(&w, 1); /* it would fit, but the error stays */
		ck_assert(w.failed);
		ck_assert_uint_eq(writer_span(&w).len, 0);
		ck_assert_mem_eq(buf, untouched, sizeof(buf));
	}
}
END_TEST

START_TEST(writer_without_room)
{
	struct writer w = writer_of(NULL, 0);

	ck_assert_uint_eq(writer_span(&w).len, 0);
	write_bytes(&w, NULL, 0);
	ck_assert(!w.failed);
	write_u8(&w, 0);
	ck_assert(w.failed);
}
END_TEST

/* An integer of 1 << kind bytes. */
static void write_kind(struct writer *w, unsigned kind, uint64_t v)
{
	switch (kind) {
	case 0:
		write_u8(w, (uint8_t)v);
		break;
	case 1:
		write_u16(w, (uint16_t)v);
		break;
	case 2:
		write_u32(w, (uint32_t)v);
		break;
	default:
		write_u64(w, v);
	}
}

static uint64_t read_kind(struct reader *r, unsigned kind)
{
	switch (kind) {
	case 0:
		return read_u8(r);
	case 1:
		return read_u16(r);
	case 2:
		return read_u32(r);
	default:
		return read_u64(r);
	}
}

/* Random fields, read back in order; the same with the last byte missing fails exactly then. */
START_TEST(what_is_written_is_read)
{
	struct unit_rng rng = unit_rng_new("what_is_written_is_read");

	for (int round = 0; round < 2000; round++) {
		uint8_t buf[200];
		struct {
			unsigned kind;
			uint64_t v;
		} fields[20];
		size_t count = 1 + unit_random_below(&rng, ARRAY_LEN(fields));
		struct writer w = writer_of(buf, sizeof(buf));

		for (size_t i = 0; i < count; i++) {
			fields[i].kind = (unsigned)unit_random_below(&rng, 4);
			fields[i].v = unit_random(&rng) >> (64 - (8 << fields[i].kind));
			write_kind(&w, fields[i].kind, fields[i].v);
		}
		for (size_t cut = 0; cut < 2; cut++) {
			struct span s = writer_span(&w);
			struct reader r = reader_of(span_of(s.data, s.len - cut));

			for (size_t i = 0; i < count; i++) {
				bool lost = cut && i == count - 1;

				ck_assert_uint_eq(read_kind(&r, fields[i].kind),
						  lost ? 0 : fields[i].v);
			}
			ck_assert_int_eq(reader_end(&r), cut ? -EBADMSG : 0);
		}
	}
}
END_TEST

UNIT_MAIN("base/cursor", reads_everything, empty_input_ends_at_once, rest_is_an_error,
	  each_read_fails_one_byte_short, huge_lengths_fail, writes_everything,
	  each_write_fails_one_byte_short, writer_without_room, what_is_written_is_read)
