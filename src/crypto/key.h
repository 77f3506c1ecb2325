/* SPDX-License-Identifier: MIT */
/* Raw Ed25519 public keys (RFC 8032), and the node id that follows from one. */
#ifndef MLSH_CRYPTO_KEY_H
#define MLSH_CRYPTO_KEY_H

#include "base/ids.h"

#define KEY_LEN 32
#define NODE_ID_TEXT_MAX (2 * NODE_ID_LEN + 1)

/* The SHA-256 of a key's SubjectPublicKeyInfo, and the node id that is a part of it. */
void key_spki_sha256(const uint8_t key[KEY_LEN], uint8_t out[HASH_LEN]);
struct node_id key_node_id(const uint8_t key[KEY_LEN]);
/* False for the small-order points of Curve25519 and for encodings that are not canonical. */
bool key_ok(const uint8_t key[KEY_LEN]);

bool node_id_equal(const struct node_id *a, const struct node_id *b);
const char *node_id_format(const struct node_id *id, char out[NODE_ID_TEXT_MAX]);

#endif
