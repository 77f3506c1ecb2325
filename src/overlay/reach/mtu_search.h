/* SPDX-License-Identifier: MIT */
/*
 * How large a datagram a path carries (docs/protocol/06-paths.md): which sizes are asked for, when,
 * and what follows from the answers. Pure: no clock, no sockets; mtu.c sends the pings.
 */
#ifndef MLSH_OVERLAY_MTU_SEARCH_H
#define MLSH_OVERLAY_MTU_SEARCH_H

#include "base/bytes.h"

#define MTU_BASE 1200 /* every path carries this, or QUIC does not begin */
#define MTU_SIZES 9
#define MTU_BURSTS 3		   /* of all sizes, after the largest had no answer */
#define MTU_CHECKS 3		   /* of the limit, unanswered, while small ones are not */
#define MTU_AGAIN (600 * NS_PER_S) /* RFC 8899 section 5.1.1: PMTU_RAISE_TIMER */
#define MTU_CHECK_GAP NS_PER_S	   /* while large datagrams flow */

struct mtu {
	uint16_t limit; /* 0 if nothing is known: MTU_BASE holds */
	bool searching;
	unsigned bursts; /* of this search */
	uint16_t asked;	 /* sizes, as bits, with an answer under way */
	uint64_t nonce;	 /* of the smallest size's ping; others are one more each */
	uint64_t next;	 /* burst, while searching; else search; TIME_NEVER */
	unsigned checks; /* since the last answer to one of the limit's size */
	uint64_t first_check, last_check;
};

/* Bytes of the i-th size, for a path with so many bytes of a header of its own in front. */
size_t mtu_size(unsigned i, size_t overhead);
static inline size_t mtu_limit(const struct mtu *m)
{
	return m->limit ? m->limit : MTU_BASE;
}

/* Looks for something larger than the limit. `nonce` is random. */
void mtu_search(struct mtu *m, uint64_t nonce, uint64_t now);
/* What is known of it does not hold any more. */
void mtu_forget(struct mtu *m);
/*
 * Which sizes are to be sent now, as bits. `patience`: how long an answer may take. Ends the search
 * when there is nothing left to ask.
 */
unsigned mtu_due(struct mtu *m, size_t overhead, uint64_t patience, uint64_t now);
/* What mtu_due wanted could not be sent: it is due again then. */
void mtu_postpone(struct mtu *m, unsigned bits, uint64_t until);
/*
 * Is the limit to be checked now? `nonce` is that of the ping then. `at_once`: there is reason to,
 * however lately it was.
 */
bool mtu_check_due(struct mtu *m, uint64_t nonce, bool at_once, uint64_t patience, uint64_t now);
/* The ping with this nonce was answered: its size, or 0 when no size was asked with it. */
size_t mtu_echo(struct mtu *m, size_t overhead, uint64_t nonce);
/* Has the path become too narrow? `last_echo`: when a small ping was last answered. */
bool mtu_is_black_hole(const struct mtu *m, uint64_t last_echo, uint64_t patience, uint64_t now);

#endif
