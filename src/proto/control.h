/* SPDX-License-Identifier: MIT */
/*
 * Requests of the command line to the daemon over the local socket (docs/protocol/05-local.md): a
 * CBOR array a message. Each message of the daemon begins with a byte, its kind: replies are JSON
 * text in pieces, and acknowledgements ask for the contents of files.
 */
#ifndef MLSH_PROTO_CONTROL_H
#define MLSH_PROTO_CONTROL_H

#include "base/bytes.h"
#include "base/label.h"
#include "proto/limits.h"

#define CONTROL_VERSION 7
#define CONTROL_GROUP "mlsh"
#define CONTROL_USER "mlshtund" /* of the daemon */
#define CONTROL_REQUEST_MAX (256 + ENTRY_MAX_BYTES)
#define CONTROL_PIECE_MAX 32768
#define CONTROL_REPLY_MAX (64u << 20)
#define CONTROL_NONCE_LEN 16
#define CONTROL_WINDOW (256u << 10) /* bytes of files that may be under way unacknowledged */
#define CONTROL_ACK_LEN 9

enum control_verb {
	CONTROL_CONNECT = 1, /* followed by the contents of enum control_file */
	CONTROL_DISCONNECT,
	CONTROL_STATUS, /* cluster "" : all of the caller's */
	CONTROL_NODES,
	CONTROL_WATCH,	     /* a status reply now and after each change of the cluster's state */
	CONTROL_LOG,	     /* the membership log in its file form, not JSON */
	CONTROL_INVITE_MADE, /* nonce and expiry of an invite, and whether to promote who uses it */
	CONTROL_PING,	     /* replies as things happen, until the last one */
	CONTROL_NETCHECK,    /* this machine's own connection */
	CONTROL_WHY,	     /* the paths to one node */
	CONTROL_FORGET,	     /* disconnect, and remove all that the daemon keeps of the cluster */
	CONTROL_SUBMIT,	     /* an entry that the caller signed, to be put in order by the server */
	CONTROL_PROOF,	     /* proof against the server, as a file, not JSON */
	CONTROL_CODE_PROOF,  /* the same of a recovery code that was misused */
	CONTROL_NAMES,	     /* of all the caller's clusters and their members, at once */
	CONTROL_CLUSTERS,    /* the same without the members */
	CONTROL_VERBS
};

/* What follows a connect request, in this order. */
enum control_file {
	CONTROL_FILE_CLUSTER, /* the fields of the cluster file, as proto/cluster.h has them */
	CONTROL_FILE_LOG,
	CONTROL_FILE_CERT,
	CONTROL_FILE_KEY,
	CONTROL_FILES
};

/* The first byte of the daemon's messages. */
enum control_kind {
	CONTROL_MORE, /* a piece of a reply */
	CONTROL_LAST, /* the last piece of a reply */
	CONTROL_ACK   /* of contents: how many bytes came; the next CONTROL_WINDOW may follow */
};

struct control_request {
	enum control_verb verb;
	char cluster[LABEL_MAX + 1];
	uint8_t nonce[CONTROL_NONCE_LEN]; /* invite_made */
	uint64_t expiry_s;		  /* invite_made */
	bool promote;			  /* invite_made */
	char node[LABEL_MAX + 1];	  /* ping, why; else "" */
	uint32_t count, interval_ms;	  /* ping */
	bool until_direct;		  /* ping */
	uint64_t size[CONTROL_FILES];	  /* connect: bytes of each file; else zero */
	struct span entry;		  /* submit: at most ENTRY_MAX_BYTES, a view; else empty */
};

ptrdiff_t control_request_encode(const struct control_request *r, void *buf, size_t cap) MUST_CHECK;
/* -EBADMSG, -EPROTONOSUPPORT (another version of the other program). */
int control_request_decode(struct span in, struct control_request *ret) MUST_CHECK;
/* The version that a request of another version names; 0 if it is not a request. */
uint64_t control_request_version(struct span in);
void control_ack_encode(uint64_t received, uint8_t out[CONTROL_ACK_LEN]);
/* -EBADMSG. */
int control_ack_decode(struct span in, uint64_t *ret_received) MUST_CHECK;

#endif
