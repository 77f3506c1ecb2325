/* SPDX-License-Identifier: MIT */
/*
 * Sessions with the real server: presence, restarts, networks that come and go, and that nothing of
 * it hammers at the server.
 */
#include "client_session_kit.h"

START_TEST(two_nodes_see_each_other)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	struct wire_candidates c = { .n = 2 };
	struct session_status s;

	kit_mesh(&k, 2);
	nas = &k.node[0];
	laptop = &k.node[1];
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 2 * NS_PER_S);
	/* The log was shorter than the server's: laptop's admission. */
	ck_assert_uint_eq(nas->grew, 1);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(nas->resets, 1);
	ck_assert(!kit_sees(nas, laptop));

	c.item[0] = addr_v4(IP(10, 1, 2, 3), 5000);
	c.item[1] = addr_v4(IP(127, 0, 0, 1), 5000); /* nobody is to send there */
	kit_node_up(laptop);
	session_set_candidates(laptop->session, &c);
	KIT_UP_WITHIN(laptop, 2 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert(kit_sees(nas, laptop));
	ck_assert(kit_sees(laptop, nas));
	ck_assert_uint_eq(nas->n_seen, 1);
	ck_assert_uint_eq(nas->seen[0].candidates.n, 1);
	ck_assert(addr_equal(&nas->seen[0].candidates.item[0], &c.item[0]));

	s = kit_status(laptop);
	ck_assert_uint_eq(s.server.port, KIT_PORT);
	ck_assert_str_eq(s.group, "X25519MLKEM768");
	ck_assert_uint_eq(addr_ip4(&laptop->observed), IP(198, 51, 100, 12));
	ck_assert(addr_equal(&laptop->observed, &s.observed));
	ck_assert_int_eq(s.last_err.code, 0);
	ck_assert_uint_le(world_now(k.w) - s.last_verified, 6 * NS_PER_S);

	/* New candidates are told, once. */
	c.n = 1;
	c.item[0] = addr_v4(IP(10, 9, 9, 9), 1);
	session_set_candidates(laptop->session, &c);
	session_set_candidates(laptop->session, &c);
	sim_pass(k.w, 3 * NS_PER_S);
	ck_assert_uint_eq(nas->seen[0].told, 2);
	ck_assert(addr_equal(&nas->seen[0].candidates.item[0], &c.item[0]));

	kit_node_down(laptop);
	sim_pass(k.w, NS_PER_S);
	ck_assert(!kit_sees(nas, laptop));
	kit_world_close(&k);
}
END_TEST

/* [P3-77] */
START_TEST(a_new_member_is_seen_at_once)
{
	struct kit k;
	struct kit_node *nas, *laptop;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 2 * NS_PER_S);
	laptop = kit_node(&k, "laptop");
	kit_join_by(laptop, nas);
	sim_pass(k.w, NS_PER_S);
	ck_assert_uint_eq(mlog_count(nas->log), 2);
	kit_node_up(laptop);
	KIT_UP_WITHIN(laptop, 2 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert(kit_sees(nas, laptop));
	ck_assert_uint_eq(nas->resets, 1);
	kit_world_close(&k);
}
END_TEST

static void check_back_within(struct kit *k, uint64_t down_ns)
{
	uint64_t back;

	kit_server_crash(k);
	sim_pass(k->w, down_ns);
	kit_server_boot(k);
	back = world_now(k->w);
	/* A node that has not noticed yet is not really up. */
	for (size_t i = 0; i < k->n_nodes; i++) {
		struct kit_node *n = &k->node[i];

		for (;;) {
			KIT_UP_WITHIN(n, back + 10 * NS_PER_S - world_now(k->w));
			if (signal_server_stats_get(k->server).sessions >= k->n_nodes)
				break;
			ck_assert_msg(world_now(k->w) - back < 10 * NS_PER_S,
				      "only %zu of %zu are back after 10 s (down for %llu ms)",
				      signal_server_stats_get(k->server).sessions, k->n_nodes,
				      (unsigned long long)(down_ns / NS_PER_MS));
			sim_pass(k->w, 100 * NS_PER_MS);
		}
	}
	sim_pass(k->w, NS_PER_S);
	ck_assert(kit_sees(&k->node[0], &k->node[1]));
	ck_assert(kit_sees(&k->node[1], &k->node[0]));
}

START_TEST(back_within_ten_seconds_of_a_crash)
{
	static const uint64_t down_ms[] = { 0, 300, 2000, 7000, 12345, 61000, 300000 };
	struct kit k;

	kit_mesh(&k, 3);
	kit_all_up(&k);
	for (size_t i = 0; i < ARRAY_LEN(down_ms); i++)
		check_back_within(&k, down_ms[i] * NS_PER_MS);
	kit_world_close(&k);
}
END_TEST

