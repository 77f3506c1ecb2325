/* SPDX-License-Identifier: MIT */
/*
 * Other software takes away parts of the overlay's network: they are put back at once, nothing
 * leaves in the clear meanwhile, and a fight is bounded. The host's own networks come and go.
 */
#include "overlay_sim.h"

static const struct prefix4 cover = { KIT_NET, 24 };

static bool routed(const struct fleet_node *n, unsigned at)
{
	return world_has_route(n->h, (struct prefix4){ KIT_NET + at, 32 }, overlay_ifindex(n->o));
}

static bool is_whole(const struct fleet_node *n)
{
	struct addr self = addr_v4(n->self->address, 0);
	struct overlay_repairs r;

	overlay_repairs_get(n->o, &r);
	return world_tun_up(n->h, 0) && world_has_addr(n->h, &self) && routed(n, 2) &&
	       routed(n, 3) && world_has_route(n->h, cover, 0) && !r.broken &&
	       strcmp(overlay_ifname(n->o), "mlsh0") == 0 && world_link_mtu(n->h, "mlsh0") == 1400;
}

static uint64_t repairs(const struct fleet_node *n)
{
	struct overlay_repairs r;

	overlay_repairs_get(n->o, &r);
	return r.count;
}

static void take_routes(struct fleet_node *n)
{
	world_flush_routes(n->h);
}

static void take_address(struct fleet_node *n)
{
	world_flush_addresses(n->h, "mlsh0");
}

static void take_link_down(struct fleet_node *n)
{
	world_host_interface(n->h, "mlsh0", false);
}

static void take_mtu(struct fleet_node *n)
{
	world_link_change(n->h, "mlsh0", "mlsh0", 9000);
}

static void take_name(struct fleet_node *n)
{
	world_link_change(n->h, "mlsh0", "other0", 1400);
}

static void take_device(struct fleet_node *n)
{
	world_tun_kill(n->h, 0);
}

static const struct {
	void (*take)(struct fleet_node *n);
	const char *what;
} thefts[] = {
	{ take_routes, "routes" },
	{ take_address, "address, routes" },
	{ take_link_down, "link state, routes" },
	{ take_mtu, "MTU" },
	{ take_name, "name" },
	{ take_device, "interface" },
};

static void packet_passes(struct fleet *m, unsigned seed)
{
	fleet_send(&m->node[0], &m->node[1], 500, seed);
	fleet_send(&m->node[1], &m->node[0], 500, seed);
	sim_pass(m->w, NS_PER_S);
	SIM_CHECK(m->w, fleet_received(&m->node[0], &m->node[1], 500, seed));
	SIM_CHECK(m->w, fleet_received(&m->node[1], &m->node[0], 500, seed));
}

START_TEST(what_is_taken_away_is_put_back_at_once)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];

	fleet_new(&m, 3);
	fleet_wait_up(&m, NS_PER_S);
	ck_assert(is_whole(n) && repairs(n) == 0);
	for (size_t i = 0; i < ARRAY_LEN(thefts); i++) {
		struct overlay_repairs r;

		sim_pass(m.w, 200 * NS_PER_S); /* no fight */
		thefts[i].take(n);
		sim_pass(m.w, 50 * NS_PER_MS);
		SIM_CHECK(m.w, is_whole(n));
		overlay_repairs_get(n->o, &r);
		ck_assert_uint_eq(r.count, i + 1);
		ck_assert_str_eq(r.what, thefts[i].what);
		packet_passes(&m, (unsigned)i);
	}
	ck_assert_uint_eq(n->devices, 1);
	fleet_free(&m);
}
END_TEST

/* In the instant between a flush and the repair packets for members go nowhere. */
START_TEST(nothing_leaves_in_the_clear_without_the_routes)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct addr member = addr_v4(KIT_NET + 2, 7);

	fleet_new(&m, 3);
	ck_assert(world_leaves_by(n->h, &member) == (int)overlay_ifindex(n->o));
	world_flush_routes(n->h);
	ck_assert_int_eq(world_leaves_by(n->h, &member), WORLD_NOWHERE);
	fleet_free(&m);
}
END_TEST

