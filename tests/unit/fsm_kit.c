/* SPDX-License-Identifier: MIT */
/* What holds for every lifecycle. */
#include "fsm_kit.h"

#include <stdio.h>

static char fault[160];

#define FAULT(...) (snprintf(fault, sizeof(fault), __VA_ARGS__), fault)

static const struct fsm_cell *cell_of(const struct fsm *f, unsigned state, unsigned event)
{
	return &f->cells[state * f->n_events + event];
}

static const char *fault_of_words(const char *kind, const struct fsm_word *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!words[i].name || !words[i].name[0] || !words[i].means || !words[i].means[0])
			return FAULT("%s %u has no name or no meaning", kind, i);
		for (unsigned other = 0; other < i; other++)
			if (strcmp(words[i].name, words[other].name) == 0)
				return FAULT("two %ss have the name %s", kind, words[i].name);
	}
	return NULL;
}

static const char *fault_of_cell(const struct fsm *f, unsigned state, unsigned event)
{
	const struct fsm_cell *c = cell_of(f, state, event);
	const char *at = f->states[state].name, *on = f->events[event].name;

	if (c->kind == FSM_CELL_MISSING || c->kind > FSM_CELL_NEVER)
		return FAULT("nobody thought of \"%s\" in %s", on, at);
	if (c->kind == FSM_CELL_GO && c->next >= f->n_states)
		return FAULT("\"%s\" leads from %s to nowhere", on, at);
	if (c->kind == FSM_CELL_GO && c->next == state)
		return FAULT("\"%s\" goes from %s to itself: FSM_STAY", on, at);
	if (f->n_effects < FSM_EFFECTS_MAX && c->effects >> f->n_effects)
		return FAULT("\"%s\" in %s has an unknown effect", on, at);
	return NULL;
}

static const char *fault_of_cells(const struct fsm *f)
{
	const char *found = NULL;

	for (unsigned s = 0; s < f->n_states && !found; s++)
		for (unsigned e = 0; e < f->n_events && !found; e++)
			found = fault_of_cell(f, s, e);
	return found;
}

/* Marks what `from` leads to. */
static void reach(const struct fsm *f, unsigned from, bool *reached)
{
	reached[from] = true;
	for (unsigned e = 0; e < f->n_events; e++) {
		const struct fsm_cell *c = cell_of(f, from, e);

		if (c->kind == FSM_CELL_GO && !reached[c->next])
			reach(f, c->next, reached);
	}
}

static const char *unreached_state(const struct fsm *f)
{
	bool reached[UINT8_MAX] = { false };

	reach(f, 0, reached);
	for (unsigned s = 0; s < f->n_states; s++)
		if (!reached[s])
			return FAULT("nothing leads to %s", f->states[s].name);
	return NULL;
}

/* An event that changes nothing in any state, or an effect that no cell has. */
static const char *useless_word(const struct fsm *f)
{
	uint32_t effects = 0;

	for (unsigned e = 0; e < f->n_events; e++) {
		bool useful = false;

		for (unsigned s = 0; s < f->n_states; s++) {
			const struct fsm_cell *c = cell_of(f, s, e);

			effects |= c->effects;
			useful |= c->kind == FSM_CELL_GO || c->effects != 0;
		}
		if (!useful)
			return FAULT("nothing follows from \"%s\" anywhere", f->events[e].name);
	}
	for (unsigned i = 0; i < f->n_effects; i++)
		if (!(effects & 1u << i))
			return FAULT("nothing has the effect \"%s\"", f->effects[i].name);
	return NULL;
}

const char *fsm_fault(const struct fsm *f)
{
	const char *found;

	if (f->n_states == 0 || f->n_events == 0 || f->n_effects > FSM_EFFECTS_MAX)
		return "a table without states or events, or with too many effects";
	found = fault_of_words("state", f->states, f->n_states);
	found = found ? found : fault_of_words("event", f->events, f->n_events);
	found = found ? found : fault_of_words("effect", f->effects, f->n_effects);
	found = found ? found : fault_of_cells(f);
	found = found ? found : unreached_state(f);
	return found ? found : useless_word(f);
}
