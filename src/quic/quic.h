/* SPDX-License-Identifier: MIT */
/*
 * QUIC (RFC 9000, 9001) on ngtcp2: one UDP socket with an endpoint, the connections on it in both
 * roles, their streams. TLS 1.3 with X25519MLKEM768 only, both sides authenticated, keys pinned, no
 * tickets, no 0-RTT, no DATAGRAM frames (RFC 9221). Other datagrams share the socket with QUIC
 * instead.
 *
 * Connections know paths only by label. A label stands for one way to the other side and is never
 * used again for another. ngtcp2 sees a synthetic address that is made from the label. The router
 * (struct quic_router) knows the endpoint of each label: there is a built-in router for plain
 * addresses, and the owner of a socket may bring its own, as overlay does for tunnels.
 *
 * The core (connection, stream, TLS) records events. The shell hands them to the owner from the
 * event loop, never from within a callback of a library. An owner may close and free anything from
 * its event function.
 */
#ifndef MLSH_QUIC_QUIC_H
#define MLSH_QUIC_QUIC_H

#include "base/addr.h"
#include "os/udp.h"

struct identity;
struct quic_socket;
struct quic_conn;

typedef uint64_t path_label; /* 0 is no label */

/*
 * The parameters of one protocol's connections: static const in its layer, or in quic/profiles.h.
 */
struct quic_profile {
	const char *alpn; /* exact match or a fatal no_application_protocol alert */
	/* Client role: the server's key may be of any type of TLS 1.3, not only Ed25519. */
	bool any_server_key;
	uint32_t max_remote_bidi; /* streams open at once */
	uint32_t max_remote_uni;
	uint32_t stream_window_bytes; /* most unread bytes a stream holds */
	uint32_t conn_window_bytes;
	/* most unsent or unacknowledged bytes a stream holds; quic_stream_write refuses past it */
	uint32_t stream_send_bytes;
	uint64_t handshake_timeout; /* ns */
	uint64_t idle_timeout;	    /* ns */
	uint64_t keep_alive;	    /* ns; 0 for no keep-alive */
};

/* The keys that are accepted of the other side. A pin of zeros with `any` false accepts no key. */
struct quic_pin {
	bool any;		 /* server role: the owner checks the key itself */
	bool by_cert, by_key;	 /* when both are set either one suffices */
	uint8_t cert_sha256[32]; /* of the DER certificate */
	uint8_t key_sha256[32];	 /* of its SubjectPublicKeyInfo */
};

enum quic_event_type {
	QUIC_CONNECTED,	      /* handshake complete, peer authenticated: data may be sent */
	QUIC_STREAM_READABLE, /* stream: new data or its end has arrived */
	QUIC_STREAM_WRITABLE, /* stream: all that was written is acknowledged */
	QUIC_STREAM_RESET,    /* stream: given up by the other side, `error` */
	QUIC_PATH_CHANGED,    /* the path's label, address or largest packet changed */
	QUIC_PATH_FAILED,     /* client: the migration to label `error` failed; the path stays */
	QUIC_CLOSED	      /* last event of a connection; its owner calls quic_conn_free */
};

enum quic_close_reason {
	QUIC_CLOSE_LOCAL,      /* quic_conn_close */
	QUIC_CLOSE_REMOTE_APP, /* CONNECTION_CLOSE 0x1d with `error` */
	QUIC_CLOSE_REMOTE,     /* their transport error `error` (RFC 9000 section 20.1) */
	QUIC_CLOSE_TIMEOUT,    /* idle */
	QUIC_CLOSE_HANDSHAKE_TIMEOUT,
	/* TLS alert `error`, ours or theirs: 42 our key was refused, 40 key exchange, 120 ALPN */
	QUIC_CLOSE_TLS,
	QUIC_CLOSE_PIN,	     /* we refused the other side's key */
	QUIC_CLOSE_PROTOCOL, /* the other side broke QUIC */
	QUIC_CLOSE_RESET,    /* stateless reset */
	QUIC_CLOSE_INTERNAL
};

struct quic_event {
	enum quic_event_type type;
	int64_t stream;
	enum quic_close_reason reason;
	uint64_t error;
	char detail[128]; /* the other side's reason phrase or a library's, made printable */
};

/* The functions that the owner of a connection provides. */
struct quic_conn_ops {
	void (*event)(void *ctx, struct quic_conn *c, const struct quic_event *ev);
};

#define QUIC_OVERHEAD_MAX 64
#define QUIC_PAYLOAD_MIN 1200 /* RFC 9000 section 14 */

