/* SPDX-License-Identifier: MIT */
/* A fixed UDP port: it is that one, also with several clusters, or none until it is free. */
#include "daemon_kit.h"
#include "os/netuse.h"
#include "sim.h"

#define PORT 41641

static uint16_t port_of(struct mesh_node *n)
{
	return quic_socket_local(overlay_socket(tunnel_overlay(mesh_tunnel(n)))).port;
}

START_TEST(the_port_is_the_one_that_is_asked_for)
{
	struct mesh *m = mesh_new(2);
	struct mesh_node *n = mesh_node(m, "nas"), *other = mesh_node(m, "laptop");

	n->port = PORT;
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	MESH_CHECK(m, port_of(n) == PORT && port_of(other) != PORT);
	for (int i = 0; i < 3; i++) {
		mesh_daemon_crash(n);
		mesh_daemon_start(n);
		MESH_CHECK(m, port_of(n) == PORT);
	}
	mesh_reach(m, 10 * SECOND);
	/* another one from now on, whatever it had before */
	mesh_daemon_stop(n);
	n->port = PORT - 1;
	mesh_daemon_start(n);
	MESH_CHECK(m, port_of(n) == PORT - 1);
	mesh_reach(m, 10 * SECOND);
	/* without the option it keeps what it had */
	mesh_daemon_stop(n);
	n->port = 0;
	mesh_daemon_start(n);
	MESH_CHECK(m, port_of(n) == PORT - 1);
	mesh_free(m);
}
END_TEST

/* Each cluster has a socket of its own. They take the ports in turn, and do not change places. */
START_TEST(further_clusters_get_those_above_it)
{
	struct mesh *m = mesh_new(2);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_node(m, "laptop");
	n->port = PORT;
	mesh_join_all(m);
	mesh_server_token(m);
	m->cluster = "attic"; /* before homelab, wherever they are sorted */
	m->tun = 1;
	m->node[0].address = m->node[1].address = 0;
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 2 * SECOND); /* until it is saved who has which */
	for (int i = 0; i < 3; i++) {
		m->cluster = MESH_CLUSTER;
		MESH_CHECK(m, port_of(n) == PORT);
		m->cluster = "attic";
		MESH_CHECK(m, port_of(n) == PORT + 1);
		mesh_daemon_crash(n);
		mesh_daemon_start(n);
	}
	/* alone it keeps its port, and what comes takes the one that is free */
	m->cluster = MESH_CLUSTER;
	free(mesh_control(n, CONTROL_DISCONNECT));
	m->cluster = "attic";
	MESH_CHECK(m, port_of(n) == PORT + 1);
	m->cluster = MESH_CLUSTER;
	mesh_connect(n);
	MESH_CHECK(m, port_of(n) == PORT);
	mesh_free(m);
}
END_TEST

static bool has_tunnel(void *ctx)
{
	return mesh_tunnel(ctx) != NULL;
}

START_TEST(a_port_that_is_taken_is_waited_for)
{
	struct mesh *m = mesh_new(2);
	struct mesh_node *n = mesh_node(m, "nas");
	struct sim_sink sink;
	struct host *other;

	mesh_node(m, "laptop");
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	mesh_daemon_stop(n);
	other = world_host_boot(n->host);
	sim_sink_open(&sink, other, PORT);
	n->port = PORT;
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	user_expect(n, mesh_control(n, CONTROL_STATUS), "another program has UDP port 41641");
	sim_pass(m->w, 60 * SECOND);
	MESH_CHECK(m, !mesh_tunnel(n));
	user_expect(n, user_connect_with(n, ROOT, ROOT), "tries again each 5 s");
	/* what a connect did not get is not forgotten over a restart */
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	udp_close(sink.udp);
	world_host_crash(other);
	SIM_CHECK(m->w, world_run(m->w, 6 * SECOND, has_tunnel, n));
	MESH_CHECK(m, port_of(n) == PORT);
	mesh_reach(m, 10 * SECOND);
	/* disconnected, it does not come back by itself */
	mesh_daemon_stop(n);
	other = world_host_boot(n->host);
	sim_sink_open(&sink, other, PORT);
	mesh_daemon_start(n);
	free(mesh_control(n, CONTROL_DISCONNECT));
	udp_close(sink.udp);
	world_host_crash(other);
	sim_pass(m->w, 60 * SECOND);
	MESH_CHECK(m, !mesh_tunnel(n));
	mesh_free(m);
}
END_TEST

static bool keeps(struct mesh_node *n, const char *junior, ip4 ip)
{
	char what[NETUSE_WHAT_MAX] = "";
	bool taken = daemon_senior(daemon_find(n->daemon, junior), ip, what);

	MESH_CHECK(n->mesh, !taken || strcmp(what, "the cluster homelab's") == 0);
	return taken;
}

/*
 * Any user of the machine can take the port while the daemon is stopped. The cluster that waits for
 * it keeps its members' addresses from junior ones all the same.
 */
START_TEST(who_waits_for_a_port_keeps_its_addresses)
{
	struct mesh *m = mesh_new(2);
	struct mesh_node *n = mesh_node(m, "nas");
	struct sim_sink sink;
	struct host *other;
	ip4 laptop;

	mesh_node(m, "laptop");
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	laptop = m->node[1].address;
	mesh_server_token(m);
	m->cluster = "attic";
	m->tun = 1;
	m->node[0].address = m->node[1].address = 0;
	mesh_join_all(m);
	MESH_CHECK(m, keeps(n, "attic", laptop));
	mesh_daemon_stop(n);
	other = world_host_boot(n->host);
	sim_sink_open(&sink, other, PORT);
	n->port = PORT;
	for (int i = 0; i < 2; i++) {
		mesh_daemon_start(n);
		m->cluster = MESH_CLUSTER;
		MESH_CHECK(m, !mesh_tunnel(n));
		MESH_CHECK(m, keeps(n, "attic", laptop) && !keeps(n, "attic", laptop + 100));
		sim_pass(m->w, 12 * SECOND);
		MESH_CHECK(m, keeps(n, "attic", laptop));
		user_expect(n, user_connect_with(n, ROOT, ROOT), "tries again each 5 s");
		MESH_CHECK(m, keeps(n, "attic", laptop));
		mesh_daemon_crash(n);
	}
	mesh_daemon_start(n);
	free(mesh_control(n, CONTROL_DISCONNECT)); /* what is not to be connected keeps nothing */
	MESH_CHECK(m, !keeps(n, "attic", laptop));
	udp_close(sink.udp);
	world_host_crash(other);
	mesh_connect(n);
	MESH_CHECK(m, mesh_tunnel(n) && keeps(n, "attic", laptop));
	mesh_free(m);
}
END_TEST

/* An address in the overlay that is taken is another matter than a port. */
START_TEST(a_taken_address_is_not_called_a_port)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	n->port = PORT;
	mesh_join_all(m);
	mesh_all_connected(m, 5 * SECOND);
	mesh_daemon_stop(n);
	world_host_uses(n->host, (struct prefix4){ n->address, 32 }, "this host's on wwan0");
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	user_expect(n, mesh_control(n, CONTROL_STATUS), "is this host's on wwan0 already");
	user_expect(n, user_connect_with(n, ROOT, ROOT), "is this host's on wwan0 already");
	mesh_free(m);
}
END_TEST

UNIT_MAIN("mesh/port", the_port_is_the_one_that_is_asked_for, further_clusters_get_those_above_it,
	  a_port_that_is_taken_is_waited_for, a_taken_address_is_not_called_a_port,
	  who_waits_for_a_port_keeps_its_addresses)
