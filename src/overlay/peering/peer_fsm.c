/* SPDX-License-Identifier: MIT */
/* The table of a peer's lifecycle. */
#include "overlay/peering/peer_fsm.h"

static const struct fsm_word states[N_PEERING] = {
	[PEERING_IDLE] = { "idle", "no tunnel: none is wanted, or there is no address to try" },
	[PEERING_WAITING] = { "waiting", "the next attempt has its time" },
	[PEERING_LEFT] = { "left", "the same; the peer has shut down in order, so that packets do "
				   "not bring the attempt forward" },
	[PEERING_RACING] = { "racing", "an attempt is under way: connections over the relay and to "
				       "its addresses, of which the first one wins" },
	[PEERING_CHOSEN] = { "chosen", "one connection has the control stream; its hello is "
				       "awaited" },
	[PEERING_UP] = { "up", "there is a tunnel" },
	[PEERING_SUSPECT] = { "suspect", "the same; our network has changed, and nothing was heard "
					 "from the peer since" },
	[PEERING_BARRED] = { "barred", "a removal that waits for its order denies the member" },
	[PEERING_GONE] = { "gone", "not a member any more; freed at the end of the turn" },
};

static const struct fsm_word events[N_PEER_EVENTS] = {
	[PEER_EV_WANT] = { "want", "a tunnel is wanted: a packet waits, or the cluster is small" },
	[PEER_EV_KICK] = { "kick", "something changed that may help, and a tunnel is wanted" },
	[PEER_EV_REMEMBERED] = { "remembered", "an address from before our restart is there, and a "
					       "tunnel is wanted" },
	[PEER_EV_CHANNEL] = { "channel", "there is a relay channel to the peer" },
	[PEER_EV_KNOCK] = { "knock", "the peer asks to be called" },
	[PEER_EV_KNOCK_AGAIN] = { "knock again", "the same, though there is a tunnel for five "
						 "seconds: it is of no use to the peer" },
	[PEER_EV_BEGIN] = { "begin", "the wait is over, and there are addresses to try" },
	[PEER_EV_BEGIN_RELAY] = { "begin by relay", "the same, and a connection over the relay has "
						    "begun" },
	[PEER_EV_NOTHING] = { "nothing", "the wait is over, and there is no address to try" },
	[PEER_EV_UNWANTED] = { "unwanted", "the wait is over, and no tunnel is wanted" },
	[PEER_EV_TURN] = { "turn", "the next address has its turn" },
	[PEER_EV_ENDED] = { "ended", "a connection without the control stream has ended" },
	[PEER_EV_FAILED] = { "failed", "the same, and it was the last one" },
	[PEER_EV_KNOCK_HEARD] = { "knock heard", "the peer has heard our knock, and will call" },
	[PEER_EV_CHOSEN] = { "chosen", "a connection has the control stream" },
	[PEER_EV_HELLO] = { "hello", "both hellos are through" },
	[PEER_EV_FAULT] = { "fault", "the connection with the control stream has ended; it may end "
				     "so again" },
	[PEER_EV_LOST] = { "lost", "the same; a new one is likely to work" },
	[PEER_EV_SHUTDOWN] = { "shutdown", "the peer has shut down in order" },
	[PEER_EV_ONLINE] = { "online", "the server says that the peer is back" },
	[PEER_EV_MOVED] = { "moved", "our network is another one" },
	[PEER_EV_HEARD] = { "heard", "the peer has answered since then" },
	[PEER_EV_REKEYED] = { "rekeyed", "the peer's key has changed, and connections ended that "
					 "were not up" },
	[PEER_EV_BAR] = { "bar", "a removal without order denies the member" },
	[PEER_EV_UNBAR] = { "unbar", "no removal denies it any more" },
	[PEER_EV_EXPEL] = { "expel", "the member has left" },
};

