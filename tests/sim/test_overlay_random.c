/* SPDX-License-Identifier: MIT */
/*
 * Tunnels through whatever comes: nodes move, sleep, are killed and started again, links break,
 * lose and delay; the server is away now and then. When things calm down every pair has a tunnel
 * again, and what came out of a TUN was always what the right peer had put in.
 */
#include "overlay_sim.h"

#define NODES 4

struct storm {
	struct fleet m;
	struct unit_rng rng;
	bool asleep[NODES];
	uint64_t received;
	unsigned address;
};

static uint64_t below(struct storm *s, uint64_t n)
{
	return unit_random_below(&s->rng, n);
}

/* A packet tells from its own bytes what it should be. */
static void take_all(struct storm *s)
{
	uint8_t got[2000], want[2000];
	size_t len;

	for (size_t i = 0; i < NODES; i++) {
		struct fleet_node *to = &s->m.node[i];

		while (world_tun_take(to->h, 0, got, sizeof(got), &len) == 1) {
			if (got[9] == IPPROTO_ICMP4)
				continue; /* our own overlay's unreachable */
			fleet_udp(want, len, load_be32(got + 12), to->self->address,
				  load_be16(got + 4));
			ck_assert_mem_eq(got, want, len);
			s->received++;
		}
	}
}

static void traffic(struct storm *s)
{
	for (size_t i = 0; i < 1 + below(s, 20); i++) {
		unsigned a = (unsigned)below(s, NODES), b = (unsigned)below(s, NODES);

		if (a != b && s->m.node[a].o && !s->asleep[a])
			fleet_send(&s->m.node[a], &s->m.node[b], 28 + below(s, 1373),
				   (unsigned)below(s, 65536));
	}
}

static void shake_link(struct storm *s)
{
	unsigned a = (unsigned)below(s, NODES), b = (unsigned)below(s, NODES);
	struct link_params p = LINK_DEFAULT;

	if (a == b)
		return;
	p.loss = (double)below(s, 30) / 100;
	p.delay_ns = (1 + below(s, 150)) * NS_PER_MS;
	p.jitter_ns = below(s, 20) * NS_PER_MS;
	p.reorder = below(s, 2);
	p.duplicate = (double)below(s, 5) / 100;
	p.mtu_bytes = below(s, 4) ? 1500 : 1300;
	p.down = below(s, 4) == 0;
	world_link_both(s->m.w, s->m.node[a].h, s->m.node[b].h, p);
}

static void shake_node(struct storm *s)
{
	unsigned i = (unsigned)below(s, NODES);
	struct fleet_node *n = &s->m.node[i];

	switch (below(s, 4)) {
	case 0:
		if (!s->asleep[i])
			fleet_restart(n);
		break;
	case 1:
		world_host_roam(n->h, IP(198, 51, 100, 1) + s->address++ % 200);
		if (!s->asleep[i])
			overlay_network_changed(n->o);
		break;
	case 2:
		s->asleep[i] = true;
		world_host_suspend(n->h);
		break;
	default:
		if (s->asleep[i]) {
			s->asleep[i] = false;
			world_host_resume(n->h);
			overlay_network_changed(n->o);
		}
	}
}

static void calm(struct storm *s)
{
	for (unsigned i = 0; i < NODES; i++) {
		if (s->asleep[i]) {
			s->asleep[i] = false;
			world_host_resume(s->m.node[i].h);
			overlay_network_changed(s->m.node[i].o);
		}
		for (unsigned k = 0; k < i; k++)
			world_link_both(s->m.w, s->m.node[i].h, s->m.node[k].h, LINK_DEFAULT);
	}
	s->m.server_down = false;
	for (unsigned i = 0; i < NODES; i++)
		fleet_announce(&s->m.node[i]);
	/* A live one that nobody talks to is found dead by its keep-alive only. */
	fleet_wait_up(&s->m, 75 * NS_PER_S);
}

static void check_all_pairs(struct storm *s)
{
	take_all(s);
	for (unsigned a = 0; a < NODES; a++) {
		for (unsigned b = 0; b < NODES; b++) {
			if (a != b)
				fleet_send(&s->m.node[a], &s->m.node[b], 100, a * NODES + b);
		}
	}
	uint64_t before = s->received;
	sim_pass(s->m.w, NS_PER_S);
	take_all(s);
	SIM_CHECK(s->m.w, s->received - before >= NODES * (NODES - 1));
}

START_TEST(after_every_storm_all_pairs_are_connected)
{
	static struct storm s;

	s.rng.state = sim_seed() * 1000 + (uint64_t)_i;
	printf("MLSH_SIM_SEED=%llu, storm %d\n", (unsigned long long)sim_seed(), _i);
	fleet_new(&s.m, NODES);
	fleet_wait_up(&s.m, 5 * NS_PER_S);
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 40; i++) {
			if (below(&s, 3) == 0)
				shake_link(&s);
			if (below(&s, 6) == 0)
				shake_node(&s);
			if (below(&s, 20) == 0)
				s.m.server_down = !s.m.server_down;
			traffic(&s);
			sim_pass(s.m.w, below(&s, 3000) * NS_PER_MS);
			take_all(&s);
		}
		calm(&s);
		sim_pass(s.m.w, 15 * NS_PER_S);
		fleet_wait_up(&s.m, 75 * NS_PER_S);
		check_all_pairs(&s);
	}
	fleet_free(&s.m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("overlay/random");
	TCase *tcase = tcase_create("overlay/random");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, after_every_storm_all_pairs_are_connected, 0, 6);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
