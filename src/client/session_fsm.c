/* SPDX-License-Identifier: MIT */
/* The table of the session's lifecycle. */
#include "client/session_fsm.h"

static const struct fsm_word states[N_PHASES] = {
	[PHASE_WAITING] = { "waiting", "for the next attempt, longer after each failure" },
	[PHASE_HELD] = { "held", "waiting because the server asked for time, or because an attempt "
				 "soon would be of no use" },
	[PHASE_DIALING] = { "dialing", "an attempt is under way" },
	[PHASE_PUSHING] = { "pushing", "greeted; the server is given the records that it lacks" },
	[PHASE_OPENING] = { "opening", "the server was asked for a session" },
	[PHASE_FETCHING] = { "fetching", "in session; this node reads what it lacks of the log" },
	[PHASE_PROVING] = { "proving", "the server says that this node is not a member, against "
				       "the node's log: this node reads what the server shows "
				       "for proof" },
	[PHASE_RETURNING] = { "returning", "the server says that this node is not a member, as "
					   "the node's log does: this node reads what the "
					   "server shows for a recovery that admits it again" },
	[PHASE_SUBSCRIBING] = { "subscribing", "the server was asked for presence and records as "
					       "they come" },
	[PHASE_UP] = { "up", "all of it works" },
	[PHASE_STOPPED] = { "stopped", "for good: this node is not a member any more" },
};

static const struct fsm_word events[N_SESSION_EVENTS] = {
	[SESSION_EV_RETRY] = { "retry", "the wait is over" },
	[SESSION_EV_KICK] = { "kick", "the network changed, or the machine woke" },
	[SESSION_EV_ASK] = { "ask", "a person asks for the session, for the first time in five "
				    "seconds (else it is a kick)" },
	[SESSION_EV_READY] = { "ready", "the server accepted hello" },
	[SESSION_EV_PUSHED] = { "pushed", "the server has every record, or does not take those "
					  "that it lacks" },
	[SESSION_EV_ACCEPTED] = { "accepted", "the server gives this node a session" },
	[SESSION_EV_DENIED] = { "denied", "the server says that this node is not a member or "
					  "that the cluster has moved; the node's log says "
					  "otherwise" },
	[SESSION_EV_DENIED_BY_BOTH] = { "denied by both", "the same, and the node's log agrees" },
	[SESSION_EV_FETCHED] = { "fetched",
				 "this node has read all that the server shows, and is a "
				 "member by it" },
	[SESSION_EV_SUBSCRIBED] = { "subscribed", "the server sends presence and records" },
	[SESSION_EV_LOST] = { "lost", "the attempt failed, or the connection ended" },
	[SESSION_EV_HOLD] = { "hold", "the same, and the next attempt has to wait" },
	[SESSION_EV_MOVED] = { "moved", "the log names another server" },
	[SESSION_EV_REBIND] = { "rebind",
				"a relay is wanted, and the session has a port of its own" },
	[SESSION_EV_LEFT] = { "left", "by the log this node is not a member any more" },
};

static const struct fsm_word effects[N_SESSION_EFFECTS] = {
	[SESSION_DO_HEAR] = { "hear", "notes when the server was last heard" },
	[SESSION_DO_REWARD] = { "reward", "a session that was up for 10 s (3 s, if the server was "
					  "restarted) was useful: the waits begin again with short "
					  "ones" },
	[SESSION_DO_EXPLAIN] = { "explain", "shows the reason in the log and the status" },
	[SESSION_DO_REMEMBER] = { "remember", "keeps what the server said until its log is read" },
	[SESSION_DO_COUNT] = { "count", "counts a failure, of this attempt and of this place" },
	[SESSION_DO_HANG_UP] = { "hang up",
				 "ends the connection and its relay channels, and closes "
				 "a port of the session's own" },
	[SESSION_DO_FORGIVE] = { "forgive", "the waits begin again with short ones" },
	[SESSION_DO_RELEASE] = { "release", "the server's wish for time does not hold any more" },
	[SESSION_DO_CHANGE_SERVER] = { "change server", "forgets the other server's place, address "
							"and presence" },
	[SESSION_DO_REBIND] = { "rebind", "the next attempt is made from the node's port" },
	[SESSION_DO_HOLD] = { "hold", "no attempt for as long as was asked, and a quarter of it" },
	[SESSION_DO_BACK_OFF] = { "back off", "waits at most 0.2 s after the first failure, up to "
					      "5 s after many, with jitter" },
	[SESSION_DO_SPREAD] = { "spread", "waits a random time, longer in large clusters" },
	[SESSION_DO_SOON] = { "soon", "the next attempt begins as soon as it may" },
	[SESSION_DO_DIAL] = { "dial", "begins an attempt" },
	[SESSION_DO_REDIAL] = { "redial",
				"begins the attempt again, unless it is younger than half "
				"a second" },
	[SESSION_DO_GREET] = { "greet",
			       "takes features, time and addresses from the server's hello" },
	[SESSION_DO_PUSH] = { "push", "sends records that the server lacks" },
	[SESSION_DO_OPEN] = { "open", "asks for a session" },
	[SESSION_DO_ADMIT] = { "admit", "keeps the server's address, token and head" },
	[SESSION_DO_FETCH] = { "fetch", "asks for records" },
	[SESSION_DO_SUBSCRIBE] = { "subscribe", "asks for presence" },
	[SESSION_DO_ENTER] = { "enter",
			       "publishes candidates, asks the second port, fetches again" },
	[SESSION_DO_PROBE] = { "probe",
			       "asks the server something and waits 1.5 s for a sign of it" },
	[SESSION_DO_FINISH] = { "finish", "tells those who wait for it, and the owner" },
};