START_TEST(a_fight_is_bounded_and_said)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct overlay_repairs r;

	fleet_new(&m, 3);
	for (unsigned i = 0; i < 3000; i++) { /* five minutes */
		take_routes(n);
		sim_pass(m.w, 100 * NS_PER_MS);
	}
	overlay_repairs_get(n->o, &r);
	ck_assert_uint_ge(r.count, 8);
	ck_assert_uint_le(r.count, 20);
	ck_assert(r.broken && r.next_ns > 0);
	ck_assert_str_eq(r.missing, "routes");
	/* A new network of the host is still given way to, and new members are still reached. */
	sim_pass(m.w, 61 * NS_PER_S);
	SIM_CHECK(m.w, is_whole(n));
	fleet_free(&m);
}
END_TEST

START_TEST(a_network_of_the_host_that_comes_later_wins_while_it_is_there)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct prefix4 lan = { KIT_NET, 16 }, gateway = { KIT_NET + 2, 32 };

	fleet_new(&m, 3);
	ck_assert_ptr_null(overlay_conflict(n->o, 0));
	world_host_uses(n->h, lan, "network 100.64.0.0/16 on wwan0");
	world_host_uses(n->h, gateway, "a gateway of this host");
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert(!world_has_route(n->h, cover, 0));
	ck_assert(!routed(n, 2) && routed(n, 3));
	ck_assert_ptr_nonnull(strstr(overlay_conflict(n->o, 0), "a gateway of this host"));
	ck_assert_ptr_nonnull(strstr(overlay_conflict(n->o, 1), "wwan0"));
	ck_assert_ptr_null(overlay_conflict(n->o, 2));
	ck_assert(!overlay_routes_to(n->o, roster_by_address(mlog_roster(n->log), KIT_NET + 2,
							     ROSTER_CURRENT)));
	world_host_uses_no_more(n->h, gateway);
	world_host_uses_no_more(n->h, lan);
	sim_pass(m.w, 10 * NS_PER_MS);
	world_host_uses(n->h, (struct prefix4){ n->self->address, 32 }, "this host's on wwan0");
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_ptr_nonnull(strstr(overlay_conflict(n->o, 0), "own overlay address"));
	world_host_uses_no_more(n->h, (struct prefix4){ n->self->address, 32 });
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert(is_whole(n) && repairs(n) == 0);
	ck_assert_ptr_null(overlay_conflict(n->o, 0));
	fleet_free(&m);
}
END_TEST

START_TEST(a_conflict_in_the_place_of_another_is_told)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct prefix4 first = { KIT_NET + 2, 32 }, second = { KIT_NET + 3, 32 };

	fleet_new(&m, 3);
	n->states = 0;
	world_host_uses(n->h, first, "a gateway of this host");
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert_uint_eq(n->states, 1);
	world_host_uses_no_more(n->h, first);
	world_host_uses(n->h, second, "a gateway of this host");
	sim_pass(m.w, 10 * NS_PER_MS);
	ck_assert(routed(n, 2) && !routed(n, 3));
	ck_assert_uint_eq(n->states, 2);
	fleet_free(&m);
}
END_TEST

static void count_line(void *ctx, enum log_level level, const char *line)
{
	(void)line;
	if (level <= LOG_LEVEL_INFO)
		++*(unsigned *)ctx;
}

/* A network whose DHCP server changes its mind each second does not fill the log. */
START_TEST(a_conflict_that_comes_and_goes_does_not_fill_the_log)
{
	struct fleet m;
	struct fleet_node *n = &m.node[0];
	struct prefix4 gateway = { KIT_NET + 2, 32 };
	unsigned lines = 0;

	fleet_new(&m, 3);
	sim_pass(m.w, 5 * NS_PER_S);
	host_log(n->h)->sink = count_line;
	host_log(n->h)->ctx = &lines;
	host_log(n->h)->level = LOG_LEVEL_INFO;
	for (unsigned i = 0; i < 300; i++) { /* ten minutes */
		world_host_uses(n->h, gateway, "a gateway of this host");
		sim_pass(m.w, NS_PER_S);
		world_host_uses_no_more(n->h, gateway);
		sim_pass(m.w, NS_PER_S);
	}
	printf("%u lines\n", lines);
	ck_assert_uint_ge(lines, 16);
	ck_assert_uint_le(lines, 40);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/repair", what_is_taken_away_is_put_back_at_once,
	  nothing_leaves_in_the_clear_without_the_routes, a_fight_is_bounded_and_said,
	  a_network_of_the_host_that_comes_later_wins_while_it_is_there,
	  a_conflict_in_the_place_of_another_is_told,
	  a_conflict_that_comes_and_goes_does_not_fill_the_log)
