/* SPDX-License-Identifier: MIT */
/*
 * Deterministic CBOR. tinycbor encodes and decodes items, one at a time; added here are what its
 * decoder does not check: the shortest form, the limits, the text.
 */
#include "proto/cbor.h"

#include <errno.h>
#include <tinycbor/cbor.h>

/* --- writing -------------------------------------------------------------------------------- */

struct cbor_writer cbor_writer_of(void *buf, size_t cap)
{
	return (struct cbor_writer){ .start = buf, .cap = cap };
}

/* An encoder for what is left of the buffer: with no room at all every item fails to fit. */
static CborEncoder item_begin(const struct cbor_writer *w)
{
	CborEncoder e;

	cbor_encoder_init(&e, w->start + w->len, w->failed ? 0 : w->cap - w->len, 0);
	return e;
}

static void item_end(struct cbor_writer *w, const CborEncoder *e, CborError result)
{
	if (w->failed || result != CborNoError)
		w->failed = true;
	else
		w->len += cbor_encoder_get_buffer_size(e, w->start + w->len);
}

void cbor_put_uint(struct cbor_writer *w, uint64_t v)
{
	CborEncoder e = item_begin(w);

	item_end(w, &e, cbor_encode_uint(&e, v));
}

void cbor_put_bool(struct cbor_writer *w, bool v)
{
	CborEncoder e = item_begin(w);

	item_end(w, &e, cbor_encode_boolean(&e, v));
}

void cbor_put_null(struct cbor_writer *w)
{
	CborEncoder e = item_begin(w);

	item_end(w, &e, cbor_encode_null(&e));
}

void cbor_put_bytes(struct cbor_writer *w, const void *data, size_t len)
{
	CborEncoder e = item_begin(w);

	item_end(w, &e, cbor_encode_byte_string(&e, len > 0 ? data : "", len));
}

void cbor_put_text_span(struct cbor_writer *w, struct span s)
{
	CborEncoder e = item_begin(w);
	const char *text = s.len > 0 ? (const char *)s.data : "";

	item_end(w, &e, cbor_encode_text_string(&e, text, s.len));
}

void cbor_put_text(struct cbor_writer *w, const char *s)
{
	cbor_put_text_span(w, span_str(s));
}

void cbor_put_array(struct cbor_writer *w, size_t n)
{
	CborEncoder e = item_begin(w), inner;
	CborError result = cbor_encoder_create_array(&e, &inner, n);

	/* to tinycbor that number means an indefinite length */
	item_end(w, &inner, n == CborIndefiniteLength ? CborErrorDataTooLarge : result);
}

struct span cbor_writer_span(const struct cbor_writer *w)
{
	return w->failed ? span_of(NULL, 0) : span_of(w->start, w->len);
}

/* --- reading -------------------------------------------------------------------------------- */

struct cbor_reader cbor_reader_of(struct span s)
{
	return (struct cbor_reader){ .at = s.data, .end = s.len > 0 ? s.data + s.len : s.data };
}

static size_t left(const struct cbor_reader *r)
{
	return (size_t)(r->end - r->at);
}

/*
 * The low five bits of an item's first byte when `arg` is in its shortest form (RFC 8949 section
 * 3).
 */
static unsigned shortest_info(uint64_t arg)
{
	if (arg < 24)
		return (unsigned)arg;
	if (arg <= UINT8_MAX)
		return 24;
	if (arg <= UINT16_MAX)
		return 25;
	return arg <= UINT32_MAX ? 26 : 27;
}

/* The length of an item's first byte and argument. */
static size_t head_len(unsigned info)
{
	return info < 24 ? 1 : 1 + ((size_t)1 << (info - 24));
}

/* The item at the reader's position, if it is one of this type and not of unknown length. */
static bool item_peek(const struct cbor_reader *r, CborType type, CborParser *parser,
		      CborValue *ret)
{
	return !r->failed && left(r) > 0 &&
	       cbor_parser_init(r->at, left(r), 0, parser, ret) == CborNoError &&
	       cbor_value_get_type(ret) == type && cbor_value_is_length_known(ret);
}

/* Moves past an item's first byte and argument; false if that is not its shortest form. */
static bool item_take_head(struct cbor_reader *r, uint64_t arg)
{
	unsigned info = shortest_info(arg);

	if ((r->at[0] & 0x1f) != info || left(r) < head_len(info))
		return false;
	r->at += head_len(info);
	return true;
}

