/* SPDX-License-Identifier: MIT */
/* Events of the signal protocol. */
#include <stdlib.h>

#include "proto/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t back[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
	static struct wire_presence presence[PRESENCE_PER_EVENT_MAX];
	struct signal_event m = { .presence = presence };

	if (size > SIGNAL_MESSAGE_MAX || signal_event_decode(span_of(data, size), &m) < 0)
		return 0;
	if (signal_event_encode(&m, back, sizeof(back)) != (ptrdiff_t)(FRAME_PREFIX_LEN + size) ||
	    memcmp(back + FRAME_PREFIX_LEN, data, size) != 0)
		abort();
	return 0;
}
