/* SPDX-License-Identifier: MIT */
/* A socket: what the files of the quic layer know of it. Nothing outside src/quic includes this. */
#ifndef MLSH_QUIC_SOCKET_H
#define MLSH_QUIC_SOCKET_H

#include "base/bucket.h"
#include "base/map.h"
#include "quic/conn.h"
#include "quic/tx.h"

#define QUIC_FIXED_BIT 0x40 /* of the first byte of a QUIC packet; other datagrams have it clear */
#define RESET_BYTES_MIN 21  /* RFC 9000 section 10.3: anything shorter is no stateless reset */

struct quic_socket {
	struct host *h;
	struct quic_socket_config cfg;
	struct udp *udp;
	struct tls *tls;
	struct tx tx;
	struct deferred *work;
	struct list conns; /* of quic_conn.link */
	struct list dead;  /* freed by their owners */
	struct list dirty, events;
	size_t n_conns; /* that are established, or that we began */
	size_t n_half_open;
	bool busy;   /* an owner's callback may be running */
	bool closed; /* quic_socket_close was called while busy */

	/* endpoint */
	struct map *cids; /* CID_LEN -> struct cid */
	/* length and bytes of a client's first destination CID -> quic_conn */
	struct map *initials;
	struct map *tokens;	/* stateless reset token of the other side -> quic_conn */
	struct map *sources;	/* prefix -> struct source */
	struct list source_age; /* oldest use first */
	struct list closings;	/* oldest first */
	size_t n_closings;
	struct bucket replies; /* stateless packets a second */
	uint8_t retry_secret[32], reset_secret[32];
	struct quic_socket_stats stats;
	struct log_limit room_lines;
};

/*
 * --- marks.c ------------------------------------------------------------------------------------
 */

/* Sends and settles the connection before the loop sleeps, after the owners' events. */
void conn_mark_dirty(struct quic_conn *c);
void conn_mark_event(struct quic_conn *c);
/* The next turn of work frees it. Its owner gets no callback any more. */
void conn_bury(struct quic_conn *c);

/*
 * --- demux.c ------------------------------------------------------------------------------------
 */

/* Receives one datagram. `label` 0: the router is asked. */
void demux_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label);

/*
 * --- accept.c -----------------------------------------------------------------------------------
 */

/* Receives a long-header packet of no connection. */
void accept_packet(struct quic_socket *s, const struct udp_rx *rx, path_label label);
/* Answers of a server without state. All are limited in rate, and none is larger than its cause. */
void accept_send_versions(struct quic_socket *s, const struct udp_rx *rx,
			  const ngtcp2_version_cid *vc);
void accept_send_reset(struct quic_socket *s, const struct udp_rx *rx);

/*
 * --- cid.c --------------------------------------------------------------------------------------
 */

/* Makes a new connection ID of ours. -ENOMEM, -ENOSPC. */
int cid_new(struct quic_conn *c, uint64_t generation, ngtcp2_cid *ret) MUST_CHECK;
struct cid *cid_find(const struct quic_socket *s, const uint8_t bytes[CID_LEN]);
void cid_remove(struct quic_socket *s, const uint8_t bytes[CID_LEN]);
void cids_free(struct quic_socket *s, struct list *cids);
void cid_reset_token(const struct quic_socket *s, const ngtcp2_cid *cid,
		     uint8_t out[NGTCP2_STATELESS_RESET_TOKENLEN]);
/* The other side's stateless reset tokens. */
void token_add(struct quic_conn *c, const uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN]);
void token_remove(struct quic_conn *c, const uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN]);
void tokens_free(struct quic_conn *c);
void initial_key(const uint8_t *cid, size_t len, uint8_t out[1 + NGTCP2_MAX_CIDLEN]);

/*
 * --- closing.c ----------------------------------------------------------------------------------
 */

/*
 * The rest of a closed connection, for a moment: its connection IDs, so that late packets are not
 * taken for those of unknown connections, and the CONNECTION_CLOSE that answers them.
 */
struct closing {
	struct list link, cids;
	uint64_t until;
	uint64_t hits;
	struct quic_endpoint endpoint;
	size_t len; /* 0: late packets get no answer */
	uint8_t packet[];
};

/* Takes over the connection's ids. `packet` may be NULL. */
void closing_add(struct quic_conn *c, const void *packet, size_t len,
		 const struct quic_endpoint *endpoint, uint64_t until);
void closing_hit(struct quic_socket *s, struct closing *cl, size_t len);
void closing_expire(struct quic_socket *s, uint64_t now);
void closings_free(struct quic_socket *s);

/*
 * --- source.c -----------------------------------------------------------------------------------
 */

/* Where handshakes come from: an IPv4 address, an IPv6 /64, or a label. */
struct source {
	uint8_t key[17];
	struct list age;
	size_t half_open;
	struct bucket accepts;
};

struct source *source_get(struct quic_socket *s, const struct udp_rx *rx, path_label label,
			  uint64_t now);
bool source_is_label(const struct source *src);
void sources_free(struct quic_socket *s);

/*
 * --- router.c -----------------------------------------------------------------------------------
 */

/* Asks the built-in router, or the owner's. */
path_label router_label(struct quic_socket *s, struct quic_conn *c, const struct udp_rx *rx);
/* Releases the label that the router gave to a new connection. 0: does nothing. */
void router_release(struct quic_socket *s, path_label label);
bool router_endpoint(struct quic_socket *s, struct quic_conn *c, path_label label,
		     struct quic_endpoint *ret);
/* QUIC has validated the path of this label. */
void router_proven(struct quic_conn *c, path_label label);
/* The label is the current path now. A path that was validated before is not validated again. */
void router_current(struct quic_conn *c, path_label label);
/* The first address of a connection; returns its label. */
path_label router_first(struct quic_conn *c, const struct addr *to, const struct addr *local);

#endif
