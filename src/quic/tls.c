/* SPDX-License-Identifier: MIT */
/*
 * TLS 1.3 and nothing older, X25519MLKEM768 and nothing weaker, both sides with certificates whose
 * keys are pinned. No tickets, no PSK, no early data.
 */
#include "quic/tls.h"

#include <stdlib.h>

#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "crypto/hash.h"
#include "os/host.h"

#define GROUPS "X25519MLKEM768"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SIGALGS_PEER "ed25519"
#define SIGALGS_OPERATOR                                                                           \
	"ed25519:ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:"                                   \
	"rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"                             \
	"rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512"
#define CERT_DER_MAX 8192
#define CERT_LIST_MAX 16384
#define ALPN_MAX 64

struct tls {
	struct tls_config cfg;
	SSL_CTX *client, *server;
};

/* --- the other side's certificate ----------------------------------------------------------------
 */

/* Hashes `len` bytes that i2d_... has made, and frees them. Returns false if i2d_... failed. */
static bool der_sha256(uint8_t *der, int len, uint8_t ret_hash[HASH_LEN])
{
	bool ok = len > 0 && len <= CERT_DER_MAX;

	if (ok)
		sha256(span_of(der, (size_t)len), ret_hash);
	OPENSSL_free(der);
	return ok;
}

static bool peer_read_cert(X509 *cert, struct tls_peer *ret)
{
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	return der_sha256(der, len, ret->cert_sha256);
}

/* Returns 1 for Ed25519, 0 for another type, a negative number if the key cannot be used. */
static int peer_read_key(X509 *cert, struct tls_peer *ret)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	size_t raw_len = KEY_LEN;
	uint8_t *der = NULL;
	int len;

	if (!key)
		return -EBADMSG;
	if (EVP_PKEY_is_a(key, "ED25519")) {
		if (EVP_PKEY_get_raw_public_key(key, ret->ed25519, &raw_len) != 1 ||
		    raw_len != KEY_LEN)
			return -EBADMSG;
		key_spki_sha256(ret->ed25519, ret->key_sha256);
		return 1;
	}
	len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
	return der_sha256(der, len, ret->key_sha256) ? 0 : -EBADMSG;
}

static bool pin_matches(const struct quic_pin *pin, const struct tls_peer *peer)
{
	if (pin->any)
		return true;
	if (pin->by_cert && secret_equal(pin->cert_sha256, peer->cert_sha256, HASH_LEN))
		return true;
	return pin->by_key && secret_equal(pin->key_sha256, peer->key_sha256, HASH_LEN);
}

static bool alpn_is(SSL *ssl, const char *alpn)
{
	const unsigned char *got;
	unsigned len;

	SSL_get0_alpn_selected(ssl, &got, &len);
	return len > 0 && span_equal(span_of(got, len), span_str(alpn));
}

/*
 * Returns true if the other side's key is accepted. Dates, names, issuer and signature of the
 * certificate mean nothing.
 */
static bool peer_ok(struct tls_session *ts, X509 *cert, struct tls_peer *peer)
{
	const struct tls_config *cfg = &ts->tls->cfg;
	int kind;

	if (!peer_read_cert(cert, peer))
		return false;
	kind = peer_read_key(cert, peer);
	if (kind < 0)
		return false;
	if (kind == 0 && (ts->server || !ts->profile->any_server_key))
		return false;
	if (kind == 1 && !key_ok(peer->ed25519))
		return false;
	if (memcmp(peer->key_sha256, identity_key_sha256(cfg->identity), HASH_LEN) == 0)
		return false; /* our own key */
	if (!ts->profile || !alpn_is(ts->ssl, ts->profile->alpn))
		return false;
	if (!ts->server)
		return pin_matches(&ts->pin, peer);
	return !cfg->key_allowed || cfg->key_allowed(cfg->ctx, ts->profile, peer->key_sha256);
}

static struct tls_session *session_of(SSL *ssl)
{
	ngtcp2_crypto_conn_ref *ref = SSL_get_app_data(ssl);

	return ref ? ref->user_data : NULL;
}

