/* SPDX-License-Identifier: MIT */
/*
 * Which signatures are valid: every node must decide alike, whichever library verifies. So the
 * verdict of key_verify is compared with OpenSSL's, over signatures that are good, altered, or
 * made by somebody who knows the private key and chooses the points.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium/crypto_core_ed25519.h>
#include <sodium/crypto_scalarmult_ed25519.h>

#include "crypto/sign.h"
#include "unit.h"

#define PURPOSE "entry"
#define SCALAR_LEN 32

static const uint8_t cluster[HASH_LEN] = { 1, 2, 3 };

/* The eight points whose order divides 8 (docs/protocol/01-identity.md, "Keys"). */
static const char *const small_points[] = {
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
};

/* L, the order of the base point (RFC 8032 section 5.1). */
static const uint8_t group_order[SCALAR_LEN] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a,	     0x63,
						 0x12, 0x58, 0xd6, 0x9c, 0xf7,	     0xa2,
						 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };

/* A key whose private scalar is known, and a text that is signed with it. */
struct forger {
	uint8_t scalar[SCALAR_LEN], key[KEY_LEN];
	uint8_t text[64];
	size_t len;
};

struct verdicts {
	unsigned both, neither, only_openssl, only_ours;
};

static void point(const char *hex, uint8_t ret[32])
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), ret, 32), 0);
}

static struct forger forger_new(struct unit_rng *rng)
{
	struct forger s = { .len = unit_random_below(rng, sizeof(s.text) + 1) };
	uint8_t wide[64];

	unit_random_bytes(rng, wide, sizeof(wide));
	crypto_core_ed25519_scalar_reduce(s.scalar, wide);
	ck_assert_int_eq(crypto_scalarmult_ed25519_base_noclamp(s.key, s.scalar), 0);
	unit_random_bytes(rng, s.text, sizeof(s.text));
	return s;
}

/* What is really signed (docs/protocol/01-identity.md, "The one signature"). */
static size_t signed_text(const struct forger *s, uint8_t out[128])
{
	static const char head[] = "mlsh/1 " PURPOSE; /* the NUL is a part of it */
	size_t n = sizeof(head);

	memcpy(out, head, n);
	memcpy(out + n, cluster, HASH_LEN);
	memcpy(out + n + HASH_LEN, s->text, s->len);
	return n + HASH_LEN + s->len;
}

/* k = SHA-512(R, A, text) mod L */
static void challenge(const struct forger *s, const uint8_t r[32], uint8_t k[SCALAR_LEN])
{
	uint8_t all[64 + 128], hash[64];
	size_t n;

	memcpy(all, r, 32);
	memcpy(all + 32, s->key, KEY_LEN);
	n = signed_text(s, all + 64);
	SHA512(all, 64 + n, hash);
	crypto_core_ed25519_scalar_reduce(k, hash);
}

/*
 * (R, S) with R as given and S = nonce + k * scalar. It fits by the equation of RFC 8032 if R is
 * [nonce]B and the key is [scalar]B.
 */
static void sign_with(const struct forger *s, const uint8_t r[32], const uint8_t nonce[SCALAR_LEN],
		      uint8_t sig[SIG_LEN])
{
	uint8_t k[SCALAR_LEN], product[SCALAR_LEN];

	challenge(s, r, k);
	crypto_core_ed25519_scalar_mul(product, k, s->scalar);
	memcpy(sig, r, 32);
	crypto_core_ed25519_scalar_add(sig + 32, nonce, product);
}

static void random_scalar(struct unit_rng *rng, uint8_t ret[SCALAR_LEN])
{
	uint8_t wide[64];

	unit_random_bytes(rng, wide, sizeof(wide));
	crypto_core_ed25519_scalar_reduce(ret, wide);
}

static void sign(struct unit_rng *rng, const struct forger *s, uint8_t sig[SIG_LEN])
{
	uint8_t nonce[SCALAR_LEN], r[32];

	random_scalar(rng, nonce);
	ck_assert_int_eq(crypto_scalarmult_ed25519_base_noclamp(r, nonce), 0);
	sign_with(s, r, nonce, sig);
}

