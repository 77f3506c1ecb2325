/* SPDX-License-Identifier: MIT */
/*
 * Outgoing datagrams, written one after another into one buffer. Datagrams of one size to one place
 * become one send (GSO). What the socket does not take stays until it is writable.
 */
#ifndef MLSH_QUIC_TX_H
#define MLSH_QUIC_TX_H

#include "os/udp.h"

struct tx {
	struct udp *udp;
	uint8_t *buf;
	size_t used;
	struct udp_tx run[UDP_BATCH_MAX];
	size_t n_runs;
	size_t n_gone;	  /* of them, handed over before the socket was full */
	bool run_open;	  /* the last run may still grow */
	bool blocked;	  /* the socket is full: nothing may be added */
	uint64_t dropped; /* did not fit while blocked */
};

int tx_init(struct tx *tx, struct udp *udp) MUST_CHECK; /* -ENOMEM */
void tx_fini(struct tx *tx);				/* does not close the socket */
/*
 * Returns the place for the next datagram, of at least `need` bytes, or NULL while the socket is
 * full. Sends what has been gathered if there is no room.
 */
uint8_t *tx_reserve(struct tx *tx, size_t need);
/*
 * Returns true if `bytes` more in up to `runs` runs fit. Sends what has been gathered if that makes
 * room.
 */
bool tx_room(struct tx *tx, size_t bytes, size_t runs);
/* The first `len` bytes at tx_reserve's place are a datagram. */
void tx_commit(struct tx *tx, size_t len, const struct addr *to, const struct addr *local,
	       uint8_t ecn);
/* Sends all that has been gathered. */
void tx_flush(struct tx *tx);
/* Gathers one small datagram with the others, or drops it while the socket is full. */
void tx_send(struct tx *tx, const void *data, size_t len, const struct addr *to,
	     const struct addr *local);

#endif
