/* SPDX-License-Identifier: MIT */
/* Comparison, text encodings and wiping of byte strings. */
#include "base/bytes.h"

#include <errno.h>

bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
	/*
	 * volatile: the compiler may neither stop at the first difference nor turn this into memcmp
	 */
	const volatile uint8_t *x = a, *y = b;
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}

void secret_wipe(void *p, size_t len)
{
	if (len == 0)
		return;
	memset(p, 0, len);
	/*
	 * The memory counts as used, so the stores above are not dead (explicit_bzero, where that
	 * is missing too).
	 */
	__asm__ __volatile__("" : : "r"(p) : "memory");
}

void hex_encode(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*out++ = digits[in[i] >> 4];
		*out++ = digits[in[i] & 15];
	}
	*out = '\0';
}

/* The value of a lower-case digit, or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int hex_decode(const char *in, size_t in_len, uint8_t *out, size_t len)
{
	if (in_len % 2 != 0 || in_len / 2 != len)
		return -EINVAL;
	for (size_t i = 0; i < in_len; i++) {
		if (hex_value(in[i]) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(hex_value(in[2 * i]) << 4 | hex_value(in[2 * i + 1]));
	return 0;
}

void base64url_encode(const uint8_t *in, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t held = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		held = (held << 8 | in[i]) & 0xffff;
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = digits[held >> (bits - 6) & 63];
	}
	if (bits > 0)
		*out++ = digits[held << (6 - bits) & 63];
	*out = '\0';
}

/* The value of a base64url digit, or -1. */
static int base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}

ptrdiff_t base64url_decode(const char *in, size_t in_len, uint8_t *out, size_t cap)
{
	size_t rest = in_len % 4; /* digits in the last, incomplete group */
	size_t len = in_len / 4 * 3 + (rest > 0 ? rest - 1 : 0);
	uint32_t held = 0;
	unsigned bits = 0;

	if (rest == 1)
		return -EINVAL;
	for (size_t i = 0; i < in_len; i++) {
		if (base64url_value(in[i]) < 0)
			return -EINVAL;
	}
	/*
	 * 2 digits carry 12 bits for 8, 3 carry 18 for 16: the surplus is zero, or there would be a
	 * second form
	 */
	if ((rest == 2 && (base64url_value(in[in_len - 1]) & 15) != 0) ||
	    (rest == 3 && (base64url_value(in[in_len - 1]) & 3) != 0))
		return -EINVAL;
	if (len > cap)
		return -ENOSPC;
	for (size_t i = 0; i < in_len; i++) {
		held = (held << 6 | (uint32_t)base64url_value(in[i])) & 0xffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			*out++ = (uint8_t)(held >> bits);
		}
	}
	return (ptrdiff_t)len;
}