static bool openssl_verifies(const struct forger *s, const uint8_t sig[SIG_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, s->key, KEY_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t text[128];
	size_t n = signed_text(s, text);
	bool good = key && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, sig, SIG_LEN, text, n) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

static bool we_verify(const struct forger *s, const uint8_t sig[SIG_LEN])
{
	int r = key_verify(s->key, PURPOSE, cluster, span_of(s->text, s->len), sig);

	ck_assert(r == 0 || r == -EKEYREJECTED);
	return r == 0;
}

static void compare(const struct forger *s, const uint8_t sig[SIG_LEN], struct verdicts *v)
{
	bool theirs = openssl_verifies(s, sig), ours = we_verify(s, sig);

	v->both += ours && theirs;
	v->neither += !ours && !theirs;
	v->only_openssl += theirs && !ours;
	v->only_ours += ours && !theirs;
}

/* Good ones, and ones with a bit of signature, key or text altered. */
/* [P1-16] [P1-18] */
START_TEST(random_signatures_are_judged_alike)
{
	struct unit_rng rng = unit_rng_new("random_signatures_are_judged_alike");
	struct verdicts good = { 0 }, bad = { 0 };

	for (unsigned i = 0; i < 300; i++) {
		struct forger s = forger_new(&rng), other = s;
		uint8_t sig[SIG_LEN];

		sign(&rng, &s, sig);
		compare(&s, sig, &good);
		other.key[unit_random_below(&rng, KEY_LEN)] ^= 1u << unit_random_below(&rng, 8);
		compare(&other, sig, &bad);
		other = s;
		other.text[0] ^= 1;
		other.len = MAX(other.len, (size_t)1);
		compare(&other, sig, &bad);
		sig[unit_random_below(&rng, SIG_LEN)] ^= 1u << unit_random_below(&rng, 8);
		compare(&s, sig, &bad);
		unit_random_bytes(&rng, sig, SIG_LEN);
		compare(&s, sig, &bad);
	}
	ck_assert_uint_eq(good.both, 300);
	ck_assert_uint_eq(bad.neither, 4 * 300);
}
END_TEST

/* S + nL fits the equation as S does; S = L and what is near it are the edges of the check. */
/* [P1-18] */
START_TEST(scalar_beyond_the_order_is_refused_by_both)
{
	struct unit_rng rng = unit_rng_new("scalar_beyond_the_order_is_refused_by_both");
	struct forger s = forger_new(&rng);
	struct verdicts v = { 0 };
	uint8_t sig[SIG_LEN];
	unsigned tried = 0;

	sign(&rng, &s, sig);
	for (;;) {
		unsigned carry = 0;

		for (size_t i = 0; i < SCALAR_LEN; i++) {
			carry += sig[32 + i] + group_order[i];
			sig[32 + i] = (uint8_t)carry;
			carry >>= 8;
		}
		if (carry != 0)
			break; /* it does not fit 256 bits */
		compare(&s, sig, &v);
		tried++;
	}
	for (int add = -2; add <= 2; add++) {
		memcpy(sig + 32, group_order, SCALAR_LEN);
		sig[32] = (uint8_t)(sig[32] + add);
		compare(&s, sig, &v);
		tried++;
	}
	ck_assert_uint_ge(tried, 14 + 5);
	ck_assert_uint_eq(v.neither, tried);
}
END_TEST

/*
 * R of small order: the signer took a nonce of 0. The equation holds for R = 1, and OpenSSL takes
 * that one; we take none of them (docs/protocol/01-identity.md), whatever its sign bit.
 */
/* [P1-18] */
START_TEST(small_order_r_is_refused)
{
	struct unit_rng rng = unit_rng_new("small_order_r_is_refused");
	static const uint8_t no_nonce[SCALAR_LEN];
	struct verdicts v = { 0 };

	for (unsigned i = 0; i < 8; i++) {
		struct forger s = forger_new(&rng);

		for (size_t p = 0; p < ARRAY_LEN(small_points); p++) {
			uint8_t r[32], sig[SIG_LEN];

			point(small_points[p], r);
			sign_with(&s, r, no_nonce, sig);
			compare(&s, sig, &v);
		}
	}
	ck_assert_uint_eq(v.only_openssl, 8); /* R = 1 */
	ck_assert_uint_eq(v.neither, 8 * 7);
}
END_TEST

/*
 * R with a part of small order. A verification that multiplies by the cofactor takes it (newer
 * versions of libsodium do), one that compares bytes does not.
 */
/* [P1-18] */
START_TEST(r_with_a_small_part_is_refused_by_both)
{
	struct unit_rng rng = unit_rng_new("r_with_a_small_part_is_refused_by_both");
	struct verdicts v = { 0 };

	for (unsigned i = 0; i < 8; i++) {
		struct forger s = forger_new(&rng);

		for (size_t p = 1; p < ARRAY_LEN(small_points); p++) {
			uint8_t nonce[SCALAR_LEN], r[32], small[32], sig[SIG_LEN];

			random_scalar(&rng, nonce);
			ck_assert_int_eq(crypto_scalarmult_ed25519_base_noclamp(r, nonce), 0);
			point(small_points[p], small);
			ck_assert_int_eq(crypto_core_ed25519_add(r, r, small), 0);
			sign_with(&s, r, nonce, sig);
			compare(&s, sig, &v);
		}
	}
	ck_assert_uint_eq(v.neither, 8 * 7);
}
END_TEST

/*
 * A key with a part of small order is none that we refuse. Whether its signature fits depends on
 * k: both must say the same, and both happen.
 */
START_TEST(key_with_a_small_part_is_judged_alike)
{
	struct unit_rng rng = unit_rng_new("key_with_a_small_part_is_judged_alike");
	struct verdicts v = { 0 };

	for (unsigned i = 0; i < 30; i++) {
		for (size_t p = 1; p < ARRAY_LEN(small_points); p++) {
			struct forger s = forger_new(&rng);
			uint8_t small[32], sig[SIG_LEN];

			point(small_points[p], small);
			ck_assert_int_eq(crypto_core_ed25519_add(s.key, s.key, small), 0);
			ck_assert(key_ok(s.key));
			sign(&rng, &s, sig);
			compare(&s, sig, &v);
		}
	}
	ck_assert_uint_eq(v.only_ours + v.only_openssl, 0);
	ck_assert_uint_gt(v.both, 0);
	ck_assert_uint_gt(v.neither, 0);
}
END_TEST

/* Second encodings of R: y + p where that fits, and the sign bit of an x that is 0. */
/* [P1-18] */
START_TEST(r_has_one_encoding)
{
	struct unit_rng rng = unit_rng_new("r_has_one_encoding");
	static const uint8_t no_nonce[SCALAR_LEN];
	static const char *const second[] = {
		"0100000000000000000000000000000000000000000000000000000000000080",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	struct verdicts v = { 0 };

	for (size_t p = 0; p < ARRAY_LEN(second); p++) {
		struct forger s = forger_new(&rng);
		uint8_t r[32], sig[SIG_LEN];

		point(second[p], r);
		sign_with(&s, r, no_nonce, sig);
		compare(&s, sig, &v);
	}
	ck_assert_uint_eq(v.neither, ARRAY_LEN(second));
}
END_TEST

/* The keys that key_ok refuses are refused whatever the signature is; libraries differ there. */
/* [P1-8] */
START_TEST(small_order_keys_are_refused)
{
	struct unit_rng rng = unit_rng_new("small_order_keys_are_refused");
	static const uint8_t no_scalar[SCALAR_LEN];
	unsigned openssl = 0;

	for (size_t p = 0; p < ARRAY_LEN(small_points); p++) {
		for (unsigned i = 0; i < 16; i++) {
			struct forger s = forger_new(&rng);
			uint8_t sig[SIG_LEN];

			memcpy(s.scalar, no_scalar, SCALAR_LEN);
			point(small_points[p], s.key);
			sign(&rng, &s, sig);
			ck_assert(!we_verify(&s, sig));
			openssl += openssl_verifies(&s, sig);
		}
	}
	ck_assert_uint_gt(openssl, 0); /* the signatures are such that they do fit */
}
END_TEST

UNIT_MAIN("identity/verify", random_signatures_are_judged_alike,
	  scalar_beyond_the_order_is_refused_by_both, small_order_r_is_refused,
	  r_with_a_small_part_is_refused_by_both, key_with_a_small_part_is_judged_alike,
	  r_has_one_encoding, small_order_keys_are_refused)
