/* SPDX-License-Identifier: MIT */
/* Requests of the signal protocol: what is accepted has one encoding, the one that came. */
#include <stdlib.h>

#include "proto/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t back[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
	struct span message;
	struct signal_request m;
	size_t used;

	if (frame_next(span_of(data, size), SIGNAL_MESSAGE_MAX, &message, &used) == 1 &&
	    message.len + FRAME_PREFIX_LEN != used)
		abort();
	if (size > SIGNAL_MESSAGE_MAX || signal_request_decode(span_of(data, size), &m) < 0)
		return 0;
	if (signal_request_encode(&m, back, sizeof(back)) != (ptrdiff_t)(FRAME_PREFIX_LEN + size) ||
	    memcmp(back + FRAME_PREFIX_LEN, data, size) != 0)
		abort();
	return 0;
}