/* Where datagrams with a label go. */
struct quic_endpoint {
	struct addr to;
	struct addr local; /* source address, or unset */
	/* bytes that `wrap` writes in front of each QUIC packet (a relay's header) */
	uint8_t overhead;
	/*
	 * The size of the largest QUIC packet, without that header; at least QUIC_PAYLOAD_MIN is
	 * used. An owner's router finds it out by itself: QUIC does no path MTU discovery then.
	 */
	size_t payload_max;
};

/*
 * Maps labels to endpoints.
 *
 * `label` returns the label of a datagram that came for connection `c` (NULL: a new connection)
 * from rx->from, or 0 to drop it. An address that is not proven yet gets the label of the current
 * path (quic_conn_label). `endpoint` fills in where datagrams with this label go, or returns false
 * to drop them. `admit` (may be NULL) is asked for each datagram of `len` bytes, and returns false
 * to drop it as if it were lost. `wrap` fills in the first endpoint.overhead bytes of `frame`, in
 * front of the QUIC packet; it is called for endpoints with overhead only. `release` (may be NULL)
 * is called once for each connection for which `label` was called with NULL: the connection has an
 * owner now, or has ended.
 *
 * All are called on the packet path, and may call nothing of quic but quic_conn_label and
 * quic_conn_ctx.
 */
struct quic_router {
	path_label (*label)(void *ctx, struct quic_conn *c, const struct udp_rx *rx);
	bool (*endpoint)(void *ctx, struct quic_conn *c, path_label label,
			 struct quic_endpoint *ret);
	bool (*admit)(void *ctx, struct quic_conn *c, size_t len);
	void (*wrap)(void *ctx, struct quic_conn *c, path_label label, uint8_t *frame, size_t len);
	void (*release)(void *ctx, path_label label);
	void *ctx;
};

struct quic_socket_config {
	const struct identity *identity; /* key and certificate; outlives the socket */
	struct udp_config udp;
	/* protocols of the server role, NULL-terminated; NULL: client role only */
	const struct quic_profile *const *serve;
	/* NULL: the built-in router (a label for each address, validated by QUIC) */
	const struct quic_router *router;
	size_t max_conns; /* 0: 16 */
	/*
	 * Half-open connections: handshakes in progress that others began. 0: 64. At the limit, the
	 * source with most of them loses one to a source with fewer.
	 */
	size_t max_half_open;
	size_t max_half_open_per_source; /* a source: IPv4 /32, IPv6 /64; 0: 8 */
	/* half-open handshakes from which on Initials get a Retry; 0: always */
	size_t retry_above;
	/* new connections a second and source, 0: 20; burst is ten times that */
	uint32_t accepts_per_s;
	/*
	 * Server role: returns true if a handshake with this key (SHA-256 of its SPKI) may go on.
	 * Must be a pure look-up. NULL allowed: any Ed25519 key may. Small-order keys and our
	 * own are always refused.
	 */
	bool (*key_allowed)(void *ctx, const struct quic_profile *profile,
			    const uint8_t key_sha256[32]);
	/*
	 * Server role: a handshake is complete. Returns the ops and ctx of the new owner, or false
	 * to refuse the connection. QUIC_CONNECTED follows; only then may the owner close or free
	 * it.
	 */
	bool (*accepted)(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx);
	/*
	 * A datagram with the QUIC fixed bit clear. NULL: such datagrams are dropped and counted.
	 */
	void (*other)(void *ctx, struct udp_rx *rx);
	/*
	 * In place of `other`, for owners that get many: the datagrams of a batch, as the runs that
	 * they came in (udp_rx.segment), in one call or several for a batch. Their bytes are valid
	 * during the call, and may be overwritten.
	 */
	void (*others)(void *ctx, struct udp_rx *runs, size_t n);
	void (*writable)(void *ctx); /* see quic_socket_room; may be NULL */
	void *ctx;
};

/*
 * Opens the UDP socket and sets up TLS. Errors as udp_open; -ENOMEM; -EINVAL for an invalid
 * identity.
 */
int quic_socket_open(struct host *h, const struct quic_socket_config *cfg, struct err *err,
		     struct quic_socket **ret) MUST_CHECK;
/*
 * Closes all connections at once (sends CONNECTION_CLOSE, delivers no event) and the socket. NULL
 * allowed.
 */
void quic_socket_close(struct quic_socket *s);
/*
 * New connections use this identity, which must outlive the socket. Open connections keep theirs.
 * -EINVAL if the identity cannot be used: then nothing changes.
 */
