/* SPDX-License-Identifier: MIT */
/* Messages of the control stream (docs/protocol/04-peer.md), but for the log: peer_log.h. */
#ifndef MLSH_OVERLAY_PEERING_CONTROL_H
#define MLSH_OVERLAY_PEERING_CONTROL_H

#include "overlay/peering/peering.h"

/* --- control_send.c --------------------------------------------------------------------------- */

/* Returns an error if the stream takes no more. `m` may be the overlay's own message. */
int control_send(struct link *l, const struct peer_message *m) MUST_CHECK;
/* What proves to the other side that a hello belongs to this connection. */
int control_binding(struct link *l, uint8_t out[32]) MUST_CHECK;
/* Sends our hello. */
int control_start(struct link *l) MUST_CHECK;
void control_candidates(struct link *l);
void control_observed(struct link *l);
void control_punch(struct link *l, uint8_t hops);
/* Returns false if it is left out for now. */
bool control_opened(struct link *l) MUST_CHECK;
void control_nat(struct link *l);
void control_ports(struct link *l);

/* --- control.c -------------------------------------------------------------------------------- */

void control_readable(struct link *l);

#endif
