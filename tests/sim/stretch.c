/* SPDX-License-Identifier: MIT */
/*
 * The recovery code's key at no cost: the real one takes a fifth of a second and 64 MiB, which were
 * two thirds of what a simulation did. Its vectors are in tests/unit/test_identity_codes.c.
 */
#include "crypto/hash.h"
#include "identity/codes.h"

int recovery_code_seed(const char *code, const uint8_t salt[RECOVERY_SALT_LEN],
		       uint8_t out[SIGN_SEED_LEN])
{
	sha256_2(span_of(salt, RECOVERY_SALT_LEN), span_str(code), out);
	return 0;
}
