/* SPDX-License-Identifier: MIT */
/*
 * A peer's lifecycle, every state with every event: where each leads, as a grid of its own, and
 * what must hold of the effects. Then a walk in which anything happens that may happen.
 */
#include "overlay/peering/peer_fsm.h"

#include "base/macros.h"

#include "fsm_kit.h"
#include "unit.h"

#define DO(effect) (1u << PEER_DO_##effect)
/* What sets the time of the next attempt. */
#define TIMERS (DO(BACK_OFF) | DO(AT_ONCE) | DO(SOONER) | DO(SOON))
/* What needs the connection that won the race. */
#define OF_TUNNEL (DO(MARK_UP) | DO(CHECK) | DO(OPEN))
/* What begins connections of ours. */
#define TRIES (DO(JOIN) | DO(CALL_BACK) | DO(TRY_RELAY) | DO(LEAD) | DO(NEXT))
#define SAME N_PEERING	      /* the state stays */
#define NEVER (N_PEERING + 1) /* it cannot happen */

static struct fsm_cell cell_of(unsigned state, unsigned event)
{
	return peer_fsm.cells[state * peer_fsm.n_events + event];
}

/* Where a cell leads: a state, SAME or NEVER. */
static unsigned leads_to(unsigned state, unsigned event)
{
	struct fsm_cell c = cell_of(state, event);

	if (c.kind == FSM_CELL_NEVER)
		return NEVER;
	return c.kind == FSM_CELL_STAY ? SAME : c.next;
}

static unsigned after(unsigned state, unsigned event)
{
	unsigned to = leads_to(state, event);

	return to == SAME ? state : to;
}

static bool is_up(unsigned state)
{
	return peering_is_up((enum peer_phase)state);
}

static bool waits(unsigned state)
{
	return peering_waits((enum peer_phase)state);
}

static bool is_out(unsigned state)
{
	return state == PEERING_BARRED || state == PEERING_GONE;
}

START_TEST(the_table_is_whole)
{
	const char *fault = fsm_fault(&peer_fsm);

	ck_assert_msg(!fault, "%s", fault);
}
END_TEST

/*
 * A column for each event, in the order of the enum: want, kick, remembered, channel, knock, knock
 * again; begin, begin by relay, nothing, unwanted, turn; ended, failed, knock heard, chosen, hello;
 * fault, lost, shutdown; online, moved, heard, rekeyed; bar, unbar, expel. "." stays, "-" cannot
 * happen; the letters are those of `letters`.
 */
static const char *const grid[N_PEERING] = {
	[PEERING_IDLE] = "WWWWW-"
			 "-----"
			 "...C-"
			 "---"
			 "..-W"
			 "B-G",
	[PEERING_WAITING] = ".....-"
			    "RRII-"
			    "...C-"
			    "---"
			    "..-."
			    "B-G",
	[PEERING_LEFT] = ".WWWW-"
			 "RRII-"
			 "...C-"
			 "---"
			 "..-W"
			 "B-G",
	[PEERING_RACING] = ".....-"
			   "----."
			   ".WWC-"
			   "---"
			   "..-W"
			   "B-G",
	[PEERING_CHOSEN] = ".....-"
			   "-----"
			   "....U"
			   "WWL"
			   "..-W"
			   "B-G",
	[PEERING_UP] = ".....W"
		       "-----"
		       "....."
		       "WWL"
		       ".S.W"
		       "B-G",
	[PEERING_SUSPECT] = ".....W"
			    "-----"
			    "....U"
			    "WWL"
			    "..UW"
			    "B-G",
	[PEERING_BARRED] = ".....-"
			   "-----"
			   "-----"
			   "---"
			   "..-."
			   "-IG",
	[PEERING_GONE] = ".....-"
			 "-----"
			 "-----"
			 "---"
			 "..-."
			 "--.",
};

START_TEST(each_event_leads_where_it_should)
{
	static const char letters[] = "IWLRCUSBG.-";

	for (unsigned s = 0; s < N_PEERING; s++) {
		ck_assert_uint_eq(strlen(grid[s]), N_PEER_EVENTS);
		for (unsigned e = 0; e < N_PEER_EVENTS; e++)
			ck_assert_msg(letters[leads_to(s, e)] == grid[s][e], "%s in %s leads to %c",
				      peer_fsm.events[e].name, peer_fsm.states[s].name,
				      letters[leads_to(s, e)]);
	}
}
END_TEST

