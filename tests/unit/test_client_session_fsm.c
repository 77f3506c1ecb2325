/* SPDX-License-Identifier: MIT */
/*
 * The session's lifecycle, every state with every event: where each leads, as a grid of its own,
 * and what must hold of the effects. The table is never wrong about a connection or a timer,
 * whatever happens in whatever order.
 */
#include "client/session_fsm.h"

#include "fsm_kit.h"
#include "unit.h"

#define DO(effect) (1u << SESSION_DO_##effect)
#define TIMERS (DO(BACK_OFF) | DO(SPREAD) | DO(SOON))
/* What may make something else happen at once. */
#define STARTERS                                                                                   \
	(DO(DIAL) | DO(REDIAL) | DO(PUSH) | DO(OPEN) | DO(FETCH) | DO(SUBSCRIBE) | DO(ENTER) |     \
	 DO(PROBE))
#define SAME N_PHASES	     /* the state stays */
#define NEVER (N_PHASES + 1) /* it cannot happen */

static struct fsm_cell cell_of(unsigned state, unsigned event)
{
	return session_fsm.cells[state * session_fsm.n_events + event];
}

static bool is_connected(unsigned state)
{
	return state == PHASE_DIALING || phase_is_greeted((enum session_phase)state);
}

static bool is_waiting(unsigned state)
{
	return state == PHASE_WAITING || state == PHASE_HELD;
}

/* Where a cell leads: a state, SAME or NEVER. */
static unsigned leads_to(unsigned state, unsigned event)
{
	struct fsm_cell c = cell_of(state, event);

	if (c.kind == FSM_CELL_NEVER)
		return NEVER;
	return c.kind == FSM_CELL_STAY ? SAME : c.next;
}

START_TEST(the_table_is_whole)
{
	const char *fault = fsm_fault(&session_fsm);

	ck_assert_msg(!fault, "%s", fault);
}
END_TEST

/*
 * A column for each event, in the order of the enum: retry, kick, ask, ready, pushed, accepted,
 * denied, denied by both, fetched, subscribed, lost, hold, moved, home, left. "." stays, "-" cannot
 * happen; the letters are those of `letters`.
 */
static const char *const grid[N_PHASES] = {
	[PHASE_WAITING] = "D..-------"
			  "--..S",
	[PHASE_HELD] = "D.W-------"
		       "--W.S",
	[PHASE_DIALING] = "-..p------"
			  "WHW.S",
	[PHASE_PUSHING] = "-..-o-----"
			  "WHW.S",
	[PHASE_OPENING] = "-..--fxr--"
			  "WHW.S",
	[PHASE_FETCHING] = "-..-----s-"
			   "WHW.S",
	[PHASE_PROVING] = "-..-----H-"
			  "WHW.S",
	[PHASE_RETURNING] = "-..-----W-"
			    "WHW.S",
	[PHASE_SUBSCRIBING] = "-..------U"
			      "WHW.S",
	[PHASE_UP] = "-..-------"
		     "WHWWS",
	[PHASE_STOPPED] = "-..-------"
			  "--...",
};

START_TEST(each_event_leads_where_it_should)
{
	static const char letters[] = "WHDpofxrsUS.-";

	for (unsigned s = 0; s < N_PHASES; s++) {
		ck_assert_uint_eq(strlen(grid[s]), N_SESSION_EVENTS);
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++)
			ck_assert_msg(letters[leads_to(s, e)] == grid[s][e], "%s in %s leads to %c",
				      session_fsm.events[e].name, session_fsm.states[s].name,
				      letters[leads_to(s, e)]);
	}
}
END_TEST

/* The owner, the log, the network and a person do not ask which state it is. */
START_TEST(what_comes_from_outside_is_always_possible)
{
	static const enum session_event outside[] = { SESSION_EV_KICK, SESSION_EV_ASK,
						      SESSION_EV_MOVED, SESSION_EV_REBIND,
						      SESSION_EV_LEFT };

	for (unsigned s = 0; s < N_PHASES; s++) {
		for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
			ck_assert_uint_ne(leads_to(s, outside[i]), NEVER);
		if (is_connected(s)) {
			ck_assert_uint_eq(leads_to(s, SESSION_EV_LOST), PHASE_WAITING);
			ck_assert_uint_eq(leads_to(s, SESSION_EV_HOLD), PHASE_HELD);
		}
	}
}
END_TEST

START_TEST(after_the_end_nothing_follows)
{
	for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
		struct fsm_cell c = cell_of(PHASE_STOPPED, e);

		ck_assert_uint_ne(c.kind, FSM_CELL_GO);
		ck_assert_uint_eq(c.effects, 0);
	}
}
END_TEST

/* No word of the server ends it: the log alone does. */
START_TEST(only_the_log_stops_it)
{
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			bool stops = leads_to(s, e) == PHASE_STOPPED;

			ck_assert_int_eq(stops, s != PHASE_STOPPED && e == SESSION_EV_LEFT);
			ck_assert_int_eq(stops, (cell_of(s, e).effects & DO(FINISH)) != 0);
		}
}
END_TEST

START_TEST(a_wait_has_one_length)
{
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			struct fsm_cell c = cell_of(s, e);
			unsigned to = leads_to(s, e);
			uint32_t timers = c.effects & TIMERS;

			ck_assert_uint_eq(timers & (timers - 1), 0);
			if (is_connected(s))
				ck_assert_int_eq(timers != 0, is_waiting(to));
			ck_assert_int_eq((c.effects & DO(HOLD)) != 0, to == PHASE_HELD);
			if (c.effects & DO(HOLD))
				ck_assert(c.effects & DO(BACK_OFF));
		}
}
END_TEST

