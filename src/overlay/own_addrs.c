/* SPDX-License-Identifier: MIT */
/* What the owner says, and asks, of the addresses of this node and the NAT in front of it. */
#include "overlay/internal.h"
#include "overlay/peering/effects.h"

void overlay_observed(struct overlay *o, const struct addr *a, const struct addr *server)
{
	bool changed;

	if (server)
		netsetup_signal_proven(&o->net, server);
	changed = surroundings_observed(&o->peering.around, a, server);
	effects_refresh(&o->peering);
	if (changed)
		effects_around(&o->peering, nat_reset(&o->peering.around));
}

static void on_mapping(void *ctx)
{
	effects_around(ctx, REACH_REFRESH | REACH_TELL_NAT);
}

int overlay_start_mapper(struct overlay *o, struct err *err)
{
	if (o->no_port_mapping || o->left)
		return 0;

	struct mapper_config mc = { .port = quic_socket_local(o->peering.socket).port,
				    .overlay = mlog_genesis(o->peering.log)->subnet,
				    .changed = on_mapping,
				    .ctx = o };

	return mapper_new(o->peering.h, &mc, &o->peering.around.mapper) < 0
		       ? err_set(err, -ENOMEM, "no memory for an overlay")
		       : 0;
}

void overlay_candidates_get(const struct overlay *o, struct wire_candidates *ret)
{
	*ret = o->peering.around.own;
}

void overlay_echo(struct overlay *o, const struct probe_keys *keys, const struct addr *server,
		  uint16_t port)
{
	/* Behind a rewritten address everything is seen that is in front of the server, too. */
	if (!addr_is_v4(server) || o->peering.around.rewritten)
		return;
	if (keys)
		nat_check_begin(&o->peering.around, keys, server);
	else
		nat_check_port(&o->peering.around, server, port);
}

bool overlay_nat_memory(const struct overlay *o, struct nat_memory *ret)
{
	return nat_memory_get(&o->peering.around, ret);
}

void overlay_nat_remember(struct overlay *o, const struct nat_memory *m)
{
	nat_memory_set(&o->peering.around, m);
}

void overlay_nat_get(const struct overlay *o, struct overlay_nat *ret)
{
	const struct surroundings *s = &o->peering.around;

	*ret = (struct overlay_nat){ .kind = s->nat.kind,
				     .told = nat_told(s),
				     .checking = s->nat.check.running,
				     .in_turn = s->nat.in_turn,
				     .rewritten = s->rewritten,
				     .observers = s->nat.n_views };
	if (!addr_is_unset(&s->observed) && addr_is_v4(&s->observed))
		ret->observers++;
}

bool overlay_peer_nat(const struct overlay *o, const struct member *m, struct nat_kind *ret)
{
	const struct peer *p = peer_of_address(&o->peering, m->address);

	if (!p || p->member != m)
		return false;
	*ret = p->nat;
	return true;
}
