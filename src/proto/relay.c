/* SPDX-License-Identifier: MIT */
/* Relay frames: the header, its MAC, and the window against replays. */
#include "proto/relay.h"

#include <errno.h>

#include "base/map.h"

#define MAC_LEN 4
#define COUNTER_AT (1 + RELAY_CHANNEL_LEN)
#define MAC_AT (COUNTER_AT + 4)
#define MAC_PACKET_BYTES 24 /* of the packet, covered by the MAC */

/*
 * Over direction, channel, counter, length and the beginning of the packet: its header and part of
 * what QUIC itself protects. A short MAC is enough: it keeps strangers from using the relay, and
 * what gets past it is one packet that means nothing to the receiver.
 */
#define TEXT_MAX (1 + RELAY_CHANNEL_LEN + 4 + 2 + MAC_PACKET_BYTES)
#define TEXT_PACKET_AT (TEXT_MAX - MAC_PACKET_BYTES)

/* What the MAC is over; returns its length. */
static size_t mac_text(enum relay_direction direction, const uint8_t channel[RELAY_CHANNEL_LEN],
		       const uint8_t *frame, size_t packet_len, uint8_t text[TEXT_MAX])
{
	size_t covered = MIN(packet_len, MAC_PACKET_BYTES);

	text[0] = (uint8_t)direction;
	memcpy(text + 1, channel, RELAY_CHANNEL_LEN);
	memcpy(text + 1 + RELAY_CHANNEL_LEN, frame + COUNTER_AT, 4);
	store_be16(text + TEXT_PACKET_AT - 2, (uint16_t)packet_len);
	if (covered == MAC_PACKET_BYTES) /* of a known length: no call */
		memcpy(text + TEXT_PACKET_AT, frame + RELAY_OVERHEAD, MAC_PACKET_BYTES);
	else
		memcpy(text + TEXT_PACKET_AT, frame + RELAY_OVERHEAD, covered);
	return TEXT_PACKET_AT + covered;
}

/* SipHash's output is little-endian: its first 32 bits are the low ones. */
static void mac_store(uint64_t mac, uint8_t out[MAC_LEN])
{
	for (size_t i = 0; i < MAC_LEN; i++)
		out[i] = (uint8_t)(mac >> (8 * i));
}

static void frame_mac(const uint8_t key[RELAY_KEY_LEN], enum relay_direction direction,
		      const uint8_t *frame, size_t packet_len, uint8_t out[MAC_LEN])
{
	uint8_t text[TEXT_MAX];
	size_t len = mac_text(direction, frame + 1, frame, packet_len, text);

	mac_store(siphash_2_4(key, text, len), out);
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

/* --- rates ------------------------------------------------------------------------------------ */

void relay_rate_put(const struct relay_end *end, uint32_t counter, uint64_t bytes_per_s,
		    uint8_t out[RELAY_RATE_LEN])
{
	out[0] = RELAY_RATE_TYPE;
	memcpy(out + 1, end->channel, RELAY_CHANNEL_LEN);
	store_be32(out + COUNTER_AT, counter);
	store_be64(out + RELAY_OVERHEAD, bytes_per_s);
	frame_mac(end->key, RELAY_RATE, out, RELAY_RATE_LEN - RELAY_OVERHEAD, out + MAC_AT);
}

const uint8_t *relay_rate_channel(struct span frame)
{
	return frame.len == RELAY_RATE_LEN && frame.data[0] == RELAY_RATE_TYPE ? frame.data + 1
									       : NULL;
}

int relay_rate_get(const struct relay_end *end, struct span frame, uint64_t *next,
		   uint64_t *ret_bytes_per_s)
{
	const uint8_t *channel = relay_rate_channel(frame);
	uint8_t mac[MAC_LEN];

	if (!channel)
		return -EBADMSG;
	frame_mac(end->key, RELAY_RATE, frame.data, frame.len - RELAY_OVERHEAD, mac);
	if (memcmp(channel, end->channel, RELAY_CHANNEL_LEN) != 0 ||
	    !secret_equal(mac, frame.data + MAC_AT, MAC_LEN))
		return -EACCES;
	if (relay_counter(frame) < *next)
		return -EALREADY;
	*next = (uint64_t)relay_counter(frame) + 1;
	*ret_bytes_per_s = load_be64(frame.data + RELAY_OVERHEAD);
	return 0;
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

int relay_pass_frame(const struct relay_end *from, struct relay_window *window,
		     const struct relay_end *to, uint8_t *frame, size_t len)
{
	const uint8_t *channel = relay_channel(span_of(frame, len));
	uint8_t text[2][TEXT_MAX], mac[MAC_LEN];
	size_t packet_len, text_len;
	uint32_t counter;
	uint64_t sum[2];

	if (!channel)
		return -EBADMSG;
	if (memcmp(channel, from->channel, RELAY_CHANNEL_LEN) != 0)
		return -EACCES;
	packet_len = len - RELAY_OVERHEAD;
	text_len = mac_text(RELAY_TO_SERVER, channel, frame, packet_len, text[0]);
	(void)mac_text(RELAY_FROM_SERVER, to->channel, frame, packet_len, text[1]);
	siphash_2_4_two((const uint8_t *const[]){ from->key, to->key },
			(const void *const[]){ text[0], text[1] }, text_len, sum);
	mac_store(sum[0], mac);
	if (!secret_equal(mac, frame + MAC_AT, MAC_LEN))
		return -EACCES;
	counter = load_be32(frame + COUNTER_AT);
	if (!window_allows(window, counter))
		return -EALREADY;
	window_take(window, counter);
	memcpy(frame + 1, to->channel, RELAY_CHANNEL_LEN);
	mac_store(sum[1], frame + MAC_AT);
	return 0;
}
