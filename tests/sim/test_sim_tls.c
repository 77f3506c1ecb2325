/* SPDX-License-Identifier: MIT */
/* Tests that handshakes are equal byte for byte in worlds of equal seeds. */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "sim.h"

/* A self-signed certificate for a new key. */
static X509 *certificate_new(EVP_PKEY **ret_key)
{
	X509 *cert = X509_new();
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	ck_assert(cert && key);
	ck_assert(X509_set_version(cert, X509_VERSION_3));
	ck_assert(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	ck_assert(ASN1_TIME_set(X509_getm_notBefore(cert), 1800000000) != NULL);
	ck_assert(ASN1_TIME_set(X509_getm_notAfter(cert), 1900000000) != NULL);
	ck_assert(X509_set_pubkey(cert, key));
	ck_assert_int_gt(X509_sign(cert, key, NULL), 0);
	*ret_key = key;
	return cert;
}

static SSL *end_new(const SSL_METHOD *method, X509 *cert, EVP_PKEY *key)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	SSL *ssl;

	ck_assert_ptr_nonnull(ctx);
	ck_assert(SSL_CTX_set1_groups_list(ctx, "X25519MLKEM768"));
	/* As quic/tls.c does: the second of the real clock is in a ticket. */
	ck_assert(SSL_CTX_set_num_tickets(ctx, 0));
	ck_assert(!cert || (SSL_CTX_use_certificate(ctx, cert) == 1 &&
			    SSL_CTX_use_PrivateKey(ctx, key) == 1));
	ssl = SSL_new(ctx);
	ck_assert_ptr_nonnull(ssl);
	SSL_CTX_free(ctx);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	return ssl;
}

/* Moves what one end has written to the other and appends it to the transcript. */
static void carry(SSL *from, SSL *to, uint8_t *transcript, size_t cap, size_t *len)
{
	int n;

	while ((n = BIO_read(SSL_get_wbio(from), transcript + *len, (int)(cap - *len))) > 0) {
		ck_assert_int_eq(BIO_write(SSL_get_rbio(to), transcript + *len, n), n);
		*len += (size_t)n;
	}
	ck_assert_uint_lt(*len, cap);
}

/* Everything that two ends say to each other in a world of this seed; returns its length. */
static size_t handshake(uint64_t seed, uint8_t *transcript, size_t cap)
{
	struct world *w = world_new(seed);
	EVP_PKEY *key;
	X509 *cert;
	SSL *server, *client;
	size_t len = 0;

	world_seed_tls(w);
	cert = certificate_new(&key);
	server = end_new(TLS_server_method(), cert, key);
	client = end_new(TLS_client_method(), NULL, NULL);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < 4; i++) {
		(void)SSL_do_handshake(client);
		carry(client, server, transcript, cap, &len);
		(void)SSL_do_handshake(server);
		carry(server, client, transcript, cap, &len);
	}
	ck_assert(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	ck_assert_str_eq(SSL_get0_group_name(client), "X25519MLKEM768");
	SSL_free(client);
	SSL_free(server);
	X509_free(cert);
	EVP_PKEY_free(key);
	world_free(w);
	return len;
}

START_TEST(handshakes_are_equal_for_equal_seeds_only)
{
	static uint8_t one[20000], two[20000], other[20000];
	size_t len = handshake(7, one, sizeof(one));

	ck_assert_uint_gt(len, 2300); /* an ML-KEM-768 key and ciphertext are in it */
	ck_assert_uint_eq(handshake(8, other, sizeof(other)), len);
	ck_assert_uint_eq(handshake(7, two, sizeof(two)), len);
	ck_assert_mem_eq(one, two, len);
	ck_assert_mem_ne(one, other, len);
}
END_TEST

START_TEST(all_generators_of_openssl_follow_the_seed)
{
	uint8_t a[2][64], b[2][64];
	struct world *w = world_new(3);

	world_seed_tls(w);
	ck_assert(RAND_bytes(a[0], 64) && RAND_priv_bytes(a[1], 64));
	world_seed_tls(w);
	ck_assert(RAND_bytes(b[0], 64) && RAND_priv_bytes(b[1], 64));
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_mem_ne(a[0], a[1], 64);
	world_free(w);
}
END_TEST

UNIT_MAIN("sim/tls", handshakes_are_equal_for_equal_seeds_only,
	  all_generators_of_openssl_follow_the_seed)
