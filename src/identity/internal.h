/* SPDX-License-Identifier: MIT */
/* What the files of identity share and nobody else sees. */
#ifndef MLSH_IDENTITY_INTERNAL_H
#define MLSH_IDENTITY_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "identity/identity.h"

/*
 * "what: reason", with OpenSSL's own reason, and empties its error queue (a rest in it would
 * confuse the TLS code). Returns `code`.
 */
int crypto_fail(struct err *err, int code, const char *what);

/*
 * The certificate of an Ed25519 key. A pure function of the key: every field is fixed and Ed25519
 * signatures are deterministic. NULL on failure.
 */
X509 *cert_make(EVP_PKEY *pkey);

/* OpenSSL wipes all memory that it frees. False if it had allocated some before our start. */
bool crypto_memory_is_wiped(void);

/* An EVP_PKEY of a raw private key; NULL on failure. */
EVP_PKEY *seed_to_pkey(const uint8_t seed[SIGN_SEED_LEN]);

#endif
