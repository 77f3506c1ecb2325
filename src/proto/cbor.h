/* SPDX-License-Identifier: MIT */
/*
 * Deterministic CBOR (RFC 8949 section 4.2.1) with a sticky error, on tinycbor. Only what the
 * protocol uses: unsigned integers, byte and text strings, booleans, null, and arrays with a known
 * number of elements. Reading refuses every other form (indefinite lengths, longer integers than
 * needed, tags), so that there is one encoding of everything.
 *
 * Reading is flat: an array is a count, its elements are read by the calls that follow.
 */
#ifndef MLSH_PROTO_CBOR_H
#define MLSH_PROTO_CBOR_H

#include "base/bytes.h"

struct cbor_writer {
	uint8_t *start;
	size_t cap, len;
	bool failed; /* out of room */
};

struct cbor_reader {
	const uint8_t *at, *end;
	bool failed;
};

struct cbor_writer cbor_writer_of(void *buf, size_t cap);
void cbor_put_uint(struct cbor_writer *w, uint64_t v);
void cbor_put_bool(struct cbor_writer *w, bool v);
void cbor_put_null(struct cbor_writer *w);
void cbor_put_bytes(struct cbor_writer *w, const void *data, size_t len);
void cbor_put_text(struct cbor_writer *w, const char *s);
void cbor_put_text_span(struct cbor_writer *w, struct span s);
/* `n` elements follow. */
void cbor_put_array(struct cbor_writer *w, size_t n);
/* What was written; an empty span when it did not fit. */
struct span cbor_writer_span(const struct cbor_writer *w);

struct cbor_reader cbor_reader_of(struct span s);
uint64_t cbor_get_uint(struct cbor_reader *r, uint64_t max); /* fails above max */
bool cbor_get_bool(struct cbor_reader *r);
/* Is null next? Then it is consumed; anything else stays, and is no failure. */
bool cbor_get_null(struct cbor_reader *r);
/* A view. Fails outside [min, max]. */
struct span cbor_get_bytes(struct cbor_reader *r, size_t min, size_t max);
void cbor_get_bytes_fixed(struct cbor_reader *r, void *out, size_t len); /* zeroes on failure */
/* A view, valid UTF-8 without control characters (C0, DEL, C1). Limits are in bytes. */
struct span cbor_get_text(struct cbor_reader *r, size_t min, size_t max);
/* Copies with a NUL, at most cap - 1 bytes; "" on failure. */
void cbor_get_text_copy(struct cbor_reader *r, char *out, size_t cap);
/* Fails unless an array of exactly n elements follows. */
void cbor_get_array(struct cbor_reader *r, size_t n);
/* An array of at most max elements (and of no more than bytes are left): how many follow. */
size_t cbor_get_array_len(struct cbor_reader *r, size_t max);
/*
 * The version of a file that is an array, in its first element, however long that array is and
 * whatever follows; 0 if there is none, or it is above 65535. A file of a newer version is
 * recognised by it.
 */
uint64_t cbor_file_version(struct span in);
/* 0 when nothing failed and the input was used up; -EBADMSG. */
int cbor_reader_end(const struct cbor_reader *r) MUST_CHECK;

#endif
