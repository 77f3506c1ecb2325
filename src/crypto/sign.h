/* SPDX-License-Identifier: MIT */
/*
 * The one signature of the system: Ed25519 (RFC 8032) over "mlsh/1 " || purpose || 0 || cluster id
 * (32 bytes, zeros for genesis) || bytes. Purposes are listed in docs/protocol/01-identity.md. At
 * most ENTRY_MAX_BYTES are signed (-EMSGSIZE).
 */
#ifndef MLSH_CRYPTO_SIGN_H
#define MLSH_CRYPTO_SIGN_H

#include "crypto/key.h"

#define SIG_LEN 64
#define SIGN_SEED_LEN 32 /* Ed25519 private key */

/* A private key that signs, which belongs to somebody else; `seed` or `pkey` is set. */
struct signer {
	const uint8_t *seed; /* SIGN_SEED_LEN bytes */
	void *pkey;	     /* an EVP_PKEY; identity_signer gives it */
};

/* -ENOKEY: the key is missing, or of another type than Ed25519. */
int signer_sign(const struct signer *s, const char *purpose, const uint8_t cluster_id[HASH_LEN],
		struct span bytes, uint8_t sig[SIG_LEN]) MUST_CHECK;
/* The public half. -ENOKEY. */
int signer_key(const struct signer *s, uint8_t ret[KEY_LEN]) MUST_CHECK;

/* The same with a bare private key (an invite's one-time key, the recovery key). */
int seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
	      const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN])
	MUST_CHECK;
/* Its public half. */
int seed_public(const uint8_t seed[SIGN_SEED_LEN], uint8_t key[KEY_LEN]) MUST_CHECK;
/* 0, or -EKEYREJECTED for a bad signature or a key that key_ok refuses. */
int key_verify(const uint8_t key[KEY_LEN], const char *purpose, const uint8_t cluster_id[HASH_LEN],
	       struct span bytes, const uint8_t sig[SIG_LEN]) MUST_CHECK;

#endif
