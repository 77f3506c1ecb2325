/* SPDX-License-Identifier: MIT */
/*
 * Does what reach asks for (overlay/reach/effects.h), in the same turn: tells the owner of the
 * overlay and the peers. Reach calls nobody above it; everybody above it calls it through here.
 */
#ifndef MLSH_OVERLAY_PEERING_EFFECTS_H
#define MLSH_OVERLAY_PEERING_EFFECTS_H

#include "base/macros.h"
#include "overlay/reach/effects.h"

struct addr;
struct overlay;
struct peer;

/* The socket is open: gives the surroundings what they need of it, and their timers. -ENOMEM */
int effects_begin(struct overlay *o) MUST_CHECK;
/* Of the overlay's surroundings. */
void effects_around(struct overlay *o, unsigned effects);
/* Looks at our interfaces again; tells the owner and the peers when the candidates changed. */
void effects_refresh(struct overlay *o);
/* The peer says where it sees us. */
void effects_observed_by(struct peer *p, const struct addr *a);

#endif