/* What the server asked for holds over a change of the network, and ends for a person. */
START_TEST(a_person_ends_a_hold)
{
	ck_assert_uint_eq(leads_to(PHASE_HELD, SESSION_EV_KICK), SAME);
	ck_assert_uint_eq(cell_of(PHASE_HELD, SESSION_EV_KICK).effects, DO(FORGIVE) | DO(SOON));
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++)
			ck_assert_int_eq((cell_of(s, e).effects & DO(RELEASE)) != 0,
					 s == PHASE_HELD && leads_to(s, e) == PHASE_WAITING);
}
END_TEST

START_TEST(failures_are_counted_once)
{
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;
			bool unproven = e == SESSION_EV_FETCHED &&
					phase_is_former((enum session_phase)s);
			bool failed = leads_to(s, e) != NEVER &&
				      (e == SESSION_EV_LOST || e == SESSION_EV_HOLD || unproven);

			ck_assert_int_eq((effects & DO(COUNT)) != 0, failed);
			ck_assert(!(effects & DO(COUNT)) || !(effects & DO(FORGIVE)));
			ck_assert(!(effects & DO(REWARD)) || (s == PHASE_UP && failed));
		}
	ck_assert(cell_of(PHASE_UP, SESSION_EV_LOST).effects & DO(REWARD));
	ck_assert(cell_of(PHASE_UP, SESSION_EV_HOLD).effects & DO(REWARD));
}
END_TEST

/* An effect reads what its event brings: a reason, or the server's reply. */
START_TEST(effects_find_what_they_need)
{
	const uint32_t with_reason = DO(EXPLAIN) | DO(COUNT) | DO(HANG_UP) | DO(FINISH) | DO(HOLD);
	const uint32_t with_reply = DO(GREET) | DO(ADMIT) | DO(REMEMBER);

	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;
			bool reason = e >= SESSION_EV_LOST ||
				      (e == SESSION_EV_FETCHED &&
				       phase_is_former((enum session_phase)s));
			bool reply = e == SESSION_EV_READY || e == SESSION_EV_ACCEPTED ||
				     e == SESSION_EV_DENIED || e == SESSION_EV_DENIED_BY_BOTH;

			ck_assert(reason || !(effects & with_reason));
			ck_assert(reply || !(effects & with_reply));
		}
}
END_TEST

/* Nothing of a cell is left to do when the next event comes from within it. */
START_TEST(what_starts_something_comes_last)
{
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects, first = effects & STARTERS;

			first &= ~first + 1; /* its lowest bit */
			if (first)
				ck_assert_uint_eq(effects & ~(first | (first - 1)), 0);
		}
}
END_TEST

/* A connection and a timer, as the effects make and end them. */
struct world {
	bool connection, timer;
};

static void step_world(struct world *w, unsigned event, uint32_t effects)
{
	if (event == SESSION_EV_RETRY)
		w->timer = false; /* it has fired */
	if (effects & DO(HANG_UP))
		w->connection = false;
	if (effects & (TIMERS | DO(FINISH)))
		w->timer = (effects & TIMERS) != 0;
	if (effects & DO(DIAL)) {
		ck_assert(!w->connection);
		w->connection = true;
	}
}

static void check_world(unsigned state, struct world w)
{
	ck_assert_msg(w.connection == is_connected(state), "connection in %s",
		      session_fsm.states[state].name);
	ck_assert_msg(w.timer == is_waiting(state), "timer in %s", session_fsm.states[state].name);
}

/*
 * From the beginning, every order of events: each state is entered with the same world, so one look
 * at each cell of each state is all of them.
 */
START_TEST(connection_and_timer_follow_the_state)
{
	for (unsigned s = 0; s < N_PHASES; s++)
		for (unsigned e = 0; e < N_SESSION_EVENTS; e++) {
			struct world w = { .connection = is_connected(s), .timer = is_waiting(s) };
			unsigned to = leads_to(s, e);

			if (to == NEVER)
				continue;
			step_world(&w, e, cell_of(s, e).effects);
			check_world(to == SAME ? s : to, w);
		}
}
END_TEST

START_TEST(the_usual_way_leads_up)
{
	static const enum session_event usual[] = { SESSION_EV_RETRY,	SESSION_EV_READY,
						    SESSION_EV_PUSHED,	SESSION_EV_ACCEPTED,
						    SESSION_EV_FETCHED, SESSION_EV_SUBSCRIBED };
	unsigned state = 0;

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		state = fsm_at(&session_fsm, state, usual[i]).next;
	ck_assert_uint_eq(state, PHASE_UP);
}
END_TEST

START_TEST(phases_are_told_apart)
{
	for (unsigned s = 0; s < N_PHASES; s++) {
		enum session_phase p = (enum session_phase)s;
		bool before = is_waiting(s) || s == PHASE_DIALING || s == PHASE_STOPPED;

		ck_assert_int_eq(phase_is_greeted(p), !before);
		ck_assert_int_eq(phase_may_fetch(p),
				 !before && s != PHASE_PUSHING && s != PHASE_OPENING);
		ck_assert_int_eq(phase_is_former(p), s == PHASE_PROVING || s == PHASE_RETURNING);
	}
}
END_TEST

UNIT_MAIN("client/session_fsm", the_table_is_whole, each_event_leads_where_it_should,
	  what_comes_from_outside_is_always_possible, after_the_end_nothing_follows,
	  only_the_log_stops_it, a_wait_has_one_length, a_person_ends_a_hold,
	  failures_are_counted_once, effects_find_what_they_need, what_starts_something_comes_last,
	  connection_and_timer_follow_the_state, the_usual_way_leads_up, phases_are_told_apart)
