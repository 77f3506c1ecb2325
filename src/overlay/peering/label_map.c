/* SPDX-License-Identifier: MIT */
/*
 * The socket's router for connections with peers: which label a packet is taken to have come by,
 * and where packets of a label go. An address counts only when it is proven; packets from others
 * are taken as of the current path, and nothing is sent there.
 */
#include "overlay/internal.h"

path_label router_new_label(struct overlay *o)
{
	return ++o->last_label;
}

const struct unowned_path *router_stranger(const struct overlay *o, path_label label)
{
	for (size_t i = 0; label != 0 && i < STRANGERS; i++) {
		if (o->stranger[i].label == label)
			return &o->stranger[i];
	}
	return NULL;
}

/* The place of a handshake under way is nobody else's: strangers do not push members out. */
static struct unowned_path *stranger_place(struct overlay *o)
{
	for (size_t i = 0; i < STRANGERS; i++) {
		struct unowned_path *s = &o->stranger[o->next_stranger++ % STRANGERS];

		if (s->users == 0)
			return s;
	}
	return NULL;
}

static path_label stranger_label(struct overlay *o, const struct udp_rx *rx)
{
	struct unowned_path *s = NULL;

	for (size_t i = 0; i < STRANGERS && !s; i++) {
		if (o->stranger[i].label && addr_equal(&o->stranger[i].from, &rx->from) &&
		    addr_equal(&o->stranger[i].local, &rx->local))
			s = &o->stranger[i];
	}
	if (!s) {
		s = stranger_place(o);
		if (!s)
			return 0;
		*s = (struct unowned_path){ .label = router_new_label(o),
					    .from = rx->from,
					    .local = rx->local };
	}
	s->users++;
	return s->label;
}

static void on_release(void *ctx, path_label label)
{
	struct overlay *o = ctx;

	for (size_t i = 0; i < STRANGERS; i++) {
		if (o->stranger[i].label == label && o->stranger[i].users > 0)
			o->stranger[i].users--;
	}
}

/* Nobody follows anybody away from the relay: a direct path has to prove itself there. */
static void note_stray(struct overlay *o, struct pathset *ps, const struct addr *from)
{
	const struct path *current = pathset_current(ps);

	if (!current || current->kind == PATH_RELAY)
		return;
	if (ps->stray_since == 0 || !addr_equal(&ps->stray, from)) {
		ps->stray = *from;
		ps->stray_since = clock_now(o->h);
	}
}

void peer_heard_at(struct peer *p, const struct addr *from)
{
	struct pathset *ps;
	const struct path *path;

	if (!p->active || !p->prober)
		return;
	ps = prober_paths(p->prober);
	path = pathset_of_addr(ps, from);
	if (path && path->label == ps->current)
		ps->stray_since = 0;
	else if (!path || !path->proven)
		note_stray(p->o, ps, from);
}

static path_label on_label(void *ctx, struct quic_conn *c, const struct udp_rx *rx)
{
	struct overlay *o = ctx;
	struct link *l = c ? quic_conn_ctx(c) : NULL;
	path_label current;
	struct pathset *ps;
	struct path *path;

	if (!c)
		return stranger_label(o, rx);
	current = quic_conn_label(c);
	if (!l || l->peer->active != l || !l->peer->prober)
		return current;
	ps = prober_paths(l->peer->prober);
	path = pathset_of_addr(ps, &rx->from);
	if (path && path->label == current)
		ps->stray_since = 0;
	if (path && path->proven)
		return path->label;
	note_stray(o, ps, &rx->from);
	return current;
}

static bool relay_route(const struct peer *p, struct quic_route *ret)
{
	if (!p->relay.on)
		return false;
	*ret = (struct quic_route){ .to = p->relay.server, .overhead = RELAY_OVERHEAD };
	if (p->prober)
		ret->payload_max = mtu_of_label(prober_paths(p->prober), p->relay.label);
	return true;
}

/* The peer whose relay a label is. */
static struct peer *relay_peer(struct overlay *o, path_label label)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->relay.label == label)
			return p;
	}
	return NULL;
}

static bool stranger_route(struct overlay *o, path_label label, struct quic_route *ret)
{
	const struct unowned_path *s = router_stranger(o, label);
	const struct peer *p = s ? NULL : relay_peer(o, label);

	if (s)
		*ret = (struct quic_route){ .to = s->from, .local = s->local };
	return s || (p && relay_route(p, ret));
}

static bool on_route(void *ctx, struct quic_conn *c, path_label label, struct quic_route *ret)
{
	struct link *l = quic_conn_ctx(c);
	const struct path *path = NULL;

	if (!l)
		return stranger_route(ctx, label, ret);
	if (label == l->peer->relay.label)
		return relay_route(l->peer, ret);
	if (l->peer->active == l && l->peer->prober)
		path = pathset_of_label(prober_paths(l->peer->prober), label);
	if (!path && label != l->label)
		return false;
	*ret = path ? (struct quic_route){ .to = path->to,
					   .local = path->local,
					   .payload_max = mtu_limit(&path->mtu) }
		    : (struct quic_route){ .to = l->to, .local = l->local };
	return true;
}

/* Where what goes to the peer is sent now. Returns false if the peer has no path. */
static bool route_now(const struct peer *p, struct quic_route *ret)
{
	const struct link *l = p->active;

	return l && l->conn &&
	       on_route(p->o, l->conn, p->prober ? prober_paths(p->prober)->current : l->label,
			ret);
}

void peer_push(struct peer *p)
{
	struct quic_route to;
	bool reachable = route_now(p, &to);

	p->dest.up = p->state == PEER_UP && p->active && p->dest.records;
	dest_push(&p->dest, reachable ? &to : NULL, prober_path_mtu(p));
}

bool peer_is_pushed(const struct peer *p)
{
	const struct dest *d = &p->dest;
	struct dest now = *d;
	struct quic_route to;
	bool reachable = route_now(p, &to);

	dest_push(&now, reachable ? &to : NULL, prober_path_mtu(p));
	return now.reachable == d->reachable && now.record_max == d->record_max &&
	       addr_equal(&now.endpoint.to, &d->endpoint.to) &&
	       addr_equal(&now.endpoint.local, &d->endpoint.local) &&
	       now.endpoint.overhead == d->endpoint.overhead;
}

static bool on_admit(void *ctx, struct quic_conn *c, size_t len)
{
	struct link *l = quic_conn_ctx(c);

	(void)ctx;
	return !l || path_admit(l, len);
}

static void on_wrap(void *ctx, struct quic_conn *c, path_label label, uint8_t *frame, size_t len)
{
	struct link *l = quic_conn_ctx(c);
	struct peer *p = l ? l->peer : relay_peer(ctx, label);

	if (p)
		relay_path_wrap(&p->relay, frame, len - RELAY_OVERHEAD);
}

void overlay_router_init(struct overlay *o)
{
	o->router = (struct quic_router){
		.label = on_label,
		.route = on_route,
		.admit = on_admit,
		.wrap = on_wrap,
		.release = on_release,
		.ctx = o,
	};
}
