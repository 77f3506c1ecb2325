/* SPDX-License-Identifier: MIT */
/*
 * lifecycles: prints docs/protocol/08-lifecycles.md, which draws the tables that the programs run
 * (base/fsm.h). A new table is a line in `tables`.
 */
#include <stdio.h>

#include "client/session_fsm.h"
#include "overlay/peering/peer_fsm.h"

static const struct fsm *const tables[] = { &session_fsm, &peer_fsm };

static struct fsm_cell cell_of(const struct fsm *f, unsigned state, unsigned event)
{
	return f->cells[state * f->n_events + event];
}

static void print_words(const char *head, const struct fsm_word *words, unsigned n)
{
	printf("\n| %s | |\n|---|---|\n", head);
	for (unsigned i = 0; i < n; i++)
		printf("| %s | %s |\n", words[i].name, words[i].means);
}

static const char *next_of(const struct fsm *f, unsigned state, unsigned event)
{
	struct fsm_cell c = cell_of(f, state, event);

	switch ((enum fsm_kind)c.kind) {
	case FSM_CELL_GO:
		return f->states[c.next].name;
	case FSM_CELL_STAY:
		return c.effects != 0 ? "·" : "-";
	case FSM_CELL_NEVER:
	case FSM_CELL_MISSING:
		break;
	}
	return "";
}

/* A row for each event, a column for each state. */
static void print_grid(const struct fsm *f)
{
	printf("\nWhere each event leads from each state. `·`: the state stays, and something is "
	       "done;\n`-`: nothing follows; empty: it cannot happen then.\n\n| |");
	for (unsigned s = 0; s < f->n_states; s++)
		printf(" %s |", f->states[s].name);
	printf("\n|---|");
	for (unsigned s = 0; s < f->n_states; s++)
		printf("---|");
	for (unsigned e = 0; e < f->n_events; e++) {
		printf("\n| **%s** |", f->events[e].name);
		for (unsigned s = 0; s < f->n_states; s++)
			printf(" %s |", next_of(f, s, e));
	}
	printf("\n");
}

static void print_effects_of(const struct fsm *f, uint32_t effects)
{
	const char *comma = "";

	for (unsigned i = 0; i < f->n_effects; i++)
		if (effects & 1u << i) {
			printf("%s%s", comma, f->effects[i].name);
			comma = ", ";
		}
}

static void print_row(const struct fsm *f, unsigned state, unsigned event)
{
	struct fsm_cell c = cell_of(f, state, event);

	if (c.kind != FSM_CELL_GO && c.effects == 0)
		return;
	printf("| %s | %s | %s | ", f->states[state].name, f->events[event].name,
	       c.kind == FSM_CELL_GO ? f->states[c.next].name : "·");
	print_effects_of(f, c.effects);
	printf(" |\n");
}

static void print_cells(const struct fsm *f)
{
	printf("\nWhat is done, in this order.\n\n| in | event | to | effects |\n"
	       "|---|---|---|---|\n");
	for (unsigned s = 0; s < f->n_states; s++)
		for (unsigned e = 0; e < f->n_events; e++)
			print_row(f, s, e);
}

static void print_table(const struct fsm *f)
{
	printf("\n## %s\n\n%s It begins as \"%s\".\n", f->name, f->about, f->states[0].name);
	print_words("state", f->states, f->n_states);
	print_words("event", f->events, f->n_events);
	print_grid(f);
	print_words("effect", f->effects, f->n_effects);
	print_cells(f);
}

int main(void)
{
	printf("<!-- Written by `make lifecycles`: change the tables in the code. -->\n"
	       "# Lifecycles\n\n"
	       "What a node does is decided by tables of states and events. They are drawn here "
	       "from the code\nthat runs them. Another program need not have the same states: its "
	       "messages are what counts.\n");
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		print_table(tables[i]);
	return ferror(stdout) || fflush(stdout) != 0;
}