static int verify_cert(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_session *ts = ssl ? session_of(ssl) : NULL;
	X509 *cert = X509_STORE_CTX_get0_cert(store);
	struct tls_peer peer = { .cert_sha256 = { 0 } };

	(void)arg;
	if (ts && cert && peer_ok(ts, cert, &peer)) {
		ts->peer = peer;
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (ts) {
		ts->refused = true;
		ts->peer = peer; /* for the message: the key in place of the pinned one */
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED); /* alert 42, bad_certificate */
	return 0;
}

/* --- ALPN ----------------------------------------------------------------------------------------
 */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned in_len, void *arg)
{
	const struct tls *t = arg;
	struct tls_session *ts = session_of(ssl);

	for (const struct quic_profile *const *p = t->cfg.serve; ts && *p; p++) {
		size_t want = strlen((*p)->alpn);

		for (unsigned i = 0; i < in_len && in[i] <= in_len - i - 1; i += in[i] + 1u) {
			if (in[i] != want || memcmp(in + i + 1, (*p)->alpn, want) != 0)
				continue;
			*out = in + i + 1;
			*out_len = in[i];
			ts->profile = *p;
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL; /* no_application_protocol */
}

/* OpenSSL does not call choose_alpn for a ClientHello without ALPN. RFC 9001 section 8.1. */
static int check_client_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *ext;
	size_t len;

	(void)arg;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &ext,
				      &len))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_NO_APPLICATION_PROTOCOL;
	return SSL_CLIENT_HELLO_ERROR;
}

/* --- contexts ------------------------------------------------------------------------------------
 */

static bool context_set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, verify_cert, NULL);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, CIPHERSUITES) == 1 &&
	       SSL_CTX_set1_client_sigalgs_list(ctx, SIGALGS_PEER) == 1;
}

static bool context_set_identity(SSL_CTX *ctx, const struct identity *id)
{
	return SSL_CTX_use_certificate(ctx, identity_x509(id)) == 1 &&
	       SSL_CTX_use_PrivateKey(ctx, identity_pkey(id)) == 1 &&
	       SSL_CTX_check_private_key(ctx) == 1;
}

static SSL_CTX *context_new(struct tls *t, bool server)
{
	bool operator_key = identity_key(t->cfg.identity) == NULL;
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (!ctx)
		return NULL;
	if (!context_set_rules(ctx) || !context_set_identity(ctx, t->cfg.identity) ||
	    SSL_CTX_set1_sigalgs_list(ctx, operator_key ? SIGALGS_OPERATOR : SIGALGS_PEER) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (server) {
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, t);
		SSL_CTX_set_client_hello_cb(ctx, check_client_hello, NULL);
	}
	return ctx;
}

/* Makes both contexts, for the identity in t->cfg. */
static int contexts_new(struct tls *t, struct err *err)
{
	SSL_CTX *client, *server = NULL;
	char why[160] = "unknown error";

	ERR_clear_error();
	client = context_new(t, false);
	if (client && t->cfg.serve)
		server = context_new(t, true);
	if (client && (server || !t->cfg.serve)) {
		SSL_CTX_free(t->client); /* connections that use it keep it */
		SSL_CTX_free(t->server);
		t->client = client;
		t->server = server;
		return 0;
	}
	if (ERR_peek_error())
		ERR_error_string_n(ERR_get_error(), why, sizeof(why));
	ERR_clear_error();
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	return err_set(err, -EINVAL, "TLS cannot be set up with this key and certificate: %s", why);
}

int quic_tls_new(const struct tls_config *cfg, struct err *err, struct tls **ret)
{
	struct tls *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	t->cfg = *cfg;
	r = contexts_new(t, err);
	if (r < 0)
		quic_tls_free(t);
	else
		*ret = t;
	return r;
}

int quic_tls_identity_set(struct tls *t, const struct identity *id, struct err *err)
{
	const struct identity *old = t->cfg.identity;
	int r;

	t->cfg.identity = id;
	r = contexts_new(t, err);
	if (r < 0)
		t->cfg.identity = old;
	return r;
}

void quic_tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->client);
	SSL_CTX_free(t->server);
	free(t);
}

struct ssl_ctx_st *quic_tls_context(const struct tls *t, bool server)
{
	return server ? t->server : t->client;
}

void quic_tls_derive_secret(const struct tls *t, struct host *h, const char *purpose, uint16_t port,
			    uint8_t out[32])
{
	uint8_t raw[SIGN_SEED_LEN];
	size_t len = sizeof(raw);
	char what[64];

	snprintf(what, sizeof(what), "%s %u", purpose, port);
	if (identity_key(t->cfg.identity) &&
	    EVP_PKEY_get_raw_private_key(identity_pkey(t->cfg.identity), raw, &len) == 1 &&
	    len == sizeof(raw))
		hmac_sha256(raw, span_str(what), out);
	else
		random_fill(h, out, 32);
	secret_wipe(raw, sizeof(raw));
}

