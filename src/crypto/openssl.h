/* SPDX-License-Identifier: MIT */
/* What those who call OpenSSL share: crypto, identity and nobody else. */
#ifndef MLSH_CRYPTO_OPENSSL_H
#define MLSH_CRYPTO_OPENSSL_H

#include <openssl/evp.h>

#include "base/err.h"
#include "crypto/sign.h"

/*
 * "what: reason", with OpenSSL's own reason, and empties its error queue (a rest in it would
 * confuse the TLS code). Returns `code`.
 */
int crypto_fail(struct err *err, int code, const char *what);

/* OpenSSL wipes all memory that it frees. False if it had allocated some before our start. */
bool crypto_memory_is_wiped(void);
/* Did OpenSSL ever ask for memory and get none? */
bool crypto_memory_lacked(void);

/* An EVP_PKEY of a raw private key; NULL on failure. */
EVP_PKEY *seed_to_pkey(const uint8_t seed[SIGN_SEED_LEN]);

#endif
