/* SPDX-License-Identifier: MIT */
/*
 * A peer's lifecycle as a table (base/fsm.h; drawn in docs/protocol/08-lifecycles.md). Pure:
 * peer_step.c carries out the effects. What people and JSON see (enum peer_state) follows from it.
 */
#ifndef MLSH_OVERLAY_PEERING_PEER_FSM_H
#define MLSH_OVERLAY_PEERING_PEER_FSM_H

#include "base/fsm.h"

enum peer_phase {
	PEERING_IDLE,
	PEERING_WAITING,
	PEERING_LEFT,
	PEERING_RACING,
	PEERING_CHOSEN,
	PEERING_UP,
	PEERING_SUSPECT,
	PEERING_BARRED,
	PEERING_GONE,
	N_PEERING
};

enum peer_event {
	PEER_EV_WANT,
	PEER_EV_KICK,
	PEER_EV_REMEMBERED,
	PEER_EV_CHANNEL,
	PEER_EV_KNOCK,
	PEER_EV_KNOCK_AGAIN,
	PEER_EV_BEGIN,
	PEER_EV_BEGIN_RELAY,
	PEER_EV_NOTHING,
	PEER_EV_UNWANTED,
	PEER_EV_TURN,
	PEER_EV_ENDED,
	PEER_EV_FAILED,
	PEER_EV_KNOCK_HEARD,
	PEER_EV_CHOSEN,
	PEER_EV_HELLO,
	PEER_EV_FAULT,
	PEER_EV_LOST,
	PEER_EV_SHUTDOWN,
	PEER_EV_ONLINE,
	PEER_EV_MOVED,
	PEER_EV_HEARD,
	PEER_EV_REKEYED,
	PEER_EV_BAR,
	PEER_EV_UNBAR,
	PEER_EV_EXPEL,
	N_PEER_EVENTS
};

/* In the order in which they are carried out. */
enum peer_effect {
	PEER_DO_CHOOSE,
	PEER_DO_TAKE_OUT,
	PEER_DO_END_KNOCKS,
	PEER_DO_REVIEW,
	PEER_DO_WANT,
	PEER_DO_REWARD,
	PEER_DO_FORGIVE,
	PEER_DO_COUNT,
	PEER_DO_REST,
	PEER_DO_BACK_OFF,
	PEER_DO_EXPLAIN,
	PEER_DO_MARK_UP,
	PEER_DO_MARK_DOWN,
	PEER_DO_AT_ONCE,
	PEER_DO_ASK_RELAY,
	PEER_DO_SOONER,
	PEER_DO_SOON,
	PEER_DO_JOIN,
	PEER_DO_CALL_BACK,
	PEER_DO_TRY_RELAY,
	PEER_DO_BEGIN,
	PEER_DO_LEAD,
	PEER_DO_NEXT,
	PEER_DO_CHECK,
	PEER_DO_TEST,
	PEER_DO_OPEN,
	N_PEER_EFFECTS
};

extern const struct fsm peer_fsm;

/* Is there a tunnel? */
static inline bool peering_is_up(enum peer_phase phase)
{
	return phase == PEERING_UP || phase == PEERING_SUSPECT;
}

/* Has the next attempt its time? */
static inline bool peering_waits(enum peer_phase phase)
{
	return phase == PEERING_WAITING || phase == PEERING_LEFT;
}

#endif
