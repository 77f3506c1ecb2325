/* SPDX-License-Identifier: MIT */
/* The part of reach that finds out how large a datagram may be, and notices when that changes. */
#ifndef MLSH_OVERLAY_MTU_H
#define MLSH_OVERLAY_MTU_H

#include "overlay/reach/reach.h"

/* Sends what is due, and publishes what is known. */
void mtu_run(struct reach *r, uint64_t now);
uint64_t mtu_next_at(const struct reach *r);
/* Was it the answer to one of these pings? */
bool mtu_pong(struct path *path, uint64_t nonce, uint64_t now);
/* Where the path in use leads may have changed: it is checked at once. */
void mtu_suspect(struct reach *r);

/* The largest datagram that a path is known to carry: behind a relay's header, if it is that. */
size_t mtu_of_label(struct pathset *ps, path_label label);

#endif
