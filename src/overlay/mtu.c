/* SPDX-License-Identifier: MIT */
/* How large a datagram may be on the path in use. */
#include "overlay/internal.h"

size_t prober_path_mtu(const struct peer *p)
{
	struct quic_conn_info info;

	if (p->state != PEER_UP || !p->active)
		return 0;
	quic_conn_info_get(p->active->conn, &info);
	return info.max_udp_payload;
}
