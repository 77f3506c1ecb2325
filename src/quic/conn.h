/* SPDX-License-Identifier: MIT */
/*
 * A connection: what the files of the quic layer know of it. Nothing outside src/quic includes
 * this.
 */
#ifndef MLSH_QUIC_CONN_H
#define MLSH_QUIC_CONN_H

#include <ngtcp2/ngtcp2.h>

#include "base/list.h"
#include "os/loop.h"
#include "quic/label.h"
#include "quic/tls.h"

#define CID_LEN 8	     /* of the connection IDs we choose */
#define CONN_TOKENS_MAX 16   /* stateless reset tokens remembered */
#define CONN_SLOTS 4	     /* addresses that the built-in router keeps for a connection */
#define UDP_PAYLOAD_MAX 1452 /* 1500 less IPv6 and UDP headers */

struct quic_socket;
struct source;
struct quic_stream;

/*
 * One of our connection IDs, in the socket's table. It belongs to a connection or to the rest of
 * one.
 */
struct cid {
	uint8_t bytes[CID_LEN];
	uint64_t generation;	/* of the path that it is used on; client role: unused */
	struct quic_conn *conn; /* exactly one of these two is set */
	struct closing *closing;
	struct list link;
};

/* An address of the built-in router. */
struct slot {
	path_label label;
	bool proven; /* QUIC has validated it */
	struct addr to, local;
	uint64_t used; /* ns, to find the oldest */
};

struct conn_event_flags {
	bool connected, path_changed, path_failed, closed;
};

struct quic_conn {
	struct quic_socket *s;
	ngtcp2_conn *qc; /* NULL once closed */
	struct tls_session tls;
	const struct quic_profile *profile; /* server role: NULL until the handshake is complete */
	const struct quic_conn_ops *ops;    /* NULL if there is no owner */
	void *ctx;
	struct timer *timer;
	struct list link;   /* socket: conns or dead */
	struct list dirty;  /* socket: a packet came, or may be sent */
	struct list events; /* socket: has events for its owner */
	bool server;
	bool alive; /* counted and in the tables; false once it has ended */
	/* handshake complete and, in the server role, accepted by the owner */
	bool connected;
	bool handshake_done; /* complete, not yet accepted */
	bool confirmed;
	bool drop_tls; /* the owner needs TLS no longer: freed once the handshake is confirmed */
	bool freed;    /* by its owner; reap() frees the memory */
	path_label given_label; /* by the router, while it is half-open; 0 without a label */
	bool retried;		/* client role: a Retry came */
	bool half_open;		/* counted among the half-open ones */
	bool routed;		/* the owner's router routes it, not the built-in one */

	/* endpoint */
	struct list cids;
	/* server: of the next connection ID; client: of the next migration */
	uint64_t next_generation;
	/* client's first destination CID, in the socket's table */
	uint8_t initial_key[1 + NGTCP2_MAX_CIDLEN];
	bool in_initials;
	uint8_t tokens[CONN_TOKENS_MAX][NGTCP2_STATELESS_RESET_TOKENLEN];
	bool token_used[CONN_TOKENS_MAX];
	struct source *source;

	/* path */
	path_label label;
	size_t max_udp_payload;
	struct slot slots[CONN_SLOTS];
	path_label next_label;	 /* built-in router */
	path_label proven_label; /* the last current path that was validated */
	bool migrating;		 /* client: `target` is being validated */
	struct label_path target;
	path_label failed_label;
	path_label endpoint_label; /* the label of `endpoint`; 0 if it is not known */
	struct quic_endpoint endpoint;

	/* streams */
	struct list streams;
	struct list tx_streams; /* with something to send, in turn */
	struct list event_streams;

	/* what happened */
	struct conn_event_flags pending;
	enum quic_close_reason reason;
	uint64_t close_error;
	char close_detail[128];
	bool got_reset;
	uint64_t pkt_recv; /* as last seen, to notice authenticated packets */
	uint64_t last_heard, unanswered_since;
	struct quic_conn_info last_info; /* as of the end of the connection */
};

/*
 * --- conn_new.c ---------------------------------------------------------------------------------
 */

struct accept_params {
	const ngtcp2_pkt_hd *hd;
	path_label label;
	path_label given; /* the same if the router gave it, else 0 */
	struct addr from, local;
	const ngtcp2_cid *odcid; /* NULL if no Retry was sent */
	struct source *source;
};

int conn_new_client(struct quic_socket *s, const struct quic_profile *profile,
		    const struct quic_pin *pin, path_label label, const struct addr *to,
		    struct quic_conn **ret) MUST_CHECK;
int conn_new_server(struct quic_socket *s, const struct accept_params *p, struct quic_conn **ret)
	MUST_CHECK;

/*
 * --- conn.c -------------------------------------------------------------------------------------
 */

