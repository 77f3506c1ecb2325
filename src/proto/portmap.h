/* SPDX-License-Identifier: MIT */
/*
 * What a node says to its gateway to be reachable from outside: PCP (RFC 6887) and its predecessor
 * NAT-PMP (RFC 6886), of which only mappings of a UDP port are used. Both share the port, the
 * numbers of the operations and the place of the version, so one pair of structures holds both.
 */
#ifndef MLSH_PROTO_PORTMAP_H
#define MLSH_PROTO_PORTMAP_H

#include "base/addr.h"

#define PORTMAP_PORT 5351 /* RFC 6887 section 19.1 */
#define PORTMAP_NONCE_LEN 12
#define PORTMAP_REQUEST_MAX 60
#define PORTMAP_ANSWER_MAX 1100 /* RFC 6887 section 7 */

/* The first byte. */
enum portmap_version { PORTMAP_NATPMP = 0, PORTMAP_PCP = 2 };

enum portmap_op {
	/*
	 * Changes nothing; the answer tells the gateway's epoch. PCP: ANNOUNCE (RFC 6887 section
	 * 14.1). NAT-PMP: its external address (RFC 6886 section 3.2).
	 */
	PORTMAP_ASK = 0,
	PORTMAP_MAP = 1 /* a UDP port (RFC 6887 section 11.1, RFC 6886 section 3.3) */
};

#define PORTMAP_SUCCESS 0
#define PORTMAP_UNSUPP_VERSION 1 /* both protocols */

struct portmap_request {
	enum portmap_version version;
	enum portmap_op op;
	/* of PORTMAP_MAP; a lifetime of 0 takes the mapping away */
	uint32_t lifetime_s;
	uint16_t internal_port;
	struct addr external; /* suggested; NAT-PMP: the port only */
	/* of PCP */
	struct addr client;		  /* our own address towards the gateway, no port */
	uint8_t nonce[PORTMAP_NONCE_LEN]; /* of PORTMAP_MAP */
};

struct portmap_answer {
	enum portmap_version version;
	enum portmap_op op;
	uint16_t result;     /* PORTMAP_SUCCESS, or why not */
	uint32_t epoch_s;    /* since the gateway began to remember mappings */
	uint32_t lifetime_s; /* of the mapping; PCP: of the error */
	uint16_t internal_port;
	struct addr external; /* NAT-PMP: the address answers PORTMAP_ASK, the port PORTMAP_MAP */
	uint8_t nonce[PORTMAP_NONCE_LEN];
};

/* Bytes of the message; -ENOSPC. */
ptrdiff_t portmap_request_encode(const struct portmap_request *q, void *buf, size_t cap) MUST_CHECK;
ptrdiff_t portmap_answer_encode(const struct portmap_answer *a, void *buf, size_t cap) MUST_CHECK;
/* -EBADMSG. A gateway's half, for simulated ones; options of PCP are skipped. */
int portmap_request_decode(struct span in, struct portmap_request *ret) MUST_CHECK;
/*
 * -EBADMSG: not an answer of either protocol, or about something else than UDP. NAT-PMP's answer
 * that says why not (one to PCP, too) has nothing but result and epoch.
 */
int portmap_answer_decode(struct span in, struct portmap_answer *ret) MUST_CHECK;
/* "not authorized", for people. */
const char *portmap_result_name(enum portmap_version v, uint16_t result);

/* What a gateway said of its age, and when (RFC 6887 section 8.5, RFC 6886 section 3.6). */
struct portmap_epoch {
	bool known;
	uint32_t epoch_s;
	uint64_t at;
};

/* Takes the next one in. Returns true if the gateway has lost its mappings since the last one. */
bool portmap_epoch_lost(struct portmap_epoch *e, uint32_t epoch_s, uint64_t now);

#endif
