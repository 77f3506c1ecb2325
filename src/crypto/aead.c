/* SPDX-License-Identifier: MIT */
/* Authenticated encryption by OpenSSL, with a context for each key that lives as long as it. */
#include "crypto/aead.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/assert.h"

struct aead {
	EVP_CIPHER_CTX *ctx;
	bool seal;
	uint8_t iv[AEAD_IV_LEN];
};

/*
 * Set-up and sealing fail only when the library is broken or memory is out, and then nothing may be
 * sent that was not sealed.
 */
static void must(bool ok)
{
	if (!ok)
		DIE("OpenSSL sealed nothing");
}

int aead_new(enum aead_kind kind, enum aead_use use, struct aead **ret)
{
	const EVP_CIPHER *cipher = kind == AEAD_AES128_GCM ? EVP_aes_128_gcm()
							   : EVP_chacha20_poly1305();
	struct aead *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->seal = use == AEAD_SEAL;
	a->ctx = EVP_CIPHER_CTX_new();
	if (!a->ctx || EVP_CipherInit_ex(a->ctx, cipher, NULL, NULL, NULL, a->seal) != 1) {
		aead_free(a);
		return -ENOMEM;
	}
	*ret = a;
	return 0;
}

void aead_free(struct aead *a)
{
	if (!a)
		return;
	EVP_CIPHER_CTX_free(a->ctx); /* wipes its key */
	secret_wipe(a, sizeof(*a));
	free(a);
}

void aead_key(struct aead *a, const uint8_t key[AEAD_KEY_MAX], const uint8_t iv[AEAD_IV_LEN])
{
	must(EVP_CipherInit_ex(a->ctx, NULL, NULL, key, iv, a->seal) == 1);
	memcpy(a->iv, iv, AEAD_IV_LEN);
}

static void make_nonce(const struct aead *a, uint64_t counter, uint8_t out[AEAD_IV_LEN])
{
	memcpy(out, a->iv, 4);
	store_be64(out + 4, load_be64(a->iv + 4) ^ counter);
}

void aead_seal(struct aead *a, uint64_t counter, struct span additional, uint8_t *data, size_t len)
{
	uint8_t nonce[AEAD_IV_LEN];
	int n;

	make_nonce(a, counter, nonce);
	must(EVP_EncryptInit_ex(a->ctx, NULL, NULL, NULL, nonce) == 1 &&
	     EVP_EncryptUpdate(a->ctx, NULL, &n, additional.data, (int)additional.len) == 1 &&
	     EVP_EncryptUpdate(a->ctx, data, &n, data, (int)len) == 1 &&
	     EVP_EncryptFinal_ex(a->ctx, data + len, &n) == 1 &&
	     EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_LEN, data + len) == 1);
}

bool aead_open(struct aead *a, uint64_t counter, struct span additional, uint8_t *data, size_t len)
{
	uint8_t nonce[AEAD_IV_LEN];
	int n;

	if (len < AEAD_TAG_LEN)
		return false;
	len -= AEAD_TAG_LEN;
	make_nonce(a, counter, nonce);
	return EVP_DecryptInit_ex(a->ctx, NULL, NULL, NULL, nonce) == 1 &&
	       EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_LEN, data + len) == 1 &&
	       EVP_DecryptUpdate(a->ctx, NULL, &n, additional.data, (int)additional.len) == 1 &&
	       EVP_DecryptUpdate(a->ctx, data, &n, data, (int)len) == 1 &&
	       EVP_DecryptFinal_ex(a->ctx, data + len, &n) == 1;
}
