/* SPDX-License-Identifier: MIT */
/* SHA-256 and HMAC-SHA-256, and the keyed and salted hashes that are made of them. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

#include "identity/internal.h"

#include "base/assert.h"

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

/* Over the concatenation of `n` pieces. */
static void sha256_pieces(const struct span *pieces, size_t n, uint8_t out[HASH_LEN])
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

/* sizeof of these strings counts the NUL, which ends the domain in what is hashed. */
static const char token_domain[] = "mlsh/1 node-token";
static const char code_domain[] = "mlsh/1 bootstrap-code";

void node_token(const uint8_t signing_key[32], const uint8_t cluster_id[HASH_LEN],
		const struct node_id *id, uint8_t out[HASH_LEN])
{
	uint8_t text[sizeof(token_domain) + HASH_LEN + NODE_ID_LEN];

	memcpy(text, token_domain, sizeof(token_domain));
	memcpy(text + sizeof(token_domain), cluster_id, HASH_LEN);
	memcpy(text + sizeof(token_domain) + HASH_LEN, id->bytes, NODE_ID_LEN);
	hmac_sha256(signing_key, span_of(text, sizeof(text)), out);
}

void bootstrap_code_hash(const uint8_t salt[16], const char *code, uint8_t out[HASH_LEN])
{
	sha256_pieces((struct span[]){ span_of(code_domain, sizeof(code_domain)), span_of(salt, 16),
				       span_str(code) },
		      3, out);
}
