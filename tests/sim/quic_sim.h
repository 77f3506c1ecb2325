/* SPDX-License-Identifier: MIT */
/*
 * Programs for simulations of the quic layer: a node with an identity and a socket, and an end of a
 * connection that sends and checks patterned streams and one stream of numbered messages, which
 * tell when they were sent: one lost packet shows as a delay of all that follow.
 */
#ifndef MLSH_TESTS_QUIC_SIM_H
#define MLSH_TESTS_QUIC_SIM_H

#include "crypto/init.h"
#include "identity/identity.h"
#include "quic/quic.h"
#include "sim.h"

#define QUIC_SIM_PORT 7000
#define QUIC_SIM_ENDS 64
#define QUIC_SIM_MESSAGE_BYTES_MAX 1500
#define QUIC_SIM_MESSAGE 'M'		    /* the first byte of each; other streams begin with 0 */
#define QUIC_SIM_MESSAGE_HEADER (1 + 4 + 8) /* and the number, and the time of sending, ns */

extern const struct quic_profile quic_sim_profile;

#define QUIC_SIM_INCOMING 64 /* streams that an end is in the middle of */

struct quic_end {
	struct quic_node *node;
	struct quic_conn *c;
	bool connected, closed;
	enum quic_close_reason reason;
	uint64_t error;
	char detail[128];
	ip4 told_addr; /* at the last change of path */
	unsigned path_changes, paths_failed, resets, writables;
	uint64_t reset_error;

	/* the stream of numbered messages: each way one, -1 before it is open */
	int64_t out, in;
	uint32_t to_send, sent, got;
	size_t size;		       /* of each message, at both ends */
	uint64_t slowest, longest_gap; /* from sending to reading; from one to the next; ns */
	uint64_t got_at;
	uint64_t tx_mark, rx_mark; /* packets at quic_pair_mark */

	/* one outgoing stream of patterned bytes, and what came in on others */
	int64_t stream;
	size_t stream_left;
	uint64_t stream_at;
	bool stream_ended;
	uint64_t rx_bytes, rx_ends;
	struct {
		int64_t id;
		uint64_t at; /* 0 if free */
	} incoming[QUIC_SIM_INCOMING];
	bool hold; /* does not consume */
	bool echo; /* answers on the same stream */
};

struct quic_node {
	struct host *h;
	struct identity *id;
	struct quic_socket *s;
	struct quic_end end[QUIC_SIM_ENDS];
	size_t n_ends;
	bool refuse;
	const uint8_t *allowed; /* SHA-256 of the only key allowed, or NULL */
	size_t others;
};

/* --- numbered messages --- */

void quic_end_messages(struct quic_end *e, uint32_t more);

/* --- events --- */

void quic_end_read(struct quic_end *e, int64_t id);

extern const struct quic_conn_ops quic_end_ops;

struct quic_end *quic_end_new(struct quic_node *n, struct quic_conn *c);

/* Sends `bytes` patterned bytes on a new stream. */
void quic_end_stream(struct quic_end *e, bool bidi, size_t bytes);

/* --- nodes --- */

struct quic_socket_config quic_node_config(struct quic_node *n);
void quic_node_open(struct quic_node *n, const struct quic_socket_config *cfg);
struct quic_pin quic_node_pin(const struct quic_node *n);
struct quic_end *quic_node_connect(struct quic_node *n, const struct quic_pin *pin, struct addr to);

/* --- a client and a server --- */

struct quic_pair {
	struct world *w;
	struct quic_node server, client;
	struct quic_end *ce, *se;
	struct addr server_addr;
};

void quic_pair_seeded(struct quic_pair *p, uint64_t seed);
void quic_pair_hosts(struct quic_pair *p);
void quic_pair_open(struct quic_pair *p);
bool quic_end_done(void *ctx);
bool quic_end_is_closed(void *ctx);

/* Hosts with their sockets, not connected; what a client pins. */
struct quic_pin quic_pair_ready(struct quic_pair *p);

/* Connects with the right pin; both ends are up afterwards. */
void quic_pair_connect(struct quic_pair *p);

void quic_pair_start(struct quic_pair *p);

/* From here on packets are counted; nothing may be under way. */
void quic_pair_mark(struct quic_pair *p);

/* Packets of `from` that `to` has not got (or could not read), when nothing is under way. */
int64_t quic_missing(const struct quic_end *from, const struct quic_end *to);

void quic_pair_stop(struct quic_pair *p);

#endif
