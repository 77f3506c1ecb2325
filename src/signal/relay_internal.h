/* SPDX-License-Identifier: AGPL-3.0-only */
/* Channels, as the two files of the relay know them. */
#ifndef MLSH_SIGNAL_RELAY_INTERNAL_H
#define MLSH_SIGNAL_RELAY_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "signal/relay.h"
#include "signal/shares.h"

/* One session's side of a channel. */
struct channel_end {
	struct relay_end end;
	struct relay_window window; /* of the frames that came from this side */
	struct channel *channel;
	struct caller *caller;
	struct list in_caller;
	uint32_t rates_told; /* counter of the next word about its caller's rate */
};

struct channel {
	struct channel_end end[2];
	unsigned linked; /* ends that are in the map */
};

struct relay {
	struct map *ends;		  /* RELAY_CHANNEL_LEN -> channel_end */
	uint64_t node_rate, cluster_rate; /* bytes a second; 0 for no fixed rate */
	struct shares shares;		  /* among the clusters */
	struct {			  /* what the server could carry when it was overloaded */
		uint64_t limit;		  /* bytes a second; 0 if it is not overloaded */
		uint64_t rate;		  /* bytes a second that left it lately, at most */
		uint64_t room;		  /* bytes that may wait in the socket */
		uint64_t turn;		  /* the SHARES_TURN that the next fields belong to */
		uint64_t bytes;		  /* forwarded in it */
		uint64_t queued;	  /* bytes that waited in the socket when it began */
		unsigned receives, full;  /* of those, how many left something behind */
		bool blocked;		  /* there was no room in the socket */
		unsigned idle;		  /* turns in a row that the limit was not needed in, */
		unsigned clear;		  /* and that all passed in */
	} carry;
	struct relay_stats stats, reported;
	uint64_t next_report;
};

/* --- relay_rate.c ----------------------------------------------------------------------------- */

enum relay_verdict { RELAY_PASSES, RELAY_OVER_NODE, RELAY_OVER_CLUSTER, RELAY_OVER_SHARE };

/* Rates as for relay_new. */
void relay_rate_init(struct relay *r, uint64_t node_rate, uint64_t cluster_rate);
/* A session begins: its rates start full. */
void relay_rate_begin(const struct relay *r, struct caller *c, uint64_t now);
/* Counts a run of so many bytes from the caller, before the verdicts on its frames. */
void relay_rate_count(struct relay *r, struct caller *c, size_t bytes, uint64_t now);
/* Decides whether a frame of this length may pass. */
enum relay_verdict relay_rate_verdict(struct relay *r, struct caller *c, size_t bytes,
				      uint64_t now);
/* Tells the sender at this end its rate if that has changed, or was told some time ago. */
void relay_rate_tell(struct relay *r, struct quic_socket *socket, struct channel_end *e,
		     uint64_t now);
/* Returns how many bytes the socket may take now, if so many wait in it already. */
size_t relay_rate_room(const struct relay *r, size_t queued);

/* What was received at once, and what became of it. */
struct relay_batch {
	size_t known;	 /* runs of frames of known channels; others do not count */
	uint64_t bytes;	 /* forwarded */
	uint64_t queued; /* bytes that wait in the socket now, `bytes` included */
	bool blocked;	 /* there was no room for more */
};
void relay_rate_batch(struct relay *r, const struct relay_batch *b, uint64_t now);

static inline struct channel_end *end_other(const struct channel_end *e)
{
	return &e->channel->end[e == &e->channel->end[0]];
}

#endif
