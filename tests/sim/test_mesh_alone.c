/* SPDX-License-Identifier: MIT */
/*
 * A mesh whose server is dead: nodes that crash, reboot, move or lose their memory find each other
 * again by what they keep (docs/protocol/05-local.md).
 */
#include "mesh.h"
#include "os/sim/nat.h"

#define PEERS_PATH DAEMON_STATE_DIR "/" MESH_CLUSTER ".peers"

static uint16_t port_of(struct mesh_node *n)
{
	return quic_socket_local(overlay_socket(tunnel_overlay(mesh_tunnel(n)))).port;
}

static void check_direct(struct mesh *m)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		for (size_t k = 0; k < m->n_nodes; k++) {
			if (i != k)
				MESH_CHECK(m, mesh_peer(&m->node[i], &m->node[k]).path ==
						      PEER_PATH_DIRECT);
		}
	}
}

/* A mesh that has talked for a while, and whose server has died. */
static struct mesh *alone(size_t n)
{
	struct mesh *m = mesh_of(sim_seed(), n);

	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 5 * SECOND);
	check_direct(m);
	mesh_server_crash(m);
	sim_pass(m->w, 5 * SECOND);
	return m;
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

/* The daemon crashes, or the whole machine is off for a while. */
START_TEST(a_node_comes_back_by_itself)
{
	static const uint64_t away[] = { 0, 100 * MS, 5 * SECOND, MINUTE, HOUR };
	struct mesh *m = alone(3);

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < ARRAY_LEN(away); k++) {
			uint16_t port = port_of(&m->node[i]);
			uint64_t took;

			mesh_daemon_crash(&m->node[i]);
			sim_pass(m->w, away[k]);
			mesh_daemon_start(&m->node[i]);
			took = mesh_reach(m, 1500 * MS);
			printf("%s, away for %.1f s: %.1f s\n", m->node[i].name, seconds(away[k]),
			       seconds(took));
			MESH_CHECK(m, port_of(&m->node[i]) == port);
			sim_pass(m->w, 12 * SECOND); /* a tunnel that was useful */
			check_direct(m);
			MESH_CHECK(m, mesh_flow(m, SECOND, 20) == 0);
		}
	}
	mesh_free(m);
}
END_TEST

START_TEST(all_come_back_after_a_power_cut)
{
	struct mesh *m = alone(4);

	for (size_t i = 0; i < 4; i++)
		mesh_daemon_crash(&m->node[i]);
	sim_pass(m->w, MINUTE);
	for (size_t i = 0; i < 4; i++) {
		mesh_daemon_start(&m->node[i]);
		sim_pass(m->w, 10 * SECOND);
	}
	printf("everybody, %.1f s after the last one's start\n",
	       seconds(mesh_reach(m, 5 * SECOND)));
	check_direct(m);
	mesh_free(m);
}
END_TEST

/* Clean ends keep it, too; what is disconnected for a while finds its way back. */
START_TEST(all_come_back_after_a_clean_end)
{
	struct mesh *m = alone(2);
	uint16_t port = port_of(&m->node[0]);

	mesh_daemon_stop(&m->node[0]);
	mesh_daemon_stop(&m->node[1]);
	sim_pass(m->w, MINUTE);
	mesh_daemon_start(&m->node[1]);
	mesh_daemon_start(&m->node[0]);
	mesh_reach(m, 5 * SECOND);
	check_direct(m);
	MESH_CHECK(m, port_of(&m->node[0]) == port);
	free(mesh_control(&m->node[0], CONTROL_DISCONNECT));
	sim_pass(m->w, MINUTE);
	mesh_connect(&m->node[0]);
	mesh_reach(m, 5 * SECOND);
	MESH_CHECK(m, port_of(&m->node[0]) == port);
	mesh_free(m);
}
END_TEST

