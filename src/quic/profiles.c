/* SPDX-License-Identifier: MIT */
/* One definition of the signal protocol's connections. */
#include "quic/profiles.h"

#include "proto/signal.h"

#define FRAME_BYTES_MAX (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)

const struct quic_profile signal_profile = {
	.alpn = SIGNAL_ALPN,
	/* An operator may serve a certificate of their own, with any type of key. */
	.any_server_key = true,
	/* Concurrent requests, and the one stream of events; the rest are spare. */
	.max_remote_bidi = 16,
	.max_remote_uni = 2,
	/* A whole message must fit, since it is read once it is complete. */
	.stream_window_bytes = 2 * FRAME_BYTES_MAX,
	.conn_window_bytes = 8 * FRAME_BYTES_MAX,
	/* Events that a slow session has not read. */
	.stream_send_bytes = SIGNAL_EVENT_BACKLOG_BYTES,
	.handshake_timeout = HANDSHAKE_TIMEOUT,
	.idle_timeout = SIGNAL_IDLE_TIMEOUT,
	.keep_alive = SIGNAL_KEEP_ALIVE,
};
