/* SPDX-License-Identifier: MIT */
/* A fleet whose members leave: the roster is changed as the log changes it. */
#ifndef MLSH_TESTS_EXPEL_KIT_H
#define MLSH_TESTS_EXPEL_KIT_H

#include "overlay_sim.h"

#define WITHOUT_END (30 * NS_PER_S) /* as long as anything is tried again */

static inline const struct member *member_at(const struct fleet_node *at,
					     const struct fleet_node *of)
{
	return roster_by_id(mlog_roster(at->log), &of->self->id, ROSTER_ALL);
}

/* `at` learns that `gone` was removed. */
static inline void removed(struct fleet_node *at, const struct fleet_node *gone)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME + 100, at->self->id };

	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_leave(at->log->roster, member_at(at, gone), &how);
	overlay_log_grew(at->o);
}

static inline void joined_again(struct fleet_node *at, const struct fleet_node *back)
{
	struct member m = *member_at(at, back);

	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_join(at->log->roster, &m);
	overlay_log_grew(at->o);
}

static inline size_t peers_of(const struct fleet_node *n)
{
	size_t count = 0;

	list_for_each(it, &n->o->peers)
		count++;
	return count;
}

/* Nothing of `gone` is left at `at` but what the roster remembers. */
static inline void check_gone(struct fleet_node *at, const struct fleet_node *gone)
{
	struct world *w = at->fleet->w;
	const struct member *m = member_at(at, gone);
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
	SIM_CHECK(w, !peer_of_address(at->o, m->address));
	SIM_CHECK(w, list_empty(&at->o->expelled));
	for (size_t i = 0, n = overlay_hints_get(at->o, hints, FLEET_NODES); i < n; i++)
		SIM_CHECK(w, !node_id_equal(&hints[i].id, &m->id));
	list_for_each(it, &at->o->peers)
		SIM_CHECK(w, list_entry(it, struct peer, in_overlay)->member != m);
	for (size_t pos = 0; map_next(at->o->dp.records, &pos, &value);)
		SIM_CHECK(w, container_of((struct dest *)value, struct peer, dest)->member != m);
	for (size_t pos = 0; map_next(at->o->channels, &pos, &value);)
		SIM_CHECK(w, ((struct peer *)value)->member != m);
	for (size_t pos = 0; map_next(at->o->tags, &pos, &value);)
		SIM_CHECK(w, ((struct peer *)value)->member != m);
}

/* The ICMP error that tells a program that nobody is there. */
static inline bool took_unreachable(struct fleet_node *n)
{
	uint8_t got[2000];
	size_t len;

	return world_tun_take(n->h, 0, got, sizeof(got), &len) == 1 && got[9] == 1 && got[20] == 3;
}

/* Both ways, from now on and for long. */
static inline void check_silence(struct fleet *m, struct fleet_node *at, struct fleet_node *gone)
{
	uint64_t accepted = quic_socket_stats_get(at->o->socket).accepted;

	for (unsigned i = 0; i < 20; i++) {
		if (gone->o)
			fleet_send(gone, at, 90, i);
		sim_pass(m->w, WITHOUT_END / 20);
		SIM_CHECK(m->w, fleet_tun_silent(at));
		check_gone(at, gone);
	}
	ck_assert_uint_eq(quic_socket_stats_get(at->o->socket).accepted, accepted);
}

#endif
