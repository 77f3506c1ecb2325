/* SPDX-License-Identifier: MIT */
/* Relay frames and rate words: cut into pieces by their first byte's length, read, made again. */
#include <errno.h>
#include <stdlib.h>

#include "proto/relay.h"

#define PIECE_MAX 255

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct relay_end end = {
	{ 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37 },
	{ 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e,
	  0x9f },
};

static void piece(struct relay_window *window, struct span in)
{
	static const struct relay_end to = { .channel = "another", .key = "another key" };
	struct relay_window apart = *window;
	uint8_t frame[PIECE_MAX];
	struct span packet;

	/* as it is: mostly refused for its MAC */
	memcpy(frame, in.data, in.len);
	if (relay_pass_frame(&end, &apart, &to, frame, in.len) !=
	    relay_open_frame(&end, RELAY_TO_SERVER, window, in, &packet))
		abort();
	if (!relay_channel(in))
		return;
	/* and with a good one: once, if the window lets it pass */
	memcpy(frame, in.data, in.len);
	relay_wrap(&end, RELAY_TO_SERVER, relay_counter(in), frame, in.len - RELAY_OVERHEAD);
	in.data = frame;
	apart = *window;
	if (relay_open_frame(&end, RELAY_TO_SERVER, window, in, &packet) == 0 &&
	    packet.len + RELAY_OVERHEAD != in.len)
		abort();
	if (relay_open_frame(&end, RELAY_TO_SERVER, window, in, &packet) != -EALREADY)
		abort();
	/* the server's way does the same */
	(void)!relay_pass_frame(&end, &apart, &to, frame, in.len);
	if (memcmp(&apart, window, sizeof(apart)) != 0)
		abort();
}

static void piece_rate(struct span in)
{
	uint64_t next = 0, rate = 0, again = 0;
	uint8_t word[RELAY_RATE_LEN];

	(void)!relay_rate_get(&end, in, &next, &rate); /* mostly refused for its MAC */
	if (!relay_rate_channel(in))
		return;
	rate = load_be64(in.data + RELAY_OVERHEAD);
	relay_rate_put(&end, relay_counter(in), rate, word);
	next = 0;
	if (relay_rate_get(&end, span_of(word, sizeof(word)), &next, &again) < 0 || again != rate)
		abort();
	if (relay_rate_get(&end, span_of(word, sizeof(word)), &next, &again) != -EALREADY)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct relay_window window = { .begun = false };

	while (size > 0) {
		size_t len = data[0] < size - 1 ? data[0] : size - 1;

		piece(&window, span_of(data + 1, len));
		piece_rate(span_of(data + 1, len));
		data += 1 + len;
		size -= 1 + len;
	}
	return 0;
}
