/* SPDX-License-Identifier: MIT */
/* Values of messages, and vectors from a file. */
#include "proto_kit.h"

void kit_bytes(uint8_t first, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(first + i);
}

struct addr kit_addr4(void)
{
	return addr_v4(0xcb007109, 4433); /* 203.0.113.9 */
}

struct addr kit_addr6(void)
{
	static const uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

	return addr_v6(ip, 7000);
}

struct relay_end kit_relay_end(void)
{
	struct relay_end e;

	kit_bytes(0x30, e.channel, sizeof(e.channel));
	kit_bytes(0x90, e.key, sizeof(e.key));
	return e;
}

struct wire_head kit_head(void)
{
	struct wire_head h = { .seq = 7 };

	kit_bytes(0x20, h.hash, sizeof(h.hash));
	return h;
}

struct span kit_wire_entry(unsigned n)
{
	static uint8_t small[5], large[300];

	memset(small, 0xaa, sizeof(small));
	memset(large, 0xbb, sizeof(large));
	return n == 0 ? span_of(small, sizeof(small)) : span_of(large, sizeof(large));
}

void kit_entries(struct wire_entries *e, size_t n)
{
	e->n = n;
	for (size_t i = 0; i < n; i++)
		e->item[i] = kit_wire_entry((unsigned)i);
}

struct wire_candidates kit_candidates(void)
{
	return (struct wire_candidates){ { kit_addr4(), kit_addr6() }, 2 };
}

size_t kit_vector(const char *file, const char *name, uint8_t *out, size_t cap)
{
	static char line[2 * KIT_FRAME_MAX];
	FILE *f = fopen(file, "r");
	size_t name_len = strlen(name), len = 0;

	ck_assert_msg(f != NULL, "%s: run from the project's root", file);
	while (fgets(line, sizeof(line), f)) {
		size_t hex_len;

		if (strncmp(line, name, name_len) != 0 || line[name_len] != ' ')
			continue;
		hex_len = strcspn(line + name_len + 1, "\n");
		ck_assert_uint_le(hex_len / 2, cap);
		ck_assert_int_eq(hex_decode(line + name_len + 1, hex_len, out, hex_len / 2), 0);
		len = hex_len / 2;
	}
	fclose(f);
	return len;
}

size_t kit_vector_count(const char *file, const char *prefix)
{
	static char line[2 * KIT_FRAME_MAX];
	FILE *f = fopen(file, "r");
	size_t n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strncmp(line, prefix, strlen(prefix)) == 0;
	fclose(f);
	return n;
}

struct span kit_message(const uint8_t *frame, size_t len)
{
	struct span message = { 0 };
	size_t used = 0;

	ck_assert_int_eq(frame_next(span_of(frame, len), SIGNAL_MESSAGE_MAX, &message, &used), 1);
	ck_assert_uint_eq(used, len);
	return message;
}
