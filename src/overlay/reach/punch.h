/* SPDX-License-Identifier: MIT */
/* When candidates are pinged (docs/protocol/06-paths.md, "Rounds"): tables and arithmetic only. */
#ifndef MLSH_OVERLAY_PUNCH_H
#define MLSH_OVERLAY_PUNCH_H

#include <stdbool.h>

#include "base/macros.h"

#define PUNCH_STEPS 8
#define PUNCH_SPREAD (20 * NS_PER_MS) /* between pings to one address that no step asks for */
#define PUNCH_UNANSWERED_MAX 10	      /* pings of a round to an address that has not answered */
#define PUNCH_PLAIN_ROUNDS 2	      /* before the first pause */
#define PUNCH_HOPS_MIN 2	      /* of openers: past the first router, and no further */
#define PUNCH_HOPS_MAX 5
/* A pause after which NATs have forgotten who came unasked: Linux does after 30 s. */
#define PUNCH_PAUSE (33 * NS_PER_S)

/* The pings of a round to one candidate. All zero: no round. */
struct punch {
	uint64_t begun; /* its turn in this round; once the opener is sent: of the steps */
	uint64_t next;	/* TIME_NEVER: over */
	uint64_t wait;	/* from the opener to the first step, if no word comes */
	bool opener;	/* the next ping opens our own NAT and goes no further */
	bool waits;	/* for word that the other side has sent its openers */
	unsigned step;
	unsigned last; /* of the steps */
	unsigned sent; /* in this round, others than the schedule's too */
};

/*
 * Begins a round to one candidate at the time `at`. If `wait` is not 0, the first ping is an
 * opener, and the others follow when word comes (punch_word), or so much later. `whole`: all steps;
 * else one ping, for candidates that never answered when nothing has changed since they were tried.
 */
void punch_begin(struct punch *p, uint64_t at, uint64_t wait, bool whole);
/* The same for a node that needs no opener: its pings wait for the word all the same. */
void punch_begin_open(struct punch *p, uint64_t at, uint64_t wait, bool whole);
/* The other side has sent its openers: pings that wait for it are due. */
void punch_word(struct punch *p, uint64_t now);
void punch_end(struct punch *p);
static inline bool punch_due(const struct punch *p, uint64_t now)
{
	return p->next <= now;
}
/* The one that was due is sent. */
void punch_sent(struct punch *p, uint64_t now);
/* May a ping that the schedule does not ask for be sent, too? Counts it. */
bool punch_extra(struct punch *p);
/* From the n-th round in a row that brought nothing (0: the first) to the next, before jitter. */
uint64_t punch_gap(unsigned n);
/*
 * How long pings wait for the other side's word at most, when word takes `rtt` there and back
 * (nanoseconds, 0 if unknown): longer than it takes in every order.
 */
uint64_t punch_wait(uint64_t rtt);

/* Whose pings leave first, of the side that plans the round and the one that it tells. */
enum punch_order { PUNCH_CROSS, PUNCH_WE_FIRST, PUNCH_THEY_FIRST };

struct punch_plan {
	enum punch_order order;
	uint64_t begin_in, tell_in; /* from now on: we begin, the other side is asked to */
	uint8_t hops;		    /* of the openers */
};

/* The n-th round in a row that brought nothing, 0: the first. `rtt` as above. */
struct punch_plan punch_plan(unsigned n, uint64_t rtt);

#endif
