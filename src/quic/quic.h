/* SPDX-License-Identifier: MIT */
/*
 * QUIC (RFC 9000, 9001) on ngtcp2: one UDP socket with an endpoint, the connections on it in both
 * roles, their streams. TLS 1.3 with X25519MLKEM768 only, both sides authenticated, keys pinned, no
 * tickets, no 0-RTT, no DATAGRAM frames (RFC 9221): what is not QUIC shares the socket instead.
 *
 * Connections know paths only by label. A label stands for one route to the other side and is never
 * used again for another; ngtcp2 is shown a synthetic address made from it. Which label is which
 * route is the router's business (struct quic_router): a built-in one for everybody who only ever
 * has plain addresses, overlay's own for tunnels.
 *
 * The core (connection, stream, TLS) records events; this shell hands them to the owner from the
 * event loop, never from within a library callback. An owner may close and free anything from its
 * event function.
 */
#ifndef MLSH_QUIC_QUIC_H
#define MLSH_QUIC_QUIC_H

#include "base/addr.h"
#include "os/udp.h"

struct identity;
struct quic_socket;
struct quic_conn;

typedef uint64_t path_label; /* 0 is no label */

/* Connections of one protocol: static const in the layer that speaks it (or quic/profiles.h). */
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
	uint64_t keep_alive;	    /* ns; 0: none */
};

/* What the other side must be. All zero and `any` false accepts nobody. */
struct quic_pin {
	bool any;		 /* server role before the owner's own check */
	bool by_cert, by_key;	 /* when both are set either one suffices */
	uint8_t cert_sha256[32]; /* of the DER certificate */
	uint8_t key_sha256[32];	 /* of its SubjectPublicKeyInfo */
};