static const struct fsm_word effects[N_PEER_EFFECTS] = {
	[PEER_DO_CHOOSE] = { "choose", "closes all other connections" },
	[PEER_DO_TAKE_OUT] = { "take out", "closes all connections; forgets keys, packets, routes, "
					   "channels and addresses" },
	[PEER_DO_END_KNOCKS] = { "end knocks", "closes what would keep us from knocking again" },
	[PEER_DO_REVIEW] = { "review", "packets that wait stay for a moment; without any, a large "
				       "cluster wants the tunnel when the next one comes" },
	[PEER_DO_WANT] = { "want", "remembers that a tunnel is wanted" },
	[PEER_DO_REWARD] = { "reward", "a tunnel that lived for 10 s was useful: the waits begin "
				       "again with short ones" },
	[PEER_DO_FORGIVE] = { "forgive", "the waits begin again with short ones" },
	[PEER_DO_COUNT] = { "count", "counts a failure" },
	[PEER_DO_REST] = { "rest", "counts it as three, at least" },
	[PEER_DO_BACK_OFF] = { "back off", "waits a second after the first failure, up to 60 s "
					   "after many, with jitter" },
	[PEER_DO_EXPLAIN] = { "explain", "keeps the reason for people" },
	[PEER_DO_MARK_UP] = { "mark up", "tells the owner, the packet path and the log that there "
					 "is a tunnel" },
	[PEER_DO_MARK_DOWN] = { "mark down", "tells them that the tunnel is gone" },
	[PEER_DO_AT_ONCE] = { "at once", "if a tunnel is wanted, the waits begin again, and the "
					 "next attempt begins at once" },
	[PEER_DO_ASK_RELAY] = { "ask relay", "asks for a relay channel if it is missing" },
	[PEER_DO_SOONER] = { "sooner", "the next attempt begins as soon as it may; the peer's turn "
				       "comes first" },
	[PEER_DO_SOON] = { "soon", "the peer's turn comes first for 0.2 s only: it may believe in "
				   "a tunnel that was" },
	[PEER_DO_JOIN] = { "join", "new addresses join the race" },
	[PEER_DO_CALL_BACK] = { "call back", "tries the address that the knock came from, or the "
					     "relay" },
	[PEER_DO_TRY_RELAY] = { "try relay", "begins a connection over the relay" },
	[PEER_DO_BEGIN] = { "begin", "notes when the race has begun" },
	[PEER_DO_LEAD] = { "lead", "addresses have their turn 0.3 s later" },
	[PEER_DO_NEXT] = { "next", "begins a connection to the next address; if none is left or "
				   "under way, the attempt has failed" },
	[PEER_DO_CHECK] = { "check", "says something that the peer has to answer, and looks at all "
				     "paths" },
	[PEER_DO_TEST] = { "test", "asks whether the peer still knows the connection" },
	[PEER_DO_OPEN] = { "open", "sends what waits, tells the peer what it should know, and "
				   "looks for better paths" },
};

/* --- the table -------------------------------------------------------------------------------- */

#define ON(event) [PEER_EV_##event]
#define NEVER FSM_NEVER
#define IGNORE FSM_IGNORE

#define B(effect) (1u << PEER_DO_##effect)
#define LATER (B(COUNT) | B(BACK_OFF) | B(EXPLAIN))
#define RENEW (B(ASK_RELAY) | B(SOONER))
#define ADD (B(ASK_RELAY) | B(JOIN))
#define LOSE (B(REVIEW) | LATER)
#define FALL (LOSE | B(REWARD) | B(MARK_DOWN))
#define OUT (B(TAKE_OUT) | B(EXPLAIN))

/* clang-format off */

#define STAY(effects) FSM_STAY(effects)
#define TO_WAITING(effects) FSM_GO(PEERING_WAITING, effects)

/* Nothing is under way. WAIT: how this state becomes "waiting". */
#define DOWN_CELLS(WAIT)									\
	ON(KICK) = WAIT(RENEW), ON(REMEMBERED) = WAIT(RENEW | B(SOON)),				\
	ON(CHANNEL) = WAIT(B(WANT) | B(SOONER)), ON(KNOCK) = WAIT(B(WANT) | RENEW),		\
	ON(MOVED) = FSM_STAY(B(FORGIVE)), ON(REKEYED) = WAIT(LATER | B(AT_ONCE)),		\
	ON(CHOSEN) = FSM_GO(PEERING_CHOSEN, B(CHOOSE)),						\
	ON(BAR) = FSM_GO(PEERING_BARRED, OUT), ON(EXPEL) = FSM_GO(PEERING_GONE, OUT),		\
	ON(ONLINE) = IGNORE, ON(ENDED) = IGNORE, ON(FAILED) = IGNORE, ON(KNOCK_HEARD) = IGNORE,	\
	ON(KNOCK_AGAIN) = NEVER, ON(TURN) = NEVER, ON(HELLO) = NEVER, ON(FAULT) = NEVER,	\
	ON(LOST) = NEVER, ON(SHUTDOWN) = NEVER, ON(HEARD) = NEVER, ON(UNBAR) = NEVER

