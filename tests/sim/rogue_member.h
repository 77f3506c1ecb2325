/* SPDX-License-Identifier: MIT */
/*
 * A member that does not play by the rules: node 1 of a fleet is a bare QUIC end with a member's
 * key, speaking whatever it likes.
 */
#ifndef MLSH_TESTS_ROGUE_MEMBER_H
#define MLSH_TESTS_ROGUE_MEMBER_H

#include "crypto/hash.h"
#include "overlay_sim.h"
#include "proto/probe.h"

/* Node 1: it has the higher address, so it waits for node 0 and is the server [P4-1]. */
struct rogue {
	struct fleet *m;
	struct host *h;
	struct quic_socket *s;
	struct quic_conn *c;
	int64_t control;
	bool connected, closed, mute, no_hello;
	unsigned accepted;
	enum quic_close_reason reason;
	uint64_t error;
	uint8_t hello[256];
	uint64_t features; /* in its hello */
	struct records *records;
	uint8_t inner[1500]; /* flags and a packet */
	struct probe_keys probe;
	uint64_t counter;      /* of its pings */
	bool own_proven;       /* what it says in its probes */
	unsigned pings, pongs; /* of node 0 */
};

size_t rogue_hello(struct rogue *r, uint8_t *out, size_t cap);

/* Seals the first `len` bytes of r->inner and sends the record, which is left in `record`. */
size_t rogue_seal(struct rogue *r, size_t len, uint8_t record[1600]);

void rogue_raw(struct rogue *r, const uint8_t *record, size_t len);
void rogue_send(struct rogue *r, size_t len);
void rogue_probe(struct rogue *r, enum probe_type type, uint64_t nonce, uint8_t flags,
		 const struct addr *seen);

extern const struct quic_conn_ops rogue_ops;

#define ROGUE_PORT 9999

/* A fleet of three of which node 1 is played by a rogue; 0 and 2 are honest and connected. */
void rogue_begin(struct rogue *r, struct fleet *m);

void rogue_introduce(struct rogue *r);
bool rogue_up(void *ctx);
bool rogue_closed(void *ctx);

/* It has a tunnel's connection and control stream, and says no hello. */
void rogue_silent(struct rogue *r, struct fleet *m);

void rogue_connect(struct rogue *r, struct fleet *m);

/* The honest pair has not noticed. */
void rogue_end(struct rogue *r);

/* Sends flags and the packet in r->inner + 1; it must be dropped for this reason alone. */
void rogue_packet(struct rogue *r, size_t len, uint8_t flags, enum overlay_drop d);

#endif
