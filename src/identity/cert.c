/* SPDX-License-Identifier: MIT */
/*
 * The self-signed certificate around a key: TLS wants one, nothing in it but the key means
 * anything.
 */
#include "identity/cert.h"

#include <openssl/asn1.h>
#include <stdbool.h>

static bool cert_set_name(X509 *cert)
{
	X509_NAME *name = X509_NAME_new();
	bool ok = name &&
		  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					     (const unsigned char *)"mlsh", -1, -1, 0) == 1 &&
		  X509_set_subject_name(cert, name) == 1 && X509_set_issuer_name(cert, name) == 1;

	X509_NAME_free(name);
	return ok;
}

X509 *cert_make(EVP_PKEY *pkey)
{
	X509 *cert = X509_new();

	/* The last date is "no expiration date" (RFC 5280 section 4.1.2.5). */
	if (cert && X509_set_version(cert, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 && cert_set_name(cert) &&
	    ASN1_TIME_set_string(X509_getm_notBefore(cert), "20000101000000Z") == 1 &&
	    ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z") == 1 &&
	    X509_set_pubkey(cert, pkey) == 1 && X509_sign(cert, pkey, NULL) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}