/* The wait for the next attempt ends here. */
#define WAITING_CELLS										\
	ON(BEGIN) = FSM_GO(PEERING_RACING, B(BEGIN) | B(NEXT)),					\
	ON(BEGIN_RELAY) = FSM_GO(PEERING_RACING, B(BEGIN) | B(LEAD)),				\
	ON(NOTHING) = FSM_GO(PEERING_IDLE, B(EXPLAIN)), ON(UNWANTED) = FSM_GO(PEERING_IDLE, 0)

#define NO_WAIT_CELLS										\
	ON(BEGIN) = NEVER, ON(BEGIN_RELAY) = NEVER, ON(NOTHING) = NEVER, ON(UNWANTED) = NEVER

/* A connection has the control stream. */
#define CONNECTED_CELLS										\
	NO_WAIT_CELLS, ON(WANT) = FSM_STAY(B(WANT)), ON(CHANNEL) = FSM_STAY(B(WANT)),		\
	ON(CHOSEN) = FSM_STAY(B(CHOOSE)),							\
	ON(KICK) = IGNORE, ON(REMEMBERED) = IGNORE, ON(ENDED) = IGNORE, ON(FAILED) = IGNORE,	\
	ON(KNOCK_HEARD) = IGNORE, ON(TURN) = NEVER, ON(UNBAR) = NEVER

#define UP_CELLS										\
	CONNECTED_CELLS, ON(KNOCK) = FSM_STAY(B(WANT) | B(TEST)),				\
	ON(KNOCK_AGAIN) = FSM_GO(PEERING_WAITING, FALL | B(WANT) | B(AT_ONCE)),			\
	ON(FAULT) = FSM_GO(PEERING_WAITING, FALL),						\
	ON(LOST) = FSM_GO(PEERING_WAITING, FALL | B(AT_ONCE)),					\
	ON(SHUTDOWN) = FSM_GO(PEERING_LEFT, FALL | B(REST)), ON(ONLINE) = FSM_STAY(B(TEST)),	\
	ON(REKEYED) = FSM_GO(PEERING_WAITING, LATER | B(MARK_DOWN) | B(AT_ONCE)),		\
	ON(BAR) = FSM_GO(PEERING_BARRED, OUT | B(MARK_DOWN)),					\
	ON(EXPEL) = FSM_GO(PEERING_GONE, OUT | B(MARK_DOWN))

/* No tunnel may be, whatever comes. */
#define OUT_CELLS										\
	NO_WAIT_CELLS, ON(WANT) = IGNORE, ON(KICK) = IGNORE, ON(REMEMBERED) = IGNORE,		\
	ON(CHANNEL) = IGNORE, ON(KNOCK) = IGNORE, ON(ONLINE) = IGNORE, ON(MOVED) = IGNORE,	\
	ON(REKEYED) = IGNORE, ON(KNOCK_AGAIN) = NEVER, ON(TURN) = NEVER, ON(ENDED) = NEVER,	\
	ON(FAILED) = NEVER, ON(KNOCK_HEARD) = NEVER, ON(CHOSEN) = NEVER, ON(HELLO) = NEVER,	\
	ON(FAULT) = NEVER, ON(LOST) = NEVER, ON(SHUTDOWN) = NEVER, ON(HEARD) = NEVER,		\
	ON(BAR) = NEVER

