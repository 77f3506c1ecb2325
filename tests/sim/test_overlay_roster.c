/* SPDX-License-Identifier: MIT */
/* The peers follow every change of the roster, also when they look late. */
#include <time.h>

#include "expel_kit.h"

/* --- and back --- */

START_TEST(a_member_that_joins_again_is_connected_again)
{
	struct fleet m;

	fleet_new(&m, 3);
	fleet_wait_up(&m, 5 * NS_PER_S);
	expel_removed(&m.node[0], &m.node[1]);
	expel_removed(&m.node[0], &m.node[2]);
	ck_assert_uint_eq(expel_peers_of(&m.node[0]), 0);
	sim_pass(m.w, 10 * NS_PER_S);
	expel_joined_again(&m.node[0], &m.node[1]);
	expel_joined_again(&m.node[0], &m.node[2]);
	ck_assert_uint_eq(expel_peers_of(&m.node[0]), 2);
	fleet_announce(&m.node[1]);
	fleet_announce(&m.node[2]);
	fleet_wait_up(&m, 70 * NS_PER_S);
	fleet_free(&m);
}
END_TEST

/* A reader that lags: it left and joined again before anybody looked. */
START_TEST(a_member_back_before_anybody_looked_proves_itself_again)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME, { { 0 } } };
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, 5 * NS_PER_S);
	const struct member *of = expel_member_at(&m.node[0], &m.node[1]);
	struct member as = *of;
	uint64_t up = fleet_peer(&m.node[0], &m.node[1]).up_since;

	ck_assert_int_eq(roster_reserve(m.node[0].log->roster, 2), 0);
	roster_leave(m.node[0].log->roster, of, &how);
	roster_join(m.node[0].log->roster, &as);
	overlay_log_grew(m.node[0].o);
	ck_assert_int_ne(fleet_peer(&m.node[0], &m.node[1]).state, PEER_UP);
	SIM_CHECK(m.w, overlay_routes_to(m.node[0].o, of));
	fleet_announce(&m.node[1]);
	fleet_wait_up(&m, 70 * NS_PER_S);
	ck_assert_uint_gt(fleet_peer(&m.node[0], &m.node[1]).up_since, up);
	fleet_free(&m);
}
END_TEST

/* Joined and removed before anybody looked: no peer is made for it. */
START_TEST(a_member_gone_before_anybody_looked_is_never_a_peer)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME, { { 0 } } };
	struct identity *id = kit_identity(60);
	struct fleet m;
	struct member as = { .address = KIT_NET + 77, .name = "brief" };

	fleet_new(&m, 2);
	as.id = identity_node_id(id);
	memcpy(as.key, identity_key(id), KEY_LEN);
	ck_assert_int_eq(roster_reserve(m.node[0].log->roster, 2), 0);
	roster_leave(m.node[0].log->roster, roster_join(m.node[0].log->roster, &as), &how);
	overlay_log_grew(m.node[0].o);
	ck_assert_uint_eq(expel_peers_of(&m.node[0]), 1);
	SIM_CHECK(m.w, !world_has_route(m.node[0].h, (struct prefix4){ KIT_NET + 77, 32 },
					overlay_ifindex(m.node[0].o)));
	identity_free(id);
	fleet_free(&m);
}
END_TEST

/* Peers are made for members only; how long that takes is printed. */
START_TEST(former_members_are_no_peers_at_the_start)
{
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME, { { 0 } } };
	const unsigned former = 40000, current = 9000;
	struct fleet m;

	fleet_init(&m, 2);
	struct roster *r = m.node[0].log->roster;

	for (unsigned i = 0; i < former + current; i++) {
		struct member as = { .id = { { 9, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
					       (uint8_t)i } },
				     .address = KIT_NET + 100 + i };

		memcpy(as.key, &i, sizeof(i));
		snprintf(as.name, sizeof(as.name), "many%u", i);
		ck_assert_int_eq(roster_reserve(r, 2), 0);
		const struct member *joined = roster_join(r, &as);
		if (i < former)
			roster_leave(r, joined, &how);
	}
	m.server_down = true;
	clock_t began = clock();
	fleet_start(&m.node[0]);
	double seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
	printf("%u members, %u former ones: started in %.2f s\n", current, former, seconds);
	ck_assert_uint_eq(expel_peers_of(&m.node[0]), current + 1);
	fleet_free(&m);
}
END_TEST

/* --- oneself --- */

static size_t host_routes(struct fleet_node *n)
{
	return world_routes(n->h, NULL, 0);
}

/* A node that was removed gives the host back what it took, and has no peers; it can come back. */
START_TEST(a_node_that_left_itself_gives_the_host_back)
{
	struct fleet m;

	fleet_new(&m, 3);
	fleet_wait_up(&m, 5 * NS_PER_S);
	struct fleet_node *n = &m.node[1];
	struct addr own = addr_v4(n->self->address, 0);

	fleet_send(&m.node[0], n, 84, 1);
	sim_pass(m.w, NS_PER_MS); /* on its way */
	expel_removed(n, n);
	ck_assert_uint_eq(n->outs, 1);
	ck_assert_uint_eq(expel_peers_of(n), 0);
	ck_assert_uint_eq(host_routes(n), 0);
	SIM_CHECK(m.w, !world_has_addr(n->h, &own));
	SIM_CHECK(m.w, !world_fenced(n->h, m.node[0].self->address));
	ck_assert_ptr_null(overlay_fence(n->o));
	/* Whatever still comes, and whatever changes around it. */
	fleet_announce(&m.node[0]);
	overlay_network_changed(n->o);
	overlay_log_grew(n->o);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_uint_eq(expel_peers_of(n), 0);
	ck_assert_uint_eq(host_routes(n), 0);
	ck_assert_int_ne(fleet_peer(&m.node[0], n).state, PEER_UP);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[2]));

	expel_joined_again(n, n);
	ck_assert_uint_eq(n->ins, 1);
	ck_assert_uint_eq(expel_peers_of(n), 2);
	SIM_CHECK(m.w, world_has_addr(n->h, &own));
	for (unsigned i = 0; i < 3; i++)
		fleet_announce(&m.node[i]);
	fleet_wait_up(&m, 70 * NS_PER_S);
	fleet_send(&m.node[0], n, 84, 2);
	sim_pass(m.w, 100 * NS_PER_MS);
	uint8_t got[200];
	size_t len;
	ck_assert_int_eq(world_tun_take(n->h, 0, got, sizeof(got), &len), 1);
	fleet_free(&m);
}
END_TEST

