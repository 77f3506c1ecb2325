/* SPDX-License-Identifier: MIT */
/* The start of OpenSSL, and what it says when it fails. */
#include "crypto/init.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "crypto/openssl.h"

int crypto_fail(struct err *err, int code, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, code, "%s: %s", what, reason ? reason : "out of memory");
}

int crypto_init(struct err *err)
{
	if (!crypto_memory_is_wiped())
		return err_set(err, -EIO, "the cryptographic library does not wipe its memory");
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1)
		return 0;
	return crypto_fail(err, -EIO, "cannot start the cryptographic library");
}

/*
 * OpenSSL makes the table of an operation, with all its algorithms, when one of them is first asked
 * for. An algorithm for which there was no memory then is missing for as long as the process lives.
 */
static bool tables_make(void)
{
	EVP_MD *digest = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KEYMGMT *key = EVP_KEYMGMT_fetch(NULL, "X25519", NULL);
	EVP_KEYEXCH *exchange = EVP_KEYEXCH_fetch(NULL, "X25519", NULL);
	EVP_KEM *kem = EVP_KEM_fetch(NULL, "X25519MLKEM768", NULL);
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, "ED25519", NULL);
	bool made = digest && cipher && mac && kdf && key && exchange && kem && signature;

	EVP_MD_free(digest);
	EVP_CIPHER_free(cipher);
	EVP_MAC_free(mac);
	EVP_KDF_free(kdf);
	EVP_KEYMGMT_free(key);
	EVP_KEYEXCH_free(exchange);
	EVP_KEM_free(kem);
	EVP_SIGNATURE_free(signature);
	return made;
}

static bool generators_make(void)
{
	unsigned char byte;

	return RAND_bytes(&byte, 1) == 1 && RAND_priv_bytes(&byte, 1) == 1;
}

int crypto_prepare(struct err *err)
{
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 && tables_make() &&
	    generators_make() && !crypto_memory_lacked())
		return 0;
	if (crypto_memory_lacked())
		return err_set(err, -ENOMEM,
			       "no memory to start the cryptographic library: free some, then "
			       "start again");
	return crypto_fail(err, -EIO, "cannot start the cryptographic library");
}
