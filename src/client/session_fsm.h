/* SPDX-License-Identifier: MIT */
/*
 * The session's lifecycle as a table (base/fsm.h; drawn in docs/protocol/08-lifecycles.md). Pure:
 * session_run.c turns what happens into events and carries out the effects.
 */
#ifndef MLSH_CLIENT_SESSION_FSM_H
#define MLSH_CLIENT_SESSION_FSM_H

#include "base/fsm.h"

enum session_phase {
	PHASE_WAITING,
	PHASE_HELD,
	PHASE_DIALING,
	PHASE_PUSHING,
	PHASE_OPENING,
	PHASE_FETCHING,
	PHASE_PROVING,
	PHASE_RETURNING,
	PHASE_SUBSCRIBING,
	PHASE_UP,
	PHASE_STOPPED,
	N_PHASES
};

enum session_event {
	SESSION_EV_RETRY,
	SESSION_EV_KICK,
	SESSION_EV_ASK,
	SESSION_EV_READY,
	SESSION_EV_PUSHED,
	SESSION_EV_ACCEPTED,
	SESSION_EV_DENIED,
	SESSION_EV_DENIED_BY_BOTH,
	SESSION_EV_FETCHED,
	SESSION_EV_SUBSCRIBED,
	SESSION_EV_LOST,
	SESSION_EV_HOLD,
	SESSION_EV_MOVED,
	SESSION_EV_REBIND,
	SESSION_EV_LEFT,
	N_SESSION_EVENTS
};

/* In the order in which they are carried out. */
enum session_effect {
	SESSION_DO_HEAR,
	SESSION_DO_REWARD,
	SESSION_DO_EXPLAIN,
	SESSION_DO_REMEMBER,
	SESSION_DO_COUNT,
	SESSION_DO_HANG_UP,
	SESSION_DO_FORGIVE,
	SESSION_DO_RELEASE,
	SESSION_DO_CHANGE_SERVER,
	SESSION_DO_REBIND,
	SESSION_DO_HOLD,
	SESSION_DO_BACK_OFF,
	SESSION_DO_SPREAD,
	SESSION_DO_SOON,
	SESSION_DO_DIAL,
	SESSION_DO_REDIAL,
	SESSION_DO_GREET,
	SESSION_DO_PUSH,
	SESSION_DO_OPEN,
	SESSION_DO_ADMIT,
	SESSION_DO_FETCH,
	SESSION_DO_SUBSCRIBE,
	SESSION_DO_ENTER,
	SESSION_DO_PROBE,
	SESSION_DO_FINISH,
	N_SESSION_EFFECTS
};

extern const struct fsm session_fsm;

/* Is there a connection on which the server has answered our hello? */
bool phase_is_greeted(enum session_phase p);
/* May the server be asked for its log? */
bool phase_may_fetch(enum session_phase p);
/* Has the server said that this node is no member: is its log read for proof of that? */
bool phase_is_former(enum session_phase p);

#endif
