/* SPDX-License-Identifier: MIT */
/*
 * The paths of one tunnel: which there are, which are proven, when they are asked, which one should
 * be used. It knows neither QUIC nor the peer: it is told what it has to know, sends its own
 * frames, and leaves what others have to do in its effects (reach/effects.h), which the caller
 * carries out after each call that says so.
 */
#ifndef MLSH_OVERLAY_REACH_H
#define MLSH_OVERLAY_REACH_H

#include "overlay/datapath/dest.h"
#include "overlay/datapath/window.h"
#include "overlay/reach/choose.h"
#include "overlay/reach/effects.h"
#include "overlay/reach/liveness.h"
#include "overlay/reach/predict.h"
#include "overlay/reach/surroundings.h"
#include "proto/probe.h"

#define REACH_GUESSES_PER_S 1 /* pings to addresses that never answered */
#define REACH_GUESSES_BURST (CANDIDATES_MAX * (PUNCH_STEPS + 2))
#define REACH_PORTS_PER_S 1 /* pings to ports that its NAT may give next */
#define REACH_PORTS_BURST (2 * PREDICT_STEP)
#define REACH_PONGS_PER_S 100 /* of one peer: it takes none from the others */
#define REACH_PONGS_BURST 200
#define REACH_STRANGE_PONGS_PER_S 10 /* to addresses that are not proven */
#define REACH_STRANGE_PONGS_BURST 100
#define REACH_REPEATED_PONGS_PER_S 10 /* to pings that came before */
#define REACH_REPEATED_PONGS_BURST 100
#define REACH_PUNCHES_PER_S 25	/* pings of rounds, to one peer */
#define REACH_PUNCHES_BURST 150 /* a whole round */

/* What one peer may make us send, whatever tunnels there are. */
struct reach_budgets {
	struct bucket guesses; /* pings to addresses of it that never answered */
	struct bucket ports;   /* the same, to ports that are foretold */
	struct bucket punches; /* pings of rounds */
	struct bucket pongs, strange_pongs, repeated_pongs;
};

struct reach_config {
	struct surroundings *around;
	struct dest *dest; /* counters, and the relay's channel */
	struct reach_budgets *budgets;
	const struct wire_candidates *from_peer, *from_server; /* what they name, as of now */
	const struct addr *was_at; /* of the last direct path, as of now; unset: unknown */
	const char *name;	   /* of the peer, for the log */
	bool client;
	const struct probe_keys *keys;
	struct timer *timer; /* of its owner, who runs it then; freed with it */
};

/* The path that the handshake has proven. */
struct reach_first {
	uint64_t label;
	bool relayed;
	struct addr to, local;
};

/* Where a frame came from. */
struct probe_via {
	bool relay; /* over the relay's channel, else: */
	struct addr from, local;
};

struct reach {
	struct surroundings *around;
	struct dest *dest;
	struct reach_budgets *budgets;
	const struct wire_candidates *from_peer, *from_server;
	const struct addr *was_at;
	const char *name;
	bool client;
	struct liveness conn;	   /* set by the caller */
	uint32_t candidates_heard; /* the same: the peer's messages of these */
	struct reach_effects effects;
	struct pathset set;
	uint8_t tag[PROBE_TAG_LEN];
	uint8_t key_out[PROBE_KEY_LEN], key_in[PROBE_KEY_LEN];
	uint8_t channel[RELAY_CHANNEL_LEN]; /* of the relay path as it was last proven */
	struct timer *timer;
	uint64_t next_at;		/* of the timer */
	uint64_t round_at, round_begun; /* round_at TIME_NEVER: a direct path is in use */
	unsigned fruitless;		/* rounds in a row */
	uint64_t tell_at;		/* the other side is to be asked for a round; TIME_NEVER */
	uint64_t word_at;		/* the other side's last word of its openers */
	bool word_due;			/* it is to have ours, once they are sent */
	uint64_t word_next;  /* when it is tried again; TIME_NEVER unless it was left out */
	uint32_t word_for;   /* candidates messages that our last word covered */
	uint64_t strange_at; /* the last ping all the way to one that is not proven */
	uint8_t hops;	     /* of the round's openers */
	uint64_t told_at;    /* the other side was asked for a round */
	uint64_t urged_at;   /* it asked for a look at the path in use */
	uint64_t doubted_at;
	unsigned help; /* calls left */
	uint64_t help_at;
	uint64_t tx_seen, busy_until;
	path_label mtu_label;		 /* the path in use, and the largest datagram on it: */
	size_t mtu;			 /* as of the last run */
	uint64_t mtu_packets, mtu_bytes; /* sent when mtu.c last looked */
	bool mtu_large;			 /* large packets went out since its size was checked */
	bool mtu_doubt;			 /* the size of the path in use is to be checked */
	struct addr seen;		 /* last address that a pong said we have */
	uint64_t counter;		 /* of the next ping */
	struct window window;		 /* of theirs */
	struct predict predict;
};

