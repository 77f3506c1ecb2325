/* SPDX-License-Identifier: MIT */
/*
 * Messages of the signal protocol (docs/protocol/03-signal.md): framing, requests, replies, events.
 * Decoded messages are views into the input. Encoders return the number of bytes written (length
 * prefix included), -ENOSPC when they do not fit `cap` or a limit, or -EINVAL.
 */
#ifndef MLSH_PROTO_SIGNAL_H
#define MLSH_PROTO_SIGNAL_H

#include "base/addr.h"
#include "proto/limits.h"
#include "proto/refusal.h"
#include "proto/relay.h"

#define SIGNAL_ALPN "mlsh-signal/1"
#define SIGNAL_VERSION 1
#define SIGNAL_FEATURES 0 /* the feature bits that this version sends in hello */
#define AGENT_MAX 64
#define CODE_TEXT_MAX 32
#define REFUSAL_TEXT_MAX 300
#define ADDR_WIRE_LEN 18
#define EPOCH_LEN 8
#define HASH_WIRE_LEN 32
#define NODE_ID_WIRE_LEN 16
#define SIG_WIRE_LEN 64
#define ENTRIES_PER_MESSAGE_MAX 1024

#define FRAME_PREFIX_LEN 4

/*
 * Is a whole message in `in`? 1, the message without its prefix, and the bytes it took; 0: more is
 * needed; -EMSGSIZE: longer than `max`.
 */
int frame_next(struct span in, size_t max, struct span *ret_message, size_t *ret_used) MUST_CHECK;

enum signal_request_type {
	SIGNAL_HELLO = 1,
	SIGNAL_SETUP_OFFER,
	SIGNAL_SETUP,
	SIGNAL_RECOVER,
	SIGNAL_LOG,
	SIGNAL_ADMIT,
	SIGNAL_SESSION,
	SIGNAL_APPEND,
	SIGNAL_PUSH,
	SIGNAL_CANDIDATES,
	SIGNAL_SUBSCRIBE,
	SIGNAL_RELAY_OPEN,
	SIGNAL_ECHO,
	SIGNAL_IMPORT,
	SIGNAL_BEACON,
	SIGNAL_REQUEST_TYPES
};

enum signal_event_type {
	SIGNAL_EV_LOG = 1,
	SIGNAL_EV_PRESENCE,
	SIGNAL_EV_OBSERVED,
	SIGNAL_EV_SHUTDOWN,
	SIGNAL_EV_RELAY,
	SIGNAL_EV_RELAY_CLOSED,
	SIGNAL_EV_REMOVAL,
	SIGNAL_EV_BEACON
};

/* Application error codes of CONNECTION_CLOSE. */
enum signal_close {
	SIGNAL_CLOSE_BYE,
	SIGNAL_CLOSE_MALFORMED,
	SIGNAL_CLOSE_REPLACED,
	SIGNAL_CLOSE_REMOVED,
	SIGNAL_CLOSE_SHUTDOWN,
	SIGNAL_CLOSE_SLOW,
	SIGNAL_CLOSE_UNAUTHENTICATED,
	SIGNAL_CLOSE_LIMIT
};

struct wire_head {
	uint64_t generation, seq;
	uint8_t hash[HASH_WIRE_LEN];
};

/* Records of a log, as views. */
struct wire_entries {
	struct span item[ENTRIES_PER_MESSAGE_MAX];
	size_t n;
};

struct wire_candidates {
	struct addr item[CANDIDATES_MAX];
	size_t n;
};

/* The same ones in the same order. */
bool wire_candidates_equal(const struct wire_candidates *a, const struct wire_candidates *b);

