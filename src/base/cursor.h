/* SPDX-License-Identifier: MIT */
/*
 * Bounds-checked reading and writing with a sticky error: after the first overrun every call yields
 * zero (or nothing) and the error stays, so that a parser reads a whole structure and asks once, at
 * the end.
 */
#ifndef MLSH_BASE_CURSOR_H
#define MLSH_BASE_CURSOR_H

#include "base/bytes.h"

struct reader {
	const uint8_t *at, *end;
	bool failed;
};

struct writer {
	uint8_t *start, *at, *end;
	bool failed;
};

struct reader reader_of(struct span s);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
/* A view into the input; empty after a failure. */
struct span read_span(struct reader *r, size_t len);
void read_copy(struct reader *r, void *out, size_t len); /* zeroes `out` on failure */
size_t reader_left(const struct reader *r);
/* 0 when nothing failed and the input was used up exactly; -EBADMSG otherwise. */
int reader_end(const struct reader *r) MUST_CHECK;

struct writer writer_of(void *buf, size_t cap);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_bytes(struct writer *w, const void *data, size_t len);
/* What was written so far; an empty span after a failure. */
struct span writer_span(const struct writer *w);

#endif