/* --- sessions ------------------------------------------------------------------------------------
 */

static ngtcp2_conn *conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
	const struct tls_session *ts = ref->user_data;

	return ts->qc;
}

/*
 * Without memory OpenSSL 3.5 leaves the session without its record layer, and says so in the queue
 * of errors only. The next call would use what is not there.
 */
static bool session_set_role(SSL *ssl, void (*set)(SSL *ssl))
{
	ERR_clear_error();
	set(ssl);
	return ERR_peek_error() == 0;
}

static bool session_set_client(struct tls_session *ts)
{
	uint8_t alpn[ALPN_MAX + 1];
	size_t len = strlen(ts->profile->alpn);

	if (len == 0 || len > ALPN_MAX)
		return false;
	alpn[0] = (uint8_t)len;
	memcpy(alpn + 1, ts->profile->alpn, len);
	return session_set_role(ts->ssl, SSL_set_connect_state) &&
	       SSL_set_alpn_protos(ts->ssl, alpn, (unsigned)len + 1) == 0 &&
	       (!ts->profile->any_server_key ||
		SSL_set1_sigalgs_list(ts->ssl, SIGALGS_OPERATOR) == 1) &&
	       ngtcp2_crypto_ossl_configure_client_session(ts->ssl) == 0;
}

static bool session_set_server(struct tls_session *ts)
{
	return session_set_role(ts->ssl, SSL_set_accept_state) &&
	       ngtcp2_crypto_ossl_configure_server_session(ts->ssl) == 0;
}

int quic_tls_session_init(struct tls_session *ts, const struct tls *t, bool server,
			  const struct quic_profile *profile, const struct quic_pin *pin)
{
	*ts = (struct tls_session){ .tls = t, .server = server, .profile = profile };
	if (pin)
		ts->pin = *pin;
	ts->ref = (ngtcp2_crypto_conn_ref){ .get_conn = conn_of_ref, .user_data = ts };
	ts->ssl = SSL_new(server ? t->server : t->client);
	if (!ts->ssl)
		goto fail;
	SSL_set_app_data(ts->ssl, &ts->ref);
	if (ngtcp2_crypto_ossl_ctx_new(&ts->octx, ts->ssl) != 0)
		goto fail;
	if (server ? session_set_server(ts) : session_set_client(ts))
		return 0;
fail:
	quic_tls_session_fini(ts);
	return -ENOMEM;
}

void quic_tls_session_fini(struct tls_session *ts)
{
	if (!ts)
		return;
	if (ts->ssl)
		SSL_set_app_data(ts->ssl, NULL); /* SSL_free calls back */
	ngtcp2_crypto_ossl_ctx_del(ts->octx);
	SSL_free(ts->ssl);
	ts->ssl = NULL;
	ts->octx = NULL;
	ts->qc = NULL;
}

void quic_tls_session_drop(struct tls_session *ts)
{
	ngtcp2_conn *qc = ts->qc;

	if (!ts->ssl)
		return;
	ts->group = SSL_get0_group_name(ts->ssl); /* both belong to the context or to the library */
	ts->cipher = SSL_get_cipher_name(ts->ssl);
	quic_tls_session_fini(ts);
	ts->qc = qc;
}

int quic_tls_session_export(const struct tls_session *ts, const char *label, struct span context,
			    uint8_t *out, size_t len)
{
	if (!ts->ssl)
		return -ENOTCONN;
	if (SSL_export_keying_material(ts->ssl, out, len, label, strlen(label), context.data,
				       context.len, 1) != 1)
		return -EIO;
	return 0;
}

void quic_tls_session_names(const struct tls_session *ts, char *ret_group, size_t group_cap,
			    char *ret_cipher, size_t cipher_cap)
{
	const char *group = ts->ssl ? SSL_get0_group_name(ts->ssl) : ts->group;
	const char *cipher = ts->ssl ? SSL_get_cipher_name(ts->ssl) : ts->cipher;

	snprintf(ret_group, group_cap, "%s", group ? group : "");
	snprintf(ret_cipher, cipher_cap, "%s", cipher ? cipher : "");
}