/* What the other side's NAT lets in is what the old port was: the new process has the same. */
START_TEST(behind_nats_the_same_port_opens_the_way)
{
	struct nat_config cfg = { .mapping = NAT_ENDPOINT_INDEPENDENT,
				  .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct nat *nat = nat_new(m->w, NULL, &cfg, IP(203, 0, 113, 10 + i));

		world_host_move(m->node[i].host, nat_net(nat), IP(10, 7, i, 2));
	}
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 5 * SECOND);
	check_direct(m);
	mesh_server_crash(m);
	for (size_t i = 0; i < 4; i++) {
		mesh_daemon_crash(&m->node[i % 2]);
		sim_pass(m->w, 5 * SECOND);
		mesh_daemon_start(&m->node[i % 2]);
		printf("%s: %.1f s\n", m->node[i % 2].name, seconds(mesh_reach(m, 5 * SECOND)));
		sim_pass(m->w, 15 * SECOND);
		check_direct(m);
	}
	mesh_free(m);
}
END_TEST

START_TEST(a_port_that_is_taken_is_done_without)
{
	struct mesh *m = alone(3);
	struct mesh_node *n = &m->node[1];
	struct host *other = world_host_boot(n->host);
	struct sim_sink sink;
	uint16_t port = port_of(n), now;

	mesh_daemon_crash(n);
	sim_sink_open(&sink, other, port);
	mesh_daemon_start(n);
	mesh_reach(m, 5 * SECOND);
	check_direct(m);
	now = port_of(n);
	MESH_CHECK(m, now != port);
	sim_pass(m->w, 2 * SECOND);
	udp_close(sink.udp);
	mesh_daemon_crash(n); /* from now on this one is its port */
	mesh_daemon_start(n);
	MESH_CHECK(m, port_of(n) == now);
	mesh_reach(m, 5 * SECOND);
	mesh_free(m);
}
END_TEST

START_TEST(a_node_that_moved_finds_the_others)
{
	struct mesh *m = alone(3);

	for (unsigned i = 0; i < 3; i++) {
		mesh_daemon_crash(&m->node[i]);
		sim_pass(m->w, MINUTE);
		world_host_roam(m->node[i].host, IP(203, 0, 113, 20 + i));
		mesh_daemon_start(&m->node[i]);
		printf("%s: %.1f s\n", m->node[i].name, seconds(mesh_reach(m, 5 * SECOND)));
		sim_pass(m->w, 12 * SECOND);
		check_direct(m);
	}
	mesh_free(m);
}
END_TEST

/* --- the file --------------------------------------------------------------------------------- */

static struct buf file_of(struct mesh_node *n)
{
	struct buf b = { 0 };

	SIM_CHECK_OK(n->mesh->w, file_read(n->host, PEERS_PATH, PEERS_FILE_MAX, NULL, &b));
	return b;
}

static void file_put(struct mesh_node *n, const void *data, size_t len)
{
	struct host *h = world_host_boot(n->host);

	SIM_CHECK_OK(n->mesh->w, file_write(h, PEERS_PATH, data, len, 0600, NULL));
}

START_TEST(a_damaged_file_is_no_obstacle)
{
	struct mesh *m = alone(2);
	struct mesh_node *n = &m->node[0];
	struct buf b = file_of(n);
	struct peers_file *f;
	uint16_t port = port_of(n);

	MESH_CHECK(m, world_file_mode(n->host, PEERS_PATH) == 0600);
	SIM_CHECK_OK(m->w, peers_file_decode(span_of(b.data, b.len), &f));
	MESH_CHECK(m, f->port == port && f->n == 1 && f->peer[0].at.n >= 1);
	free(f);
	for (size_t len = 0; len < b.len; len += 5) {
		mesh_daemon_crash(n);
		file_put(n, b.data, len);
		mesh_daemon_start(n);
		MESH_CHECK(m, mesh_tunnel(n));
	}
	buf_free(&b);
	mesh_server_start(m);
	mesh_reach(m, 30 * SECOND);
	sim_pass(m->w, 2 * SECOND);
	b = file_of(n);
	SIM_CHECK_OK(m->w, peers_file_decode(span_of(b.data, b.len), &f));
	MESH_CHECK(m, f->port == port_of(n) && f->n == 1);
	free(f);
	buf_free(&b);
	mesh_free(m);
}
END_TEST

/* Where nothing may ever be sent to, whoever names it. */
struct forbidden {
	struct mesh *m;
	struct addr own;
	unsigned sent, hits;
};

