/* SPDX-License-Identifier: MIT */
/* Framing: a 32-bit length, most significant byte first, in front of each message. */
#include <errno.h>

#include "proto/signal_wire.h"

int frame_next(struct span in, size_t max, struct span *ret_message, size_t *ret_used)
{
	uint32_t len;

	if (in.len < FRAME_PREFIX_LEN)
		return 0;
	len = load_be32(in.data);
	if (len > max)
		return -EMSGSIZE;
	if (in.len - FRAME_PREFIX_LEN < len)
		return 0;
	*ret_message = span_of(in.data + FRAME_PREFIX_LEN, len);
	*ret_used = FRAME_PREFIX_LEN + len;
	return 1;
}

struct cbor_writer frame_begin(void *buf, size_t cap, size_t max)
{
	struct cbor_writer w;

	if (cap < FRAME_PREFIX_LEN) {
		w = cbor_writer_of(buf, 0);
		w.failed = true;
		return w;
	}
	return cbor_writer_of((uint8_t *)buf + FRAME_PREFIX_LEN, MIN(cap - FRAME_PREFIX_LEN, max));
}

ptrdiff_t frame_end(struct cbor_writer *w, void *buf)
{
	struct span message = cbor_writer_span(w);

	if (w->failed || message.len == 0)
		return -ENOSPC;
	store_be32(buf, (uint32_t)message.len);
	return (ptrdiff_t)(FRAME_PREFIX_LEN + message.len);
}
