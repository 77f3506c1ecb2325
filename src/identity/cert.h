/* SPDX-License-Identifier: MIT */
/* The certificate around a key. */
#ifndef MLSH_IDENTITY_CERT_H
#define MLSH_IDENTITY_CERT_H

#include <openssl/x509.h>

/*
 * The certificate of an Ed25519 key. A pure function of the key: every field is fixed and Ed25519
 * signatures are deterministic. NULL on failure.
 */
X509 *cert_make(EVP_PKEY *pkey);

#endif
