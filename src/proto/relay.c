/* SPDX-License-Identifier: MIT */
/* Relay frames: the header, its MAC, and the window against replays. */
#include "proto/relay.h"

#include <errno.h>

#include "base/map.h"

#define MAC_LEN 4
#define COUNTER_AT (1 + RELAY_CHANNEL_LEN)
#define MAC_AT (COUNTER_AT + 4)
#define MAC_PACKET_BYTES 24	/* of the packet, covered by the MAC */

/*
 * Over direction, channel, counter, length and the beginning of the packet: its header and part of
 * what QUIC itself protects. A short MAC is enough: it keeps strangers from using the relay, and
 * what gets past it is one packet that means nothing to the receiver.
 */
static void frame_mac(const uint8_t key[RELAY_KEY_LEN], enum relay_direction direction,
		      const uint8_t *frame, size_t packet_len, uint8_t out[MAC_LEN])
{
	uint8_t text[1 + RELAY_CHANNEL_LEN + 4 + 2 + MAC_PACKET_BYTES];
	size_t covered = MIN(packet_len, MAC_PACKET_BYTES);
	uint64_t mac;

	text[0] = (uint8_t)direction;
	memcpy(text + 1, frame + 1, RELAY_CHANNEL_LEN + 4);
	store_be16(text + 13, (uint16_t)packet_len);
	if (covered == MAC_PACKET_BYTES) /* of a known length: no call */
		memcpy(text + 15, frame + RELAY_OVERHEAD, MAC_PACKET_BYTES);
	else
		memcpy(text + 15, frame + RELAY_OVERHEAD, covered);
	mac = siphash_2_4(key, text, 15 + covered);
	/* SipHash's output is little-endian: its first 32 bits are the low ones */
	for (size_t i = 0; i < MAC_LEN; i++)
		out[i] = (uint8_t)(mac >> (8 * i));
}

void relay_wrap(const struct relay_end *end, enum relay_direction direction, uint32_t counter,
		uint8_t *frame, size_t packet_len)
{
	frame[0] = RELAY_FRAME_TYPE;
	memcpy(frame + 1, end->channel, RELAY_CHANNEL_LEN);
	store_be32(frame + COUNTER_AT, counter);
	frame_mac(end->key, direction, frame, packet_len, frame + MAC_AT);
}

const uint8_t *relay_channel(struct span frame)
{
	if (frame.len <= RELAY_OVERHEAD || frame.len > RELAY_OVERHEAD + RELAY_PACKET_MAX ||
	    frame.data[0] != RELAY_FRAME_TYPE)
		return NULL;
	return frame.data + 1;
}

uint32_t relay_counter(struct span frame)
{
	return load_be32(frame.data + COUNTER_AT);
}

/* --- window ----------------------------------------------------------------------------------- */

static uint64_t *window_word(struct relay_window *w, uint32_t counter)
{
	return &w->seen[counter / 64 % ARRAY_LEN(w->seen)];
}

static uint64_t window_bit(uint32_t counter)
{
	return UINT64_C(1) << (counter % 64);
}

static bool window_allows(struct relay_window *w, uint32_t counter)
{
	if (!w->begun || counter > w->highest)
		return true;
	return w->highest - counter < RELAY_WINDOW &&
	       !(*window_word(w, counter) & window_bit(counter));
}

/* Only for counters that are allowed. */
static void window_take(struct relay_window *w, uint32_t counter)
{
	if (!w->begun || (counter > w->highest && counter - w->highest >= RELAY_WINDOW)) {
		memset(w->seen, 0, sizeof(w->seen));
		w->highest = counter;
		w->begun = true;
	}
	while (w->highest < counter) { /* those in between have not come */
		w->highest++;
		*window_word(w, w->highest) &= ~window_bit(w->highest);
	}
	*window_word(w, counter) |= window_bit(counter);
}

int relay_open_frame(const struct relay_end *end, enum relay_direction direction,
		     struct relay_window *window, struct span frame, struct span *ret_packet)
{
	const uint8_t *channel = relay_channel(frame);
	uint8_t mac[MAC_LEN];

	if (!channel)
		return -EBADMSG;
	if (memcmp(channel, end->channel, RELAY_CHANNEL_LEN) != 0)
		return -EACCES;
	frame_mac(end->key, direction, frame.data, frame.len - RELAY_OVERHEAD, mac);
	if (!secret_equal(mac, frame.data + MAC_AT, MAC_LEN))
		return -EACCES;
	if (!window_allows(window, relay_counter(frame)))
		return -EALREADY;
	window_take(window, relay_counter(frame));
	*ret_packet = span_of(frame.data + RELAY_OVERHEAD, frame.len - RELAY_OVERHEAD);
	return 0;
}