/* --- the table -------------------------------------------------------------------------------- */

#define ON(event) [SESSION_EV_##event]
#define NEVER FSM_NEVER
#define IGNORE FSM_IGNORE

#define B(effect) (1u << SESSION_DO_##effect)
#define FAIL (B(EXPLAIN) | B(COUNT) | B(HANG_UP) | B(BACK_OFF))
#define BREAK (B(HEAR) | FAIL)
#define MOVE (B(EXPLAIN) | B(FORGIVE) | B(CHANGE_SERVER) | B(SPREAD))
#define END (B(EXPLAIN) | B(FINISH))
#define WAKE (B(FORGIVE) | B(PROBE))

/* What may happen on each connection that was greeted. */
#define GREETED_CELLS                                                                              \
	ON(RETRY) = NEVER, ON(READY) = NEVER, ON(KICK) = FSM_STAY(WAKE), ON(ASK) = FSM_STAY(WAKE), \
	ON(LOST) = FSM_GO(PHASE_WAITING, BREAK), ON(HOLD) = FSM_GO(PHASE_HELD, BREAK | B(HOLD)),   \
	ON(MOVED) = FSM_GO(PHASE_WAITING, B(HEAR) | B(HANG_UP) | MOVE),                            \
	ON(LEFT) = FSM_GO(PHASE_STOPPED, B(HEAR) | B(HANG_UP) | END)

