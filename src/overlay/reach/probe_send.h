/* SPDX-License-Identifier: MIT */
/* How probe frames leave this node. */
#ifndef MLSH_OVERLAY_PROBE_SEND_H
#define MLSH_OVERLAY_PROBE_SEND_H

#include "base/addr.h"

struct probe_way {
	/* To an address. `hops`: routers that pass it on, the last one discards it; 0 for all. */
	void (*direct)(void *ctx, const struct addr *to, const uint8_t *data, size_t len,
		       uint8_t hops);
	void *ctx;
};

#endif
