/* SPDX-License-Identifier: MIT */
/*
 * Byte spans, big-endian loads and stores, hexadecimal and base64url, and the handling of secrets.
 */
#ifndef MLSH_BASE_BYTES_H
#define MLSH_BASE_BYTES_H

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

/* A view of somebody else's bytes. The function that returns it says how long it stays valid. */
struct span {
	const uint8_t *data;
	size_t len;
};

static inline struct span span_of(const void *data, size_t len)
{
	return (struct span){ (const uint8_t *)data, len };
}

static inline struct span span_str(const char *s)
{
	return span_of(s, strlen(s));
}

bool span_equal(struct span a, struct span b); /* not constant time: never for secrets */

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t load_be64(const uint8_t *p)
{
	return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline void store_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
	store_be16(p, (uint16_t)(v >> 16));
	store_be16(p + 2, (uint16_t)v);
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
	store_be32(p, (uint32_t)(v >> 32));
	store_be32(p + 4, (uint32_t)v);
}

/* The one comparison for secrets and MACs: time depends on `len` only. */
bool secret_equal(const void *a, const void *b, size_t len) MUST_CHECK;
/* Overwrites memory in a way the compiler may not remove. NULL is allowed when len is 0. */
void secret_wipe(void *p, size_t len);

/* Lower-case hexadecimal. `out` holds 2 * len + 1 bytes and is NUL-terminated. */
void hex_encode(const uint8_t *in, size_t len, char *out);
/*
 * Exactly 2 * len lower-case digits, no more and no less; -EINVAL otherwise (upper case is not a
 * second valid form).
 */
int hex_decode(const char *in, size_t in_len, uint8_t *out, size_t len) MUST_CHECK;

/* Base64url without padding (RFC 4648 section 5). */
#define BASE64URL_LEN(n) (((n) * 4 + 2) / 3)
/* `out` holds BASE64URL_LEN(len) + 1 bytes and is NUL-terminated. */
void base64url_encode(const uint8_t *in, size_t len, char *out);
/*
 * Returns the number of bytes written, -EINVAL on a bad digit, padding or non-zero trailing bits,
 * -ENOSPC past `cap`.
 */
ptrdiff_t base64url_decode(const char *in, size_t in_len, uint8_t *out, size_t cap) MUST_CHECK;

#endif
