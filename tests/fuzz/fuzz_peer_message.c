/* SPDX-License-Identifier: MIT */
/* Messages of the peer protocol. */
#include <stdlib.h>

#include "proto/peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t back[FRAME_PREFIX_LEN + PEER_MESSAGE_MAX];
	struct peer_message m;

	if (size > PEER_MESSAGE_MAX || peer_message_decode(span_of(data, size), &m) < 0)
		return 0;
	if (peer_message_encode(&m, back, sizeof(back)) != (ptrdiff_t)(FRAME_PREFIX_LEN + size) ||
	    memcmp(back + FRAME_PREFIX_LEN, data, size) != 0)
		abort();
	return 0;
}
