/* SPDX-License-Identifier: MIT */
/*
 * Messages of the peer protocol's control stream (docs/protocol/04-peer.md). Framed as the signal
 * protocol's.
 */
#ifndef MLSH_PROTO_PEER_H
#define MLSH_PROTO_PEER_H

#include "proto/signal.h"

#define PEER_ALPN "mlsh-peer/1"
#define PEER_VERSION 1
#define PEER_FEATURES 0 /* the feature bits that this version sends in hello */
#define PEER_EXPORTER "EXPORTER-mlsh-peer-hello"
#define PACKET_FLAG_CSUM_PARTIAL 0x01

enum peer_message_type {
	PEER_HELLO = 1,
	PEER_LOG,
	PEER_LOG_REQUEST,
	PEER_OBSERVED,
	PEER_CANDIDATES,
	PEER_BYE,
	PEER_PUNCH,
	PEER_NAT,
	PEER_PORTS,
	PEER_REMOVAL,
	PEER_BEACON,
	PEER_OPENED
};

/* What is between a node and the internet, over IPv4 (docs/protocol/06-paths.md, "NATs"). */
enum nat_mapping {
	MAPPING_UNKNOWN,
	MAPPING_NONE,	/* none: it is seen at an address of its own */
	MAPPING_SAME,	/* the same outer address whoever it talks to */
	MAPPING_VARIES, /* another one for each destination */
	MAPPING_ASKED,	/* the gateway says that it maps the node's port: told to peers only */
	MAPPINGS
};
enum nat_filtering {
	FILTERING_UNKNOWN,
	FILTERING_OPEN, /* not by port: perhaps by address, perhaps not at all */
	FILTERING_PORT, /* only those that it has sent to, address and port */
	FILTERINGS
};
struct nat_kind {
	enum nat_mapping mapping;
	enum nat_filtering filtering;
};

enum peer_close {
	PEER_CLOSE_BYE,
	PEER_CLOSE_MALFORMED,
	PEER_CLOSE_REPLACED,
	PEER_CLOSE_NOT_MEMBER,
	PEER_CLOSE_NO_CONTROL,
	PEER_CLOSE_WRONG_CLUSTER,
	PEER_CLOSE_SHUTDOWN,
	PEER_CLOSE_VERSION
};

struct peer_message {
	enum peer_message_type type;
	uint8_t cluster_id[HASH_WIRE_LEN]; /* hello */
	struct wire_head head;		   /* hello */
	uint8_t binding[32];		   /* hello */
	uint64_t features;		   /* hello: bits; unknown ones mean nothing */
	uint64_t generation;		   /* log_request: of the log that the sender has */
	uint64_t first;			   /* log; log_request: from */
	struct wire_entries entries;	   /* log */
	struct addr observed;		   /* observed; ports: the last port */
	struct wire_candidates candidates; /* candidates */
	struct nat_kind nat;		   /* nat */
	uint8_t hops;			   /* punch: of the openers */
	uint32_t heard;			   /* opened: candidates messages */
	struct span removal;		   /* removal: an entry; a view */
	struct span beacon;		   /* beacon; a view */
};

ptrdiff_t peer_message_encode(const struct peer_message *m, void *buf, size_t cap) MUST_CHECK;
/*
 * -EBADMSG; -EPROTONOSUPPORT for the hello of another version; -ENOSYS for a message that a later
 * version may send, which is to be ignored.
 */
int peer_message_decode(struct span message, struct peer_message *ret) MUST_CHECK;

#endif
