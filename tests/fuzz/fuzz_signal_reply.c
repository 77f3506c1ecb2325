/* SPDX-License-Identifier: MIT */
/* Replies of the signal protocol; the first byte says to which request. */
#include <stdlib.h>

#include "proto/signal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t back[FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX];
	enum signal_request_type to;
	struct signal_reply m;

	if (size < 1 || size > SIGNAL_MESSAGE_MAX)
		return 0;
	to = (enum signal_request_type) * data++;
	size--;
	if (signal_reply_decode(to, span_of(data, size), &m) < 0)
		return 0;
	if (signal_reply_encode(to, &m, back, sizeof(back)) !=
		    (ptrdiff_t)(FRAME_PREFIX_LEN + size) ||
	    memcmp(back + FRAME_PREFIX_LEN, data, size) != 0)
		abort();
	return 0;
}
