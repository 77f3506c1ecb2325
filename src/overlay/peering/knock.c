/* SPDX-License-Identifier: MIT */
/*
 * Connections that the other side began. Where its part is to wait it has no tunnel and asks for
 * one: it connects to be called back (docs/protocol/04-peer.md).
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"

/* A younger tunnel may have crossed the knock. */
static bool is_old_tunnel(const struct peer *p)
{
	return peer_is_up(p) && clock_now(p->g->h) - p->up_since >= PEER_KNOCK_TRUST;
}

static void knocked(struct peer *p, const struct quic_conn *c)
{
	struct wire_candidates one = { .n = 0 }, good = { .n = 0 };
	struct prefix4 subnet = mlog_genesis(p->g->log)->subnet;
	struct peer_occasion occasion = { .why = "it asked for a new tunnel" };

	/* An address that the handshake has proven. */
	if (path_remote(p->g, c, &one.item[0])) {
		one.n = 1;
		p->called_from = one.item[0];
		candidates_filter(&one, &p->g->around.home, subnet, &good);
		candidates_filter(&one, &p->g->around.home, subnet, &p->knock);
	}
	occasion.by_relay = one.n == 0;
	if (good.n == 1)
		occasion.from = &good.item[0];
	if (is_old_tunnel(p)) { /* we believe that there is one; the other side has none */
		link_close(p->active, PEER_CLOSE_REPLACED, "called back");
		peer_step(p, PEER_EV_KNOCK_AGAIN, &occasion);
		return;
	}
	peer_step(p, PEER_EV_KNOCK, &occasion);
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
	l->deadline = clock_now(p->g->h) + PEER_CONTROL_TIMEOUT;
	*ret_ops = p->g->link_ops;
	*ret_ctx = l;
	peer_schedule(p);
	return true;
}
