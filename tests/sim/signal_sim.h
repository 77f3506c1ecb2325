/* SPDX-License-Identifier: MIT */
/*
 * A signaling server on a simulated host, its database a real file, and a raw client: it says what
 * a test tells it to say, in any order, and keeps what it hears.
 */
#ifndef MLSH_TESTS_SIGNAL_SIM_H
#define MLSH_TESTS_SIGNAL_SIM_H

#include <sys/stat.h>
#include <unistd.h>

#include "crypto/init.h"
#include "identity/identity.h"
#include "membership/mlog.h"
#include "proto/signal.h"
#include "quic/profiles.h"
#include "signal/server.h"
#include "sim.h"

#define SIGNAL_SIM_IP IP(192, 0, 2, 1)
#define RAW_PEERS 600 /* whose presence a client keeps */
#define RAW_FRAME (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)

/* --- the server --- */

struct sig {
	struct world *w;
	struct host *h;
	struct signal_server *s;
	struct signal_config cfg;
	char dir[64];
	char code[BOOTSTRAP_CODE_TEXT_MAX]; /* of the first token */
	uint8_t cert[HASH_LEN];
	uint8_t order_key[KEY_LEN]; /* as the last setup_offer named it */
	uint64_t ids;		    /* of clients, for their addresses */
	struct addr at;		    /* where clients find it */
};

void sig_open(struct sig *g);
void sig_init(struct sig *g, const char *subnet);

/* Another server in the same world. Clients are counted by the first one. */
void sig_beside(struct sig *g, const struct sig *first, const char *name, ip4 ip,
		const char *subnet);

void sig_start(struct sig *g);

/* As kill -9 does, on the network; what lies in the file is what a new start finds. */
void sig_crash(struct sig *g);

void sig_boot(struct sig *g);
void sig_copy(const char *from, const char *to);

/* Copies the database, the server being stopped, to (or back from) a backup. */
void sig_backup(struct sig *g, bool restore);

/* All but the world. */
void sig_remove(struct sig *g);

void sig_stop(struct sig *g);
struct signal_server_stats sig_stats(const struct sig *g);

/* --- the client --- */

struct raw_peer {
	uint8_t id[NODE_ID_LEN];
	bool online;
	struct wire_candidates candidates;
	unsigned told; /* how often */
};

struct raw {
	struct sig *g;
	struct host *h;
	struct identity *id;
	struct quic_socket *socket;
	bool shared; /* identity and socket are another's */
	struct quic_conn *c;
	bool connected, closed;
	enum quic_close_reason reason;
	uint64_t error;

	/* what it knows of its cluster */
	uint8_t cluster_id[HASH_LEN];
	uint8_t token[HASH_LEN];
	uint8_t code[SIGN_SEED_LEN]; /* a founder's recovery key */
	struct mlog *log;
	ip4 address;

	/* the reply that is waited for */
	int64_t stream;
	bool answered, reset;
	size_t reply_len;
	uint8_t reply[RAW_FRAME];

	/* events */
	uint8_t buffer[2 * RAW_FRAME];
	size_t buffered;
	struct raw_peer peer[RAW_PEERS];
	size_t n_peers;
	uint64_t cursor;
	uint8_t epoch[EPOCH_LEN];
	bool hold; /* fetches no events */
	unsigned presence_events, presence_items, resets, log_events, log_entries, shutdowns,
		observed_events;
	uint64_t log_first; /* of the last log event */
	bool log_gap;
	struct addr observed;
	unsigned relay_events, relay_closed_events, removal_events, beacon_events;
	struct signal_event relay, relay_closed; /* the last ones */

	/* datagrams on its socket that are not QUIC */
	unsigned frames;
	size_t frame_bytes, frame_len;
	uint8_t rate_word[RELAY_RATE_LEN]; /* the last one of the relay, and how many came */
	unsigned rate_words;
	struct addr frame_from;
	uint8_t frame[2048]; /* the last one */
	void (*on_frame)(struct raw *r);
};

struct raw_peer *raw_peer(struct raw *r, const struct node_id *id);
bool raw_sees(struct raw *r, const struct raw *other);

/* What the server shows is true, or begins behind what we have. */
void raw_take(struct raw *r, const struct wire_entries *records);

extern const struct quic_conn_ops raw_ops;

/* A machine with an identity and a socket. */
struct raw *raw_new(struct sig *g);

/* Another node on the same host: the server sees both under one address. */
struct raw *raw_beside(struct raw *of, uint16_t port);

void raw_hang_up(struct raw *r);
void raw_free(struct raw *r);

/* The same node a second time, with a connection of its own. To be freed before the first. */
struct raw *raw_clone(const struct raw *of);

bool raw_is_answered(void *ctx);

/* A new connection in place of the one there may be. True when it is up. */
bool raw_try_connect(struct raw *r);

void raw_connect(struct raw *r);

/* Sends bytes on a stream of their own. */
void raw_send_bytes(struct raw *r, const void *data, size_t len, bool fin);

void raw_send(struct raw *r, const struct signal_request *rq);

/* The reply to the last request; its views last until the next one. */
enum refusal raw_reply(struct raw *r, enum signal_request_type to, struct signal_reply *reply);

enum refusal raw_ask(struct raw *r, const struct signal_request *rq, struct signal_reply *reply);

/* The request is answered by closing the connection with this code. */
void raw_await_close(struct raw *r, enum signal_close why);

#endif
