/* SPDX-License-Identifier: MIT */
/* What the gateway has mapped, or may have, is taken away when it is of no use any more. */
#include "mapping_kit.h"

/* [P6-53] */
START_TEST(a_clean_end_takes_the_mapping_away)
{
	const struct portmapd_config *kinds[] = { &mapping_by_pcp, &mapping_by_natpmp,
						  &mapping_by_upnp };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s = mapping_begin(kinds[i], NULL);

		mapping_direct(&s);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 1);
		mesh_daemon_stop(&s.m->node[0]);
		sim_pass(s.m->w, SECOND);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
		mapping_end(&s);
	}
}
END_TEST

/* Stopped before the gateway's word has come. */
/* [P6-53] */
START_TEST(a_question_that_is_cut_short_leaves_no_mapping)
{
	const struct portmapd_config *kinds[] = { &mapping_by_pcp, &mapping_by_natpmp,
						  &mapping_by_upnp };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s = mapping_begin(kinds[i], NULL);

		mesh_setup(&s.m->node[0]);
		mesh_connect(&s.m->node[0]);
		mesh_until(s.m, 20 * SECOND, mapping_is_there, s.gateway[0]);
		ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_ASKING);
		mesh_daemon_stop(&s.m->node[0]);
		sim_pass(s.m->w, SECOND);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
		mapping_end(&s);
	}
}
END_TEST

static bool is_given_up(void *ctx)
{
	return mapping_of(ctx, 0).state == MAPPER_NONE;
}

/* The gateway maps and does not say so: taken away when that is given up, or at the end. */
START_TEST(a_mapping_that_nobody_told_of_is_taken_away)
{
	static const struct portmapd_config mute = { .upnp = true, .upnp_mute = true };

	for (unsigned late = 0; late < 2; late++) {
		struct scene s = mapping_begin(&mute, NULL);

		mesh_setup(&s.m->node[0]);
		mesh_connect(&s.m->node[0]);
		mesh_until(s.m, 20 * SECOND, mapping_is_there, s.gateway[0]);
		if (late)
			portmapd_configure(s.gateway[0], &mapping_silent);
		mesh_until(s.m, 20 * SECOND, is_given_up, &s);
		sim_pass(s.m->w, 5 * SECOND);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), late);
		portmapd_configure(s.gateway[0], &mapping_by_upnp);
		mesh_daemon_stop(&s.m->node[0]);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
		mapping_end(&s);
	}
}
END_TEST

/* The gateway does not answer any more when the mapping is renewed: it may still have it. */
START_TEST(a_renewal_that_failed_leaves_no_mapping)
{
	static const struct portmapd_config permanent = { .upnp = true, .upnp_permanent = true };
	struct scene s = mapping_begin(&permanent, NULL);

	mapping_direct(&s);
	portmapd_configure(s.gateway[0], &mapping_silent);
	mesh_until(s.m, 2 * HOUR, is_given_up, &s);
	ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 1);
	portmapd_configure(s.gateway[0], &permanent);
	mesh_daemon_stop(&s.m->node[0]);
	ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
	mapping_end(&s);
}
END_TEST

/* A provider's NAT behind the gateway's: the address is nobody's on the internet. */
/* [P6-53] */
START_TEST(a_mapping_of_no_use_is_taken_away_at_once)
{
	const struct portmapd_config *kinds[] = { &mapping_by_pcp, &mapping_by_natpmp,
						  &mapping_by_upnp };
	struct nat_config cone = { .timeout_ns = 30 * SECOND };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct mesh *m = mesh_new(sim_seed());
		struct scene s = { .m = m };

		mesh_nodes(m, 2);
		s.nat[0] = nat_new(m->w, NULL, &cone, IP(100, 64, 0, 77));
		world_host_move(m->node[0].host, nat_net(s.nat[0]), IP(10, 7, 0, 2));
		s.gateway[0] = portmapd_new(s.nat[0], "gateway0", GATEWAY(0), kinds[i]);
		mesh_setup(&m->node[0]);
		mesh_connect(&m->node[0]);
		mesh_until(m, 20 * SECOND, mapping_is_there, s.gateway[0]);
		mesh_until(m, 20 * SECOND, is_given_up, &s);
		sim_pass(m->w, SECOND);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
		ck_assert_ptr_nonnull(strstr(mapping_of(&s, 0).detail, "cannot be used"));
		mapping_end(&s);
	}
}
END_TEST

UNIT_MAIN("sim/paths_mapping_end", a_clean_end_takes_the_mapping_away,
	  a_question_that_is_cut_short_leaves_no_mapping,
	  a_mapping_that_nobody_told_of_is_taken_away, a_renewal_that_failed_leaves_no_mapping,
	  a_mapping_of_no_use_is_taken_away_at_once)
