/* SPDX-License-Identifier: MIT */
/*
 * Connections that the other side began. Where its part is to wait it has no tunnel and asks for
 * one: it connects to be called back (docs/protocol/04-peer.md).
 */
#include "overlay/peering/peering.h"

#define CALL_GAP (250 * NS_PER_MS) /* a younger attempt is not given up for a knock */

/*
 * An attempt that was begun before it could be heard repeats its packets ever more rarely: another
 * one takes its place.
 */
static void call_back_now(struct peer *p, const struct addr *from, uint64_t now)
{
	if (p->next == 0 || now - p->began_at < CALL_GAP)
		return;
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (l->conn && !l->log_only && !l->relayed && addr_same_ip(&l->to, from) &&
		    l->to.port == from->port)
			link_close(l, PEER_CLOSE_REPLACED, "called back");
	}
	p->plan.item[--p->next] = *from; /* in place of one that was begun with */
	p->n_met = MAX(p->n_met, p->next + 1);
	p->began_at = p->next_at = now;
	peer_schedule(p);
}

static void knocked(struct peer *p, const struct quic_conn *c)
{
	struct wire_candidates one = { .n = 0 }, good = { .n = 0 };
	struct prefix4 subnet = mlog_genesis(p->o->log)->subnet;
	uint64_t now = clock_now(p->o->h);

	/* An address that the handshake has proven. */
	if (path_remote(p->o, c, &one.item[0])) {
		one.n = 1;
		p->called_from = one.item[0];
		candidates_filter(&one, &p->o->around.own, subnet, &good);
		candidates_filter(&one, &p->o->around.own, subnet, &p->knock);
	}
	p->wanted = true;
	if (p->state == PEER_UP && now - p->up_since >= PEER_KNOCK_TRUST) {
		/* If we believe that there is a tunnel, it is of no use to the other side. */
		link_close(p->active, PEER_CLOSE_REPLACED, "called back");
		peer_lost(p, "it asked for a new tunnel", PEER_LOST_ALIVE);
		p->wanted = true;
		attempts_at_once(p);
	} else if (p->state == PEER_UP) {
		peer_maybe_restarted(p);
	} else {
		peer_kick(p);
		if (p->state == PEER_CONNECTING && !p->active && good.n == 1)
			call_back_now(p, &good.item[0], now);
		else if (one.n == 0)
			(void)attempts_by_relay(p);
	}
}

bool peer_accept(struct peer *p, struct quic_conn *c, const struct quic_conn_ops **ret_ops,
		 void **ret_ctx)
{
	struct link *l;

	if (p->initiator) {
		knocked(p, c);
		return false;
	}
	l = link_place(p);
	if (!l || !path_accepted(l, c))
		return false;
	l->conn = c;
	l->deadline = clock_now(p->o->h) + PEER_CONTROL_TIMEOUT;
	*ret_ops = p->o->link_ops;
	*ret_ctx = l;
	peer_schedule(p);
	return true;
}
