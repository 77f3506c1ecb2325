/* SPDX-License-Identifier: MIT */
/* What people are shown of the overlay: asked of the connections now, not remembered. */
#include "overlay/internal.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/reach/reach.h"

#include <stdio.h>

struct quic_socket *overlay_socket(struct overlay *o)
{
	return o->peering.socket;
}

void overlay_mapping_status(const struct overlay *o, struct mapper_status *ret)
{
	if (o->peering.around.mapper)
		mapper_status_get(o->peering.around.mapper, ret);
	else
		*ret = (struct mapper_status){ .state = MAPPER_OFF };
}

void overlay_status_get(const struct overlay *o, struct overlay_status *ret)
{
	*ret = o->peering.dp.count;
}

/* The probes' of the path in use, as `why` and `ping` have it; before it is proven the
 * connection's, which has the other side's delays in it. */
static uint64_t rtt_of(const struct peer *p, const struct quic_conn_info *info)
{
	const struct path *path = p->reach ? pathset_current(&p->reach->set) : NULL;

	return path && path->proven && path->rtt ? path->rtt : info->srtt_ns;
}

bool overlay_peer_status(const struct overlay *o, const struct member *m, struct peer_status *ret)
{
	const struct peer *p = peer_of_address(&o->peering, m->address);
	struct peer_status s;

	if (!p || p->member != m)
		return false;
	s = (struct peer_status){
		.member = m,
		.state = peer_state(p),
		.last_heard = p->last_heard,
		.up_since = p->up_since,
		.online = p->online,
		.greeted = p->greeted,
		.features = p->features,
		.rx_bytes = p->dest.rx_bytes,
		.tx_bytes = p->dest.tx_bytes,
		.rx_packets = p->dest.rx_packets,
		.tx_packets = p->dest.tx_packets,
	};
	snprintf(s.detail, sizeof(s.detail), "%s", peer_is_up(p) ? "" : p->detail);
	if (peer_is_up(p) && p->active) {
		struct quic_conn_info info;

		quic_conn_info_get(p->active->conn, &info);
		s.path = path_of(p->active, &s.endpoint);
		s.rtt_ns = rtt_of(p, &info);
		s.last_heard = MAX(MAX(info.last_heard, p->dest.heard), reach_last_echo(p->reach));
		snprintf(s.group, sizeof(s.group), "%s", info.group);
	}
	if (s.state == PEER_UP && reach_is_dead(p->reach)) {
		s.state = PEER_LOST;
		s.path = PEER_PATH_NONE;
		snprintf(s.detail, sizeof(s.detail), "no answer, by no path");
	}
	*ret = s;
	return true;
}

bool overlay_look(struct overlay *o)
{
	bool sure = true;

	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (peer_is_up(p))
			sure &= peer_reach_look(p);
	}
	return sure;
}

size_t overlay_peer_paths(const struct overlay *o, const struct member *m,
			  struct peer_path_status *out, size_t max)
{
	const struct peer *p = peer_of_address(&o->peering, m->address);
	size_t n = 0;

	for (size_t i = 0; p && p->reach && i < PATHS_MAX && n < max; i++) {
		const struct path *path = &p->reach->set.path[i];

		if (path->label == 0)
			continue;
		out[n++] = (struct peer_path_status){
			.kind = (enum peer_path_kind)path->kind,
			.to = path->to,
			.in_use = path->label == p->reach->set.current,
			.named = path->listed,
			.proven = path->proven,
			.proven_by_them = path->theirs,
			.lost = path->lost,
			.pings = path->pings,
			.pongs = path->pongs,
			.heard = path->heard,
			.rtt_ns = path->rtt,
			.local = path->local,
			.last_echo = path->pongs ? path->last_echo : 0,
			.mtu_bytes = mtu_limit(&path->mtu),
		};
	}
	return n;
}

size_t overlay_peer_guessed_ports(const struct overlay *o, const struct member *m)
{
	const struct peer *p = peer_of_address(&o->peering, m->address);

	return p && p->reach ? p->reach->predict.tried : 0;
}
