/* SPDX-License-Identifier: AGPL-3.0-only */
/* Channels, as the two files of the relay know them. */
#ifndef MLSH_SIGNAL_RELAY_INTERNAL_H
#define MLSH_SIGNAL_RELAY_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "signal/relay.h"

/* One session's side of a channel. */
struct channel_end {
	struct relay_end end;
	struct relay_window window;	/* of the frames that came from this side */
	struct channel *channel;
	struct caller *caller;
	struct list in_caller;
};

struct channel {
	struct channel_end end[2];
	unsigned linked;	/* ends that are in the map */
};

struct relay {
	struct map *ends;	/* RELAY_CHANNEL_LEN -> channel_end */
	uint64_t node_rate, cluster_rate;
	struct relay_stats stats, reported;
	uint64_t next_report;
};

static inline struct channel_end *end_other(const struct channel_end *e)
{
	return &e->channel->end[e == &e->channel->end[0]];
}

#endif
