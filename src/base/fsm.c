/* SPDX-License-Identifier: MIT */
/* Lifecycles as tables: looking up a cell, and the line about a step. */
#include "base/fsm.h"

#include "base/assert.h"

struct fsm_cell fsm_at(const struct fsm *f, unsigned state, unsigned event)
{
	struct fsm_cell cell = f->cells[(size_t)state * f->n_events + event];

	ASSERT(cell.kind == FSM_CELL_GO || cell.kind == FSM_CELL_STAY);
	if (cell.kind != FSM_CELL_GO)
		cell.next = (uint8_t)state;
	return cell;
}

void fsm_log(const struct fsm *f, const struct log *log, enum log_level level, const char *who,
	     unsigned from, unsigned to, unsigned event)
{
	if (from != to)
		log_write(log, level, "%s: %s -> %s (%s)", who, f->states[from].name,
			  f->states[to].name, f->events[event].name);
}
