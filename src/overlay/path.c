/* SPDX-License-Identifier: MIT */
/*
 * How a peer is reached. Every path is a plain address for now, so the socket's built-in router
 * gives out the labels; what else becomes a path (a relay) becomes one here.
 */
#include "overlay/internal.h"

const struct quic_profile peer_profile = {
	.alpn = PEER_ALPN,
	.datagrams = true,
	.max_remote_bidi = 1,		/* the control stream */
	.max_remote_uni = 128,		/* packets that do not fit a datagram */
	.stream_window_bytes = 2 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX),
	.conn_window_bytes = 8 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX),
	.stream_send_bytes = 6 * (FRAME_PREFIX_LEN + PEER_MESSAGE_MAX),
	.handshake_timeout = HANDSHAKE_TIMEOUT,
	.idle_timeout = PEER_IDLE_TIMEOUT,
	.keep_alive = PEER_KEEP_ALIVE,
};

int path_connect(struct overlay *o, const struct member *m, const struct addr *to,
		 const struct quic_conn_ops *ops, void *ctx, struct quic_conn **ret)
{
	struct quic_pin pin = { .by_key = true };

	memcpy(pin.key_sha256, m->key_sha256, sizeof(pin.key_sha256));
	return quic_connect(o->socket, &peer_profile, &pin, 0, to, ops, ctx, NULL, ret);
}

enum peer_path path_of(const struct quic_conn *c, struct addr *ret_endpoint)
{
	return quic_conn_remote_addr(c, ret_endpoint) ? PEER_PATH_DIRECT : PEER_PATH_NONE;
}
