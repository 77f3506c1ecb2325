/* SPDX-License-Identifier: MIT */
/* Where packets of a peer go now, which the packet path is told whenever it changes. */
#include "overlay/peering/peering.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/reach/mtu.h"

bool relay_route(const struct peer *p, struct quic_endpoint *ret)
{
	if (!p->relay.on)
		return false;
	*ret = (struct quic_endpoint){ .to = p->relay.server, .overhead = RELAY_OVERHEAD };
	if (p->reach)
		ret->payload_max = mtu_of_label(reach_paths(p->reach), p->relay.label);
	return true;
}

bool link_route(const struct link *l, path_label label, struct quic_endpoint *ret)
{
	const struct path *path = NULL;

	if (label == l->peer->relay.label)
		return relay_route(l->peer, ret);
	if (l->peer->active == l && l->peer->reach)
		path = pathset_of_label(reach_paths(l->peer->reach), label);
	if (!path && label != l->label)
		return false;
	*ret = path ? (struct quic_endpoint){ .to = path->to,
					      .local = path->local,
					      .payload_max = mtu_limit(&path->mtu) }
		    : (struct quic_endpoint){ .to = l->to, .local = l->local };
	return true;
}

/* Where what goes to the peer is sent now. Returns false if the peer has no path. */
static bool route_now(const struct peer *p, struct quic_endpoint *ret)
{
	const struct link *l = p->active;

	return l && l->conn &&
	       link_route(l, p->reach ? reach_paths(p->reach)->current : l->label, ret);
}

size_t peer_path_mtu(const struct peer *p)
{
	const struct reach *r = p->reach;

	if (!peer_is_up(p) || !p->active || !p->active->conn)
		return 0;
	return r && r->mtu && quic_conn_label(p->active->conn) == r->mtu_label ? r->mtu : MTU_BASE;
}

static void push_into(const struct peer *p, struct dest *d)
{
	struct quic_endpoint to;
	bool reachable = route_now(p, &to);

	d->up = peer_is_up(p) && p->active && d->records;
	dest_push(d, reachable ? &to : NULL, peer_path_mtu(p));
}

void peer_push(struct peer *p)
{
	push_into(p, &p->dest);
}

bool peer_is_pushed(const struct peer *p)
{
	const struct dest *d = &p->dest;
	struct dest now = *d;

	push_into(p, &now);
	return now.up == d->up && now.reachable == d->reachable &&
	       now.record_max == d->record_max && addr_equal(&now.endpoint.to, &d->endpoint.to) &&
	       addr_equal(&now.endpoint.local, &d->endpoint.local) &&
	       now.endpoint.overhead == d->endpoint.overhead;
}
