/* SPDX-License-Identifier: MIT */
/*
 * Guessing the port that a NAT gives next (docs/protocol/06-paths.md, "Port prediction"): for two
 * nodes of which one is behind a NAT that maps by destination, its ports in turn.
 */
#ifndef MLSH_OVERLAY_PREDICT_H
#define MLSH_OVERLAY_PREDICT_H

#include "base/addr.h"
#include "base/macros.h"

#define PREDICT_NEAR 64u   /* two ports so close were given in turn */
#define PREDICT_REACH 128u /* ports tried on each side of the last one, in the end */
#define PREDICT_PORTS (2 * PREDICT_REACH)
#define PREDICT_STEP 64u /* of them, each time that it is told */

struct reach;

/* Of one tunnel. All zero: nothing is being guessed, nothing was told. */
struct predict {
	struct addr last;   /* the peer's last port */
	unsigned next, end; /* of the ports in order: which to try */
	uint64_t next_at;   /* TIME_NEVER if no guess is due */
	uint32_t tried;	    /* ports, ever */
	uint64_t told_at;   /* when the peer was told ours; 0 before that */
};

/* The `i`th port to try, i < PREDICT_PORTS. 0 if that is no port. Pure. */
uint16_t predict_port(uint16_t last, unsigned i);

void predict_init(struct predict *g);
/* A round has begun: tells the other side our last port, if that may help. Has effects. */
void predict_round(struct reach *r, uint64_t now);
/* It is known again which port was our last. Returns true if the other side must be told. */
bool predict_learnt(struct reach *r, uint64_t now) MUST_CHECK;
/* The other side is told. */
void predict_say(struct reach *r, uint64_t now);
/* The other side's last port: its word, and not to be believed without limits.
 * Returns true if a run must follow. */
bool predict_told(struct reach *r, const struct addr *last) MUST_CHECK;
/* The guesses that are due. */
void predict_run(struct reach *r, uint64_t now);

#endif