/* clang-format off */
static const struct fsm_cell cells[N_PHASES][N_SESSION_EVENTS] = {
	[PHASE_WAITING] = {
		ON(RETRY) = FSM_GO(PHASE_DIALING, B(DIAL)),
		ON(KICK) = FSM_STAY(B(FORGIVE) | B(SOON)),
		ON(ASK) = FSM_STAY(B(FORGIVE) | B(SOON)),
		ON(MOVED) = FSM_STAY(MOVE),
		ON(LEFT) = FSM_GO(PHASE_STOPPED, END),
		ON(REBIND) = IGNORE,
		ON(READY) = NEVER, ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER,
		ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
		ON(SUBSCRIBED) = NEVER, ON(LOST) = NEVER, ON(HOLD) = NEVER,
	},
	[PHASE_HELD] = {
		ON(RETRY) = FSM_GO(PHASE_DIALING, B(DIAL)),
		ON(KICK) = FSM_STAY(B(FORGIVE) | B(SOON)),
		ON(ASK) = FSM_GO(PHASE_WAITING, B(FORGIVE) | B(RELEASE) | B(SOON)),
		ON(MOVED) = FSM_GO(PHASE_WAITING, B(RELEASE) | MOVE),
		ON(LEFT) = FSM_GO(PHASE_STOPPED, END),
		ON(REBIND) = IGNORE,
		ON(READY) = NEVER, ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER,
		ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
		ON(SUBSCRIBED) = NEVER, ON(LOST) = NEVER, ON(HOLD) = NEVER,
	},
	[PHASE_DIALING] = {
		ON(READY) = FSM_GO(PHASE_PUSHING, B(GREET) | B(PUSH)),
		ON(KICK) = FSM_STAY(B(FORGIVE) | B(REDIAL)),
		ON(ASK) = FSM_STAY(B(FORGIVE) | B(REDIAL)),
		ON(LOST) = FSM_GO(PHASE_WAITING, FAIL),
		ON(HOLD) = FSM_GO(PHASE_HELD, FAIL | B(HOLD)),
		ON(MOVED) = FSM_GO(PHASE_WAITING, B(HANG_UP) | MOVE),
		ON(LEFT) = FSM_GO(PHASE_STOPPED, B(HANG_UP) | END),
		ON(REBIND) = IGNORE,
		ON(RETRY) = NEVER, ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER,
		ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
		ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_PUSHING] = {
		GREETED_CELLS,
		ON(PUSHED) = FSM_GO(PHASE_OPENING, B(OPEN)),
		ON(REBIND) = IGNORE,
		ON(ACCEPTED) = NEVER, ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER,
		ON(FETCHED) = NEVER, ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_OPENING] = {
		GREETED_CELLS,
		ON(ACCEPTED) = FSM_GO(PHASE_FETCHING, B(ADMIT) | B(FETCH)),
		ON(DENIED) = FSM_GO(PHASE_PROVING, B(REMEMBER) | B(FETCH)),
		ON(DENIED_BY_BOTH) = FSM_GO(PHASE_RETURNING, B(REMEMBER) | B(FETCH)),
		ON(REBIND) = IGNORE,
		ON(PUSHED) = NEVER, ON(FETCHED) = NEVER, ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_FETCHING] = {
		GREETED_CELLS,
		ON(FETCHED) = FSM_GO(PHASE_SUBSCRIBING, B(SUBSCRIBE)),
		ON(REBIND) = IGNORE,
		ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER, ON(DENIED) = NEVER,
		ON(DENIED_BY_BOTH) = NEVER, ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_PROVING] = {
		GREETED_CELLS,
		ON(FETCHED) = FSM_GO(PHASE_HELD, BREAK | B(HOLD)),
		ON(REBIND) = IGNORE,
		ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER, ON(DENIED) = NEVER,
		ON(DENIED_BY_BOTH) = NEVER, ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_RETURNING] = {
		GREETED_CELLS,
		ON(FETCHED) = FSM_GO(PHASE_WAITING, BREAK),
		ON(REBIND) = IGNORE,
		ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER, ON(DENIED) = NEVER,
		ON(DENIED_BY_BOTH) = NEVER, ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_SUBSCRIBING] = {
		GREETED_CELLS,
		ON(SUBSCRIBED) = FSM_GO(PHASE_UP, B(ENTER)),
		ON(REBIND) = IGNORE,
		ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER, ON(DENIED) = NEVER,
		ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
	},
	[PHASE_UP] = {
		ON(KICK) = FSM_STAY(WAKE),
		ON(ASK) = FSM_STAY(WAKE),
		ON(LOST) = FSM_GO(PHASE_WAITING, B(REWARD) | BREAK),
		ON(HOLD) = FSM_GO(PHASE_HELD, B(REWARD) | BREAK | B(HOLD)),
		ON(MOVED) = FSM_GO(PHASE_WAITING, B(HEAR) | B(HANG_UP) | MOVE),
		ON(REBIND) = FSM_GO(PHASE_WAITING,
				  B(HEAR) | B(EXPLAIN) | B(HANG_UP) | B(REBIND) | B(SOON)),
		ON(LEFT) = FSM_GO(PHASE_STOPPED, B(HEAR) | B(HANG_UP) | END),
		ON(RETRY) = NEVER, ON(READY) = NEVER, ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER,
		ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
		ON(SUBSCRIBED) = NEVER,
	},
	[PHASE_STOPPED] = {
		ON(KICK) = IGNORE, ON(ASK) = IGNORE, ON(MOVED) = IGNORE, ON(REBIND) = IGNORE,
		ON(LEFT) = IGNORE,
		ON(RETRY) = NEVER, ON(READY) = NEVER, ON(PUSHED) = NEVER, ON(ACCEPTED) = NEVER,
		ON(DENIED) = NEVER, ON(DENIED_BY_BOTH) = NEVER, ON(FETCHED) = NEVER,
		ON(SUBSCRIBED) = NEVER, ON(LOST) = NEVER, ON(HOLD) = NEVER,
	},
};
/* clang-format on */

const struct fsm session_fsm = {
	.name = "Session",
	.about = "A node's session with its signal server (`src/client/session_fsm.c`).\n"
		 "Whatever goes wrong leads back to an attempt; only the log ends it.",
	.states = states,
	.events = events,
	.effects = effects,
	.n_states = N_PHASES,
	.n_events = N_SESSION_EVENTS,
	.n_effects = N_SESSION_EFFECTS,
	.cells = &cells[0][0],
};

/* --- what follows from a phase ---------------------------------------------------------------- */

bool phase_is_greeted(enum session_phase p)
{
	return p >= PHASE_PUSHING && p <= PHASE_UP;
}

bool phase_may_fetch(enum session_phase p)
{
	return p >= PHASE_FETCHING && p <= PHASE_UP;
}

bool phase_is_former(enum session_phase p)
{
	return p == PHASE_PROVING || p == PHASE_RETURNING;
}
