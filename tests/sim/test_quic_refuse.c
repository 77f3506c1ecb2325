/* SPDX-License-Identifier: MIT */
/* Which side refuses which peers, how early, and what the other side is told. */
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "quic/socket.h"
#include "quic_sim.h"

#define ALERT_HANDSHAKE_FAILURE 40
#define ALERT_BAD_CERTIFICATE 42
#define ALERT_CERTIFICATE_REQUIRED 116
#define ALERT_NO_APPLICATION_PROTOCOL 120

static void run_until_closed(struct quic_pair *p)
{
	SIM_CHECK(p->w, world_run(p->w, 20 * NS_PER_S, quic_end_is_closed, p->ce));
	sim_pass(p->w, NS_PER_S);
}

/* The server's owner has heard nothing, and nothing is left of the attempt. */
static void check_nothing_happened(struct quic_pair *p)
{
	struct quic_socket_stats st = quic_socket_stats_get(p->server.s);

	SIM_CHECK(p->w, p->server.n_ends == 0);
	SIM_CHECK(p->w, st.accepted == 0 && st.conns == 0 && st.half_open == 0);
	SIM_CHECK(p->w, p->server.s->n_closings <= 1 && list_empty(&p->server.s->conns));
}

static void check_closed(struct quic_pair *p, enum quic_close_reason reason, uint64_t error)
{
	if (p->ce->reason != reason || p->ce->error != error)
		printf("reason %d error %llu: %s\n", p->ce->reason,
		       (unsigned long long)p->ce->error, p->ce->detail);
	SIM_CHECK(p->w, p->ce->reason == reason && p->ce->error == error);
}

static void connect_and_fail(struct quic_pair *p, const struct quic_pin *pin)
{
	p->ce = quic_node_connect(&p->client, pin, p->server_addr);
	run_until_closed(p);
}

/* [P1-9] */
START_TEST(classical_key_exchange_is_refused)
{
	static const char *const groups[] = { "X25519", "P-256", "MLKEM768", "X25519:P-256" };

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		struct quic_pair p;
		struct quic_pin pin;

		pin = quic_pair_ready(&p);
		ck_assert_int_eq(SSL_CTX_set1_groups_list(quic_tls_context(p.client.s->tls, false),
							  groups[i]),
				 1);
		connect_and_fail(&p, &pin);
		ck_assert(!p.ce->connected);
		check_closed(&p, QUIC_CLOSE_TLS, ALERT_HANDSHAKE_FAILURE);
		check_nothing_happened(&p);
		quic_pair_stop(&p);
	}
}
END_TEST

/* [P1-9] */
START_TEST(classical_server_is_refused)
{
	struct quic_pair p;
	struct quic_pin pin;

	pin = quic_pair_ready(&p);
	ck_assert_int_eq(SSL_CTX_set1_groups_list(quic_tls_context(p.server.s->tls, true),
						  "X25519"),
			 1);
	connect_and_fail(&p, &pin);
	ck_assert(!p.ce->connected);
	check_closed(&p, QUIC_CLOSE_TLS, ALERT_HANDSHAKE_FAILURE);
	quic_pair_stop(&p);
}
END_TEST

