/* SPDX-License-Identifier: MIT */
/* A key with its certificate: made, read from PEM, kept in a folder. */
#include "identity/identity.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "crypto/openssl.h"
#include "identity/cert.h"

#define PEM_MAX_BYTES 65536
#define PATH_TEXT_MAX 4096

struct identity {
	EVP_PKEY *pkey;
	X509 *cert;
	struct signer signer; /* of pkey */
	bool ed25519;
	uint8_t key[KEY_LEN]; /* if ed25519 */
	uint8_t key_sha256[HASH_LEN];
	uint8_t cert_sha256[HASH_LEN];
};

int identity_seed(const struct identity *id, uint8_t ret[SIGN_SEED_LEN])
{
	size_t len = SIGN_SEED_LEN;

	return id->ed25519 && EVP_PKEY_get_raw_private_key(id->pkey, ret, &len) == 1 ? 0 : -ENOKEY;
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	EVP_PKEY_free(id->pkey); /* wipes a private key */
	X509_free(id->cert);
	free(id);
}

/* Takes the two over, also when it fails. What must hold between them has been checked. */
static int identity_wrap(EVP_PKEY *pkey, X509 *cert, struct err *err, struct identity **ret)
{
	struct identity *id = calloc(1, sizeof(*id));
	unsigned char *der = NULL;
	size_t key_len = KEY_LEN;
	int len;

	if (!id) {
		EVP_PKEY_free(pkey);
		X509_free(cert);
		return err_set(err, -ENOMEM, "out of memory");
	}
	id->pkey = pkey;
	id->signer.pkey = pkey;
	id->cert = cert;
	id->ed25519 = EVP_PKEY_is_a(pkey, "ED25519") == 1;
	if (id->ed25519 && EVP_PKEY_get_raw_public_key(pkey, id->key, &key_len) != 1)
		goto fail;
	len = i2d_X509(cert, &der);
	if (len <= 0)
		goto fail;
	sha256(span_of(der, (size_t)len), id->cert_sha256);
	OPENSSL_free(der);
	der = NULL;
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	if (len <= 0)
		goto fail;
	sha256(span_of(der, (size_t)len), id->key_sha256);
	OPENSSL_free(der);
	*ret = id;
	return 0;
fail:
	identity_free(id);
	return crypto_fail(err, -EINVAL, "cannot use the key and its certificate");
}

/* Takes pkey over, an Ed25519 key, also when it fails. */
static int identity_from_pkey(EVP_PKEY *pkey, struct err *err, struct identity **ret)
{
	X509 *cert = cert_make(pkey);

	if (!cert) {
		EVP_PKEY_free(pkey);
		return crypto_fail(err, -ENOMEM, "cannot make a certificate");
	}
	return identity_wrap(pkey, cert, err, ret);
}

int identity_from_seed(const uint8_t seed[SIGN_SEED_LEN], struct err *err, struct identity **ret)
{
	EVP_PKEY *pkey = seed_to_pkey(seed);

	if (!pkey)
		return crypto_fail(err, -ENOMEM, "cannot make a key");
	return identity_from_pkey(pkey, err, ret);
}

int identity_new(struct host *h, struct err *err, struct identity **ret)
{
	uint8_t seed[SIGN_SEED_LEN];
	int r;

	random_fill(h, seed, sizeof(seed));
	r = identity_from_seed(seed, err, ret);
	secret_wipe(seed, sizeof(seed));
	return r;
}

/* Without it OpenSSL would ask for the password of an encrypted key on the terminal. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf, (void)size, (void)writing, (void)ctx;
	return -1;
}

static int pem_read_key(struct span pem, struct err *err, EVP_PKEY **ret)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	if (!pkey)
		return crypto_fail(err, -EINVAL,
				   "this is not a PEM file with an unencrypted private key");
	*ret = pkey;
	return 0;
}

static int pem_read_cert(struct span pem, struct err *err, X509 **ret)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	if (!cert)
		return crypto_fail(err, -EINVAL, "this is not a PEM file with a certificate");
	*ret = cert;
	return 0;
}

static int check_ed25519(EVP_PKEY *pkey, struct err *err)
{
	uint8_t key[KEY_LEN];
	size_t len = sizeof(key);

	if (EVP_PKEY_is_a(pkey, "ED25519") != 1)
		return err_set(err, -EINVAL,
			       "the private key is of type %s, an identity needs "
			       "Ed25519",
			       EVP_PKEY_get0_type_name(pkey));
	if (EVP_PKEY_get_raw_public_key(pkey, key, &len) != 1 || len != KEY_LEN || !key_ok(key))
		return err_set(err, -EINVAL, "the key is not a usable Ed25519 key");
	return 0;
}

int identity_from_pem(struct span cert_pem, struct span key_pem, bool any_key, struct err *err,
		      struct identity **ret)
{
	EVP_PKEY *pkey = NULL;
	X509 *cert = NULL;
	int r;

	if (cert_pem.len > PEM_MAX_BYTES || key_pem.len > PEM_MAX_BYTES)
		return err_set(err, -EFBIG, "certificate or key is longer than %d bytes",
			       PEM_MAX_BYTES);
	r = pem_read_cert(cert_pem, err, &cert);
	if (r < 0)
		goto fail;
	r = pem_read_key(key_pem, err, &pkey);
	if (r < 0)
		goto fail;
	if (X509_check_private_key(cert, pkey) != 1) {
		r = crypto_fail(err, -EINVAL, "certificate and key do not belong together");
		goto fail;
	}
	if (!any_key)
		r = check_ed25519(pkey, err);
	if (r < 0)
		goto fail;
	return identity_wrap(pkey, cert, err, ret);
fail:
	EVP_PKEY_free(pkey);
	X509_free(cert);
	return r;
}

/* Moves what was written to `bio` into `ret`. */
static int bio_to_buf(BIO *bio, struct buf *ret)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	struct buf b = { .len = (size_t)len };

	b.data = malloc(b.len + 1);
	if (!b.data)
		return -ENOMEM;
	memcpy(b.data, data, b.len);
	b.data[b.len] = '\0';
	*ret = b;
	return 0;
}

