/* SPDX-License-Identifier: MIT */
/* Codes that people copy: Crockford's base32 in groups of four, and the setup token made of one. */
#include "identity/codes.h"

#include "crypto/hash.h"

#define GROUP_LEN 4
#define BOOTSTRAP_SYMBOLS 12
#define RECOVERY_SYMBOLS 28

/* No I, L, O, U: they are mistaken for other symbols, or form words. */
static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Five random bits a symbol: 256 is a multiple of 32, so the low bits of a random byte do. */
static void code_new(struct host *h, size_t n, char *out)
{
	uint8_t random[RECOVERY_SYMBOLS];

	random_fill(h, random, n);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && i % GROUP_LEN == 0)
			*out++ = '-';
		*out++ = symbols[random[i] & 31];
	}
	*out = '\0';
	secret_wipe(random, sizeof(random));
}

/* The symbol that a character stands for, or 0. */
static char symbol_of(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		return '1';
	if (c == 'O')
		return '0';
	return c && strchr(symbols, c) ? c : 0;
}

/* n symbols, in groups joined by '-' or all in one piece. */
static int code_normalise(const char *text, size_t n, char *out)
{
	bool grouped = strchr(text, '-') != NULL;
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && i % GROUP_LEN == 0) {
			*at++ = '-';
			if (grouped && *text++ != '-')
				goto fail;
		}
		*at = symbol_of(*text++);
		if (!*at++)
			goto fail;
	}
	if (*text)
		goto fail;
	*at = '\0';
	return 0;
fail:
	secret_wipe(out, (size_t)(at - out));
	return -EINVAL;
}

void bootstrap_code_new(struct host *h, char out[BOOTSTRAP_CODE_TEXT_MAX])
{
	code_new(h, BOOTSTRAP_SYMBOLS, out);
}

int bootstrap_code_normalise(const char *text, char out[BOOTSTRAP_CODE_TEXT_MAX])
{
	return code_normalise(text, BOOTSTRAP_SYMBOLS, out);
}

void bootstrap_code_hash(const uint8_t salt[16], const char *code, uint8_t out[HASH_LEN])
{
	/* sizeof of it counts the NUL, which ends the domain in what is hashed. */
	static const char domain[] = "mlsh/1 bootstrap-code";

	sha256_pieces((struct span[]){ span_of(domain, sizeof(domain)), span_of(salt, 16),
				       span_str(code) },
		      3, out);
}

int setup_token_parse(const char *text, char ret_code[BOOTSTRAP_CODE_TEXT_MAX],
		      uint8_t ret_cert_sha256[HASH_LEN], struct err *err)
{
	const char *at = strchr(text, '@');
	char code_text[2 * BOOTSTRAP_CODE_TEXT_MAX];
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	size_t code_len = at ? (size_t)(at - text) : 0;
	int r = -EINVAL;

	if (!at)
		return err_set(err, -EINVAL,
			       "the setup token has no '@': copy all of it, in the "
			       "form XXXX-XXXX-XXXX@<fingerprint>, as the server printed it");
	if (code_len < sizeof(code_text)) {
		memcpy(code_text, text, code_len);
		code_text[code_len] = '\0';
		r = bootstrap_code_normalise(code_text, code);
		secret_wipe(code_text, sizeof(code_text));
	}
	if (r < 0)
		return err_set(err, -EINVAL,
			       "the part of the setup token before '@' is not a code "
			       "of the form XXXX-XXXX-XXXX: copy the token again");
	if (hex_decode(at + 1, strlen(at + 1), ret_cert_sha256, HASH_LEN) < 0) {
		secret_wipe(code, sizeof(code));
		return err_set(err, -EINVAL,
			       "the part of the setup token after '@' is not a "
			       "fingerprint of 64 digits 0-9 a-f: copy the token again");
	}
	memcpy(ret_code, code, sizeof(code));
	secret_wipe(code, sizeof(code));
	return 0;
}

int recovery_code_normalise(const char *text, char out[RECOVERY_CODE_TEXT_MAX])
{
	return code_normalise(text, RECOVERY_SYMBOLS, out);
}

int recovery_code_key(const char *code, const uint8_t salt[RECOVERY_SALT_LEN],
		      uint8_t ret_key[KEY_LEN])
{
	uint8_t seed[SIGN_SEED_LEN];
	int r = recovery_code_seed(code, salt, seed);

	if (r == 0)
		r = seed_public(seed, ret_key);
	secret_wipe(seed, sizeof(seed));
	return r;
}

int recovery_code_new(struct host *h, const uint8_t salt[RECOVERY_SALT_LEN],
		      char out[RECOVERY_CODE_TEXT_MAX], uint8_t ret_key[KEY_LEN])
{
	int r;

	code_new(h, RECOVERY_SYMBOLS, out);
	r = recovery_code_key(out, salt, ret_key);
	if (r < 0)
		secret_wipe(out, RECOVERY_CODE_TEXT_MAX);
	return r;
}
