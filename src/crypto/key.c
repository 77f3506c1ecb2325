/* SPDX-License-Identifier: MIT */
/* Raw Ed25519 public keys: which are refused, and the node id that follows from one. */
#include "crypto/key.h"

#include "crypto/hash.h"

/* SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410 section 4). */
static const uint8_t spki_prefix[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

void key_spki_sha256(const uint8_t key[KEY_LEN], uint8_t out[HASH_LEN])
{
	sha256_2(span_of(spki_prefix, sizeof(spki_prefix)), span_of(key, KEY_LEN), out);
}

struct node_id key_node_id(const uint8_t key[KEY_LEN])
{
	uint8_t hash[HASH_LEN];
	struct node_id id;

	key_spki_sha256(key, hash);
	memcpy(id.bytes, hash, NODE_ID_LEN);
	return id;
}

/*
 * The y coordinates of the eight points whose order divides 8, little-endian: 0 (order 4), 1 (order
 * 1), p - 1 (order 2), and the two of order 8. Either sign of x is refused with them.
 */
static const uint8_t small_order_y[][KEY_LEN] = {
	{ 0 },
	{ 1 },
	{ 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	{ 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	  0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
	  0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
	{ 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	  0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
	  0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
};

/* Is y >= p = 2^255 - 19: a second encoding of y - p? */
static bool y_is_overlong(const uint8_t y[KEY_LEN])
{
	if (y[0] < 0xed || y[KEY_LEN - 1] != 0x7f)
		return false;
	for (size_t i = 1; i < KEY_LEN - 1; i++) {
		if (y[i] != 0xff)
			return false;
	}
	return true;
}

bool key_ok(const uint8_t key[KEY_LEN])
{
	uint8_t y[KEY_LEN];

	memcpy(y, key, KEY_LEN);
	y[KEY_LEN - 1] &= 0x7f; /* the sign of x */
	if (y_is_overlong(y))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(small_order_y); i++) {
		if (memcmp(y, small_order_y[i], KEY_LEN) == 0)
			return false;
	}
	return true;
}

bool node_id_equal(const struct node_id *a, const struct node_id *b)
{
	return memcmp(a->bytes, b->bytes, NODE_ID_LEN) == 0;
}

const char *node_id_format(const struct node_id *id, char out[NODE_ID_TEXT_MAX])
{
	hex_encode(id->bytes, NODE_ID_LEN, out);
	return out;
}
