/* SPDX-License-Identifier: MIT */
/* Reading and writing within bounds; the only place where a parser's position moves. */
#include "base/cursor.h"

#include <errno.h>

struct reader reader_of(struct span s)
{
	return (struct reader){ .at = s.data, .end = s.len > 0 ? s.data + s.len : s.data };
}

/* The next `len` bytes, or NULL; nothing moves then, and the error stays. `len` is not 0. */
static const uint8_t *reader_take(struct reader *r, size_t len)
{
	const uint8_t *p = r->at;

	if (r->failed || (size_t)(r->end - r->at) < len) {
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return p;
}

uint8_t read_u8(struct reader *r)
{
	const uint8_t *p = reader_take(r, 1);

	return p ? *p : 0;
}

uint16_t read_u16(struct reader *r)
{
	const uint8_t *p = reader_take(r, 2);

	return p ? load_be16(p) : 0;
}

uint32_t read_u32(struct reader *r)
{
	const uint8_t *p = reader_take(r, 4);

	return p ? load_be32(p) : 0;
}

uint64_t read_u64(struct reader *r)
{
	const uint8_t *p = reader_take(r, 8);

	return p ? load_be64(p) : 0;
}

struct span read_span(struct reader *r, size_t len)
{
	const uint8_t *p;

	if (len == 0 && !r->failed)
		return (struct span){ r->at, 0 };
	p = reader_take(r, len);
	return p ? (struct span){ p, len } : (struct span){ NULL, 0 };
}

void read_copy(struct reader *r, void *out, size_t len)
{
	const uint8_t *p;

	if (len == 0)
		return;
	p = reader_take(r, len);
	if (p)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->at);
}

int reader_end(const struct reader *r)
{
	return r->failed || r->at != r->end ? -EBADMSG : 0;
}

struct writer writer_of(void *buf, size_t cap)
{
	uint8_t *start = buf;

	return (struct writer){ .start = start, .at = start, .end = cap > 0 ? start + cap : start };
}

/* Room for `len` bytes, or NULL; nothing moves then, and the error stays. `len` is not 0. */
static uint8_t *writer_take(struct writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->failed || (size_t)(w->end - w->at) < len) {
		w->failed = true;
		return NULL;
	}
	w->at += len;
	return p;
}

void write_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_take(w, 1);

	if (p)
		*p = v;
}

void write_u16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_take(w, 2);

	if (p)
		store_be16(p, v);
}

void write_u32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_take(w, 4);

	if (p)
		store_be32(p, v);
}

void write_u64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_take(w, 8);

	if (p)
		store_be64(p, v);
}

void write_bytes(struct writer *w, const void *data, size_t len)
{
	uint8_t *p;

	if (len == 0)
		return;
	p = writer_take(w, len);
	if (p)
		memcpy(p, data, len);
}

struct span writer_span(const struct writer *w)
{
	if (w->failed)
		return (struct span){ NULL, 0 };
	return (struct span){ w->start, (size_t)(w->at - w->start) };
}