int quic_socket_identity_set(struct quic_socket *s, const struct identity *id, struct err *err)
	MUST_CHECK;
struct addr quic_socket_local(const struct quic_socket *s);
/*
 * Sends a datagram that is not QUIC (first byte has 0x40 clear) from the same socket, with the rest
 * of the batch when called from within `other` or an event. Lost when the socket is full.
 */
void quic_socket_send_other(struct quic_socket *s, const struct addr *to, const void *data,
			    size_t len);

/*
 * Sends many such datagrams, in runs of one size each, without a copy. What the socket does not
 * take now is lost. Returns the number of datagrams that it took.
 */
size_t quic_socket_send_runs(struct quic_socket *s, const struct udp_tx *runs, size_t n);
/* Returns the number of bytes that wait in the system to leave the machine (udp_queued). */
size_t quic_socket_queued(const struct quic_socket *s);

/*
 * The same in place: the caller writes each datagram to the place of `need` bytes that
 * quic_socket_reserve returns (NULL: the socket is full), and commits it. At the end of the batch
 * all are sent. quic_socket_room returns true if `bytes` in up to `runs` runs fit, and sends what
 * waits if that makes room. After it has returned false, cfg.writable tells when there is room
 * again.
 */
bool quic_socket_room(struct quic_socket *s, size_t bytes, size_t runs) MUST_CHECK;
uint8_t *quic_socket_reserve(struct quic_socket *s, size_t need);
void quic_socket_commit(struct quic_socket *s, size_t len, const struct quic_endpoint *to,
			uint8_t ecn);
void quic_socket_flush(struct quic_socket *s);

/*
 * Receives one QUIC packet that came inside another frame. Called from within `other` or from the
 * loop. `label` is the label of its path: the router is not asked. rx->from only matters for the
 * log.
 */
void quic_socket_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label);

/* What the kernel or the network reported about datagrams to an address: see udp_refused. */
bool quic_socket_refused(const struct quic_socket *s, const struct addr *to, uint64_t since,
			 struct udp_refusal *ret);

struct quic_socket_stats {
	uint64_t conns, half_open, accepted; /* now, now, since the start */
	uint64_t refused_limit, refused_rate, retries_sent;
	uint64_t dropped_garbage; /* not QUIC */
	uint64_t dropped_unknown; /* of unknown connections, or without a label */
	uint64_t dropped_other;	  /* fixed bit clear, and there is no `other` */
	struct udp_stats udp;
};
struct quic_socket_stats quic_socket_stats_get(const struct quic_socket *s);

/*
 * Begins a connection. If the socket has no router of its own, or `label` is 0, the built-in router
 * has the connection and `to` is its address. Else `label` is its first path and `to` means
 * nothing. Events follow, first QUIC_CONNECTED or QUIC_CLOSED. The caller owns the connection and
 * frees it with quic_conn_free, after QUIC_CLOSED or before.
 */
int quic_connect(struct quic_socket *s, const struct quic_profile *profile,
		 const struct quic_pin *pin, path_label label, const struct addr *to,
		 const struct quic_conn_ops *ops, void *ctx, struct err *err,
		 struct quic_conn **ret) MUST_CHECK;
/* Changes the owner (a pending connection becomes that of a peer). */
void quic_conn_set_owner(struct quic_conn *c, const struct quic_conn_ops *ops, void *ctx);
/*
 * Sends CONNECTION_CLOSE with an application error code and a short phrase; QUIC_CLOSED follows
 * from the loop.
 */
void quic_conn_close(struct quic_conn *c, uint64_t app_error, const char *phrase);
/*
 * Frees the connection; its owner gets no callback after this. An open connection is closed with
 * error 0 first. NULL allowed.
 */
void quic_conn_free(struct quic_conn *c);

bool quic_conn_is_server(const struct quic_conn *c);
void *quic_conn_ctx(const struct quic_conn *c);
/*
 * The SHA-256 of the other side's SubjectPublicKeyInfo, its raw Ed25519 key (zeros for another
 * type), and the SHA-256 of its DER certificate. Valid after QUIC_CONNECTED.
 */
const uint8_t *quic_conn_peer_key_sha256(const struct quic_conn *c);
const uint8_t *quic_conn_peer_ed25519(const struct quic_conn *c);
const uint8_t *quic_conn_peer_cert_sha256(const struct quic_conn *c);
/*
 * Returns the address of the other side, which a server tells a client as its observed address.
 * With the built-in router it is an address that QUIC has validated. Returns false before the
 * handshake is complete.
 */
