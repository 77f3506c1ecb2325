/* SPDX-License-Identifier: MIT */
/*
 * A node's identity: an Ed25519 key wrapped in a self-signed X.509 certificate for TLS. What is
 * pinned is the key.
 */
#ifndef MLSH_IDENTITY_IDENTITY_H
#define MLSH_IDENTITY_IDENTITY_H

#include "crypto/sign.h"
#include "os/file.h"

struct identity;

/*
 * A fresh key and its certificate (serial 1, CN=mlsh, valid 2000..9999: dates mean nothing
 * here). The certificate is a function of the key, byte for byte.
 */
int identity_new(struct host *h, struct err *err, struct identity **ret) MUST_CHECK;
/* The same for a private key that the caller has. */
int identity_from_seed(const uint8_t seed[SIGN_SEED_LEN], struct err *err, struct identity **ret)
	MUST_CHECK;
/*
 * From PEM as identity_to_pem wrote it, or an operator's own (key types other than Ed25519 only
 * with `any_key`). Certificate and key must belong together; of a chain the first certificate is
 * taken. -EINVAL, -EFBIG.
 */
int identity_from_pem(struct span cert_pem, struct span key_pem, bool any_key, struct err *err,
		      struct identity **ret) MUST_CHECK;
/*
 * `dir`/cert.pem and `dir`/key.pem. Refuses a key that others can read (mode & 077, -EACCES) and
 * says how to mend it. A missing certificate is made again. -ENOENT when there is no key.
 */
int identity_load(struct host *h, const char *dir, struct err *err, struct identity **ret)
	MUST_CHECK;
/*
 * Makes the folder 0700 and the files 0600, in place of those that are there. A crash leaves the
 * old key or the new one, perhaps without its certificate, never with another's.
 */
int identity_store(struct host *h, const struct identity *id, const char *dir, struct err *err)
	MUST_CHECK;
int identity_to_pem(const struct identity *id, struct buf *ret_cert, struct buf *ret_key,
		    struct err *err) MUST_CHECK;
/* The private key of an Ed25519 identity; the caller wipes it. -ENOKEY: it is of another type. */
int identity_seed(const struct identity *id, uint8_t ret[SIGN_SEED_LEN]) MUST_CHECK;
void identity_free(struct identity *id); /* wipes the key; NULL allowed */

/* Raw Ed25519 public key, KEY_LEN bytes; NULL for another type. */
const uint8_t *identity_key(const struct identity *id);
const uint8_t *identity_key_sha256(const struct identity *id);	/* of the SPKI */
const uint8_t *identity_cert_sha256(const struct identity *id); /* of the DER certificate */
struct node_id identity_node_id(const struct identity *id);
/* For quic/tls only: X509* and EVP_PKEY*, owned by the identity. */
void *identity_x509(const struct identity *id);
void *identity_pkey(const struct identity *id);

/* Its private key, for the functions that sign. With a key of another type these say -ENOKEY. */
const struct signer *identity_signer(const struct identity *id);

#endif