uint64_t cbor_get_uint(struct cbor_reader *r, uint64_t max)
{
	CborParser parser;
	CborValue item;
	uint64_t v;

	if (item_peek(r, CborIntegerType, &parser, &item) &&
	    cbor_value_is_unsigned_integer(&item) &&
	    cbor_value_get_uint64(&item, &v) == CborNoError && v <= max && item_take_head(r, v))
		return v;
	r->failed = true;
	return 0;
}

bool cbor_get_bool(struct cbor_reader *r)
{
	CborParser parser;
	CborValue item;
	bool v = false;

	if (item_peek(r, CborBooleanType, &parser, &item) &&
	    cbor_value_get_boolean(&item, &v) == CborNoError)
		r->at++;
	else
		r->failed = true;
	return v;
}

bool cbor_get_null(struct cbor_reader *r)
{
	CborParser parser;
	CborValue item;

	if (!item_peek(r, CborNullType, &parser, &item))
		return false;
	r->at++;
	return true;
}

/* A string of this type: moves past it, or fails. */
static struct span get_string(struct cbor_reader *r, CborType type, size_t min, size_t max)
{
	CborParser parser;
	CborValue item;
	struct span s;
	size_t len;

	if (!item_peek(r, type, &parser, &item) ||
	    cbor_value_get_string_length(&item, &len) != CborNoError || len < min || len > max ||
	    !item_take_head(r, len) || left(r) < len) {
		r->failed = true;
		return span_of(NULL, 0);
	}
	s = span_of(r->at, len);
	r->at += len;
	return s;
}

struct span cbor_get_bytes(struct cbor_reader *r, size_t min, size_t max)
{
	return get_string(r, CborByteStringType, min, max);
}

void cbor_get_bytes_fixed(struct cbor_reader *r, void *out, size_t len)
{
	struct span s = cbor_get_bytes(r, len, len);

	if (s.data)
		memcpy(out, s.data, len);
	else
		memset(out, 0, len);
}

/*
 * The length of the UTF-8 sequence (RFC 3629) at the start of s, if it stands for a character that
 * is no control character; else 0. s is not empty.
 */
static size_t utf8_char_len(struct span s)
{
	static const uint32_t least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	uint8_t first = s.data[0];
	size_t len = first < 0x80   ? 1
		     : first < 0xc0 ? 0
		     : first < 0xe0 ? 2
		     : first < 0xf0 ? 3
		     : first < 0xf8 ? 4
				    : 0;
	uint32_t code = len == 1 ? first : first & (0x7fu >> len);

	if (len == 0 || len > s.len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s.data[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s.data[i] & 0x3fu);
	}
	if (code < least[len] || code == 0x7f || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static bool text_ok(struct span s)
{
	for (size_t i = 0; i < s.len;) {
		size_t len = utf8_char_len(span_of(s.data + i, s.len - i));

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

struct span cbor_get_text(struct cbor_reader *r, size_t min, size_t max)
{
	struct span s = get_string(r, CborTextStringType, min, max);

	if (!r->failed && text_ok(s))
		return s;
	r->failed = true;
	return span_of(NULL, 0);
}

void cbor_get_text_copy(struct cbor_reader *r, char *out, size_t cap)
{
	struct span s = cbor_get_text(r, 0, cap - 1);

	if (s.len > 0)
		memcpy(out, s.data, s.len);
	out[s.len] = '\0';
}

size_t cbor_get_array_len(struct cbor_reader *r, size_t max)
{
	CborParser parser;
	CborValue item;
	size_t n;

	if (item_peek(r, CborArrayType, &parser, &item) &&
	    cbor_value_get_array_length(&item, &n) == CborNoError && n <= max &&
	    item_take_head(r, n) && n <= left(r)) /* each element has a byte at least */
		return n;
	r->failed = true;
	return 0;
}

void cbor_get_array(struct cbor_reader *r, size_t n)
{
	if (cbor_get_array_len(r, n) != n)
		r->failed = true;
}

uint64_t cbor_file_version(struct span in)
{
	struct cbor_reader r = cbor_reader_of(in);

	cbor_get_array_len(&r, SIZE_MAX);
	return cbor_get_uint(&r, UINT16_MAX);
}

int cbor_reader_end(const struct cbor_reader *r)
{
	return r->failed || r->at != r->end ? -EBADMSG : 0;
}
