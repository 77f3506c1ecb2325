/* SPDX-License-Identifier: MIT */
/*
 * The one signature of the system: Ed25519 (RFC 8032) with domain, purpose and cluster; and raw
 * keys.
 */
#include "crypto/sign.h"

#include <sodium/crypto_sign.h>

#include "crypto/openssl.h"
#include "proto/limits.h"

#define PURPOSE_MAX 32
#define SIGNED_BYTES_MAX ENTRY_MAX_BYTES

static const char sign_domain[] = "mlsh/1 ";
#define DOMAIN_LEN (sizeof(sign_domain) - 1)

/* What is really signed. */
struct signed_text {
	uint8_t data[DOMAIN_LEN + PURPOSE_MAX + 1 + HASH_LEN + SIGNED_BYTES_MAX];
	size_t len;
};

static int signed_text_make(const char *purpose, const uint8_t cluster_id[HASH_LEN],
			    struct span bytes, struct signed_text *ret)
{
	size_t purpose_len = strlen(purpose);
	uint8_t *at = ret->data;

	if (purpose_len > PURPOSE_MAX || bytes.len > SIGNED_BYTES_MAX)
		return -EMSGSIZE;
	memcpy(at, sign_domain, DOMAIN_LEN);
	at += DOMAIN_LEN;
	memcpy(at, purpose, purpose_len + 1); /* the NUL ends the purpose */
	at += purpose_len + 1;
	memcpy(at, cluster_id, HASH_LEN);
	at += HASH_LEN;
	if (bytes.len > 0)
		memcpy(at, bytes.data, bytes.len);
	ret->len = (size_t)(at - ret->data) + bytes.len;
	return 0;
}

static int pkey_sign(EVP_PKEY *pkey, const char *purpose, const uint8_t cluster_id[HASH_LEN],
		     struct span bytes, uint8_t sig[SIG_LEN])
{
	struct signed_text text;
	uint8_t made[SIG_LEN];
	size_t len = sizeof(made);
	EVP_MD_CTX *ctx;
	int r = signed_text_make(purpose, cluster_id, bytes, &text);

	if (r < 0)
		return r;
	if (!pkey || !EVP_PKEY_is_a(pkey, "ED25519"))
		return -ENOKEY;
	ctx = EVP_MD_CTX_new();
	if (ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, made, &len, text.data, text.len) == 1 && len == SIG_LEN)
		memcpy(sig, made, SIG_LEN);
	else
		r = crypto_fail(NULL, -ENOMEM, "signing");
	EVP_MD_CTX_free(ctx);
	return r;
}

EVP_PKEY *seed_to_pkey(const uint8_t seed[SIGN_SEED_LEN])
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, SIGN_SEED_LEN);
}

int seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
	      const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN])
{
	EVP_PKEY *pkey = seed_to_pkey(seed);
	int r = pkey ? pkey_sign(pkey, purpose, cluster_id, bytes, sig)
		     : crypto_fail(NULL, -ENOMEM, "reading a private key");

	EVP_PKEY_free(pkey);
	return r;
}

int signer_sign(const struct signer *s, const char *purpose, const uint8_t cluster_id[HASH_LEN],
		struct span bytes, uint8_t sig[SIG_LEN])
{
	if (s->seed)
		return seed_sign(s->seed, purpose, cluster_id, bytes, sig);
	return pkey_sign(s->pkey, purpose, cluster_id, bytes, sig);
}

static bool pkey_public(EVP_PKEY *pkey, uint8_t key[KEY_LEN])
{
	uint8_t made[KEY_LEN];
	size_t len = sizeof(made);

	if (EVP_PKEY_get_raw_public_key(pkey, made, &len) != 1 || len != KEY_LEN)
		return false;
	memcpy(key, made, KEY_LEN);
	return true;
}

int seed_public(const uint8_t seed[SIGN_SEED_LEN], uint8_t key[KEY_LEN])
{
	EVP_PKEY *pkey = seed_to_pkey(seed);
	int r = pkey && pkey_public(pkey, key)
			? 0
			: crypto_fail(NULL, -ENOMEM, "deriving a public key");

	EVP_PKEY_free(pkey);
	return r;
}

int signer_key(const struct signer *s, uint8_t ret[KEY_LEN])
{
	if (s->seed)
		return seed_public(s->seed, ret);
	if (!s->pkey || !EVP_PKEY_is_a(s->pkey, "ED25519"))
		return -ENOKEY;
	return pkey_public(s->pkey, ret) ? 0 : crypto_fail(NULL, -ENOMEM, "reading a public key");
}

/*
 * libsodium's verification takes a third of the time of OpenSSL's. It refuses S >= L and an R of
 * small order, and compares R, as bytes, with the encoding of [S]B - [k]A. sodium_init is not
 * called: it seeds random numbers and chooses among implementations, and this uses neither.
 */
int key_verify(const uint8_t key[KEY_LEN], const char *purpose, const uint8_t cluster_id[HASH_LEN],
	       struct span bytes, const uint8_t sig[SIG_LEN])
{
	struct signed_text text;
	int r = signed_text_make(purpose, cluster_id, bytes, &text);

	if (r < 0)
		return r;
	if (!key_ok(key) || crypto_sign_verify_detached(sig, text.data, text.len, key) != 0)
		return -EKEYREJECTED;
	return 0;
}