enum quic_event_type {
	QUIC_CONNECTED,	      /* handshake complete, other side authenticated: data may be sent */
	QUIC_STREAM_READABLE, /* stream: new data or its end is there */
	QUIC_STREAM_WRITABLE, /* stream: all that was written is acknowledged */
	QUIC_STREAM_RESET,    /* stream: given up by the other side, `error` */
	QUIC_PATH_CHANGED,    /* the path's label, address or largest packet changed */
	QUIC_PATH_FAILED,     /* client: migration to label `error` given up; the path stays */
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

/* What the owner of a connection provides. */
struct quic_conn_ops {
	void (*event)(void *ctx, struct quic_conn *c, const struct quic_event *ev);
};

#define QUIC_OVERHEAD_MAX 64
#define QUIC_PAYLOAD_MIN 1200 /* RFC 9000 section 14 */

/* Where datagrams with a label go. */
struct quic_route {
	struct addr to;
	struct addr local; /* source address, or unset */
	/* bytes that `wrap` writes in front of each QUIC packet (a relay's header) */
	uint8_t overhead;
	/*
	 * Largest QUIC packet, without that header; less than QUIC_PAYLOAD_MIN: that. An owner's
	 * router finds it out by itself: QUIC then does no path MTU discovery of its own.
	 */
	size_t payload_max;
};

/*
 * Maps labels to routes. `label`: the label of a datagram that came for connection `c` (NULL: a new
 * connection) from rx->from; 0 drops it. An address that is not proven yet gets the label of the
 * current path (quic_conn_label). `route`: where datagrams with this label go; false drops them.
 * `admit` (may be NULL): asked for each datagram of `len` bytes; false drops it, as if it were
 * lost.
 * `wrap`: fills in the first route.overhead bytes of `frame`, behind which the QUIC packet lies;
 * only called for such routes. `release` (may be NULL): a connection that `label` was asked for
 * with NULL has an owner now, or is no more: once for each. Called on the packet path: they may
 * call nothing of quic but quic_conn_label.
 */
struct quic_router {
	path_label (*label)(void *ctx, struct quic_conn *c, const struct udp_rx *rx);
	bool (*route)(void *ctx, struct quic_conn *c, path_label label, struct quic_route *ret);
	bool (*admit)(void *ctx, struct quic_conn *c, size_t len);
	void (*wrap)(void *ctx, struct quic_conn *c, path_label label, uint8_t *frame, size_t len);
	void (*release)(void *ctx, path_label label);
	void *ctx;
};

struct quic_socket_config {
	const struct identity *identity; /* key and certificate; outlives the socket */
	struct udp_config udp;
	/* protocols accepted from others, NULL-terminated; NULL: none */
	const struct quic_profile *const *serve;
	/* NULL: the built-in one (a label for each address, validated by QUIC) */
	const struct quic_router *router;
	size_t max_conns; /* 0: 16 */
	/*
	 * handshakes in progress that others began; 0: 64. A source that has fewer of them than
	 * another one gets a place of that one's.
	 */
	size_t max_half_open;
	size_t max_half_open_per_source; /* a source: IPv4 /32, IPv6 /64; 0: 8 */
	/* half-open handshakes from which on Initials get a Retry; 0: always */
	size_t retry_above;
	/* new connections a second and source, 0: 20; burst is ten times that */
	uint32_t accepts_per_s;
	/*
	 * A pure look-up: is this key (SHA-256 of its SPKI) worth a handshake in the server role?
	 * NULL: any Ed25519 key. Small-order and own keys never are.
	 */
	bool (*key_allowed)(void *ctx, const struct quic_profile *profile,
			    const uint8_t key_sha256[32]);
	/*
	 * A handshake of the server role began and ended well: returns the ops and ctx of the new
	 * owner, false refuses. QUIC_CONNECTED follows; only then may the owner close or free it.
	 */
	bool (*accepted)(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			 const struct quic_conn_ops **ret_ops, void **ret_ctx);
	/*
	 * A datagram with the QUIC fixed bit clear (probe or relay frame). NULL: dropped and
	 * counted.
	 */
	void (*other)(void *ctx, struct udp_rx *rx);
	/*
	 * In place of `other`, for who handles many: those of a batch, as the runs that they came
	 * in (udp_rx.segment), once for the batch or more often. Their bytes may be overwritten,
	 * and are valid during the call.
	 */
	void (*others)(void *ctx, struct udp_rx *runs, size_t n);
	void (*writable)(void *ctx); /* see quic_socket_room; may be NULL */
	void *ctx;
};

/*
 * Opens the UDP socket and starts. Calls RAND and TLS set-up; errors as udp_open, -ENOMEM, -EINVAL
 * for a bad identity.
 */
int quic_socket_open(struct host *h, const struct quic_socket_config *cfg, struct err *err,
		     struct quic_socket **ret) MUST_CHECK;
/*
 * Closes all connections at once (CONNECTION_CLOSE sent, no event delivered) and the socket. NULL
 * allowed.
 */
void quic_socket_close(struct quic_socket *s);
/*
 * New connections use this identity, which must outlive the socket; those that are up keep theirs.
 * -EINVAL if it cannot be used: nothing changes.
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
 * The same for many, in runs of one size each, without copying them. What the socket does not take
 * now is lost. Returns how many of the datagrams were handed over.
 */
size_t quic_socket_send_runs(struct quic_socket *s, const struct udp_tx *runs, size_t n);
/* Bytes that wait in the system to leave the machine (udp_queued). */
size_t quic_socket_queued(const struct quic_socket *s);

/*
 * The same in place, for who makes many of them: each datagram is written to the place of `need`
 * bytes that quic_socket_reserve returns (NULL: the socket is full), and committed; at the end of
 * the batch all are sent. quic_socket_room says beforehand whether `bytes` in up to `runs` runs
 * fit, and sends what waits when that makes room; when false, cfg.writable tells the end of that.
 */
bool quic_socket_room(struct quic_socket *s, size_t bytes, size_t runs) MUST_CHECK;
uint8_t *quic_socket_reserve(struct quic_socket *s, size_t need);
void quic_socket_commit(struct quic_socket *s, size_t len, const struct quic_route *to,
			uint8_t ecn);
void quic_socket_flush(struct quic_socket *s);

/*
 * Hands in one QUIC packet that came inside a frame (a relay's), from within `other` or from the
 * loop: `label` is its path's, the router is not asked. rx->from only matters for the log.
 */
void quic_socket_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label);

/* What the kernel or the network said of datagrams to an address: see udp_refused. */
bool quic_socket_refused(const struct quic_socket *s, const struct addr *to, uint64_t since,
			 struct udp_refusal *ret);

struct quic_socket_stats {
	uint64_t conns, half_open, accepted; /* now, now, ever */
	uint64_t refused_limit, refused_rate, retries_sent;
	uint64_t dropped_garbage; /* not QUIC */
	uint64_t dropped_unknown; /* of no connection, or without a label */
	uint64_t dropped_other;	  /* fixed bit clear and nobody wants it */
	struct udp_stats udp;
};
struct quic_socket_stats quic_socket_stats_get(const struct quic_socket *s);

/*
 * Begins a connection. Without an own router, or with `label` 0, the built-in one has it and `to`
 * is where it goes; else `label` is its first path and `to` means nothing. Events follow, the first
 * of them QUIC_CONNECTED or QUIC_CLOSED. The connection belongs to the caller, who frees it with
 * quic_conn_free, after QUIC_CLOSED or before.
 */
int quic_connect(struct quic_socket *s, const struct quic_profile *profile,
		 const struct quic_pin *pin, path_label label, const struct addr *to,
		 const struct quic_conn_ops *ops, void *ctx, struct err *err,
		 struct quic_conn **ret) MUST_CHECK;