/* Packets, the owner, the peer and the network do not ask which state it is. */
START_TEST(what_comes_from_outside_is_always_possible)
{
	static const enum peer_event outside[] = {
		PEER_EV_WANT,	PEER_EV_KICK,  PEER_EV_REMEMBERED, PEER_EV_CHANNEL, PEER_EV_KNOCK,
		PEER_EV_ONLINE, PEER_EV_MOVED, PEER_EV_REKEYED,	   PEER_EV_EXPEL
	};

	for (unsigned s = 0; s < N_PEERING; s++)
		for (size_t i = 0; i < ARRAY_LEN(outside); i++)
			ck_assert_uint_ne(leads_to(s, outside[i]), NEVER);
}
END_TEST

START_TEST(a_former_member_never_comes_back)
{
	for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
		ck_assert_uint_ne(cell_of(PEERING_GONE, e).kind, FSM_CELL_GO);
		ck_assert_uint_eq(cell_of(PEERING_GONE, e).effects, 0);
	}
	for (unsigned s = 0; s < N_PEERING; s++)
		ck_assert_uint_eq(after(s, PEER_EV_EXPEL), PEERING_GONE);
}
END_TEST

/* A denied member has no tunnel and is not called, whatever it, the server or a packet says. */
START_TEST(a_denial_holds_until_it_ends)
{
	for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
		if (e == PEER_EV_UNBAR || e == PEER_EV_EXPEL)
			continue;
		ck_assert_uint_ne(cell_of(PEERING_BARRED, e).kind, FSM_CELL_GO);
		ck_assert_uint_eq(cell_of(PEERING_BARRED, e).effects, 0);
	}
	for (unsigned s = 0; s < N_PEERING; s++)
		if (!is_out(s))
			ck_assert_uint_eq(leads_to(s, PEER_EV_BAR), PEERING_BARRED);
}
END_TEST

START_TEST(the_member_is_taken_out_exactly_once)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			unsigned to = leads_to(s, e);

			ck_assert_int_eq((cell_of(s, e).effects & DO(TAKE_OUT)) != 0,
					 to != SAME && to != NEVER && is_out(to));
		}
}
END_TEST

/* Those who are told of a tunnel are told of its end, and the other way round. */
START_TEST(up_and_down_are_told)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;
			bool fell = is_up(s) && leads_to(s, e) != NEVER && !is_up(after(s, e));

			ck_assert_int_eq((effects & DO(MARK_DOWN)) != 0, fell);
			ck_assert_int_eq((effects & DO(MARK_UP)) != 0,
					 e == PEER_EV_HELLO && leads_to(s, e) != NEVER);
			ck_assert_int_eq((effects & DO(MARK_UP)) != 0, (effects & DO(OPEN)) != 0);
			if (!is_up(s) && is_up(after(s, e)))
				ck_assert(effects & DO(MARK_UP));
		}
}
END_TEST

/* A tunnel begins with hellos on a connection that was chosen. */
START_TEST(nothing_is_up_without_a_chosen_connection)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;

			if (is_up(after(s, e)) && leads_to(s, e) != NEVER)
				ck_assert(is_up(s) || (s == PEERING_CHOSEN && e == PEER_EV_HELLO));
			ck_assert(!(effects & OF_TUNNEL) || is_up(after(s, e)));
			ck_assert(!(effects & DO(TEST)) || is_up(after(s, e)) ||
				  after(s, e) == PEERING_CHOSEN);
			ck_assert_int_eq((effects & DO(CHOOSE)) != 0,
					 e == PEER_EV_CHOSEN && !is_out(s));
		}
}
END_TEST

/* The timer of the next attempt runs in the states that wait for it, and in no other. */
START_TEST(a_wait_has_a_time)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;

			if (leads_to(s, e) == NEVER)
				continue;
			ck_assert(!(effects & TIMERS) || waits(after(s, e)));
			if (!waits(s) && waits(after(s, e)))
				ck_assert(effects & (DO(BACK_OFF) | DO(SOONER)));
			ck_assert(!(effects & DO(SOON)) || (effects & DO(SOONER)));
			if (effects & DO(AT_ONCE)) /* what is not wanted has a time, too */
				ck_assert(effects & DO(BACK_OFF));
		}
}
END_TEST

START_TEST(attempts_are_made_in_the_race_only)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++)
			ck_assert(!(cell_of(s, e).effects & TRIES) ||
				  after(s, e) == PEERING_RACING);
}
END_TEST