struct signal_request {
	enum signal_request_type type;
	uint8_t cluster_id[HASH_WIRE_LEN]; /* hello */
	struct span agent;		   /* hello */
	uint64_t features;		   /* hello: bits; unknown ones mean nothing */
	struct span code;		   /* setup_offer, setup, import */
	struct span beacon;		   /* beacon; a view */
	bool has_subnet;		   /* setup_offer */
	struct prefix4 subnet;
	struct span entry;		   /* setup (genesis), recover, admit, append */
	uint64_t generation, from;	   /* log: what the sender has */
	uint8_t node_token[HASH_WIRE_LEN]; /* session, push; zeros: the sender has none */
	struct wire_head head;		   /* session: of its log; see may_order.h */
	struct wire_candidates candidates; /* session, candidates */
	struct wire_entries entries;	   /* push, import; import: none is the end of the log */
	uint8_t epoch[EPOCH_LEN];	   /* subscribe */
	uint64_t cursor;
	uint8_t node_id[NODE_ID_WIRE_LEN]; /* relay_open */
};

struct signal_reply {
	enum refusal refusal;	/* NONE: accepted (or busy, or moved) */
	struct span text;	/* refusal */
	uint32_t retry_after_s; /* refusal, busy */
	uint64_t time_s;	/* hello */
	struct addr observed;	/* hello */
	bool has_head;		/* hello */
	uint64_t features;	/* hello */
	bool busy;		/* hello: call again after retry_after_s */
	struct span moved_host; /* hello: the server is there; empty: it is not */
	uint16_t moved_port;
	struct wire_head head; /* hello, recover, log, admit (its record), session, push, import */
	struct prefix4 subnet; /* setup_offer */
	ip4 address;	       /* setup_offer */
	uint8_t order_key[HASH_WIRE_LEN];  /* setup_offer, import */
	uint64_t first;			   /* log: seq of the first record */
	struct span record;		   /* append */
	uint8_t node_token[HASH_WIRE_LEN]; /* setup, admit, session */
	struct wire_entries entries;	   /* log */
	uint8_t epoch[EPOCH_LEN];	   /* subscribe */
	struct relay_end relay;		   /* relay_open */
	uint16_t echo_port;		   /* echo; 0: the server has no second port */
};

struct wire_presence {
	uint8_t node_id[NODE_ID_WIRE_LEN];
	bool online;
	struct wire_candidates candidates;
};

/*
 * Presence items in one event: bounded by SIGNAL_MESSAGE_MAX. A longer list is several events, of
 * which only the first has `reset`.
 */
#define PRESENCE_PER_EVENT_MAX 256

struct signal_event {
	enum signal_event_type type;
	uint64_t first;		     /* log */
	struct wire_entries entries; /* log */
	bool reset;		     /* presence */
	uint64_t cursor;
	struct wire_presence *presence; /* presence: the caller's room, as above */
	size_t n_presence;
	struct addr observed;		   /* observed */
	uint32_t retry_after_s;		   /* shutdown */
	uint8_t node_id[NODE_ID_WIRE_LEN]; /* relay, relay_closed: the other member */
	struct relay_end relay;		   /* relay; relay_closed: the channel only */
	struct span removal;		   /* removal: an entry; a view */
	struct span beacon;		   /* beacon; a view */
};

ptrdiff_t signal_request_encode(const struct signal_request *m, void *buf, size_t cap) MUST_CHECK;
/*
 * -EBADMSG; -EPROTONOSUPPORT for the hello of another version; -ENOSYS for a request of a type that
 * this version does not know, of which only the beginning was read.
 */
int signal_request_decode(struct span message, struct signal_request *ret) MUST_CHECK;
/*
 * A reply is encoded and decoded as the answer to a request type. A refusal may answer a type that
 * this version does not know; only hello is answered busy or moved.
 */
ptrdiff_t signal_reply_encode(enum signal_request_type to, const struct signal_reply *m, void *buf,
			      size_t cap) MUST_CHECK;
int signal_reply_decode(enum signal_request_type to, struct span message, struct signal_reply *ret)
	MUST_CHECK;
ptrdiff_t signal_event_encode(const struct signal_event *m, void *buf, size_t cap) MUST_CHECK;
/* -EBADMSG; -ENOSYS for an event that a later version may send, which is to be ignored. */
int signal_event_decode(struct span message, struct signal_event *ret) MUST_CHECK;

#endif
