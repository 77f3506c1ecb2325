/* SPDX-License-Identifier: MIT */
/*
 * A lifecycle as a table: for each state and each event, the next state and the effects. The table
 * is data and steps are pure. The owner asks for the cell, stores the next state and carries out
 * the effects, in the order of their bits. So a test can try each cell, and tools/lifecycles can
 * draw the table into docs/protocol/08-lifecycles.md.
 *
 * A condition is not part of the table: the owner turns it into one of two events ("asked again",
 * "asked again too soon").
 */
#ifndef MLSH_BASE_FSM_H
#define MLSH_BASE_FSM_H

#include "base/log.h"

#define FSM_EFFECTS_MAX 32

/* A state, an event or an effect: its name in logs, and a sentence for the document. */
struct fsm_word {
	const char *name, *means;
};

enum fsm_kind {
	FSM_CELL_MISSING, /* nobody thought of it: its test fails */
	FSM_CELL_GO,	  /* into another state */
	FSM_CELL_STAY,	  /* the state stays */
	FSM_CELL_NEVER	  /* the owner does not let this happen */
};

struct fsm_cell {
	uint8_t kind;	  /* enum fsm_kind */
	uint8_t next;	  /* of GO; fsm_at fills it in for the others */
	uint32_t effects; /* bits: 1u << effect */
};

/*
 * What a table is written with. A row names each event ("[EV_OPEN] = FSM_GO(...)"): one that it
 * leaves out is FSM_CELL_MISSING, which the table's test refuses (fsm_fault in tests/unit), and one
 * that it has twice does not compile.
 */
#define FSM_GO(state, effect_bits)                                                                 \
	{ .kind = FSM_CELL_GO, .next = (state), .effects = (effect_bits) }
#define FSM_STAY(effect_bits) { .kind = FSM_CELL_STAY, .effects = (effect_bits) }
#define FSM_IGNORE FSM_STAY(0) /* it may happen, and nothing follows from it */
#define FSM_NEVER { .kind = FSM_CELL_NEVER }

struct fsm {
	const char *name;	       /* "session" */
	const char *about;	       /* a sentence or two for the document */
	const struct fsm_word *states; /* the first one is where it begins */
	const struct fsm_word *events;
	const struct fsm_word *effects; /* in the order in which the owner carries them out */
	uint8_t n_states, n_events, n_effects;
	const struct fsm_cell *cells; /* n_states rows of n_events cells */
};

/*
 * The cell of `event` in `state`, with `next` filled in. An event that never comes in this state is
 * a fault of ours (ASSERT); a release build ignores it.
 */
struct fsm_cell fsm_at(const struct fsm *f, unsigned state, unsigned event);
/* Writes one line, "WHO: racing -> up (hello)"; nothing if the state stays. */
void fsm_log(const struct fsm *f, const struct log *log, enum log_level level, const char *who,
	     unsigned from, unsigned to, unsigned event);

#endif