START_TEST(back_after_a_proper_shutdown)
{
	struct kit k;
	uint64_t down;

	kit_mesh(&k, 2);
	kit_all_up(&k);
	kit_server_stop(&k);
	down = world_now(k.w);
	ck_assert(kit_is_not_up(&k.node[0]));
	ck_assert_ptr_nonnull(strstr(kit_status(&k.node[0]).last_err.text, "shutting down"));
	sim_pass(k.w, 2 * NS_PER_S);
	kit_server_boot(&k);
	KIT_UP_WITHIN(&k.node[0], 10 * NS_PER_S);
	KIT_UP_WITHIN(&k.node[1], 10 * NS_PER_S);
	ck_assert_uint_lt(world_now(k.w) - down, 13 * NS_PER_S);
	ck_assert_int_eq(kit_status(&k.node[0]).last_err.code, 0);
	kit_world_close(&k);
}
END_TEST

/* An hour without a server: few attempts, and none at all while it asks for patience. */
START_TEST(a_dead_server_is_not_hammered)
{
	struct kit k;
	struct link_stats before, after;

	kit_mesh(&k, 1);
	kit_all_up(&k);
	kit_server_crash(&k);
	before = world_link_stats(k.w, k.node[0].host, k.server_host);
	sim_pass(k.w, 3600 * NS_PER_S);
	after = world_link_stats(k.w, k.node[0].host, k.server_host);
	/* An attempt of 5 to 10 s, 2.5 to 5 s of waiting; two Initials, sent 3 or 4 times. */
	ck_assert_uint_lt(after.sent - before.sent, 3600 * 10 / 7);
	ck_assert_uint_gt(after.sent - before.sent, 600);
	ck_assert_int_eq(kit_status(&k.node[0]).state, SESSION_RECONNECTING);
	ck_assert_int_eq(kit_status(&k.node[0]).last_err.reason, REFUSAL_UNREACHABLE);
	kit_world_close(&k);
}
END_TEST

START_TEST(two_with_one_identity_do_not_fight)
{
	struct kit k;
	struct kit_node *nas;
	struct kit_node twin;
	uint64_t requests;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	sim_pass(k.w, 20 * NS_PER_S);
	twin = *nas;
	twin.session = NULL;
	twin.socket = NULL;
	twin.log = NULL;
	twin.id = NULL;
	requests = signal_server_stats_get(k.server).requests;
	kit_node_up(&twin);
	KIT_UP_WITHIN(&twin, 3 * NS_PER_S);
	sim_pass(k.w, NS_PER_S);
	ck_assert(kit_is_not_up(nas));
	ck_assert_ptr_nonnull(strstr(kit_status(nas).last_err.text, "running twice"));
	/* A network change does not make it try sooner. */
	session_kick(nas->session);
	sim_pass(k.w, 25 * NS_PER_S);
	ck_assert(kit_is_not_up(nas));
	ck_assert(kit_is_up(&twin));
	sim_pass(k.w, 600 * NS_PER_S);
	/* Each takes the other's place every 30 s and more; a handful of requests each time. */
	ck_assert_uint_lt(signal_server_stats_get(k.server).requests - requests, 200);
	kit_node_down(&twin);
	KIT_UP_WITHIN(nas, 45 * NS_PER_S);
	kit_world_close(&k);
}
END_TEST

START_TEST(wrong_server_is_not_spoken_to)
{
	struct kit k;
	struct kit_node *nas;

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	kit_server_crash(&k);
	ck_assert_int_eq(unlink(k.db), 0);
	kit_server_boot(&k); /* another key, another certificate */
	sim_pass(k.w, 120 * NS_PER_S);
	ck_assert(kit_is_not_up(nas));
	ck_assert_int_eq(kit_status(nas).last_err.reason, REFUSAL_FINGERPRINT);
	ck_assert_uint_eq(signal_server_stats_get(k.server).requests, 0);
	ck_assert(!nas->stopped);
	kit_world_close(&k);
}
END_TEST

/* The wait after a wrong certificate is long; a person who types `connect` need not wait. */
START_TEST(who_asks_does_not_wait)
{
	struct kit k;
	struct kit_node *nas;
	char kept[sizeof(k.db) + 8];

	kit_mesh(&k, 1);
	nas = &k.node[0];
	kit_node_up(nas);
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	kit_server_crash(&k);
	snprintf(kept, sizeof(kept), "%s.kept", k.db);
	ck_assert_int_eq(rename(k.db, kept), 0);
	kit_server_boot(&k); /* another key, another certificate */
	while (kit_status(nas).last_err.reason != REFUSAL_FINGERPRINT)
		sim_pass(k.w, 100 * NS_PER_MS);
	kit_server_crash(&k);
	ck_assert_int_eq(rename(kept, k.db), 0);
	kit_server_boot(&k);
	sim_pass(k.w, 5 * NS_PER_S);
	ck_assert(kit_is_not_up(nas));
	session_ask(nas->session);
	KIT_UP_WITHIN(nas, NS_PER_S);
	kit_world_close(&k);
}
END_TEST

