/* SPDX-License-Identifier: MIT */
/*
 * The recovery code's stretching. It is alone in its file: simulations make hundreds of clusters
 * and link a cheap one in its place (tests/sim/stretch.c).
 */
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "identity/codes.h"

/* Argon2id (RFC 9106 section 4, the second recommendation, with one lane). */
#define RECOVERY_MEMORY_KIB 65536
#define RECOVERY_PASSES 3
#define RECOVERY_LANES 1

int recovery_code_seed(const char *code, const uint8_t salt[RECOVERY_SALT_LEN],
		       uint8_t out[SIGN_SEED_LEN])
{
	uint32_t memory = RECOVERY_MEMORY_KIB, passes = RECOVERY_PASSES, lanes = RECOVERY_LANES;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)(uintptr_t)code,
						  strlen(code)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt,
						  RECOVERY_SALT_LEN),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_MEMCOST, &memory),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ITER, &passes),
		OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_ARGON2_LANES, &lanes),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "ARGON2ID", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int r = ctx && EVP_KDF_derive(ctx, out, SIGN_SEED_LEN, params) == 1 ? 0 : -ENOMEM;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return r;
}
