/* SPDX-License-Identifier: MIT */
/*
 * Does what reach asks for (overlay/reach/effects.h), in the same turn: tells the owner of the
 * overlay and the peers. Reach calls nobody above it; everybody above it calls it through here.
 */
#ifndef MLSH_OVERLAY_PEERING_EFFECTS_H
#define MLSH_OVERLAY_PEERING_EFFECTS_H

#include "base/macros.h"
#include "os/udp.h"
#include "overlay/reach/effects.h"
#include "quic/quic.h"

struct link;
struct peering;
struct peer;

/* The socket is open: gives the surroundings what they need of it, and their timers. -ENOMEM */
int effects_begin(struct peering *g) MUST_CHECK;
/* Of the overlay's surroundings. */
void effects_around(struct peering *g, unsigned effects);
/* Looks at our interfaces again; tells the owner and the peers when the candidates changed. */
void effects_refresh(struct peering *g);
/* The peer says where it sees us. */
void effects_observed_by(struct peer *p, const struct addr *a);

/* --- a tunnel -------------------------------------------------------------------------------- */

/* Both hellos are through. -ENOMEM and others: the tunnel works, on its first path only. */
int peer_reach_start(struct link *l) MUST_CHECK;
void peer_reach_end(struct peer *p);
/* A probe frame; `relay`: the peer whose relay channel it came by. */
void peer_reach_received(struct peering *g, struct span frame, const struct udp_rx *rx,
			 struct peer *relay);
/* The peer's candidates, or the relay, are others than they were. */
void peer_reach_candidates(struct peer *p);
/* The other side asks for a round with such openers. */
void peer_reach_punched(struct peer *p, uint8_t hops);
/* The other side has sent the openers of its round, to what so many messages have named. */
void peer_reach_opened(struct peer *p, uint32_t heard);
void peer_reach_network_changed(struct peer *p);
/* Is it known whether the tunnel is alive? If not, it is tested. */
bool peer_reach_look(struct peer *p);
void peer_reach_path_changed(struct peer *p);
void peer_reach_path_failed(struct peer *p, path_label label);
/* Packets go out: look often. */
void peer_reach_wake(struct peer *p);
/* The other side says which port its NAT gave last. */
void peer_reach_told_port(struct peer *p, const struct addr *last);

/*
 * There is a hint that the peer has restarted: tests whether it still knows our tunnel, at once or
 * a second after the test before.
 */
void peer_maybe_restarted(struct peer *p);
/* The test that had to wait is due. */
void peer_test_restart(struct peer *p);

#endif
