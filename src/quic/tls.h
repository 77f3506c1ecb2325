/* SPDX-License-Identifier: MIT */
/*
 * TLS of QUIC: the contexts of a socket, the sessions of its connections, and the verdict on the
 * other side's key. Only this part of quic calls OpenSSL.
 */
#ifndef MLSH_QUIC_TLS_H
#define MLSH_QUIC_TLS_H

#include <ngtcp2/ngtcp2_crypto.h>

#include "identity/identity.h"
#include "quic/quic.h"

struct ssl_st;
struct ssl_ctx_st;
struct ngtcp2_crypto_ossl_ctx;
struct tls;

struct tls_peer {
	uint8_t key_sha256[HASH_LEN];
	uint8_t ed25519[KEY_LEN]; /* zeros for another type */
	uint8_t cert_sha256[HASH_LEN];
};

/* The TLS of one connection. Part of struct quic_conn. */
struct tls_session {
	const struct tls *tls;
	struct ssl_st *ssl;
	struct ngtcp2_crypto_ossl_ctx *octx;
	ngtcp2_crypto_conn_ref ref;
	ngtcp2_conn *qc;		    /* set by the connection once there is one */
	const struct quic_profile *profile; /* server: once ALPN has chosen */
	struct quic_pin pin;
	bool server;
	bool refused;		    /* we refused the key of the other side */
	struct tls_peer peer;	    /* valid once the handshake is complete */
	const char *group, *cipher; /* their names, once `ssl` was dropped */
};

struct tls_config {
	const struct identity *identity;
	const struct quic_profile *const *serve; /* NULL-terminated; NULL: client role only */
	bool (*key_allowed)(void *ctx, const struct quic_profile *profile,
			    const uint8_t key_sha256[32]);
	void *ctx;
};

/* -EINVAL for an identity that cannot be used, -ENOMEM. */
int quic_tls_new(const struct tls_config *cfg, struct err *err, struct tls **ret) MUST_CHECK;
/* New connections use this identity, which must outlive `t`. Other connections keep theirs. */
int quic_tls_identity_set(struct tls *t, const struct identity *id, struct err *err) MUST_CHECK;
void quic_tls_free(struct tls *t); /* NULL allowed */
/*
 * Derives a secret that a restarted program on the same port derives again (random for keys without
 * a raw form). Two sockets with one identity must not share a secret: one would answer for the
 * connections of the other (RFC 9000 section 21.11).
 */
void quic_tls_derive_secret(const struct tls *t, struct host *h, const char *purpose, uint16_t port,
			    uint8_t out[32]);
/* Returns the context of one role, or NULL. For tests that break the rules. */
struct ssl_ctx_st *quic_tls_context(const struct tls *t, bool server);

/* `profile` and `pin` are NULL in the server role. -ENOMEM. */
int quic_tls_session_init(struct tls_session *ts, const struct tls *t, bool server,
			  const struct quic_profile *profile, const struct quic_pin *pin)
	MUST_CHECK;
/* After ngtcp2_conn_del. NULL and zeroed allowed. */
void quic_tls_session_fini(struct tls_session *ts);
/*
 * Frees what only the handshake and the exporter need; what was learnt of the other side stays. To
 * be called once the handshake is confirmed: from then on none of it is sent or read again.
 */
void quic_tls_session_drop(struct tls_session *ts);
/* -ENOTCONN after a drop. */
int quic_tls_session_export(const struct tls_session *ts, const char *label, struct span context,
			    uint8_t *out, size_t len) MUST_CHECK;
void quic_tls_session_names(const struct tls_session *ts, char *ret_group, size_t group_cap,
			    char *ret_cipher, size_t cipher_cap);

#endif
