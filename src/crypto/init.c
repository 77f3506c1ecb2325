/* SPDX-License-Identifier: MIT */
/* The start of OpenSSL, and what it says when it fails. */
#include "crypto/init.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

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
