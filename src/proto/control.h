/* SPDX-License-Identifier: MIT */
/*
 * Requests of the command line to the daemon over the local socket (docs/protocol/05-local.md): a
 * CBOR array a message. Replies are JSON text in pieces: a byte (0 more follows, 1 last piece of a
 * reply) and the text.
 */
#ifndef MLSH_PROTO_CONTROL_H
#define MLSH_PROTO_CONTROL_H

#include "base/bytes.h"
#include "base/label.h"

#define CONTROL_SOCKET "/run/mlsh/mlshtund.sock"
#define CONTROL_VERSION 2
#define CONTROL_GROUP "mlsh"
#define CONTROL_REQUEST_MAX 256
#define CONTROL_PIECE_MAX 32768
#define CONTROL_REPLY_MAX (64u << 20)
#define CONTROL_NONCE_LEN 16

enum control_verb {
	CONTROL_CONNECT = 1, /* with descriptors: cluster file, log, certificate, key */
	CONTROL_DISCONNECT,
	CONTROL_STATUS, /* cluster "" : all of the caller's */
	CONTROL_NODES,
	CONTROL_WATCH, /* a status reply now and after each change of the cluster's state */
	CONTROL_LOG, /* the membership log in its file form, not JSON */
	CONTROL_INVITE_MADE, /* nonce and expiry of an invite: cancelled when it runs out unused */
	CONTROL_PING, /* replies as things happen, until the last one */
	CONTROL_NETCHECK, /* this machine's own connection */
	CONTROL_WHY, /* the paths to one node */
	CONTROL_VERBS
};

#define CONTROL_CONNECT_FDS 4

struct control_request {
	enum control_verb verb;
	char cluster[LABEL_MAX + 1];
	uint8_t nonce[CONTROL_NONCE_LEN]; /* invite_made */
	uint64_t expiry_s; /* invite_made */
	char node[LABEL_MAX + 1]; /* ping, why; else "" */
	uint32_t count, interval_ms; /* ping */
	bool until_direct; /* ping */
};

ptrdiff_t control_request_encode(const struct control_request *r, void *buf, size_t cap) MUST_CHECK;
/* -EBADMSG, -EPROTONOSUPPORT (another version of the other program). */
int control_request_decode(struct span in, struct control_request *ret) MUST_CHECK;

#endif
