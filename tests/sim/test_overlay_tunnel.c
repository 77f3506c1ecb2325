/* SPDX-License-Identifier: MIT */
/* Tunnels between nodes of a cluster: they come up, carry packets, die, and come back. */
#include "overlay_sim.h"

START_TEST(two_nodes_build_a_tunnel_within_a_second_and_ping)
{
	struct mesh m;

	mesh_new(&m, 2);
	mesh_wait_up(&m, NS_PER_S);
	mesh_send(&m.node[0], &m.node[1], 84, 1);
	mesh_send(&m.node[1], &m.node[0], 84, 2);
	sim_pass(m.w, 100 * NS_PER_MS);
	SIM_CHECK(m.w, mesh_received(&m.node[0], &m.node[1], 84, 1));
	SIM_CHECK(m.w, mesh_received(&m.node[1], &m.node[0], 84, 2));
	SIM_CHECK(m.w, mesh_tun_silent(&m.node[0]) && mesh_tun_silent(&m.node[1]));
	SIM_CHECK(m.w, mesh_all_drops(&m.node[0]) == 0 && mesh_all_drops(&m.node[1]) == 0);

	struct peer_status s = mesh_peer(&m.node[0], &m.node[1]);

	ck_assert_int_eq(s.path, PEER_PATH_DIRECT);
	ck_assert_uint_eq(addr_ip4(&s.endpoint), IP(192, 0, 2, 11));
	ck_assert_str_eq(s.group, "X25519MLKEM768");
	ck_assert_uint_eq(s.tx_packets, 1);
	ck_assert_uint_eq(s.rx_packets, 1);
	ck_assert_uint_eq(s.tx_bytes, 84);
	ck_assert_uint_gt(s.rtt_ns, 5 * NS_PER_MS);
	ck_assert_str_eq(s.detail, "");
	mesh_free(&m);
}
END_TEST

START_TEST(full_packets_pass_before_the_path_size_is_known)
{
	struct mesh m;

	mesh_new(&m, 2);
	mesh_wait_up(&m, NS_PER_S);
	for (unsigned i = 0; i < 40; i++)
		mesh_send(&m.node[0], &m.node[1], OVERLAY_MTU, i);
	sim_pass(m.w, NS_PER_S);
	for (unsigned i = 0; i < 40; i++)
		SIM_CHECK(m.w, mesh_received(&m.node[0], &m.node[1], OVERLAY_MTU, i));
	SIM_CHECK(m.w, mesh_all_drops(&m.node[0]) == 0 && mesh_all_drops(&m.node[1]) == 0);
	mesh_free(&m);
}
END_TEST

START_TEST(packets_that_come_before_the_tunnel_wait_for_it)
{
	struct mesh m;

	mesh_init(&m, 2);
	m.server_down = true;
	mesh_start(&m.node[0]);
	mesh_start(&m.node[1]);
	for (unsigned i = 0; i < 10; i++)
		mesh_send(&m.node[0], &m.node[1], 100, i);
	sim_pass(m.w, NS_PER_S);
	SIM_CHECK(m.w, mesh_peer(&m.node[0], &m.node[1]).state == PEER_IDLE);
	mesh_tell(&m.node[1], &m.node[0]);
	mesh_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 100 * NS_PER_MS);
	for (unsigned i = 0; i < 10; i++)
		SIM_CHECK(m.w, mesh_received(&m.node[0], &m.node[1], 100, i));
	mesh_free(&m);
}
END_TEST

START_TEST(a_mesh_of_four_is_complete)
{
	struct mesh m;

	mesh_new(&m, 4);
	mesh_wait_up(&m, 2 * NS_PER_S);
	for (unsigned a = 0; a < 4; a++) {
		for (unsigned b = 0; b < 4; b++) {
			if (a != b)
				mesh_send(&m.node[a], &m.node[b], 200 + a, a);
		}
	}
	sim_pass(m.w, 100 * NS_PER_MS);
	for (unsigned b = 0; b < 4; b++) {
		unsigned got = 0;
		uint8_t p[2000];
		size_t len;

		while (world_tun_take(m.node[b].h, 0, p, sizeof(p), &len) == 1)
			got++;
		ck_assert_uint_eq(got, 3);
	}
	mesh_free(&m);
}
END_TEST

UNIT_MAIN("overlay/tunnel", two_nodes_build_a_tunnel_within_a_second_and_ping,
	  full_packets_pass_before_the_path_size_is_known,
	  packets_that_come_before_the_tunnel_wait_for_it, a_mesh_of_four_is_complete)
