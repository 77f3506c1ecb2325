/* SPDX-License-Identifier: MIT */
/*
 * Probe frames between nodes (docs/protocol/06-paths.md): a ping and its answer, each under the
 * sender's key. Not QUIC: the first byte has bit 0x40 clear.
 */
#ifndef MLSH_PROTO_PROBE_H
#define MLSH_PROTO_PROBE_H

#include "base/addr.h"

#define PROBE_EXPORTER "EXPORTER-mlsh-probe"
#define PROBE_TAG_EXPORTER "EXPORTER-mlsh-probe-tag"
#define PROBE_KEY_LEN 32 /* of each direction; the client's comes first */
#define PROBE_TAG_LEN 8
#define PROBE_MAC_LEN 16
#define PROBE_PONG_LEN 52
#define PROBE_PING_MIN PROBE_PONG_LEN /* an answer is never larger than its question */
#define PROBE_MAX 1452

#define PROBE_PROVEN 0x01 /* the sender has had its own echo from where this frame goes */
#define PROBE_URGENT 0x02 /* ping: the sender doubts the path in use */

enum probe_type { PROBE_PING = 0x01, PROBE_PONG = 0x02 };

struct probe {
	enum probe_type type;
	uint8_t tag[PROBE_TAG_LEN]; /* which connection */
	uint64_t nonce;		    /* a pong repeats the ping's */
	uint8_t flags;
	uint64_t counter;     /* ping: another one in each of its sender */
	size_t len;	      /* ping: of the whole frame */
	struct addr observed; /* pong: where the ping came from; unset over a relay */
};

/* From the TLS exporter of a connection; the roles are those of its ends. */
struct probe_keys {
	uint8_t tag[PROBE_TAG_LEN];
	uint8_t client[PROBE_KEY_LEN], server[PROBE_KEY_LEN]; /* of each one's frames */
};

/* The exporter of a connection's TLS (RFC 8446 section 7.5), which lives in a layer above. */
typedef int (*probe_exporter)(void *conn, const char *label, struct span context, uint8_t *out,
			      size_t len);
/* Derives the keys of a connection. The caller wipes them. Returns the exporter's error. */
int probe_keys_export(probe_exporter exporter, void *conn, struct span cluster_id,
		      struct probe_keys *ret) MUST_CHECK;

/* HMAC-SHA-256, which lives in a layer above. */
typedef void (*probe_hmac)(const uint8_t key[PROBE_KEY_LEN], struct span data, uint8_t out[32]);

static inline bool probe_is(const uint8_t *data, size_t len)
{
	return len > 0 && (data[0] == PROBE_PING || data[0] == PROBE_PONG);
}

/* Bytes of the frame, -EINVAL for a length out of bounds, -ENOSPC. */
ptrdiff_t probe_encode(const struct probe *p, const uint8_t key[PROBE_KEY_LEN], probe_hmac hmac,
		       void *buf, size_t cap) MUST_CHECK;
/* The form only: whose it is decides about the key. -EBADMSG. */
int probe_decode(struct span frame, struct probe *ret) MUST_CHECK;
/* Of a frame that probe_decode took. -EBADMSG. */
int probe_verify(struct span frame, const uint8_t key[PROBE_KEY_LEN], probe_hmac hmac) MUST_CHECK;

#endif
