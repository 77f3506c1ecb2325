/* SPDX-License-Identifier: MIT */
/* Relay channels to peers. */
#ifndef MLSH_OVERLAY_PEERING_RELAY_H
#define MLSH_OVERLAY_PEERING_RELAY_H

#include "base/macros.h"

struct peer;
struct peering;

/* Asks the owner for a channel if there is none and it was not asked lately. */
void relay_want(struct peer *p);
void relay_forget(struct peer *p);
/* Asks for another channel where the counter of the one in use runs out. */
void relay_renew(struct peering *g);

#endif
