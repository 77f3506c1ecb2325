/* SPDX-License-Identifier: MIT */
/* SHA-256 and HMAC-SHA-256. */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/assert.h"

const uint8_t zero_hash[HASH_LEN];

/*
 * A digest fails only when memory is out. Callers can do nothing about it, and no caller may go on
 * with a hash that is not one.
 */
static void must(bool ok)
{
	if (!ok)
		DIE("OpenSSL made no digest");
}

void sha256(struct span data, uint8_t out[HASH_LEN])
{
	must(EVP_Digest(data.data, data.len, out, NULL, EVP_sha256(), NULL) == 1);
}

void sha256_pieces(const struct span *pieces, size_t n, uint8_t out[HASH_LEN])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < n; i++)
		must(EVP_DigestUpdate(ctx, pieces[i].data, pieces[i].len) == 1);
	must(EVP_DigestFinal_ex(ctx, out, NULL) == 1);
	EVP_MD_CTX_free(ctx);
}

void sha256_2(struct span a, struct span b, uint8_t out[HASH_LEN])
{
	sha256_pieces((struct span[]){ a, b }, 2, out);
}

void hmac_sha256(const uint8_t key[32], struct span data, uint8_t out[HASH_LEN])
{
	unsigned len = 0;

	must(HMAC(EVP_sha256(), key, 32, data.data, data.len, out, &len) && len == HASH_LEN);
}