START_TEST(failures_are_counted_once)
{
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;
			uint32_t counted = effects & (DO(COUNT) | DO(BACK_OFF));

			ck_assert(counted == 0 || counted == (DO(COUNT) | DO(BACK_OFF)));
			ck_assert(!counted || (effects & DO(EXPLAIN)));
			ck_assert(!(effects & DO(REWARD)) || is_up(s));
			ck_assert_int_eq((effects & DO(REST)) != 0,
					 e == PEER_EV_SHUTDOWN && leads_to(s, e) != NEVER);
		}
}
END_TEST

/* It said goodbye: packets do not call it. A knock, the server or the network do. */
START_TEST(packets_do_not_call_who_left)
{
	ck_assert_uint_eq(leads_to(PEERING_LEFT, PEER_EV_WANT), SAME);
	ck_assert_uint_eq(cell_of(PEERING_LEFT, PEER_EV_WANT).effects, DO(WANT));
	ck_assert_uint_eq(leads_to(PEERING_LEFT, PEER_EV_KICK), PEERING_WAITING);
	ck_assert_uint_eq(leads_to(PEERING_LEFT, PEER_EV_KNOCK), PEERING_WAITING);
	ck_assert_uint_eq(leads_to(PEERING_LEFT, PEER_EV_CHOSEN), PEERING_CHOSEN);
	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++)
			ck_assert(leads_to(s, e) != PEERING_LEFT || e == PEER_EV_SHUTDOWN);
}
END_TEST

/* An effect reads what its event brings. */
START_TEST(effects_find_what_they_need)
{
	const uint32_t with_reason = DO(EXPLAIN) | DO(TAKE_OUT);

	for (unsigned s = 0; s < N_PEERING; s++)
		for (unsigned e = 0; e < N_PEER_EVENTS; e++) {
			uint32_t effects = cell_of(s, e).effects;

			ck_assert(!(effects & DO(CALL_BACK)) || e == PEER_EV_KNOCK);
			ck_assert(!(effects & (DO(CHOOSE) | DO(OPEN))) || e == PEER_EV_CHOSEN ||
				  e == PEER_EV_HELLO);
			if (effects & with_reason)
				ck_assert(e == PEER_EV_KNOCK_AGAIN || e == PEER_EV_NOTHING ||
					  (e >= PEER_EV_ENDED && e <= PEER_EV_KNOCK_HEARD) ||
					  (e >= PEER_EV_FAULT && e <= PEER_EV_SHUTDOWN) ||
					  e == PEER_EV_REKEYED || e == PEER_EV_BAR ||
					  e == PEER_EV_EXPEL);
		}
}
END_TEST

/* What peer_step.c keeps beside the phase, and what the table may do to it. */
struct walker {
	unsigned at;
	bool timed, told_up;
};

static void step(struct walker *w, unsigned event)
{
	struct fsm_cell c = fsm_at(&peer_fsm, w->at, event);

	w->at = c.next;
	if (!waits(w->at))
		w->timed = false;
	if (c.effects & (DO(BACK_OFF) | DO(SOONER)))
		w->timed = true;
	if (c.effects & DO(MARK_UP))
		w->told_up = true;
	if (c.effects & DO(MARK_DOWN)) {
		ck_assert(w->told_up);
		w->told_up = false;
	}
	ck_assert_int_eq(w->timed, waits(w->at));
	ck_assert_int_eq(w->told_up, is_up(w->at));
}

START_TEST(whatever_happens_in_whatever_order)
{
	struct unit_rng r = unit_rng_new("a walk");
	unsigned visited[N_PEERING] = { 0 };

	for (unsigned walk = 0; walk < 500; walk++) {
		struct walker w = { .at = PEERING_IDLE };

		for (unsigned i = 0; i < 200; i++) {
			unsigned e = (unsigned)unit_random_below(&r, N_PEER_EVENTS);

			/* Else each walk is over soon. */
			if (e == PEER_EV_EXPEL && i < 150)
				continue;
			if (leads_to(w.at, e) != NEVER)
				step(&w, e);
			visited[w.at]++;
		}
	}
	for (unsigned s = 0; s < N_PEERING; s++)
		ck_assert_msg(visited[s] > 0, "never in %s", peer_fsm.states[s].name);
}
END_TEST

UNIT_MAIN("overlay/peer_fsm", the_table_is_whole, each_event_leads_where_it_should,
	  what_comes_from_outside_is_always_possible, a_former_member_never_comes_back,
	  a_denial_holds_until_it_ends, the_member_is_taken_out_exactly_once, up_and_down_are_told,
	  nothing_is_up_without_a_chosen_connection, a_wait_has_a_time,
	  attempts_are_made_in_the_race_only, failures_are_counted_once,
	  packets_do_not_call_who_left, effects_find_what_they_need,
	  whatever_happens_in_whatever_order)
