/* SPDX-License-Identifier: MIT */
/*
 * A node's identity: an Ed25519 key wrapped in a self-signed X.509 certificate for TLS. What is
 * pinned is the key. The only code that signs, verifies or hashes.
 */
#ifndef MLSH_IDENTITY_IDENTITY_H
#define MLSH_IDENTITY_IDENTITY_H

#include "base/ids.h"
#include "os/file.h"

#define KEY_LEN 32 /* Ed25519 public key (RFC 8032) */
#define SIG_LEN 64
#define NODE_ID_TEXT_MAX (2 * NODE_ID_LEN + 1)
#define SIGN_SEED_LEN 32 /* Ed25519 private key */

struct identity;

/* Once a process, before anything else of TLS: no configuration file of the host is read. */
int crypto_init(struct err *err) MUST_CHECK;

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

/* Node id and SPKI hash of a raw Ed25519 key. */
void key_spki_sha256(const uint8_t key[KEY_LEN], uint8_t out[HASH_LEN]);
struct node_id key_node_id(const uint8_t key[KEY_LEN]);
/* False for the small-order points of Curve25519 and for encodings that are not canonical. */
bool key_ok(const uint8_t key[KEY_LEN]);

bool node_id_equal(const struct node_id *a, const struct node_id *b);
const char *node_id_format(const struct node_id *id, char out[NODE_ID_TEXT_MAX]);

/*
 * The one signature of the system: Ed25519 over "mlsh/1 " || purpose || 0 || cluster id (32 bytes,
 * zeros for genesis) || bytes. Purposes are listed in docs/protocol/01-identity.md. At most
 * ENTRY_MAX_BYTES are signed (-EMSGSIZE). -ENOKEY: the identity's key is of another type.
 */
int identity_sign(const struct identity *id, const char *purpose,
		  const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN])
	MUST_CHECK;
/* The same with a bare private key (an invite's one-time key, the recovery key). */
int seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
	      const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN])
	MUST_CHECK;
int seed_public(const uint8_t seed[SIGN_SEED_LEN], uint8_t key[KEY_LEN]) MUST_CHECK;
/* 0, or -EKEYREJECTED for a bad signature or a key that key_ok refuses. */
int key_verify(const uint8_t key[KEY_LEN], const char *purpose, const uint8_t cluster_id[HASH_LEN],
	       struct span bytes, const uint8_t sig[SIG_LEN]) MUST_CHECK;

/* These abort when memory is out: no caller may go on with a hash that is not one. */
void sha256(struct span data, uint8_t out[HASH_LEN]);
void sha256_2(struct span a, struct span b, uint8_t out[HASH_LEN]); /* of a || b */
void hmac_sha256(const uint8_t key[32], struct span data, uint8_t out[HASH_LEN]);

/* Node token: HMAC-SHA256(signing key, "mlsh/1 node-token" || 0 || cluster id || node id). */
void node_token(const uint8_t signing_key[32], const uint8_t cluster_id[HASH_LEN],
		const struct node_id *id, uint8_t out[HASH_LEN]);

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