/* [P1-13] */
START_TEST(wrong_server_is_refused_by_client)
{
	struct quic_pair p;
	struct quic_pin pin;

	pin = quic_pair_ready(&p);
	pin.key_sha256[31] ^= 1;
	connect_and_fail(&p, &pin);
	ck_assert(!p.ce->connected);
	check_closed(&p, QUIC_CLOSE_PIN, ALERT_BAD_CERTIFICATE);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(empty_pin_accepts_nobody)
{
	struct quic_pair p;
	struct quic_pin pin = { .any = false };

	quic_pair_hosts(&p);
	quic_pair_open(&p);
	/* The right hashes, but not asked for. */
	memcpy(pin.key_sha256, identity_key_sha256(p.server.id), 32);
	memcpy(pin.cert_sha256, identity_cert_sha256(p.server.id), 32);
	connect_and_fail(&p, &pin);
	check_closed(&p, QUIC_CLOSE_PIN, ALERT_BAD_CERTIFICATE);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

/* [P1-3] [P1-13] */
START_TEST(certificate_or_key_suffices)
{
	for (int i = 0; i < 3; i++) {
		struct quic_pair p;
		struct quic_pin pin = { .by_cert = i != 1, .by_key = i != 0 };

		quic_pair_hosts(&p);
		quic_pair_open(&p);
		if (i != 1)
			memcpy(pin.cert_sha256, identity_cert_sha256(p.server.id), 32);
		if (i != 0) /* the third time the key is not the pinned one */
			memcpy(pin.key_sha256, identity_key_sha256(p.server.id), 32);
		if (i == 2)
			pin.key_sha256[0] ^= 1;
		p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
		SIM_CHECK(p.w, world_run(p.w, 5 * NS_PER_S, quic_end_done, p.ce));
		SIM_CHECK(p.w, p.ce->connected);
		quic_pair_stop(&p);
	}
}
END_TEST

/* [P1-13] */
START_TEST(unknown_client_is_refused_by_server)
{
	static const uint8_t other[32] = { 1 };
	struct quic_pair p;
	struct quic_pin pin;

	quic_pair_hosts(&p);
	p.server.allowed = other;
	quic_pair_open(&p);
	pin = quic_node_pin(&p.server);
	p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
	p.ce->to_send = 10; /* it believes to be connected until it hears the alert */
	run_until_closed(&p);
	check_closed(&p, QUIC_CLOSE_TLS, ALERT_BAD_CERTIFICATE);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

/* [P1-12] */
START_TEST(client_without_certificate_is_refused)
{
	struct quic_pair p;
	struct quic_pin pin;

	pin = quic_pair_ready(&p);
	p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
	SSL_certs_clear(p.ce->c->tls.ssl);
	run_until_closed(&p);
	check_closed(&p, QUIC_CLOSE_TLS, ALERT_CERTIFICATE_REQUIRED);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

static int accept_anyone(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

/* [P1-15] */
START_TEST(own_key_is_refused_on_both_sides)
{
	struct quic_pair p;
	struct quic_pin pin;

	for (int careless_client = 0; careless_client < 2; careless_client++) {
		struct identity *mine;

		quic_pair_hosts(&p);
		mine = p.client.id;
		p.client.id = p.server.id;
		quic_pair_open(&p);
		p.client.id = mine;
		pin = quic_node_pin(&p.server);
		if (careless_client)
			SSL_CTX_set_cert_verify_callback(quic_tls_context(p.client.s->tls, false),
							 accept_anyone, NULL);
		connect_and_fail(&p, &pin);
		check_closed(&p, careless_client ? QUIC_CLOSE_TLS : QUIC_CLOSE_PIN,
			     ALERT_BAD_CERTIFICATE);
		check_nothing_happened(&p);
		quic_pair_stop(&p);
	}
}
END_TEST

/* [P1-11] */
START_TEST(wrong_alpn_is_refused)
{
	static const char *const names[] = { "mlsh-test/2", "mlsh-test/", "mlsh-test/11",
					     "MLSH-TEST/1" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct quic_profile other = quic_sim_profile;
		struct quic_pair p;
		struct quic_pin pin;

		other.alpn = names[i];
		pin = quic_pair_ready(&p);
		p.ce = quic_end_new(&p.client, NULL);
		ck_assert_int_eq(quic_connect(p.client.s, &other, &pin, 0, &p.server_addr,
					      &quic_end_ops, p.ce, NULL, &p.ce->c),
				 0);
		run_until_closed(&p);
		ck_assert(!p.ce->connected);
		check_closed(&p, QUIC_CLOSE_TLS, ALERT_NO_APPLICATION_PROTOCOL);
		check_nothing_happened(&p);
		quic_pair_stop(&p);
	}
}
END_TEST

/* [P1-11] */
START_TEST(missing_alpn_is_refused)
{
	struct quic_pair p;
	struct quic_pin pin;

	pin = quic_pair_ready(&p);
	p.ce = quic_node_connect(&p.client, &pin, p.server_addr);
	ck_assert_int_eq(SSL_set_alpn_protos(p.ce->c->tls.ssl, NULL, 0), 0);
	run_until_closed(&p);
	ck_assert(!p.ce->connected);
	check_closed(&p, QUIC_CLOSE_TLS, ALERT_NO_APPLICATION_PROTOCOL);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

/* An operator's own certificate, P-256, as PEM. */
static void operator_pem(struct identity **ret)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *out = BIO_new(BIO_s_mem()), *out_key = BIO_new(BIO_s_mem());
	char *pem, *pem_key;
	long len, len_key;
	struct err err = { .code = 0 };

	ck_assert(key && cert && out && out_key);
	ck_assert(X509_set_version(cert, X509_VERSION_3));
	ck_assert(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1));
	ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notBefore(cert), 1800000000));
	ck_assert_ptr_nonnull(ASN1_TIME_set(X509_getm_notAfter(cert), 1900000000));
	ck_assert(X509_set_pubkey(cert, key));
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	ck_assert(PEM_write_bio_X509(out, cert) == 1);
	ck_assert(PEM_write_bio_PKCS8PrivateKey(out_key, key, NULL, NULL, 0, NULL, NULL) == 1);
	len = BIO_get_mem_data(out, &pem);
	len_key = BIO_get_mem_data(out_key, &pem_key);
	ck_assert_msg(identity_from_pem(span_of(pem, (size_t)len),
					span_of(pem_key, (size_t)len_key), true, &err, ret) == 0,
		      "%s", err.text);
	BIO_free(out);
	BIO_free(out_key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* [P1-14] */
START_TEST(operators_key_only_where_the_profile_says_so)
{
	for (int any = 0; any < 2; any++) {
		struct quic_profile profile = quic_sim_profile;
		struct quic_pair p;
		struct quic_pin pin = { .by_cert = true };

		profile.any_server_key = any;
		quic_pair_hosts(&p);
		identity_free(p.server.id);
		operator_pem(&p.server.id);
		quic_pair_open(&p);
		memcpy(pin.cert_sha256, identity_cert_sha256(p.server.id), 32);
		p.ce = quic_end_new(&p.client, NULL);
		ck_assert_int_eq(quic_connect(p.client.s, &profile, &pin, 0, &p.server_addr,
					      &quic_end_ops, p.ce, NULL, &p.ce->c),
				 0);
		SIM_CHECK(p.w, world_run(p.w, 5 * NS_PER_S, quic_end_done, p.ce));
		SIM_CHECK(p.w, p.ce->connected == any);
		if (!any)
			check_closed(&p, QUIC_CLOSE_TLS, ALERT_HANDSHAKE_FAILURE);
		else
			ck_assert_mem_eq(quic_conn_peer_key_sha256(p.ce->c),
					 identity_key_sha256(p.server.id), 32);
		quic_pair_stop(&p);
	}
}
END_TEST

START_TEST(owner_of_the_socket_may_refuse)
{
	struct quic_pair p;
	struct quic_pin pin;

	quic_pair_hosts(&p);
	p.server.refuse = true;
	quic_pair_open(&p);
	pin = quic_node_pin(&p.server);
	connect_and_fail(&p, &pin);
	check_closed(&p, QUIC_CLOSE_REMOTE, NGTCP2_CONNECTION_REFUSED);
	check_nothing_happened(&p);
	quic_pair_stop(&p);
}
END_TEST

START_TEST(full_server_says_so)
{
	struct quic_socket_config cfg;
	struct quic_pair p;
	struct quic_pin pin;

	quic_pair_hosts(&p);
	cfg = quic_node_config(&p.server);
	cfg.max_conns = 1;
	quic_node_open(&p.server, &cfg);
	cfg = quic_node_config(&p.client);
	quic_node_open(&p.client, &cfg);
	quic_pair_connect(&p);
	pin = quic_node_pin(&p.server);
	connect_and_fail(&p, &pin);
	check_closed(&p, QUIC_CLOSE_REMOTE, NGTCP2_CONNECTION_REFUSED);
	SIM_CHECK(p.w, p.server.n_ends == 1 && !p.server.end[0].closed);
	quic_pair_stop(&p);
}
END_TEST

/* [P1-10] */
START_TEST(nothing_can_be_resumed)
{
	struct quic_pair p;
	SSL *ssl;

	quic_pair_start(&p);
	sim_pass(p.w, NS_PER_S);
	ssl = p.ce->c->tls.ssl;
	ck_assert_int_eq(SSL_SESSION_has_ticket(SSL_get_session(ssl)), 0);
	ck_assert_int_eq(SSL_SESSION_is_resumable(SSL_get_session(ssl)), 0);
	ck_assert_uint_eq(SSL_SESSION_get_max_early_data(SSL_get_session(ssl)), 0);
	ck_assert_int_eq(SSL_session_reused(ssl), 0);
	ck_assert_int_eq(SSL_version(ssl), TLS1_3_VERSION);
	quic_pair_stop(&p);
}
END_TEST

UNIT_MAIN("quic/refuse", classical_key_exchange_is_refused, classical_server_is_refused,
	  wrong_server_is_refused_by_client, empty_pin_accepts_nobody, certificate_or_key_suffices,
	  unknown_client_is_refused_by_server, client_without_certificate_is_refused,
	  own_key_is_refused_on_both_sides, wrong_alpn_is_refused, missing_alpn_is_refused,
	  operators_key_only_where_the_profile_says_so, owner_of_the_socket_may_refuse,
	  full_server_says_so, nothing_can_be_resumed)
