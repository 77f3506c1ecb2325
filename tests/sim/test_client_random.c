/* SPDX-License-Identifier: MIT */
/*
 * Random troubles from a seed: bad links, a server that crashes, nodes that sleep, roam and lose
 * their cable, joins whose messages get lost, clocks that are wrong. Afterwards everything is as it
 * should be, soon.
 */
#include "client_session_kit.h"

#define ROUNDS 12
#define TROUBLES 25
#define HEALED_WITHIN (12 * NS_PER_S)

static uint64_t below(struct unit_rng *rng, uint64_t n)
{
	return unit_random_below(rng, n);
}

static void bad_links(struct kit *k, struct unit_rng *rng)
{
	for (size_t i = 0; i < k->n_nodes; i++) {
		struct link_params p = LINK_DEFAULT;

		p.delay_ns = below(rng, 150) * NS_PER_MS;
		p.jitter_ns = below(rng, 50) * NS_PER_MS;
		p.reorder = below(rng, 2) != 0;
		p.loss = (double)below(rng, 10) / 100;
		p.duplicate = (double)below(rng, 5) / 100;
		world_link_both(k->w, k->node[i].host, k->server_host, p);
	}
}

static void good_links(struct kit *k)
{
	for (size_t i = 0; i < k->n_nodes; i++)
		world_link_both(k->w, k->node[i].host, k->server_host, LINK_DEFAULT);
}

static void one_trouble(struct kit *k, struct unit_rng *rng)
{
	struct kit_node *n = &k->node[below(rng, k->n_nodes)];
	uint64_t for_ns = below(rng, 40000) * NS_PER_MS;

	switch (below(rng, 6)) {
	case 0:
		kit_server_crash(k);
		sim_pass(k->w, for_ns / 4);
		kit_server_boot(k);
		break;
	case 1:
		kit_server_stop(k);
		sim_pass(k->w, for_ns / 4);
		kit_server_boot(k);
		break;
	case 2:
		world_host_suspend(n->host);
		sim_pass(k->w, for_ns * 3);
		world_host_resume(n->host);
		break;
	case 3:
		world_host_carrier(n->host, false);
		sim_pass(k->w, for_ns);
		world_host_carrier(n->host, true);
		if (below(rng, 2))
			session_kick(n->session);
		break;
	case 4:
		/* No two have the same one. */
		world_host_roam(n->host,
				IP(203, 0, 113, 1) + (ip4)(n - k->node) * 50 + (ip4)below(rng, 50));
		session_kick(n->session);
		break;
	default:
		bad_links(k, rng);
		break;
	}
	sim_pass(k->w, below(rng, 20000) * NS_PER_MS);
}


static bool all_well(void *ctx)
{
	struct kit *k = ctx;

	for (size_t i = 0; i < k->n_nodes; i++) {
		if (!kit_is_up(&k->node[i]))
			return false;
		for (size_t j = 0; j < k->n_nodes; j++) {
			if (i != j && !kit_sees(&k->node[i], &k->node[j]))
				return false;
		}
	}
	return signal_server_stats_get(k->server).sessions == k->n_nodes;
}

static void one_round(struct unit_rng *rng)
{
	struct kit k;
	struct kit_node *late;

	kit_mesh(&k, 3);
	kit_all_up(&k);
	for (int i = 0; i < TROUBLES; i++)
		one_trouble(&k, rng);
	good_links(&k);
	if (!world_run(k.w, HEALED_WITHIN, all_well, &k)) {
		world_dump(k.w);
		ck_abort_msg("not all well %llu s after the last trouble",
			     (unsigned long long)(HEALED_WITHIN / NS_PER_S));
	}
	/* Another one joins, and all logs are the same. */
	late = kit_node(&k, "late");
	kit_join_by(late, &k.node[0]);
	kit_node_up(late);
	SIM_CHECK(k.w, world_run(k.w, 5 * NS_PER_S, all_well, &k));
	for (size_t i = 0; i < k.n_nodes; i++) {
		ck_assert_uint_eq(mlog_count(k.node[i].log), 4);
		ck_assert_uint_eq(k.node[i].forks, 0);
		ck_assert(!k.node[i].stopped);
	}
	kit_world_close(&k);
}

START_TEST(troubles_pass)
{
	struct unit_rng rng = { sim_seed() };

	for (int i = 0; i < ROUNDS; i++)
		one_round(&rng);
}
END_TEST

/* Replies and requests of joins get lost at random: run again and again, each one ends well. */
START_TEST(joins_end_well)
{
	struct unit_rng rng = { sim_seed() + 1000 };

	for (int round = 0; round < ROUNDS; round++) {
		struct kit k;
		struct invite_url url;

		kit_world_open(&k);
		kit_node(&k, "nas");
		kit_node(&k, "laptop");
		for (int i = 0; i < 10 && !k.node[0].joined; i++) {
			kit_deafen(&k, 1 + below(&rng, 5));
			kit_setup(&k.node[0]);
		}
		k.deaf = false;
		if (!k.node[0].joined)
			kit_setup(&k.node[0]);
		KIT_JOINED(&k.node[0]);
		ck_assert_uint_eq(k.node[0].result.cluster.address, IP(100, 64, 0, 1));
		url = kit_invite_url(&k.node[0]);
		for (int i = 0; i < 10 && !k.node[1].joined; i++) {
			kit_deafen(&k, 1 + below(&rng, 7));
			kit_adopt(&k.node[1], &url);
		}
		k.deaf = false;
		if (!k.node[1].joined)
			kit_adopt(&k.node[1], &url);
		KIT_JOINED(&k.node[1]);
		ck_assert_uint_eq(k.node[1].result.cluster.address, IP(100, 64, 0, 2));
		ck_assert(!kit_has_file(&k.node[1], STORE_PENDING));
		kit_world_close(&k);
	}
}
END_TEST

/* A clock that is wrong does not date the log. */
START_TEST(wrong_clocks_do_not_date_the_log)
{
	static const int64_t skews_s[] = { -WORLD_WALL_OFFSET_S, -3600, -5, 5, 500, 3000 };
	struct kit k;
	struct kit_node *nas, *laptop;

	for (size_t i = 0; i < ARRAY_LEN(skews_s); i++) {
		kit_world_open(&k);
		nas = kit_node(&k, "nas");
		laptop = kit_node(&k, "laptop");
		world_host_wall_skew(nas->host, skews_s[i]);
		kit_setup(nas);
		KIT_JOINED(nas);
		kit_load(nas);
		ck_assert_uint_le(mlog_last_time_s(nas->log),
				  (uint64_t)clock_wall_s(k.server_host));
		kit_unload(nas);
		world_host_wall_skew(nas->host, 0);
		world_host_wall_skew(laptop->host, skews_s[i]);
		kit_join_by(laptop, nas);
		kit_load(laptop);
		ck_assert_uint_le(mlog_last_time_s(laptop->log),
				  (uint64_t)clock_wall_s(k.server_host) + 1);
		kit_world_close(&k);
	}
}
END_TEST

static uint64_t one_run(void)
{
	struct kit k;
	struct kit_node *nas, *laptop;
	uint64_t digest;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	laptop = kit_node(&k, "laptop");
	kit_setup(nas);
	KIT_JOINED(nas);
	kit_join_by(laptop, nas);
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

UNIT_MAIN("client/random", troubles_pass, joins_end_well, wrong_clocks_do_not_date_the_log,
	  equal_seeds_make_equal_runs)
