/* SPDX-License-Identifier: MIT */
/*
 * Authenticated encryption with a kept key (RFC 5116): the two ciphers that TLS may have chosen,
 * nonces as in RFC 9001 section 5.3. Sealing and opening are in place and allocate nothing.
 */
#ifndef MLSH_CRYPTO_AEAD_H
#define MLSH_CRYPTO_AEAD_H

#include "base/bytes.h"

#define AEAD_KEY_MAX 32
#define AEAD_IV_LEN 12
#define AEAD_TAG_LEN 16

enum aead_kind { AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305 };
enum aead_use { AEAD_OPEN, AEAD_SEAL };

struct aead;

/* Without a key yet. -ENOMEM. */
int aead_new(enum aead_kind kind, enum aead_use use, struct aead **ret) MUST_CHECK;
void aead_free(struct aead *a); /* wipes the key; NULL allowed */
/* From now on this key: 16 bytes of it for AES-128-GCM, 32 for ChaCha20-Poly1305. */
void aead_key(struct aead *a, const uint8_t key[AEAD_KEY_MAX], const uint8_t iv[AEAD_IV_LEN]);
/*
 * Encrypts `len` bytes at `data` and writes the tag behind them. Each counter must be used once
 * with a key.
 */
void aead_seal(struct aead *a, uint64_t counter, struct span additional, uint8_t *data, size_t len);
/*
 * The reverse: `len` bytes at `data`, the tag being the last of them. Returns false if they
 * are not authentic, or shorter than a tag; `data` is then undefined.
 */
bool aead_open(struct aead *a, uint64_t counter, struct span additional, uint8_t *data, size_t len)
	MUST_CHECK;

#endif
