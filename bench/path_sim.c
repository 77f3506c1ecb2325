/* SPDX-License-Identifier: MIT */
/*
 * The packet path for counting instructions: two overlays in a simulated world, in which everything
 * happens alike in every run. Node 0 sends that many TCP super-packets to node 1.
 *
 *	path_sim SUPER_PACKETS	prints how many inner packets came out of the TUN
 */
#include "../tests/sim/overlay_sim.h"
#include "path.h"

static uint64_t take(struct fleet_node *to)
{
	static uint8_t p[2000];
	uint64_t n = 0;
	size_t len;

	while (world_tun_take(to->h, 0, p, sizeof(p), &len) == 1)
		n += len > PATH_MSS;
	return n;
}

static unsigned to_send = 100;

START_TEST(tun_to_tun)
{
	static uint8_t super[PATH_SUPER_LEN];
	uint64_t got = 0;
	struct fleet m;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 5 * NS_PER_S); /* the path's size is found */
	for (unsigned i = 0; i < to_send; i++) {
		struct tun_packet p = path_super(super, m.node[0].self->address,
						 m.node[1].self->address, i * PATH_SUPER_PAYLOAD);

		SIM_CHECK_OK(m.w, world_tun_inject_gso(m.node[0].h, 0, &p));
		sim_pass(m.w, 10 * NS_PER_MS);
		got += take(&m.node[1]);
	}
	sim_pass(m.w, 100 * NS_PER_MS);
	got += take(&m.node[1]);
	printf("%llu\n", (unsigned long long)got);
	fleet_free(&m);
	ck_assert_uint_eq(got, (uint64_t)to_send * PATH_SUPER_PACKETS);
}
END_TEST

int main(int argc, char **argv)
{
	if (argc > 1)
		to_send = (unsigned)atoi(argv[1]);
	return path_main(tun_to_tun);
}