int identity_to_pem(const struct identity *id, struct buf *ret_cert, struct buf *ret_key,
		    struct err *err)
{
	BIO *cert = BIO_new(BIO_s_mem());
	BIO *key = BIO_new(BIO_s_mem()); /* BIO_free wipes it */
	struct buf cert_pem = { 0 }, key_pem = { 0 };
	int r = -ENOMEM;

	if (cert && key && PEM_write_bio_X509(cert, id->cert) == 1 &&
	    PEM_write_bio_PrivateKey(key, id->pkey, NULL, NULL, 0, no_password, NULL) == 1)
		r = bio_to_buf(cert, &cert_pem);
	if (r == 0)
		r = bio_to_buf(key, &key_pem);
	BIO_free(cert);
	BIO_free(key);
	if (r < 0) {
		buf_free(&cert_pem);
		return crypto_fail(err, r, "cannot write key and certificate as PEM");
	}
	*ret_cert = cert_pem;
	*ret_key = key_pem;
	return 0;
}

static int path_join(const char *dir, const char *name, char out[PATH_TEXT_MAX], struct err *err)
{
	int len = snprintf(out, PATH_TEXT_MAX, "%s/%s", dir, name);

	if (len < 0 || len >= PATH_TEXT_MAX)
		return err_set(err, -ENAMETOOLONG, "the path of the identity is too long");
	return 0;
}

/*
 * A crash while the identity was stored may have left the key alone. The certificate follows from
 * it, byte for byte.
 */
static int identity_from_key_pem(struct span key_pem, struct err *err, struct identity **ret)
{
	EVP_PKEY *pkey = NULL;
	int r = pem_read_key(key_pem, err, &pkey);

	if (r == 0)
		r = check_ed25519(pkey, err);
	if (r < 0) {
		EVP_PKEY_free(pkey);
		return r;
	}
	return identity_from_pkey(pkey, err, ret);
}

int identity_load(struct host *h, const char *dir, struct err *err, struct identity **ret)
{
	char cert_path[PATH_TEXT_MAX], key_path[PATH_TEXT_MAX];
	struct buf cert = { 0 }, key = { 0 };
	int r;

	r = path_join(dir, "cert.pem", cert_path, err);
	if (r == 0)
		r = path_join(dir, "key.pem", key_path, err);
	if (r < 0)
		return r;
	r = file_read_private(h, key_path, PEM_MAX_BYTES, err, &key);
	if (r < 0)
		return r;
	r = file_read(h, cert_path, PEM_MAX_BYTES, err, &cert);
	if (r == -ENOENT)
		r = identity_from_key_pem(span_of(key.data, key.len), err, ret);
	else if (r == 0)
		r = identity_from_pem(span_of(cert.data, cert.len), span_of(key.data, key.len),
				      false, err, ret);
	if (r < 0)
		err_prefix(err, "the identity in %s cannot be used", dir);
	buf_free(&cert);
	buf_free(&key);
	return r;
}

static int remove_if_there(struct host *h, const char *path, struct err *err)
{
	int r = file_remove(h, path);

	return r == 0 || r == -ENOENT ? 0
				      : err_set(err, r, "cannot remove %s: %s", path, strerror(-r));
}

int identity_store(struct host *h, const struct identity *id, const char *dir, struct err *err)
{
	char cert_path[PATH_TEXT_MAX], key_path[PATH_TEXT_MAX];
	struct buf cert = { 0 }, key = { 0 };
	int r;

	r = path_join(dir, "cert.pem", cert_path, err);
	if (r == 0)
		r = path_join(dir, "key.pem", key_path, err);
	if (r == 0)
		r = identity_to_pem(id, &cert, &key, err);
	if (r == 0)
		r = dir_make(h, dir, 0700, err);
	/* Without its certificate a key is whole: that follows from it. */
	if (r == 0)
		r = remove_if_there(h, cert_path, err);
	if (r == 0)
		r = file_write(h, key_path, key.data, key.len, 0600, err);
	if (r == 0)
		r = file_write(h, cert_path, cert.data, cert.len, 0600, err);
	buf_free(&cert);
	buf_free(&key);
	return r;
}

const uint8_t *identity_key(const struct identity *id)
{
	return id->ed25519 ? id->key : NULL;
}

const uint8_t *identity_key_sha256(const struct identity *id)
{
	return id->key_sha256;
}

const uint8_t *identity_cert_sha256(const struct identity *id)
{
	return id->cert_sha256;
}

struct node_id identity_node_id(const struct identity *id)
{
	struct node_id node;

	memcpy(node.bytes, id->key_sha256, NODE_ID_LEN);
	return node;
}

void *identity_x509(const struct identity *id)
{
	return id->cert;
}

void *identity_pkey(const struct identity *id)
{
	return id->pkey;
}

const struct signer *identity_signer(const struct identity *id)
{
	return &id->signer;
}
