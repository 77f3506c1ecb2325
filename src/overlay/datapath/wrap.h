/* SPDX-License-Identifier: MIT */
/* The relay channel to a peer, and the header in front of the packets that take it. */
#ifndef MLSH_OVERLAY_WRAP_H
#define MLSH_OVERLAY_WRAP_H

#include "os/loop.h"
#include "proto/relay.h"
#include "quic/quic.h"

/* One path, whatever the channel. */
struct relay_path {
	bool on;
	path_label label; /* for good */
	struct addr server;
	struct relay_end end;
	uint32_t counter; /* of the next frame */
	struct relay_window window;
	uint64_t next_rate; /* counter of the server's next word on our rate */
	uint64_t asked_at;  /* when a channel was last asked for; 0 if it may be asked for now */
	struct deferred *renew; /* called once, when the counter runs out */
};

/* Puts the header in front of a packet: `frame` has RELAY_OVERHEAD bytes for it. */
void relay_path_wrap(struct relay_path *r, uint8_t *frame, size_t packet_len);

#endif
