/* SPDX-License-Identifier: MIT */
/*
 * The built-in router: a label for each address, kept with the connection. QUIC itself validates
 * them. An owner's router takes its place.
 */
#include "quic/socket.h"

/*
 * While packets come from the proven address, a packet from another one counts as of the same path.
 * The attack: an attacker who sees packets and delivers copies sooner from elsewhere would take the
 * path over. A client that has really moved is silent at its old address.
 */
#define QUIET_BEFORE_MOVE (300 * NS_PER_MS)

static struct slot *slot_of_label(struct quic_conn *c, path_label label)
{
	for (size_t i = 0; i < CONN_SLOTS; i++) {
		if (c->slots[i].label == label)
			return &c->slots[i];
	}
	return NULL;
}

static struct slot *slot_of_addr(struct quic_conn *c, const struct addr *from)
{
	for (size_t i = 0; i < CONN_SLOTS; i++) {
		if (c->slots[i].label != 0 && addr_equal(&c->slots[i].to, from))
			return &c->slots[i];
	}
	return NULL;
}

/* Returns a free slot, or the least recently used one except that of the path in use. */
static struct slot *slot_to_use(struct quic_conn *c)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < CONN_SLOTS; i++) {
		struct slot *sl = &c->slots[i];

		if (sl->label == 0)
			return sl;
		if (sl->label != c->label && sl->label != c->proven_label &&
		    (!best || sl->used < best->used))
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

/* Tells the owner, since the result of quic_conn_remote_addr has changed. */
static void proven_set(struct quic_conn *c, path_label label)
{
	if (c->proven_label == label)
		return;
	c->proven_label = label;
	c->pending.path_changed = true;
	conn_mark_event(c);
}

void router_proven(struct quic_conn *c, path_label label)
{
	struct slot *sl = slot_of_label(c, label);

	if (sl)
		sl->proven = true;
	proven_set(c, label);
}

void router_current(struct quic_conn *c, path_label label)
{
	const struct slot *sl = slot_of_label(c, label);

	if (sl && sl->proven)
		proven_set(c, label);
}

path_label router_first(struct quic_conn *c, const struct addr *to, const struct addr *local)
{
	return slot_fill(c, &c->slots[0], to, local);
}

static path_label builtin_label(struct quic_conn *c, const struct udp_rx *rx)
{
	path_label ours = c->proven_label ? c->proven_label : c->label;
	struct slot *sl = slot_of_addr(c, &rx->from), *proven = slot_of_label(c, ours);
	uint64_t now = clock_now(c->s->h);

	if (!c->server)
		return sl ? sl->label : 0; /* a client knows where its server is */
	if (proven && sl != proven && now - proven->used < QUIET_BEFORE_MOVE)
		return ours;
	if (!sl)
		return slot_fill(c, slot_to_use(c), &rx->from, &rx->local);
	sl->used = now;
	sl->local = rx->local;
	return sl->label;
}

path_label router_label(struct quic_socket *s, struct quic_conn *c, const struct udp_rx *rx)
{
	if (c ? c->routed : s->cfg.router != NULL)
		return s->cfg.router->label(s->cfg.router->ctx, c, rx);
	return c ? builtin_label(c, rx) : 1;
}

void router_release(struct quic_socket *s, path_label label)
{
	if (label != 0 && s->cfg.router && s->cfg.router->release)
		s->cfg.router->release(s->cfg.router->ctx, label);
}

bool router_endpoint(struct quic_socket *s, struct quic_conn *c, path_label label,
		     struct quic_endpoint *ret)
{
	const struct slot *sl;

	if (c->routed)
		return s->cfg.router->endpoint(s->cfg.router->ctx, c, label, ret);
	sl = slot_of_label(c, label);
	if (!sl)
		return false;
	*ret = (struct quic_endpoint){ .to = sl->to, .local = sl->local };
	return true;
}
