/* SPDX-License-Identifier: MIT */
/*
 * The socket's router for connections with peers: which label a packet is taken to have come by,
 * and where packets of a label go. An address counts only when it is proven; packets from others
 * are taken as of the current path, and nothing is sent there.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/path.h"

/* Nobody follows anybody away from the relay: a direct path has to prove itself there. */
static void note_stray(struct peering *g, struct pathset *ps, const struct addr *from)
{
	const struct path *current = pathset_current(ps);

	if (!current || current->kind == PATH_RELAY)
		return;
	if (ps->stray_since == 0 || !addr_equal(&ps->stray, from)) {
		ps->stray = *from;
		ps->stray_since = clock_now(g->h);
	}
}

void peer_heard_at(struct peer *p, const struct addr *from)
{
	struct pathset *ps;
	const struct path *path;

	if (!p->active || !p->reach)
		return;
	ps = reach_paths(p->reach);
	path = pathset_of_addr(ps, from);
	if (path && path->label == ps->current)
		ps->stray_since = 0;
	else if (!path || !path->proven)
		note_stray(p->g, ps, from);
}

static path_label on_label(void *ctx, struct quic_conn *c, const struct udp_rx *rx)
{
	struct peering *g = ctx;
	struct link *l = c ? quic_conn_ctx(c) : NULL;
	path_label current;
	struct pathset *ps;
	struct path *path;

	if (!c)
		return label_pending_take(&g->labels, &rx->from, &rx->local);
	current = quic_conn_label(c);
	if (!l || l->peer->active != l || !l->peer->reach)
		return current;
	ps = reach_paths(l->peer->reach);
	path = pathset_of_addr(ps, &rx->from);
	if (path && path->label == current)
		ps->stray_since = 0;
	if (path && path->proven)
		return path->label;
	note_stray(g, ps, &rx->from);
	return current;
}

/* The peer whose relay a label is. */
static struct peer *relay_peer(struct peering *g, path_label label)
{
	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->relay.label == label)
			return p;
	}
	return NULL;
}

/* Before a connection belongs to a peer. */
static bool pending_route(struct peering *g, path_label label, struct quic_endpoint *ret)
{
	const struct pending_path *s = label_pending(&g->labels, label);
	const struct peer *p = s ? NULL : relay_peer(g, label);

	if (s)
		*ret = (struct quic_endpoint){ .to = s->from, .local = s->local };
	return s || (p && relay_route(p, ret));
}

static void on_release(void *ctx, path_label label)
{
	struct peering *g = ctx;

	label_pending_release(&g->labels, label);
}

static bool on_endpoint(void *ctx, struct quic_conn *c, path_label label, struct quic_endpoint *ret)
{
	const struct link *l = quic_conn_ctx(c);

	return l ? link_route(l, label, ret) : pending_route(ctx, label, ret);
}

static bool on_admit(void *ctx, struct quic_conn *c, size_t len)
{
	struct link *l = quic_conn_ctx(c);

	(void)ctx;
	return !l || path_admit(l, c, len);
}

static void on_wrap(void *ctx, struct quic_conn *c, path_label label, uint8_t *frame, size_t len)
{
	struct link *l = quic_conn_ctx(c);
	struct peer *p = l ? l->peer : relay_peer(ctx, label);

	if (p)
		relay_path_wrap(&p->relay, frame, len - RELAY_OVERHEAD);
}

void router_init(struct peering *g)
{
	g->router = (struct quic_router){
		.label = on_label,
		.endpoint = on_endpoint,
		.admit = on_admit,
		.wrap = on_wrap,
		.release = on_release,
		.ctx = g,
	};
}