static const struct fsm_cell cells[N_PEERING][N_PEER_EVENTS] = {
	[PEERING_IDLE] = {
		DOWN_CELLS(TO_WAITING),
		NO_WAIT_CELLS,
		ON(WANT) = TO_WAITING(B(WANT) | RENEW),
	},
	[PEERING_WAITING] = {
		DOWN_CELLS(STAY),
		WAITING_CELLS,
		ON(WANT) = FSM_STAY(B(WANT) | RENEW),
	},
	[PEERING_LEFT] = {
		DOWN_CELLS(TO_WAITING),
		WAITING_CELLS,
		ON(WANT) = FSM_STAY(B(WANT)),
	},
	[PEERING_RACING] = {
		NO_WAIT_CELLS,
		ON(WANT) = FSM_STAY(B(WANT) | ADD),
		ON(KICK) = FSM_STAY(ADD),
		ON(REMEMBERED) = FSM_STAY(ADD),
		ON(CHANNEL) = FSM_STAY(B(WANT) | B(TRY_RELAY)),
		ON(KNOCK) = FSM_STAY(B(WANT) | ADD | B(CALL_BACK)),
		ON(TURN) = FSM_STAY(B(NEXT)),
		ON(ENDED) = FSM_STAY(B(NEXT)),
		ON(FAILED) = FSM_GO(PEERING_WAITING, LATER),
		ON(KNOCK_HEARD) = FSM_GO(PEERING_WAITING, B(END_KNOCKS) | LATER),
		ON(CHOSEN) = FSM_GO(PEERING_CHOSEN, B(CHOOSE)),
		ON(MOVED) = FSM_STAY(B(FORGIVE)),
		ON(REKEYED) = FSM_GO(PEERING_WAITING, LATER | B(AT_ONCE)),
		ON(BAR) = FSM_GO(PEERING_BARRED, OUT),
		ON(EXPEL) = FSM_GO(PEERING_GONE, OUT),
		ON(ONLINE) = IGNORE,
		ON(KNOCK_AGAIN) = NEVER, ON(HELLO) = NEVER, ON(FAULT) = NEVER, ON(LOST) = NEVER,
		ON(SHUTDOWN) = NEVER, ON(HEARD) = NEVER, ON(UNBAR) = NEVER,
	},
	[PEERING_CHOSEN] = {
		CONNECTED_CELLS,
		ON(HELLO) = FSM_GO(PEERING_UP, B(MARK_UP) | B(OPEN)),
		ON(KNOCK) = FSM_STAY(B(WANT) | B(TEST)), /* it may have restarted since */
		ON(FAULT) = FSM_GO(PEERING_WAITING, LOSE),
		ON(LOST) = FSM_GO(PEERING_WAITING, LOSE | B(AT_ONCE)),
		ON(SHUTDOWN) = FSM_GO(PEERING_LEFT, LOSE | B(REST)),
		ON(MOVED) = FSM_STAY(B(FORGIVE)),
		ON(REKEYED) = FSM_GO(PEERING_WAITING, LATER | B(AT_ONCE)),
		ON(BAR) = FSM_GO(PEERING_BARRED, OUT),
		ON(EXPEL) = FSM_GO(PEERING_GONE, OUT),
		ON(ONLINE) = IGNORE,
		ON(KNOCK_AGAIN) = NEVER, ON(HEARD) = NEVER,
	},
	[PEERING_UP] = {
		UP_CELLS,
		ON(HELLO) = FSM_STAY(B(MARK_UP) | B(OPEN)), /* of a connection that replaced it */
		ON(MOVED) = FSM_GO(PEERING_SUSPECT, B(FORGIVE) | B(CHECK)),
		ON(HEARD) = IGNORE,
	},
	[PEERING_SUSPECT] = {
		UP_CELLS,
		ON(HELLO) = FSM_GO(PEERING_UP, B(MARK_UP) | B(OPEN)),
		ON(MOVED) = FSM_STAY(B(FORGIVE) | B(CHECK)),
		ON(HEARD) = FSM_GO(PEERING_UP, 0),
	},
	[PEERING_BARRED] = {
		OUT_CELLS,
		ON(UNBAR) = FSM_GO(PEERING_IDLE, B(FORGIVE)),
		ON(EXPEL) = FSM_GO(PEERING_GONE, OUT),
	},
	[PEERING_GONE] = {
		OUT_CELLS,
		ON(EXPEL) = IGNORE,
		ON(UNBAR) = NEVER,
	},
};
/* clang-format on */

const struct fsm peer_fsm = {
	.name = "Peer",
	.about = "What there is between a node and one other member\n"
		 "(`src/overlay/peering/peer_fsm.c`). Connections race; one of them gets the "
		 "control stream\nand, with both hellos, becomes the tunnel. Only a removal ends "
		 "the attempts.",
	.states = states,
	.events = events,
	.effects = effects,
	.n_states = N_PEERING,
	.n_events = N_PEER_EVENTS,
	.n_effects = N_PEER_EFFECTS,
	.cells = &cells[0][0],
};
