/* SPDX-License-Identifier: MIT */
/* Tests of base/fsm.h, and of the kit that finds what is wrong with a table. */
#include "base/fsm.h"

#include "fsm_kit.h"
#include "unit.h"

enum { SHUT, OPEN, LOCKED, N_STATES };
enum { PUSH, PULL, TURN_KEY, N_EVENTS };
enum { CREAK, CLICK, N_EFFECTS };

static const struct fsm_word states[] = {
	[SHUT] = { "shut", "it can be opened" },
	[OPEN] = { "open", "one can go through" },
	[LOCKED] = { "locked", "it wants a key" },
};
static const struct fsm_word events[] = {
	[PUSH] = { "push", "somebody pushes" },
	[PULL] = { "pull", "somebody pulls" },
	[TURN_KEY] = { "turn key", "somebody turns the key" },
};
static const struct fsm_word effects[] = {
	[CREAK] = { "creak", "it creaks" },
	[CLICK] = { "click", "it clicks" },
};

#define DOOR_CELLS                                                                                 \
	{                                                                                          \
		[SHUT] = { FSM_GO(OPEN, 1u << CREAK), FSM_IGNORE, FSM_GO(LOCKED, 1u << CLICK) },   \
		[OPEN] = { FSM_NEVER, FSM_GO(SHUT, 1u << CREAK), FSM_STAY(1u << CLICK) },          \
		[LOCKED] = { FSM_IGNORE, FSM_IGNORE, FSM_GO(SHUT, 1u << CLICK) },                  \
	}

/* Each test may spoil its own. */
static struct fsm_cell cells[N_STATES][N_EVENTS];

static struct fsm door(void)
{
	static const struct fsm_cell whole[N_STATES][N_EVENTS] = DOOR_CELLS;

	memcpy(cells, whole, sizeof(cells));
	return (struct fsm){
		.name = "door",
		.about = "A door.",
		.states = states,
		.events = events,
		.effects = effects,
		.n_states = N_STATES,
		.n_events = N_EVENTS,
		.n_effects = N_EFFECTS,
		.cells = &cells[0][0],
	};
}

START_TEST(cells_lead_where_the_table_says)
{
	struct fsm f = door();
	struct fsm_cell c = fsm_at(&f, SHUT, PUSH);

	ck_assert_uint_eq(c.next, OPEN);
	ck_assert_uint_eq(c.effects, 1u << CREAK);
	c = fsm_at(&f, OPEN, TURN_KEY);
	ck_assert_uint_eq(c.next, OPEN);
	ck_assert_uint_eq(c.effects, 1u << CLICK);
	c = fsm_at(&f, LOCKED, PULL);
	ck_assert_uint_eq(c.next, LOCKED);
	ck_assert_uint_eq(c.effects, 0);
}
END_TEST

static void keep_line(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	snprintf(ctx, 80, "%s", line);
}

START_TEST(a_step_is_one_line_with_names)
{
	struct fsm f = door();
	char line[80] = "";
	struct log log = { .level = LOG_LEVEL_INFO, .sink = keep_line, .ctx = line };

	fsm_log(&f, &log, LOG_LEVEL_INFO, "door 3", SHUT, LOCKED, TURN_KEY);
	ck_assert_str_eq(line, "door 3: shut -> locked (turn key)");
	line[0] = '\0';
	fsm_log(&f, &log, LOG_LEVEL_DEBUG, "door 3", SHUT, LOCKED, TURN_KEY);
	fsm_log(&f, &log, LOG_LEVEL_INFO, "door 3", SHUT, SHUT, PULL);
	ck_assert_str_eq(line, "");
}
END_TEST

START_TEST(a_whole_table_has_no_fault)
{
	struct fsm f = door();

	ck_assert_ptr_null(fsm_fault(&f));
}
END_TEST

START_TEST(a_missing_cell_is_found)
{
	struct fsm f = door();

	cells[OPEN][PULL] = (struct fsm_cell){ .kind = FSM_CELL_MISSING };
	ck_assert_str_eq(fsm_fault(&f), "nobody thought of \"pull\" in open");
}
END_TEST

START_TEST(wrong_cells_are_found)
{
	struct fsm f = door();

	cells[OPEN][PULL] = (struct fsm_cell)FSM_GO(N_STATES, 0);
	ck_assert_str_eq(fsm_fault(&f), "\"pull\" leads from open to nowhere");
	cells[OPEN][PULL] = (struct fsm_cell)FSM_GO(OPEN, 0);
	ck_assert_str_eq(fsm_fault(&f), "\"pull\" goes from open to itself: FSM_STAY");
	cells[OPEN][PULL] = (struct fsm_cell)FSM_STAY(1u << N_EFFECTS);
	ck_assert_str_eq(fsm_fault(&f), "\"pull\" in open has an unknown effect");
}
END_TEST

START_TEST(what_nothing_leads_to_is_found)
{
	struct fsm f = door();

	cells[SHUT][TURN_KEY] = (struct fsm_cell)FSM_IGNORE;
	ck_assert_str_eq(fsm_fault(&f), "nothing leads to locked");
}
END_TEST

START_TEST(what_has_no_use_is_found)
{
	struct fsm f = door();

	cells[OPEN][PULL] = (struct fsm_cell)FSM_IGNORE;
	ck_assert_str_eq(fsm_fault(&f), "nothing follows from \"pull\" anywhere");
	f = door();
	cells[SHUT][PUSH].effects = cells[OPEN][PULL].effects = 0;
	ck_assert_str_eq(fsm_fault(&f), "nothing has the effect \"creak\"");
}
END_TEST

UNIT_MAIN("base/fsm", cells_lead_where_the_table_says, a_step_is_one_line_with_names,
	  a_whole_table_has_no_fault, a_missing_cell_is_found, wrong_cells_are_found,
	  what_nothing_leads_to_is_found, what_has_no_use_is_found)