START_TEST(suspend_and_wake)
{
	static const uint64_t asleep_s[] = { 8, 30, 50, 3600, 86400 };
	struct kit k;
	struct kit_node *nas;

	kit_mesh(&k, 2);
	kit_all_up(&k);
	nas = &k.node[0];
	for (size_t i = 0; i < ARRAY_LEN(asleep_s); i++) {
		uint64_t woke;

		world_host_suspend(nas->host);
		sim_pass(k.w, asleep_s[i] * NS_PER_S);
		world_host_resume(nas->host);
		woke = world_now(k.w);
		sim_pass(k.w, 2 * NS_PER_S);
		KIT_UP_WITHIN(nas, 3 * NS_PER_S);
		ck_assert_uint_lt(world_now(k.w) - woke, 5 * NS_PER_S);
		ck_assert_uint_eq(signal_server_stats_get(k.server).sessions, 2);
		sim_pass(k.w, NS_PER_S);
		ck_assert(kit_sees(nas, &k.node[1]));
		ck_assert(kit_sees(&k.node[1], nas));
		sim_pass(k.w, 15 * NS_PER_S);
	}
	kit_world_close(&k);
}
END_TEST

START_TEST(roaming_keeps_the_session)
{
	struct kit k;
	struct kit_node *nas;

	kit_mesh(&k, 2);
	kit_all_up(&k);
	nas = &k.node[0];
	world_host_roam(nas->host, IP(203, 0, 113, 7));
	session_kick(nas->session);
	sim_pass(k.w, 5 * NS_PER_S);
	KIT_UP_WITHIN(nas, NS_PER_S);
	ck_assert_uint_eq(addr_ip4(&nas->observed), IP(203, 0, 113, 7));
	ck_assert(kit_sees(&k.node[1], nas));
	kit_world_close(&k);
}
END_TEST

START_TEST(cable_pulled_and_plugged)
{
	struct kit k;
	struct kit_node *nas;

	kit_mesh(&k, 2);
	kit_all_up(&k);
	nas = &k.node[0];
	world_host_carrier(nas->host, false);
	/* Noticed by silence, not by an idle timer. */
	ck_assert(world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
	sim_pass(k.w, 100 * NS_PER_S);
	world_host_carrier(nas->host, true);
	session_kick(nas->session);
	KIT_UP_WITHIN(nas, 2 * NS_PER_S);
	kit_world_close(&k);
}
END_TEST

START_TEST(dead_dns_falls_back_to_the_last_good_address)
{
	struct kit k;
	struct kit_node *nas;

	kit_mesh(&k, 1);
	kit_all_up(&k);
	nas = &k.node[0];
	world_dns_down(k.w, true);
	kit_server_crash(&k);
	sim_pass(k.w, NS_PER_S);
	kit_server_boot(&k);
	sim_pass(k.w, NS_PER_S);
	if (signal_server_stats_get(k.server).sessions == 0)
		SIM_CHECK(k.w, world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
	KIT_UP_WITHIN(nas, 3 * NS_PER_S);
	kit_world_close(&k);
}
END_TEST

START_TEST(dead_port_is_given_up)
{
	struct kit k;
	struct kit_node *nas;
	struct addr dead, seen;

	kit_mesh(&k, 1);
	kit_all_up(&k);
	nas = &k.node[0];
	dead = quic_socket_local(nas->socket);
	seen = nas->observed;
	world_tap(k.w, kit_port_is_dead, &dead);
	ck_assert(world_run(k.w, 10 * NS_PER_S, kit_is_not_up, nas));
	KIT_UP_WITHIN(nas, 60 * NS_PER_S);
	/* What the server sees of the spare socket is not told as ours. */
	ck_assert(addr_equal(&nas->observed, &seen));
	sim_pass(k.w, 120 * NS_PER_S);
	ck_assert(kit_is_up(nas));
	kit_world_close(&k);
}
END_TEST

/* --- together --------------------------------------------------------------------------------- */

static uint64_t one_run(void)
{
	struct kit k;
	uint64_t digest;

	kit_mesh(&k, 3);
	kit_all_up(&k);
	kit_server_crash(&k);
	sim_pass(k.w, 3 * NS_PER_S);
	kit_server_boot(&k);
	sim_pass(k.w, 20 * NS_PER_S);
	ck_assert(kit_is_up(&k.node[0]) && kit_is_up(&k.node[1]) && kit_is_up(&k.node[2]));
	digest = world_digest(k.w);
	kit_world_close(&k);
	return digest;
}

START_TEST(equal_seeds_make_equal_runs)
{
	uint64_t first = one_run();

	ck_assert_uint_eq(one_run(), first);
}
END_TEST

UNIT_MAIN("client/session", two_nodes_see_each_other, a_new_member_is_seen_at_once,
	  back_within_ten_seconds_of_a_crash, back_after_a_proper_shutdown,
	  a_dead_server_is_not_hammered, two_with_one_identity_do_not_fight,
	  wrong_server_is_not_spoken_to, who_asks_does_not_wait, suspend_and_wake,
	  roaming_keeps_the_session, cable_pulled_and_plugged,
	  dead_dns_falls_back_to_the_last_good_address, dead_port_is_given_up,
	  equal_seeds_make_equal_runs)
