/* SPDX-License-Identifier: MIT */
/*
 * What the functions of reach ask their caller to do. They call nobody above them: they return
 * these bits, or leave them to be taken, and peering/effects.c does what they say, in the same turn
 * and in this order.
 */
#ifndef MLSH_OVERLAY_REACH_EFFECTS_H
#define MLSH_OVERLAY_REACH_EFFECTS_H

#include "base/addr.h"

enum {
	/* Of a node's surroundings. */
	REACH_REFRESH = 1u << 0,     /* look at our own candidates again */
	REACH_TELL_NAT = 1u << 1,    /* tell all peers what our NAT does */
	REACH_PORT_LEARNT = 1u << 2, /* it is known again which port was our last: predict.h */

	/* Of one tunnel. */
	REACH_PONG = 1u << 3,	    /* tell the owner of an answer: `pong` */
	REACH_SEEN_AT = 1u << 4,    /* the peer sees us at `seen` */
	REACH_WANT_RELAY = 1u << 5, /* ask for a relay channel, unless it was done lately */
	REACH_WANT_ECHO = 1u << 6,  /* have our NAT checked again; else tell our last port */
	REACH_TELL_PORT = 1u << 7,  /* tell the peer our last port */
	REACH_ASK_PUNCH = 1u << 8,  /* ask the peer for a round with openers of `hops` */
	REACH_SAY_OPENED =
		1u << 9,       /* our openers are sent: reach_said_opened tells if that got out */
	REACH_DEAD = 1u << 10, /* the path in use does not answer any more */
	REACH_TELL_MOVED = 1u << 11, /* the path in use leads elsewhere */
	REACH_MIGRATE = 1u << 12     /* move the connection to `label`, at once if `at_once` */
};

struct reach_effects {
	unsigned bits;
	struct {
		uint64_t nonce;
		bool relay;
		struct addr to;
	} pong;
	struct addr seen;
	uint8_t hops;
	uint64_t label;
	bool at_once;
};

#endif
