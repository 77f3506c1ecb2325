/* SPDX-License-Identifier: MIT */
/* What the prober keeps of one tunnel. */
#ifndef MLSH_OVERLAY_PROBER_H
#define MLSH_OVERLAY_PROBER_H

#include "overlay/choose.h"
#include "overlay/internal.h"
#include "proto/probe.h"

struct prober {
	struct link *link;
	struct pathset set;
	uint8_t tag[PROBE_TAG_LEN];
	uint8_t key_out[PROBE_KEY_LEN], key_in[PROBE_KEY_LEN];
	uint8_t channel[RELAY_CHANNEL_LEN];	/* of the relay path as it was last proven */
	struct timer *timer;
	uint64_t next_at;		/* of the timer */
	uint64_t round_at, round_begun;	/* round_at TIME_NEVER: a direct path is in use */
	unsigned fruitless;		/* rounds in a row */
	uint64_t told_at;		/* the other side was asked for a round */
	uint64_t urged_at;		/* it asked for a look at the path in use */
	uint64_t doubted_at;
	unsigned help;			/* calls left */
	uint64_t help_at;
	uint64_t tx_seen, busy_until;
	struct addr seen;		/* last address that a pong said we have */
};

#endif
