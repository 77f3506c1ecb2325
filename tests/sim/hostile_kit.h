/* SPDX-License-Identifier: MIT */
/*
 * A signal server that lies, babbles, floods or falls silent as it is told to, and a node to suffer
 * from it.
 */
#ifndef MLSH_TESTS_HOSTILE_KIT_H
#define MLSH_TESTS_HOSTILE_KIT_H

#include "client_session_kit.h"
#include "identity/identity.h"
#include "quic/profiles.h"

#define MESSAGE_CAP (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)
#define REQUESTS 12

/* How it misbehaves, in the request `at` if that is not 0. */
enum evil_how {
	EVIL_NOT,
	EVIL_SILENT,	  /* no reply at all */
	EVIL_GARBAGE,	  /* bytes that are no CBOR */
	EVIL_EMPTY,	  /* a message of no bytes */
	EVIL_HUGE_LENGTH, /* a length of 4 GB, then silence */
	EVIL_LONG_LENGTH, /* one byte more than allowed */
	EVIL_CUT,	  /* ends in the middle */
	EVIL_TWICE,	  /* two replies on the stream */
	EVIL_WRONG_KIND,  /* the reply to another request */
	EVIL_RESET,	  /* gives the stream up */
	EVIL_CLOSE,	  /* closes the connection with `close_code` */
	EVIL_REFUSE,	  /* refuses with `reason` and `retry_after_s` */
	EVIL_MOVED,	  /* hello: moved to `moved_host` and `moved_port` */
	EVIL_BUSY	  /* hello: busy for `retry_after_s` */
};

struct evil {
	struct world *w;
	struct host *host;
	struct identity *id;
	struct quic_socket *socket;
	struct quic_conn *conn; /* the latest */
	enum signal_request_type at;
	enum evil_how how;
	uint64_t close_code;
	enum refusal reason;
	uint32_t retry_after_s;
	const char *moved_host;
	uint16_t moved_port;
	/* what it shows */
	uint64_t features;
	struct record_bytes shown[8];
	size_t n_shown;
	uint8_t order_seed[SIGN_SEED_LEN], order_key[KEY_LEN];
	bool claim_more;     /* a head beyond what it shows */
	bool endless;	     /* the same page forever */
	bool deaf_to_admits; /* says yes to them, and puts none in order */
	struct prefix4 offer;
	ip4 offer_address;
	/* what it saw */
	unsigned requests[REQUESTS];
	uint8_t epoch[EPOCH_LEN]; /* of the last subscribe */
	uint64_t cursor;
	unsigned conns;
	uint64_t conn_at[64];
	int64_t events;
};

/* Record i of what it shows. */
struct span evil_shown(const struct evil *e, size_t i);

/* --- what it says ----------------------------------------------------------------------------- */


/* A record of the entry behind the first n that are shown, with a receipt. */
struct record_bytes evil_record(const struct evil *e, size_t n, struct span entry, ip4 address);

/* It puts an entry in order, whatever that is. */
void evil_order(struct evil *e, struct span entry, ip4 address);

void evil_found(struct evil *e, struct span genesis);
void evil_write_all(struct evil *e, int64_t stream, const void *data, size_t len, bool fin);
void evil_say(struct evil *e, const struct signal_event *ev);

/* --- its program ------------------------------------------------------------------------------ */

struct scene {
	struct kit k; /* its server is not used */
	struct evil e;
	struct kit_node *n;
};

/* With a key of its own, or with another server's, which outlives it. */
void evil_open_at(struct evil *e, struct world *w, const char *host_name, const char *dns_name,
		  ip4 ip, const struct identity *key_of);

void evil_close(struct evil *e);
void evil_open(struct evil *e, struct world *w);
void evil_scene_open(struct scene *s);
void evil_scene_close(struct scene *s);

/* `mlsh setup` with this server, with the right fingerprint. */
struct setup_params evil_params(struct scene *s);

/* The node sets up a cluster with it, while it behaves: it then holds the cluster's genesis. */
void evil_scene_joined(struct scene *s);

/* A second node joins; its record is shown from now on. */
struct kit_node *evil_scene_second(struct scene *s);

void evil_scene_up(struct scene *s);

#endif