void conn_on_timer(void *ctx);
/* Takes the connection out of every table and list and frees it. Tells nobody. */
void conn_delete(struct quic_conn *c);
/*
 * Reads one datagram of the connection. Returns 0, or -EAGAIN if the server role cannot begin with
 * it (the first Initial is missing): then the caller deletes the connection, and sends a Retry or
 * nothing.
 */
int conn_read(struct quic_conn *c, const struct udp_rx *rx, path_label label, uint64_t generation)
	MUST_CHECK;
/* Sends what may be sent now (conn_send), and ends the connection if that fails. */
void conn_flush(struct quic_conn *c);
/*
 * Ends the connection: sends `ccerr` to the other side (NULL: sends nothing). QUIC_CLOSED becomes
 * pending.
 */
void conn_end(struct quic_conn *c, enum quic_close_reason reason, uint64_t error,
	      const char *detail, const ngtcp2_ccerr *ccerr);
/* Ends the connection for its owner, with an application error. */
void conn_close(struct quic_conn *c, uint64_t app_error, const char *phrase);
/* Frees the TLS session if neither its owner nor the handshake needs it. */
void conn_drop_tls(struct quic_conn *c);
/* Notices a change of the path or its size, and sets the timer. */
void conn_settle(struct quic_conn *c);
/*
 * Server role, handshake complete: asks the owner whether it accepts. Returns false if the
 * connection has ended instead; else QUIC_CONNECTED follows.
 */
bool conn_accepted(struct quic_conn *c);
void conn_update_info(struct quic_conn *c);

/*
 * --- callbacks.c --------------------------------------------------------------------------------
 */

void callbacks_fill(ngtcp2_callbacks *ret);

/*
 * --- send.c -------------------------------------------------------------------------------------
 */

/*
 * Writes what may be written now into the socket's tx. Returns 0, or the error of ngtcp2 that ends
 * the connection.
 */
int conn_send(struct quic_conn *c) MUST_CHECK;
/*
 * Sends the packet at tx_reserve's place to the endpoint of `label`. `headroom` is the number of
 * bytes in front of the packet.
 */
void conn_put(struct quic_conn *c, path_label label, uint8_t *at, size_t headroom, size_t len,
	      uint8_t ecn);
/*
 * Returns the size of the largest packet on the current path, as of the last packet that was sent.
 */
size_t conn_payload_max(const struct quic_conn *c);
/* Returns the number of bytes to leave in front of the next packet. */
size_t conn_headroom(struct quic_conn *c);

/*
 * --- stream.c -----------------------------------------------------------------------------------
 */

struct chunk {
	struct list link;
	size_t len, cap;
	uint8_t data[];
};

struct quic_stream {
	int64_t id;
	struct quic_conn *c;
	struct list link, tx_link, event_link;

	uint8_t *rx; /* rx_len bytes from rx_at on */
	size_t rx_at, rx_len, rx_cap;
	bool rx_fin;  /* all has arrived */
	bool rx_done; /* all was consumed, or nothing will come */

	struct list chunks;	/* written and not all acknowledged: ngtcp2 points into them */
	struct chunk *tx_chunk; /* the first chunk with unsent bytes; NULL if all is sent */
	size_t tx_off;
	uint64_t tx_base; /* stream offset of the first chunk */
	/* stream offsets up to which data is acknowledged, sent, written */
	uint64_t tx_acked, tx_sent, tx_end;
	bool tx_fin, tx_fin_sent;
	bool tx_done;	 /* nothing can be written any more, and nothing is under way */
	bool tx_blocked; /* by flow control */

	bool closed;			/* ngtcp2 has forgotten it */
	bool readable, writable, reset; /* events */
	uint64_t reset_error;
};

struct quic_stream *stream_new(struct quic_conn *c, int64_t id); /* NULL without memory */
int stream_received(struct quic_stream *st, const uint8_t *data, size_t len, bool fin) MUST_CHECK;
void stream_acked(struct quic_stream *st, uint64_t upto);
void stream_given_up(struct quic_stream *st, uint64_t error); /* by the other side */
void stream_closed(struct quic_stream *st);		      /* by ngtcp2 */
void stream_unblocked(struct quic_stream *st);
/* Returns the stream whose turn it is to send, or NULL. */
struct quic_stream *stream_next_tx(struct quic_conn *c);
/* Fills in at most `max` pieces that are to be sent. Sets *ret_fin if they end the stream. */
size_t stream_tx_vec(const struct quic_stream *st, ngtcp2_vec *vec, size_t max, bool *ret_fin);
void stream_sent(struct quic_stream *st, size_t len, bool fin);
/* Delivers the events of streams to the owner. Returns early if the connection was freed. */
void stream_dispatch(struct quic_conn *c);
void streams_free(struct quic_conn *c);

#endif
