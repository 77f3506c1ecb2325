/* SPDX-License-Identifier: MIT */
/* What the prober keeps of one tunnel. */
#ifndef MLSH_OVERLAY_PROBER_H
#define MLSH_OVERLAY_PROBER_H

#include "overlay/reach/choose.h"
#include "overlay/internal.h"
#include "overlay/reach/predict.h"
#include "overlay/datapath/window.h"
#include "proto/probe.h"

struct prober {
	struct link *link;
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
	uint64_t word_next;  /* when it is tried again; TIME_NEVER: it was not left out */
	uint32_t word_for;   /* candidates messages that our last word covered */
	uint64_t strange_at; /* the last ping all the way to one that is not proven */
	uint8_t hops;	     /* of the round's openers */
	uint64_t told_at;    /* the other side was asked for a round */
	uint64_t urged_at;   /* it asked for a look at the path in use */
	uint64_t doubted_at;
	unsigned help; /* calls left */
	uint64_t help_at;
	uint64_t tx_seen, busy_until;
	uint64_t mtu_packets, mtu_bytes; /* sent when mtu.c last looked */
	bool mtu_large;			 /* large packets went out since its size was checked */
	bool mtu_doubt;			 /* the size of the path in use is to be checked */
	struct addr seen;		 /* last address that a pong said we have */
	uint64_t counter;		 /* of the next ping */
	struct window window;		 /* of theirs */
	struct predict predict;
};

static inline struct peer *peer_of(const struct prober *pr)
{
	return pr->link->peer;
}

static inline bool is_client(const struct prober *pr)
{
	return !quic_conn_is_server(pr->link->conn);
}

/* --- prober.c --- */

/* Returns its nonce. */
uint64_t prober_ping(struct prober *pr, struct path *path, bool urgent, uint64_t now);
/* To find out whether such a large frame gets through. */
void prober_ping_sized(struct prober *pr, const struct path *path, uint64_t nonce, size_t len);
/* A ping that makes a mapping in our own NAT and goes no further than the round says. */
void prober_open_nat(struct prober *pr, struct path *path, uint64_t now);
/* The timer's: does what is due. */
void prober_run(void *prober);

/* --- rounds.c --- */

/* The tunnel is up: the first round, as the other side's. */
void prober_first_round(struct prober *pr, uint64_t now);
/* Something has changed: all candidates are tried in earnest, by the other side, too. */
void prober_round(struct prober *pr, uint64_t now);
/* Sends what is due of rounds, and begins them. */
void prober_rounds(struct prober *pr, uint64_t now);
uint64_t prober_round_at(const struct prober *pr); /* the next one; TIME_NEVER */
/* Pings an address that may be the peer's, once. Returns false if there were too many lately. */
bool prober_guess(struct prober *pr, const struct addr *to, uint64_t now) MUST_CHECK;
/* Returns false if there were too many pings lately; else counts one. */
bool prober_may_ping(struct prober *pr, const struct path *path, uint64_t now) MUST_CHECK;
bool prober_is_direct(struct prober *pr); /* the path in use */

/* --- prober_watch.c --- */

/* The connection uses this path now. */
void prober_moved(struct prober *pr, path_label label, uint64_t now);
/* The path in use may be dead: it, and all that could take over, are asked. */
void prober_doubt(struct prober *pr, bool forced, uint64_t now);
/* Is the path in use alive? */
void prober_watch(struct prober *pr, uint64_t now);
/* Moves the connection, or follows the peer, when there is reason to. */
void prober_decide(struct prober *pr, uint64_t now);
/* Pings outside of rounds, and when the next is due. */
void prober_keep(struct prober *pr, uint64_t now);
uint64_t prober_keep_at(const struct prober *pr);

#endif
