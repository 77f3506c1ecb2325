/* SPDX-License-Identifier: MIT */
/*
 * A hostile server says whatever it likes to a node, as often as it likes: tunnels that stand do
 * not notice, and the node does not pass the flood on to its peers.
 */
#include "overlay_sim.h"

#define FLOOD_NS (40 * NS_PER_S)
#define STEP_NS (2 * NS_PER_MS) /* 500 times a second */

static void pair_up(struct fleet *m)
{
	fleet_new(m, 2);
	fleet_wait_up(m, 5 * NS_PER_S);
	sim_pass(m->w, 20 * NS_PER_S); /* it has moved to the best path */
	m->server_down = true;	       /* the test speaks in its place */
	for (size_t i = 0; i < m->n; i++)
		m->node[i].changes = 0;
}

static void is_undisturbed(struct fleet *m)
{
	SIM_CHECK(m->w, fleet_linked(&m->node[0], &m->node[1]));
	ck_assert_uint_eq(m->node[0].changes, 0);
	ck_assert_uint_eq(m->node[1].changes, 0);
	fleet_send(&m->node[1], &m->node[0], 90, 9);
	sim_pass(m->w, 100 * NS_PER_MS);
	SIM_CHECK(m->w, fleet_received(&m->node[1], &m->node[0], 90, 9));
	fleet_free(m);
}

static void presence_flaps(size_t role)
{
	struct fleet m;
	struct fleet_node *to = &m.node[role], *about = &m.node[1 - role];

	pair_up(&m);
	const struct member *member = roster_by_id(mlog_roster(to->log), &about->self->id,
						   ROSTER_CURRENT);

	for (uint64_t t = 0; t < FLOOD_NS; t += STEP_NS) {
		overlay_presence(to->o, member, false, NULL);
		overlay_presence(to->o, member, true, NULL);
		sim_pass(m.w, STEP_NS);
	}
	is_undisturbed(&m);
}

/* [P4-34] */
START_TEST(presence_that_flaps_does_not_end_a_tunnel)
{
	presence_flaps(0);
	presence_flaps(1);
}
END_TEST

static void observed_flaps(size_t role)
{
	struct fleet m;
	struct wire_candidates c;
	struct addr last;

	pair_up(&m);
	for (uint64_t t = 0; t < FLOOD_NS; t += STEP_NS) {
		last = addr_v4(IP(203, 0, 113, 1), (uint16_t)(1000 + t / STEP_NS % 30000));
		overlay_observed(m.node[role].o, &last, NULL);
		sim_pass(m.w, STEP_NS);
	}
	/* The last word counts, if somewhat later. */
	sim_pass(m.w, 5 * NS_PER_S);
	overlay_candidates_get(m.node[role].o, &c);
	bool named = false;
	for (size_t i = 0; i < c.n; i++)
		named |= addr_equal(&c.item[i], &last);
	SIM_CHECK(m.w, named);
	is_undisturbed(&m);
}

/* [P4-34] */
START_TEST(an_observed_address_that_flaps_does_not_end_a_tunnel)
{
	observed_flaps(0);
	observed_flaps(1);
}
END_TEST

static void candidates_flap(size_t role)
{
	struct fleet m;
	struct fleet_node *to = &m.node[role], *about = &m.node[1 - role];

	pair_up(&m);
	const struct member *member = roster_by_id(mlog_roster(to->log), &about->self->id,
						   ROSTER_CURRENT);

	for (uint64_t t = 0; t < FLOOD_NS; t += STEP_NS) {
		struct wire_candidates c = { .n = 1 };

		c.item[0] = addr_v4(IP(203, 0, 113, 1), (uint16_t)(1000 + t / STEP_NS % 30000));
		overlay_presence(to->o, member, true, &c);
		sim_pass(m.w, STEP_NS);
	}
	is_undisturbed(&m);
}

/* [P4-34] */
START_TEST(candidates_that_change_all_the_time_do_not_end_a_tunnel)
{
	candidates_flap(0);
	candidates_flap(1);
}
END_TEST

static void channels_flap(size_t role)
{
	struct fleet m;
	struct fleet_node *to = &m.node[role], *about = &m.node[1 - role];
	struct addr server = addr_v4(IP(192, 0, 2, 200), 4433);

	pair_up(&m);
	const struct member *member = roster_by_id(mlog_roster(to->log), &about->self->id,
						   ROSTER_CURRENT);

	for (uint64_t t = 0; t < FLOOD_NS; t += STEP_NS) {
		struct relay_end end = { .channel = { 1 } };

		store_be32(end.channel + 4, (uint32_t)(t / STEP_NS));
		overlay_relay(to->o, member, &end, &server);
		if (t / STEP_NS % 3 == 0)
			overlay_relay(to->o, member, NULL, NULL);
		sim_pass(m.w, STEP_NS);
	}
	is_undisturbed(&m);
}

/* [P4-34] */
START_TEST(channels_that_open_and_close_in_a_loop_do_not_end_a_tunnel)
{
	channels_flap(0);
	channels_flap(1);
}
END_TEST

UNIT_MAIN("overlay/server", presence_that_flaps_does_not_end_a_tunnel,
	  an_observed_address_that_flaps_does_not_end_a_tunnel,
	  candidates_that_change_all_the_time_do_not_end_a_tunnel,
	  channels_that_open_and_close_in_a_loop_do_not_end_a_tunnel)