/* The machine was restarted meanwhile, and still keeps the log. */
START_TEST(a_former_member_starts_with_a_socket_only)
{
	struct fleet m;

	fleet_init(&m, 2);
	struct roster_leave how = { LEFT_REMOVED, 100, KIT_TIME, m.node[0].self->id };
	struct fleet_node *n = &m.node[1];
	struct addr own = addr_v4(n->self->address, 0);

	ck_assert_int_eq(roster_reserve(n->log->roster, 1), 0);
	roster_leave(n->log->roster, n->self, &how);
	fleet_start(&m.node[0]);
	fleet_start(n);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_uint_eq(expel_peers_of(n), 0);
	ck_assert_uint_eq(host_routes(n), 0);
	SIM_CHECK(m.w, !world_has_addr(n->h, &own));
	ck_assert_int_ne(fleet_peer(&m.node[0], n).state, PEER_UP);
	expel_joined_again(n, n);
	SIM_CHECK(m.w, world_has_addr(n->h, &own));
	for (unsigned i = 0; i < 2; i++)
		fleet_announce(&m.node[i]);
	fleet_wait_up(&m, 70 * NS_PER_S);
	fleet_free(&m);
}
END_TEST

/* --- another key --- */

static void rekeyed(struct fleet_node *at, const struct fleet_node *of, const struct identity *key)
{
	ck_assert_int_eq(roster_reserve(at->log->roster, 1), 0);
	roster_rekey(at->log->roster, expel_member_at(at, of), identity_key(key), 100,
		     KIT_TIME + 100);
	overlay_log_grew(at->o);
}

START_TEST(another_key_leaves_the_tunnel_and_is_pinned_for_the_next)
{
	struct fleet m;
	struct identity *key = kit_identity(70);

	fleet_new(&m, 2);
	fleet_wait_up(&m, 5 * NS_PER_S);
	for (unsigned i = 0; i < 2; i++)
		rekeyed(&m.node[i], &m.node[1], key);
	sim_pass(m.w, 20 * NS_PER_S);
	SIM_CHECK(m.w, fleet_linked(&m.node[0], &m.node[1]));
	fleet_send(&m.node[1], &m.node[0], 90, 1);
	sim_pass(m.w, 100 * NS_PER_MS);
	SIM_CHECK(m.w, fleet_received(&m.node[1], &m.node[0], 90, 1));
	/* After a restart with the old key it is nobody; with the new one it is the same member. */
	fleet_restart(&m.node[1]);
	sim_pass(m.w, WITHOUT_END);
	ck_assert_int_ne(fleet_peer(&m.node[0], &m.node[1]).state, PEER_UP);
	identity_free(m.node[1].id);
	m.node[1].id = key;
	fleet_restart(&m.node[1]);
	fleet_wait_up(&m, 70 * NS_PER_S);
	fleet_free(&m);
}
END_TEST

/* --- at random --- */

START_TEST(members_come_and_go_at_random)
{
	struct unit_rng rng = unit_rng_new("members_come_and_go_at_random");
	struct fleet m;
	bool in[4][4];

	memset(in, true, sizeof(in));
	fleet_new(&m, 4);
	for (unsigned i = 0; i < 150; i++) {
		unsigned at = (unsigned)unit_random_below(&rng, 4);
		unsigned of = (at + 1 + (unsigned)unit_random_below(&rng, 3)) % 4;

		if (in[at][of]) {
			expel_removed(&m.node[at], &m.node[of]);
			sim_pass(m.w, 0);
			expel_check_gone(&m.node[at], &m.node[of]);
		} else {
			expel_joined_again(&m.node[at], &m.node[of]);
			fleet_tell(&m.node[of], &m.node[at]);
		}
		in[at][of] = !in[at][of];
		fleet_send(&m.node[at], &m.node[of], 84, i);
		fleet_send(&m.node[of], &m.node[at], 84, i);
		sim_pass(m.w, unit_random_below(&rng, 400) * NS_PER_MS);
	}
	for (unsigned i = 0; i < 16; i++)
		if (i / 4 != i % 4 && !in[i / 4][i % 4])
			expel_joined_again(&m.node[i / 4], &m.node[i % 4]);
	for (unsigned i = 0; i < 4; i++)
		fleet_announce(&m.node[i]);
	fleet_wait_up(&m, 130 * NS_PER_S);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/roster", a_member_that_joins_again_is_connected_again,
	  a_member_back_before_anybody_looked_proves_itself_again,
	  a_member_gone_before_anybody_looked_is_never_a_peer,
	  former_members_are_no_peers_at_the_start, a_node_that_left_itself_gives_the_host_back,
	  a_former_member_starts_with_a_socket_only,
	  another_key_leaves_the_tunnel_and_is_pinned_for_the_next, members_come_and_go_at_random)