/* --- reach.c: what there is to know, and running -------------------------------------------- */

void reach_budgets_init(struct reach_budgets *b, uint64_t now);
/* -ENOMEM */
int reach_new(const struct reach_config *c, struct reach **ret) MUST_CHECK;
void reach_free(struct reach *r); /* NULL allowed */
/* Both hellos are through: the first round. Has effects; a run must follow. */
void reach_begin(struct reach *r, const struct reach_first *first, uint64_t now);
/*
 * A run: what is due. Each of the first two has effects, and sees what came of those before it.
 * Where packets go, and how large they may be, may be different then.
 */
void reach_look(struct reach *r, uint64_t now); /* at the path in use, and whether to move */
void reach_work(struct reach *r, uint64_t now); /* pings and rounds */
void reach_arm(struct reach *r, uint64_t now);	/* sets the timer for the next run */
/* Takes the effects, which are then gone. */
struct reach_effects reach_effects_take(struct reach *r);
/* Whether the word that we have sent our openers got out (REACH_SAY_OPENED). */
void reach_said_opened(struct reach *r, bool said, uint64_t now);
/*
 * A probe frame `f`, which is `frame`, with this tunnel's tag. Returns false if it is not for it;
 * else it may have effects, and a run must follow.
 */
bool reach_received(struct reach *r, struct span frame, const struct probe *f,
		    const struct probe_via *via, uint64_t now) MUST_CHECK;
/*
 * The peer's candidates, or the relay's channel, may be others than they were. Returns true if
 * there is a new path: reach_round must follow; a run in any case.
 */
bool reach_candidates(struct reach *r);
bool reach_relay(struct reach *r, uint64_t now);
/* Is the path in use the relay, with another channel than before? Only before reach_relay. */
bool reach_channel_is_new(struct reach *r);
/* Our network is another one. Has effects; a run must follow. */
void reach_network_changed(struct reach *r, uint64_t now);
/* QUIC gave up the path with this label. */
void reach_path_failed(struct reach *r, path_label label, uint64_t now);
/* Packets go out: looks often from now on. */
void reach_wake(struct reach *r, uint64_t now);
struct pathset *reach_paths(struct reach *r);

/* --- probe_send.c ---------------------------------------------------------------------------- */

/* Returns its nonce. */
uint64_t reach_ping(struct reach *r, struct path *path, bool urgent, uint64_t now);
/* To find out whether such a large frame gets through. */
void reach_ping_sized(struct reach *r, const struct path *path, uint64_t nonce, size_t len);
/* A ping that makes a mapping in our own NAT and goes no further than the round says. */
void reach_open_nat(struct reach *r, struct path *path, uint64_t now);
/* The answer to a ping that came from there. */
void reach_pong(struct reach *r, const struct path *path, const struct probe *to_ping,
		const struct addr *from);
/* Pings an address that may be the peer's, once. Returns false if there were too many lately. */
bool reach_guess(struct reach *r, const struct addr *to, uint64_t now) MUST_CHECK;
/* Returns false if there were too many pings lately; else counts one. */
bool reach_may_ping(struct reach *r, const struct path *path, uint64_t now) MUST_CHECK;

/* --- rounds.c -------------------------------------------------------------------------------- */

/* The tunnel is up: the first round, as the other side's. */
void reach_first_round(struct reach *r, uint64_t now);
/* Something has changed: all candidates are tried in earnest, by the other side, too. Effects. */
void reach_round(struct reach *r, uint64_t now);
/* The other side asks for a round with such openers. Has effects; a run must follow. */
void reach_punched(struct reach *r, uint8_t hops, uint64_t now);
/* The other side has sent the openers of its round, to all that we named. A run must follow. */
void reach_opened(struct reach *r, uint64_t now);
/* Sends what is due of rounds, and begins them. */
void reach_rounds(struct reach *r, uint64_t now);
uint64_t reach_round_at(const struct reach *r); /* the next one; TIME_NEVER */

/* --- watch.c -------------------------------------------------------------------------------- */

/* The connection uses this path now. */
void reach_moved(struct reach *r, path_label label, uint64_t now);
/* The path in use may be dead: it, and all that could take over, are asked. A run must follow. */
void reach_doubt(struct reach *r, bool forced, uint64_t now);
/* The path in use does not answer, and there is no other. Returns false without a tunnel. */
bool reach_is_dead(const struct reach *r);
/* When the path in use last answered; 0 before that, and without a tunnel. */
uint64_t reach_last_echo(struct reach *r);
/* Is the path in use alive? */
void reach_watch(struct reach *r, uint64_t now);
/* Moves the connection, or follows the peer, when there is reason to. */
void reach_decide(struct reach *r, uint64_t now);
/* Pings outside of rounds, and when the next is due. */
void reach_keep(struct reach *r, uint64_t now);
uint64_t reach_keep_at(const struct reach *r);

#endif
