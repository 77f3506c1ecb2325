/* SPDX-License-Identifier: MIT */
/* Connections with peers. */
#ifndef MLSH_OVERLAY_PEERING_LINK_H
#define MLSH_OVERLAY_PEERING_LINK_H

#include "overlay/peering/peering.h"

#define PEER_CONTROL_TIMEOUT (5 * NS_PER_S)

/* --- link.c ----------------------------------------------------------------------------------- */

struct link *link_place(struct peer *p); /* a free one, or NULL */
/* Closes the connection and frees the place. */
void link_close(struct link *l, uint64_t app_error, const char *phrase);

/* --- link_events.c ---------------------------------------------------------------------------- */

extern const struct quic_conn_ops link_ops;

#endif
