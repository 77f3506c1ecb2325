/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The relay (docs/protocol/06-paths.md, "Relay"): channels between the sessions of a cluster, and
 * the frames that travel on them. It sees ciphertext, keeps nothing of it, and sends one datagram
 * for one, only to addresses that QUIC has validated.
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
	uint64_t opened;   /* channels, ever */
	uint64_t channels; /* now */
	uint64_t forwarded, forwarded_bytes;
	uint64_t dropped_malformed; /* no relay frame */
	uint64_t dropped_unknown;   /* of no channel */
	uint64_t dropped_source;    /* not from the address of the session */
	uint64_t dropped_mac, dropped_replay;
	uint64_t dropped_node_rate, dropped_cluster_rate;
	uint64_t dropped_share; /* more than a fair share of what the server can carry */
	uint64_t dropped_full;	/* our socket was full, or the receiver has no path */
};

/* Rates in bytes per second; 0: as much as the server can carry. NULL: no memory. */
struct relay *relay_new(const uint8_t map_seed[16], uint64_t node_rate, uint64_t cluster_rate);
void relay_free(struct relay *r); /* with all channels, telling nobody; NULL allowed */

/* A session begins: its byte rate starts full. */
void relay_begin(struct relay *r, struct caller *c);
/*
 * The channel between two sessions of one cluster, made if there is none: the end of `c`. The other
 * side hears of it by an event. -ENOSPC with a refusal in `err`.
 */
int relay_open(struct relay *r, struct caller *c, struct caller *other, struct relay_end *ret,
	       struct err *err) MUST_CHECK;
/* Tells c of its channels: from now on it hears of them by events. */
void relay_tell_all(struct caller *c);
/* The session ends, and its channels with it; the other sides are told. */
void relay_close_all(struct relay *r, struct caller *c);

/* Datagrams that are not QUIC, in runs; they are rewritten in place. */
void relay_forward(struct relay *r, struct quic_socket *socket, struct udp_rx *runs, size_t n,
		   uint64_t now);

struct relay_stats relay_stats_get(const struct relay *r);
/* A line of what was done since the last one, once in a while. */
void relay_report(struct relay *r, struct log *log, uint64_t now);

#endif
