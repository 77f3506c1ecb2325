/* SPDX-License-Identifier: MIT */
/* A peer: its lifecycle, and what happens to it. */
#ifndef MLSH_OVERLAY_PEERING_PEER_H
#define MLSH_OVERLAY_PEERING_PEER_H

#include "overlay/peering/peering.h"

#define PEER_WAITING_TIME (2 * NS_PER_S)
#define PEER_KNOCK_TRUST (5 * NS_PER_S) /* a younger tunnel may have crossed a knock */
#define WATCH_PERIOD (500 * NS_PER_MS)

/* --- peer_state.c ----------------------------------------------------------------------------- */

/* What people see of the phase. */
enum peer_state peer_state(const struct peer *p);
static inline bool peer_is_up(const struct peer *p)
{
	return peering_is_up(p->phase);
}
/* Has the tunnel lived so long that its end is not a failure, and is built again at once? */
bool peer_tunnel_was_useful(const struct peer *p);
/* Arms the timer for what comes next. */
void peer_schedule(struct peer *p);

/* --- peer_step.c ------------------------------------------------------------------------------ */

/* What an event brings to its effects. */
struct peer_occasion {
	const char *why;	 /* for a person; NULL where nothing is explained */
	struct link *link;	 /* the connection that was chosen, or said hello */
	const struct addr *from; /* of a knock, if we can call there; else NULL */
	bool by_relay;		 /* the knock came by the relay */
};

/* Something happened: the peer's next phase, and what follows. `by` may be NULL. */
void peer_step(struct peer *p, enum peer_event ev, const struct peer_occasion *by);

/* --- peer.c ----------------------------------------------------------------------------------- */

/* -ENOMEM */
int peer_new(struct peering *g, const struct member *m, struct peer **ret) MUST_CHECK;
void peer_close(struct peer *p); /* says bye; only peer_free may follow */
void peer_free(struct peer *p);
void peer_watch(struct peer *p, uint64_t now);
/* The member has another key in force. */
void peer_rekeyed(struct peer *p);
/* Tells the owner that the peer's tunnel has changed, and logs whether it is up and which way it
 * goes; a peer that flaps does not flood the log. */
void peer_tell(struct peer *p);
/* Only logs, for changes that come with time: a path that died, or is back. */
void peer_tell_log(struct peer *p);
void peer_tell_init(struct peer *p);

/*
 * The member left. Takes the peer out of everything, whatever state it is in. It is freed at the
 * end of this turn. Doing it again changes nothing.
 */
void peer_expel(struct peer *p);
void expelled_free(void *peering);
/* A removal without order denies the member: the same, but it stays a peer that may come back. */
void peer_bar(struct peer *p);
void peer_unbar(struct peer *p);

/* A tunnel is wanted: begins if there is none. */
void peer_want(struct peer *p);
/* Something changed that may help: try now. */
void peer_kick(struct peer *p);
/* We are new and have an address of it: it may believe in a tunnel that was, and not begin. */
void peer_remembered(struct peer *p);

/* What the links tell the peer (peer.c). */
void peer_link_up(struct link *l); /* both hellos are through */
void peer_link_gone(struct peer *p, struct link *l, const struct quic_event *ev);
void peer_link_chosen(struct link *l); /* it has the control stream: closes the others */

/* The other side broke the protocol: closed, and not tried again soon. */
void link_malformed(struct link *l, const char *what);

enum peer_loss {
	PEER_LOST_FAULT,  /* one side broke something: again after attempts_delay */
	PEER_LOST_SILENT, /* no answer: at once after a useful tunnel, else the same */
	PEER_LOST_ALIVE	  /* the peer proved that it lives without our tunnel: at once */
};

#define PEER_OTHER_VERSION "it speaks another version of mlsh: upgrade it, or this node"
/* There is no tunnel any more: `why`, for a person; when the next attempt follows. */
void peer_lost(struct peer *p, const char *why, enum peer_loss loss);

/* --- expel.c ---------------------------------------------------------------------------------- */

/*
 * Closes the peer's connections, half-open ones too, and forgets their keys, packets that wait, its
 * relay channel, its route, and what it said of us.
 */
void peer_take_out(struct peer *p, const char *why);

/* --- knock.c ---------------------------------------------------------------------------------- */

/* A connection that the peer began. Returns false if it is refused, or was a knock. */
bool peer_accept(struct peer *p, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		 void **ret_ctx);

#endif
