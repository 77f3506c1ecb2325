/* SPDX-License-Identifier: MIT */
/*
 * The built-in router: a label for each address, kept with the connection. QUIC itself validates
 * them. An owner's router takes its place.
 */
#include "quic/socket.h"

static struct slot *slot_of_addr(struct quic_conn *c, const struct addr *from)
{
	for (size_t i = 0; i < CONN_SLOTS; i++) {
		if (c->slots[i].label != 0 && addr_equal(&c->slots[i].to, from))
			return &c->slots[i];
	}
	return NULL;
}

/* A free one, or the one that was not used for longest, but not the current path's. */
static struct slot *slot_to_use(struct quic_conn *c)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < CONN_SLOTS; i++) {
		struct slot *sl = &c->slots[i];

		if (sl->label == 0)
			return sl;
		if (sl->label != c->label && (!best || sl->used < best->used))
			best = sl;
	}
	return best;
}

static path_label slot_fill(struct quic_conn *c, struct slot *sl, const struct addr *to,
			    const struct addr *local)
{
	*sl = (struct slot){ .label = ++c->next_label, .to = *to, .used = clock_now(c->s->h) };
	if (local)
		sl->local = *local;
	return sl->label;
}

path_label router_first(struct quic_conn *c, const struct addr *to, const struct addr *local)
{
	return slot_fill(c, &c->slots[0], to, local);
}

static path_label builtin_label(struct quic_conn *c, const struct udp_rx *rx)
{
	struct slot *sl = slot_of_addr(c, &rx->from);

	if (sl) {
		sl->used = clock_now(c->s->h);
		if (c->server) /* a client's source is the system's choice: it may move */
			sl->local = rx->local;
		return sl->label;
	}
	if (!c->server)
		return 0; /* a client knows where its server is */
	return slot_fill(c, slot_to_use(c), &rx->from, &rx->local);
}

path_label router_label(struct quic_socket *s, struct quic_conn *c, const struct udp_rx *rx)
{
	if (s->cfg.router)
		return s->cfg.router->label(s->cfg.router->ctx, c, rx);
	return c ? builtin_label(c, rx) : 1;
}

bool router_route(struct quic_socket *s, struct quic_conn *c, path_label label,
		  struct quic_route *ret)
{
	if (s->cfg.router)
		return s->cfg.router->route(s->cfg.router->ctx, c, label, ret);
	for (size_t i = 0; i < CONN_SLOTS; i++) {
		if (c->slots[i].label == label) {
			*ret = (struct quic_route){ .to = c->slots[i].to,
						    .local = c->slots[i].local };
			return true;
		}
	}
	return false;
}
