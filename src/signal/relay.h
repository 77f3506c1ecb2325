/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The relay (docs/protocol/06-paths.md, "Relay"): channels between the sessions of a cluster, and
 * the frames that travel on them. The relay sees ciphertext and keeps nothing of it. It sends one
 * datagram for one, to addresses that QUIC has validated only.
 */
#ifndef MLSH_SIGNAL_RELAY_H
#define MLSH_SIGNAL_RELAY_H

#include "os/udp.h"
#include "proto/signal.h"

struct caller;
struct quic_socket;
struct signal_server;
struct relay;

struct relay_stats {
	uint64_t opened;   /* channels, since the start */
	uint64_t channels; /* now */
	uint64_t forwarded, forwarded_bytes;
	uint64_t dropped_malformed; /* not a relay frame */
	uint64_t dropped_unknown;   /* of an unknown channel */
	uint64_t dropped_source;    /* not from the address of the session */
	uint64_t dropped_mac, dropped_replay;
	uint64_t dropped_node_rate, dropped_cluster_rate;
	uint64_t dropped_share; /* more than a fair share of what the server can carry */
	uint64_t dropped_full;	/* our socket was full, or the receiver has no path */
};

/*
 * Rates in bytes per second; 0: as much as the server can carry. Returns NULL if there is no
 * memory.
 */
struct relay *relay_new(const uint8_t map_seed[16], uint64_t node_rate, uint64_t cluster_rate);
void relay_free(struct relay *r); /* frees all channels and tells nobody; NULL allowed */

/* A session begins: its byte rate starts full. */
void relay_begin(struct relay *r, struct caller *c);
/*
 * Finds or makes the channel between two sessions of one cluster, and returns the end of `c`. An
 * event tells the other side. -ENOSPC with a refusal in `err`.
 */
int relay_open(struct relay *r, struct caller *c, struct caller *other, struct relay_end *ret,
	       struct err *err) MUST_CHECK;
/* Tells `c` of its channels by events, now and from now on. */
void relay_tell_all(struct caller *c);
/* The session ends: closes its channels and tells the other sides. */
void relay_close_all(struct relay *r, struct caller *c);

/* Forwards datagrams that are not QUIC, in runs, which it rewrites in place. */
void relay_forward(struct relay *r, struct quic_socket *socket, struct udp_rx *runs, size_t n,
		   uint64_t now);

struct relay_stats relay_stats_get(const struct relay *r);
/* Logs what was done since the last such line, once in a while. */
void relay_report(struct relay *r, struct log *log, uint64_t now);

#endif