/* Changes the owner (a stranger's connection becomes a peer's). */
void quic_conn_set_owner(struct quic_conn *c, const struct quic_conn_ops *ops, void *ctx);
/*
 * Sends CONNECTION_CLOSE with an application error code and a short phrase; QUIC_CLOSED follows
 * from the loop.
 */
void quic_conn_close(struct quic_conn *c, uint64_t app_error, const char *phrase);
/*
 * Takes the connection away from its owner: no callback after this. An open one is closed with
 * error 0 first. NULL allowed.
 */
void quic_conn_free(struct quic_conn *c);

bool quic_conn_is_server(const struct quic_conn *c);
void *quic_conn_ctx(const struct quic_conn *c);
/*
 * SHA-256 of the other side's SubjectPublicKeyInfo, its raw Ed25519 key (zeros if of another type),
 * and of its DER certificate. Only after QUIC_CONNECTED.
 */
const uint8_t *quic_conn_peer_key_sha256(const struct quic_conn *c);
const uint8_t *quic_conn_peer_ed25519(const struct quic_conn *c);
const uint8_t *quic_conn_peer_cert_sha256(const struct quic_conn *c);
/*
 * Where the other side is: what a server tells a client as its observed address. With the built-in
 * router only an address that QUIC has validated. False before the handshake is complete.
 */
bool quic_conn_remote_addr(const struct quic_conn *c, struct addr *ret);
/* The same with the local address that goes with it. */
bool quic_conn_remote_route(const struct quic_conn *c, struct quic_route *ret);
/* RFC 8446 section 7.5 exporter. Only after QUIC_CONNECTED. */
int quic_conn_export(struct quic_conn *c, const char *label, struct span context, uint8_t *out,
		     size_t len) MUST_CHECK;
/* The same for a lower layer that knows no connections: `conn` is a struct quic_conn. */
int quic_conn_exporter(void *conn, const char *label, struct span context, uint8_t *out, size_t len)
	MUST_CHECK;
/*
 * All that was wanted has been exported: the TLS session is freed, at once or when the handshake is
 * confirmed, which is half of a connection's memory. quic_conn_export then says -ENOTCONN.
 */
void quic_conn_drop_tls(struct quic_conn *c);

#define QUIC_REVOKE_ID_LEN 8

/*
 * What it takes to end this connection in another process, after a crash of this one: one of the
 * connection IDs that this side chose, and the addresses. No secret: all of it is on the wire.
 */
struct quic_revocation {
	uint8_t id[QUIC_REVOKE_ID_LEN];
	struct addr remote, local; /* local: unset if it does not matter */
};

/* False before the handshake is complete, or when the connection has no ID any more. */
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
	uint64_t last_heard; /* clock_now when an authenticated packet last arrived; 0: never */
	/* clock_now of the first ack-eliciting packet sent since then; 0: none */
	uint64_t unanswered_since;
	size_t max_udp_payload;
	path_label label;
	char group[32], cipher[32];
};
void quic_conn_info_get(const struct quic_conn *c, struct quic_conn_info *ret);
/* The current path's label. */
path_label quic_conn_label(const struct quic_conn *c);

/*
 * Client role: moves to another label, without losing a packet, once QUIC has validated it; `dead`:
 * at once, since the old path is not to be used any more. QUIC_PATH_CHANGED follows, or
 * QUIC_PATH_FAILED. 0 also when it is the current one or under way; a new target replaces one under
 * way. -EAGAIN: again after a round trip; -EINVAL: server role or closed.
 */
int quic_conn_migrate(struct quic_conn *c, path_label label, bool dead) MUST_CHECK;

/*
 * Opens a stream. -EAGAIN while the other side allows no more, -ENOTCONN before the handshake is
 * done.
 */
int quic_stream_open(struct quic_conn *c, bool bidi, int64_t *ret_id) MUST_CHECK;
/*
 * All or nothing: copies `len` bytes, and ends the stream with `fin`. -ENOBUFS past
 * stream_send_bytes, -EPIPE after fin or reset.
 */
int quic_stream_write(struct quic_conn *c, int64_t id, const void *data, size_t len, bool fin)
	MUST_CHECK;
/*
 * What has arrived and not been consumed, in one piece, valid until the next call on this stream;
 * *ret_fin when it is all there is.
 */
struct span quic_stream_peek(struct quic_conn *c, int64_t id, bool *ret_fin);
/*
 * Gives n bytes of it back to flow control. After the end was consumed and (if bidi) our side
 * ended, the stream is forgotten.
 */
void quic_stream_consume(struct quic_conn *c, int64_t id, size_t n);
/* Gives up both directions. */
void quic_stream_reset(struct quic_conn *c, int64_t id, uint64_t app_error);
static inline bool quic_stream_is_bidi(int64_t id)
{
	return (id & 2) == 0;
}

#endif