static bool forbidden_tap(void *ctx, struct host *from, const struct addr *src,
			  const struct addr *dst, uint8_t *data, size_t *len)
{
	struct forbidden *x = ctx;

	(void)src, (void)data, (void)len;
	x->sent += from == x->m->node[1].daemon_host;
	x->hits += !addr_is_candidate_ok(dst) || addr_equal(dst, &x->own) ||
		   (addr_is_v4(dst) && addr_ip4(dst) >> 22 == IP(100, 64, 0, 0) >> 22);
	return true;
}

/* [P5-23] */
START_TEST(dangerous_addresses_are_not_tried)
{
	struct mesh *m = alone(2);
	struct mesh_node *n = &m->node[1];
	struct buf b = file_of(n);
	struct forbidden x = { .m = m, .own = addr_v4(n->ip, port_of(n)) };
	const struct addr bad[] = {
		addr_v4(IP(127, 0, 0, 1), 4433),
		addr_v4(IP(224, 0, 0, 1), 5353),
		addr_v4(IP(255, 255, 255, 255), 67),
		addr_v4(IP(169, 254, 169, 254), 80),
		addr_v4(IP(100, 64, 0, 1), 4433),
		addr_v4(IP(192, 0, 2, 77), 0),
		x.own,
	};
	uint8_t bytes[1024];
	struct peers_file *f;
	ptrdiff_t len;

	SIM_CHECK_OK(m->w, peers_file_decode(span_of(b.data, b.len), &f));
	buf_free(&b);
	f->peer[0].at = (struct wire_candidates){ .n = ARRAY_LEN(bad) };
	memcpy(f->peer[0].at.item, bad, sizeof(bad));
	f->peer[0].at.item[f->peer[0].at.n++] = addr_v4(IP(198, 51, 100, 99), 40000);
	len = peers_file_encode(f, bytes, sizeof(bytes));
	MESH_CHECK(m, len > 0);
	free(f);
	mesh_daemon_crash(&m->node[0]);
	mesh_daemon_crash(n);
	file_put(n, bytes, (size_t)len);
	world_tap(m->w, forbidden_tap, &x);
	mesh_daemon_start(n);
	sim_pass(m->w, 5 * MINUTE);
	MESH_CHECK(m, port_of(n) == x.own.port);
	MESH_CHECK(m, x.hits == 0 && x.sent > 10);
	mesh_free(m);
}
END_TEST

/* However often addresses change, the disk is left in peace. */
START_TEST(the_file_is_written_seldom)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct buf last = { 0 }, b;
	unsigned changes = 0;

	mesh_reach(m, 5 * SECOND);
	for (unsigned i = 0; i < 600; i++) {
		if (i % 6 == 0)
			world_host_roam(m->node[1].host, IP(203, 0, 113, 20) + i / 6);
		mesh_ping_pairs(m);
		sim_pass(m->w, SECOND);
		mesh_take(m);
		if (!file_exists(m->node[0].host, PEERS_PATH))
			continue;
		b = file_of(&m->node[0]);
		changes += b.len != last.len || memcmp(b.data, last.data, b.len) != 0;
		buf_free(&last);
		last = b;
	}
	printf("written %u times in ten minutes, of a hundred changes\n", changes);
	MESH_CHECK(m, changes >= 5 && changes <= 4 + 10 + 1);
	/* nothing changes: nothing is written */
	sim_pass(m->w, 5 * MINUTE);
	buf_free(&last);
	last = file_of(&m->node[0]);
	{
		struct host *h = world_host_boot(m->node[0].host);

		SIM_CHECK_OK(m->w, file_remove(h, PEERS_PATH));
	}
	sim_pass(m->w, HOUR);
	MESH_CHECK(m, !file_exists(m->node[0].host, PEERS_PATH));
	buf_free(&last);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_alone", a_node_comes_back_by_itself, all_come_back_after_a_power_cut,
	  all_come_back_after_a_clean_end, behind_nats_the_same_port_opens_the_way,
	  a_port_that_is_taken_is_done_without, a_node_that_moved_finds_the_others,
	  a_damaged_file_is_no_obstacle, dangerous_addresses_are_not_tried,
	  the_file_is_written_seldom)
