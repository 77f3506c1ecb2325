/* SPDX-License-Identifier: MIT */
/*
 * Relay frames (docs/protocol/06-paths.md, "Relay"): a peers' packet behind a header of 17 bytes,
 * with the channel of the node's own end in both directions, a counter and a short MAC. Pure: who
 * may send what to whom is the server's business (signal/relay.c).
 */
#ifndef MLSH_PROTO_RELAY_H
#define MLSH_PROTO_RELAY_H

#include "base/bytes.h"

#define RELAY_FRAME_TYPE 0x10
#define RELAY_CHANNEL_LEN 8
#define RELAY_KEY_LEN 16
#define RELAY_OVERHEAD 17 /* type, channel, counter, mac: in front of each packet */
#define RELAY_PACKET_MAX 65000
#define RELAY_WINDOW 256 /* counters behind the highest that may still come */
/* A sender whose counter gets here asks for the channel again, and is given a new one. */
#define RELAY_RENEW_AT UINT32_C(0x80000000)
#define RELAY_RENEW_EARLY UINT32_C(0x10000) /* by so many the server may have seen less */

/* What the server tells a sender: the rate that its frames pass at. */
#define RELAY_RATE_TYPE 0x11
#define RELAY_RATE_LEN (RELAY_OVERHEAD + 8)

/* RELAY_RATE keeps the MACs of rates apart from those of packets. */
enum relay_direction { RELAY_TO_SERVER = 0, RELAY_FROM_SERVER = 1, RELAY_RATE = 2 };

/* One node's end of a channel. The key is a secret of this node and the server. */
struct relay_end {
	uint8_t channel[RELAY_CHANNEL_LEN];
	uint8_t key[RELAY_KEY_LEN];
};

/* What a receiver has seen of one direction. All zero: nothing yet. */
struct relay_window {
	bool begun;
	uint32_t highest;
	uint64_t seen[RELAY_WINDOW / 64]; /* a bit for each counter, at its remainder */
};

/*
 * Writes the header into the first RELAY_OVERHEAD bytes of `frame`, behind which the packet lies.
 * Each counter of an end and direction is used once: from 0 in a new channel, then the next one.
 */
void relay_wrap(const struct relay_end *end, enum relay_direction direction, uint32_t counter,
		uint8_t *frame, size_t packet_len);

/* The channel of a frame, as a view of RELAY_CHANNEL_LEN bytes; NULL for other frames. */
const uint8_t *relay_channel(struct span frame);
/*
 * Checks a frame of this end's channel and takes its counter: the packet in it as a view. -EBADMSG:
 * no such frame; -EACCES: of another channel, or not made with this key; -EALREADY: seen before, or
 * older than the window.
 */
int relay_open_frame(const struct relay_end *end, enum relay_direction direction,
		     struct relay_window *window, struct span frame, struct span *ret_packet)
	MUST_CHECK;
/*
 * The server's way: relay_open_frame with the end that it came from, then relay_wrap for the other
 * end in its place, with both MACs at once. An error leaves the frame as it is.
 */
int relay_pass_frame(const struct relay_end *from, struct relay_window *window,
		     const struct relay_end *to, uint8_t *frame, size_t len) MUST_CHECK;
/*
 * The server's word to the node at this end: all that the node sends over the relay passes at this
 * rate (bytes of frames a second; 0: at any). Each counter of an end is used once, as a new one is
 * higher.
 */
void relay_rate_put(const struct relay_end *end, uint32_t counter, uint64_t bytes_per_s,
		    uint8_t out[RELAY_RATE_LEN]);
/* The channel of a rate word, as a view of RELAY_CHANNEL_LEN bytes; NULL for other frames. */
const uint8_t *relay_rate_channel(struct span frame);
/*
 * Reads it. -EBADMSG: no such frame; -EACCES: of another channel, or not made with this key;
 * -EALREADY: its counter is below *next, which is set to the one after it otherwise.
 */
int relay_rate_get(const struct relay_end *end, struct span frame, uint64_t *next,
		   uint64_t *ret_bytes_per_s) MUST_CHECK;
/* The counter of a frame that relay_open_frame took. */
uint32_t relay_counter(struct span frame);

#endif
