/* SPDX-License-Identifier: MIT */
/* Members of a fleet leave, and nothing is left of them. */
#include "expel_kit.h"

const struct member *expel_member_at(const struct fleet_node *at, const struct fleet_node *of)
{
	return roster_by_id(mlog_roster(at->log), &of->self->id, ROSTER_ALL);
}

void expel_removed(struct fleet_node *at, const struct fleet_node *gone)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME + 100, at->self->id };

	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_leave(at->log->roster, expel_member_at(at, gone), &how);
	overlay_log_grew(at->o);
}

void expel_joined_again(struct fleet_node *at, const struct fleet_node *back)
{
	struct member m = *expel_member_at(at, back);

	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_join(at->log->roster, &m);
	overlay_log_grew(at->o);
}

size_t expel_peers_of(const struct fleet_node *n)
{
	size_t count = 0;

	list_for_each(it, &n->o->peering.peers)
		count++;
	return count;
}

void expel_check_gone(struct fleet_node *at, const struct fleet_node *gone)
{
	struct world *w = at->fleet->w;
	const struct member *m = expel_member_at(at, gone);
	struct peer_hint hints[FLEET_NODES];
	struct peer_status s;
	uint64_t nonce;
	void *value;

	SIM_CHECK(w, !overlay_peer_status(at->o, m, &s));
	SIM_CHECK(w, overlay_ping(at->o, m, &nonce) == -ENOENT);
	SIM_CHECK(w, !overlay_routes_to(at->o, m));
	SIM_CHECK(w, !world_has_route(at->h, (struct prefix4){ m->address, 32 },
				      overlay_ifindex(at->o)));
	SIM_CHECK(w, !world_fenced(at->h, m->address));
	SIM_CHECK(w, !peer_of_address(&at->o->peering, m->address));
	SIM_CHECK(w, list_empty(&at->o->peering.expelled));
	for (size_t i = 0, n = overlay_hints_get(at->o, hints, FLEET_NODES); i < n; i++)
		SIM_CHECK(w, !node_id_equal(&hints[i].id, &m->id));
	list_for_each(it, &at->o->peering.peers)
		SIM_CHECK(w, list_entry(it, struct peer, in_overlay)->member != m);
	for (size_t pos = 0; map_next(at->o->peering.dp.records, &pos, &value);)
		SIM_CHECK(w, container_of((struct dest *)value, struct peer, dest)->member != m);
	for (size_t pos = 0; map_next(at->o->peering.channels, &pos, &value);)
		SIM_CHECK(w, ((struct peer *)value)->member != m);
	for (size_t pos = 0; map_next(at->o->peering.tags, &pos, &value);)
		SIM_CHECK(w, ((struct peer *)value)->member != m);
}

bool expel_took_unreachable(struct fleet_node *n)
{
	uint8_t got[2000];
	size_t len;

	return world_tun_take(n->h, 0, got, sizeof(got), &len) == 1 && got[9] == 1 && got[20] == 3;
}

void expel_check_silence(struct fleet *m, struct fleet_node *at, struct fleet_node *gone)
{
	uint64_t accepted = quic_socket_stats_get(at->o->peering.socket).accepted;

	for (unsigned i = 0; i < 20; i++) {
		if (gone->o)
			fleet_send(gone, at, 90, i);
		sim_pass(m->w, WITHOUT_END / 20);
		SIM_CHECK(m->w, fleet_tun_silent(at));
		expel_check_gone(at, gone);
	}
	ck_assert_uint_eq(quic_socket_stats_get(at->o->peering.socket).accepted, accepted);
}