bool quic_conn_remote_addr(const struct quic_conn *c, struct addr *ret);
/* The same with the local address that goes with it. */
bool quic_conn_remote_endpoint(const struct quic_conn *c, struct quic_endpoint *ret);
/* RFC 8446 section 7.5 exporter. Only after QUIC_CONNECTED. */
int quic_conn_export(struct quic_conn *c, const char *label, struct span context, uint8_t *out,
		     size_t len) MUST_CHECK;
/* The same as a callback for a layer that knows no connections: `conn` is a struct quic_conn. */
int quic_conn_exporter(void *conn, const char *label, struct span context, uint8_t *out, size_t len)
	MUST_CHECK;
/*
 * The owner needs the exporter no longer: frees the TLS session, half of the memory of a
 * connection, at once or when the handshake is confirmed. quic_conn_export returns -ENOTCONN then.
 */
void quic_conn_drop_tls(struct quic_conn *c);

#define QUIC_REVOKE_ID_LEN 8

/*
 * What another process needs to end this connection, after a crash of this one: a connection ID
 * that this side chose, and the addresses. It is not secret: all of it is on the wire.
 */
struct quic_revocation {
	uint8_t id[QUIC_REVOKE_ID_LEN];
	struct addr remote, local; /* local: unset if it does not matter */
};

/* Returns false before the handshake is complete, and if the connection has no ID any more. */
bool quic_conn_revocation(const struct quic_conn *c, struct quic_revocation *ret);
/*
 * Sends a stateless reset (RFC 9000 section 10.3) for a connection of an earlier socket with the
 * same identity and port. The other side gets QUIC_CLOSED with QUIC_CLOSE_RESET if it still has the
 * connection, and drops it else.
 */
void quic_socket_revoke(struct quic_socket *s, const struct quic_revocation *r);

struct quic_conn_info {
	uint64_t srtt_ns;
	uint64_t rx_packets, tx_packets, lost_packets, rx_bytes, tx_bytes;
	uint64_t
		last_heard; /* clock_now when an authenticated packet last arrived; 0 before that */
	/* clock_now of the first ack-eliciting packet sent since then; 0 if none was sent */
	uint64_t unanswered_since;
	size_t max_udp_payload;
	path_label label;
	char group[32], cipher[32];
};
void quic_conn_info_get(const struct quic_conn *c, struct quic_conn_info *ret);
/* The current path's label. */
path_label quic_conn_label(const struct quic_conn *c);
/* Client role: did the other side ask for our Initial again, with a token (a Retry)? */
bool quic_conn_was_retried(const struct quic_conn *c);

/*
 * Client role: moves to another label without losing a packet, once QUIC has validated it. With
 * `dead` it moves at once, since the old path does not work any more. QUIC_PATH_CHANGED or
 * QUIC_PATH_FAILED follows. Returns 0, also if the label is the current one or a move to it is
 * under way; a new target replaces one under way. -EAGAIN: try again after a round trip. -EINVAL:
 * server role, or closed.
 */
int quic_conn_migrate(struct quic_conn *c, path_label label, bool dead) MUST_CHECK;

/*
 * Opens a stream. -EAGAIN while the other side allows no more of them, -ENOTCONN before the
 * handshake is complete.
 */
int quic_stream_open(struct quic_conn *c, bool bidi, int64_t *ret_id) MUST_CHECK;
/*
 * Copies all of the `len` bytes or none, and ends the stream with `fin`. -ENOBUFS past
 * stream_send_bytes, -EPIPE after fin or reset.
 */
int quic_stream_write(struct quic_conn *c, int64_t id, const void *data, size_t len, bool fin)
	MUST_CHECK;
/*
 * Returns the bytes that arrived and were not consumed, in one piece, valid until the next call on
 * this stream. Sets *ret_fin if nothing will follow them.
 */
struct span quic_stream_peek(struct quic_conn *c, int64_t id, bool *ret_fin);
/*
 * Consumes n bytes, and gives them back to flow control. The stream is forgotten once its end was
 * consumed and (if bidi) our side has ended.
 */
void quic_stream_consume(struct quic_conn *c, int64_t id, size_t n);
/* Gives up both directions. */
void quic_stream_reset(struct quic_conn *c, int64_t id, uint64_t app_error);
static inline bool quic_stream_is_bidi(int64_t id)
{
	return (id & 2) == 0;
}

#endif
