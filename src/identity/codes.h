/* SPDX-License-Identifier: MIT */
/* Codes that people copy: the bootstrap code, the setup token made of one, the recovery code. */
#ifndef MLSH_IDENTITY_CODES_H
#define MLSH_IDENTITY_CODES_H

#include "crypto/sign.h"
#include "os/host.h"

/*
 * Codes for people: Crockford base32 (no I L O U), groups of four joined by '-'. Reading accepts
 * small letters, I and L for 1, O for 0, and no '-' at all: the result is as it was printed.
 * -EINVAL.
 */
#define BOOTSTRAP_CODE_TEXT_MAX 16 /* XXXX-XXXX-XXXX: 60 random bits */
#define RECOVERY_CODE_TEXT_MAX 40  /* seven groups: 140 random bits */
void bootstrap_code_new(struct host *h, char out[BOOTSTRAP_CODE_TEXT_MAX]);
int bootstrap_code_normalise(const char *text, char out[BOOTSTRAP_CODE_TEXT_MAX]) MUST_CHECK;
/* Setup token "XXXX-XXXX-XXXX@<64 hex>". The message says what is wrong with it. -EINVAL. */
int setup_token_parse(const char *text, char ret_code[BOOTSTRAP_CODE_TEXT_MAX],
		      uint8_t ret_cert_sha256[HASH_LEN], struct err *err) MUST_CHECK;
/* SHA-256("mlsh/1 bootstrap-code" || 0 || salt || code): the only form that the server stores. */
void bootstrap_code_hash(const uint8_t salt[16], const char *code, uint8_t out[HASH_LEN]);
int recovery_code_normalise(const char *text, char out[RECOVERY_CODE_TEXT_MAX]) MUST_CHECK;
/*
 * The Ed25519 private key that a recovery code is: Argon2id (RFC 9106) of the code as it was
 * printed, with 64 MiB, 3 passes and one lane; it takes about a fifth of a second. `salt` is
 * genesis's random bytes. -ENOMEM.
 */
#define RECOVERY_SALT_LEN 32
int recovery_code_seed(const char *code, const uint8_t salt[RECOVERY_SALT_LEN],
		       uint8_t out[SIGN_SEED_LEN]) MUST_CHECK;
/* Its public half. */
int recovery_code_key(const char *code, const uint8_t salt[RECOVERY_SALT_LEN],
		      uint8_t ret_key[KEY_LEN]) MUST_CHECK;
/* A code, and its public key. */
int recovery_code_new(struct host *h, const uint8_t salt[RECOVERY_SALT_LEN],
		      char out[RECOVERY_CODE_TEXT_MAX], uint8_t ret_key[KEY_LEN]) MUST_CHECK;

#endif
