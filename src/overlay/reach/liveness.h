/* SPDX-License-Identifier: MIT */
/*
 * Is the other side alive, and by the path in use? Silence proves nothing: a side that has nothing
 * to say is silent, too. What was sent and got no answer tells. All that is waited for is here:
 *
 * The path in use, looked at in each run of reach (every 25 ms while packets flow):
 *   doubt       what QUIC or a record sent has had no answer for three round trips (100 ms at
 *               least). Anything authentic that comes by any way ends it; the next doubt of this
 *               kind begins half a second after the last one at the earliest.
 *   for sure    three pings in a row had no echo: only an echo of this very path ends it.
 *   dead        in doubt, three urgent pings go out 30 ms apart, and two round trips (100 ms at
 *               least) after the last one nothing has ended the doubt.
 *
 * Pings outside of rounds:
 *   in use      every second while packets flow, else every 15 s; every second when it is dead.
 *   the relay, and the best other direct path that is proven: every 15 s.
 *   missed      a ping without echo is repeated after 300 ms (two round trips at least), three
 *               times. A path that is not in use and was not heard from for 45 s, or has missed
 *               more, is not proven any more.
 *
 * The tunnel, looked at every half second (peering/peer.c):
 *   dead        what QUIC sent has had no answer, and no record has come, for two seconds (four
 *               round trips at least). If our network has changed since anything was heard, and
 *               there is no relay, half a second is enough.
 *
 * Pure: the caller sends, moves and closes.
 */
#ifndef MLSH_OVERLAY_LIVENESS_H
#define MLSH_OVERLAY_LIVENESS_H

#include "overlay/datapath/dest.h"
#include "overlay/reach/pathset.h"

/* What QUIC knows of the connection, as of this call: as struct quic_conn_info has it. */
struct liveness {
	uint64_t srtt_ns;
	uint64_t last_heard;
	uint64_t unanswered_since; /* 0 if all that it sent was answered */
};

/* A tunnel begins: what the packet path noted was of an earlier one. */
void liveness_begin(struct dest *d);
/* When anything authentic last came, by QUIC or as a record; 0 before that. */
uint64_t liveness_heard(const struct liveness *l, const struct dest *d);

enum liveness_verdict {
	LIVENESS_SAME,	   /* as before */
	LIVENESS_ANSWERED, /* the doubt is over */
	LIVENESS_DOUBT,	   /* the path may be dead: doubt_begin must follow */
	LIVENESS_SURE	   /* the same, and only its own echo ends it */
};

/* Of the path in use; `doubted_at`: when a doubt last began. Forgets what has been answered. */
enum liveness_verdict liveness_verdict(const struct liveness *l, struct dest *d, struct pathset *ps,
				       uint64_t doubted_at, uint64_t now) MUST_CHECK;
/* When a path is to be pinged outside of rounds. `spare`: the best other direct one, or NULL. */
uint64_t liveness_ping_at(const struct pathset *ps, const struct path *p, const struct path *spare,
			  bool idle);
/* Is a path that is not in use not to be believed in any more? */
bool liveness_is_lapsed(const struct path *p, uint64_t now);
/* `suspect_since`: when our network changed, if nothing was heard since; 0 if it did not. */
bool liveness_tunnel_is_dead(const struct liveness *l, const struct dest *d, uint64_t suspect_since,
			     uint64_t now) MUST_CHECK;

#define DOUBT_PINGS 3

/* How long something may stay unanswered on this path. */
uint64_t path_patience(const struct path *p);
void doubt_begin(struct doubt *d, bool forced, uint64_t now);
void doubt_end(struct doubt *d);

enum doubt_step { DOUBT_WAIT, DOUBT_PING, DOUBT_DEAD };
/* What is due now; DOUBT_DEAD once. */
enum doubt_step doubt_next(struct doubt *d, uint64_t rtt, uint64_t now);

#endif
