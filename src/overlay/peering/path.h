/* SPDX-License-Identifier: MIT */
/* Where packets of a peer go: the path of each connection, and what the packet path is told. */
#ifndef MLSH_OVERLAY_PEERING_PATH_H
#define MLSH_OVERLAY_PEERING_PATH_H

#include "overlay/peering/peering.h"

#define ATTEMPT_FLIGHT 2400			  /* bytes that begin a handshake: two datagrams */
#define PEER_ATTEMPTS_BURST (24 * ATTEMPT_FLIGHT) /* to addresses that proved nothing */
#define PEER_ATTEMPTS_PER_S (ATTEMPT_FLIGHT / 10)

/* --- path.c ----------------------------------------------------------------------------------- */

/*
 * May a datagram of `len` bytes of this link go out? Handshakes to addresses that have proven
 * nothing have a budget; without it a flight is dropped, as if it were lost.
 */
bool path_admit(struct link *l, const struct quic_conn *c, size_t len);
/* Is there budget to begin a handshake with the peer at this address? Proven ones need none. */
bool path_affordable(struct peer *p, const struct addr *to);
/* Our network is another one: what went into the old one in vain does not count any more. */
void path_budgets_renew(struct peering *g);
/* Begins a connection to an address, or over the relay if `to` is NULL; sets the link's path. */
int path_connect(struct link *l, const struct addr *to) MUST_CHECK;
/* The first path of a connection that the other side began. Returns false if it is unknown. */
bool path_accepted(struct link *l, const struct quic_conn *c);
enum peer_path path_of(const struct link *l, struct addr *ret_endpoint);
/* The other side's real address, if the connection's path is a direct one. */
bool path_remote(const struct peering *g, const struct quic_conn *c, struct addr *ret);

/* --- push.c ----------------------------------------------------------------------------------- */

/* Where the relay channel to the peer leads. Returns false if there is no channel. */
bool relay_route(const struct peer *p, struct quic_endpoint *ret);
/* Where packets of this connection go on the path of this label. Returns false if it is gone. */
bool link_route(const struct link *l, path_label label, struct quic_endpoint *ret);
/* Tells the packet path where packets to this peer go now, and how large they may be. */
void peer_push(struct peer *p);
bool peer_is_pushed(const struct peer *p); /* for assertions */
/*
 * The largest datagram that the path in use is known to carry: of what goes behind a relay's
 * header, if it is the relay. 1200 at least; 0 if there is no tunnel. May change with every packet
 * that is received. For the packet path: neither allocates nor asks for the time.
 */
size_t peer_path_mtu(const struct peer *p);

/* --- router.c --------------------------------------------------------------------------------- */

void router_init(struct peering *g);
/* Records of the tunnel came from this address, and before from another one. */
void peer_heard_at(struct peer *p, const struct addr *from);

#endif
