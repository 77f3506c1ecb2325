/* SPDX-License-Identifier: MIT */
/* The server moves to another address, or its name does not resolve, while sessions live. */
#include "mesh.h"

#define OLD_IP IP(192, 0, 2, 1)
#define NEW_IP IP(192, 0, 2, 99)

static void name_is(struct mesh *m, ip4 ip)
{
	struct addr a = addr_v4(ip, 0);

	world_dns_del(m->w, MESH_SIGNAL);
	SIM_CHECK_OK(m->w, world_dns_set(m->w, MESH_SIGNAL, &a));
}

/* Another machine has the address now, and does not answer, or answers as another server. */
static struct host *stranger_at(struct mesh *m, ip4 ip)
{
	return world_host(m->w, "stranger", ip);
}

static bool all_at(struct mesh *m, ip4 ip)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct session_status s;

		session_status_get(tunnel_session(mesh_tunnel(&m->node[i])), &s);
		if (s.state != SESSION_UP || addr_ip4(&s.server) != ip)
			return false;
	}
	return true;
}

static struct mesh *mesh_ready(void)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 15 * SECOND);
	mesh_flow_begin(m);
	mesh_flow_run(m, SECOND, 50);
	return m;
}

/* Runs with traffic until all have a session with the server at this address. */
static void found_within(struct mesh *m, ip4 ip, uint64_t within, const char *what)
{
	uint64_t begin = world_now(m->w);

	while (!all_at(m, ip) && world_now(m->w) - begin < within)
		mesh_flow_run(m, 20 * MS, 50);
	printf("%s: all have a session after %.1f s\n", what,
	       (double)(world_now(m->w) - begin) / 1e9);
	MESH_CHECK(m, all_at(m, ip));
}

static void undisturbed(struct mesh *m)
{
	mesh_flow_run(m, 5 * SECOND, 50);
	MESH_CHECK(m, mesh_flow_end(m) == 0 && m->doubled == 0 && m->unreachable == 0);
	mesh_all_connected(m, SECOND);
}

START_TEST(server_moves_and_its_name_with_it)
{
	struct mesh *m = mesh_ready();

	mesh_server_crash(m);
	world_host_roam(m->server_host, NEW_IP);
	name_is(m, NEW_IP);
	stranger_at(m, OLD_IP);
	mesh_server_start(m);
	found_within(m, NEW_IP, 20 * SECOND, "moved");
	undisturbed(m);
	mesh_free(m);
}
END_TEST

static void zone_name_is(struct mesh *m, ip4 ip)
{
	struct addr a = addr_v4(ip, 0);

	world_dns_del(m->w, "signal.zone");
	SIM_CHECK_OK(m->w, world_dns_set(m->w, "signal.zone", &a));
}

/* The node knows the server by a name in its cluster's zone. */
static void know_by_zone_name(struct mesh_node *n)
{
	struct cluster_file f = { 0 };
	struct world *w = n->mesh->w;

	SIM_CHECK_OK(w, store_load_cluster(n->host, &n->store, "zone", &f, NULL));
	strcpy(f.signal_host, "signal.zone");
	SIM_CHECK_OK(w,
		     store_save_cluster(n->host, &n->store, &f, tunnel_log(mesh_tunnel(n)), NULL));
	mesh_connect(n);
}

static bool all_answer_the_zone(struct mesh *m)
{
	unsigned ifindex;
	ip4 server;

	for (size_t i = 0; i < m->n_nodes; i++)
		if (!world_splitdns(m->node[i].host, "zone", &server, &ifindex))
			return false;
	return true;
}

/* The nodes' own DNS denies the server's name, so it gives way while that is looked for. */
START_TEST(a_zone_over_the_servers_name_does_not_hide_it)
{
	struct mesh *m = mesh_new(sim_seed());

	m->cluster = "zone";
	zone_name_is(m, OLD_IP);
	mesh_nodes(m, 2);
	for (size_t i = 0; i < m->n_nodes; i++)
		world_host_resolver(m->node[i].host, SPLITDNS_ACTIVE);
	mesh_join_all(m);
	for (size_t i = 0; i < m->n_nodes; i++)
		know_by_zone_name(&m->node[i]);
	mesh_all_connected(m, 5 * SECOND);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, all_answer_the_zone(m));
	mesh_server_crash(m);
	world_host_roam(m->server_host, NEW_IP);
	zone_name_is(m, NEW_IP);
	mesh_server_start(m);
	for (int i = 0; i < 60 && !all_at(m, NEW_IP); i++)
		sim_pass(m->w, SECOND);
	MESH_CHECK(m, all_at(m, NEW_IP));
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, all_answer_the_zone(m));
	mesh_free(m);
}
END_TEST

/* The process lives on: it sees packets from nowhere, the nodes see nothing any more. */
START_TEST(running_server_moves)
{
	struct mesh *m = mesh_ready();

	world_host_roam(m->server_host, NEW_IP);
	sim_pass(m->w, SECOND);
	name_is(m, NEW_IP);
	found_within(m, NEW_IP, 60 * SECOND, "moved alive");
	mesh_flow_run(m, 60 * SECOND, 10); /* the server forgets the old sessions */
	undisturbed(m);
	mesh_free(m);
}
END_TEST

/* DNS is told an hour later than the server has moved: caches, or people. */
START_TEST(name_follows_an_hour_later)
{
	struct mesh *m = mesh_ready();

	mesh_server_crash(m);
	world_host_roam(m->server_host, NEW_IP);
	mesh_server_start(m);
	mesh_flow_run(m, HOUR, 1);
	MESH_CHECK(m, mesh_server_sessions(m) == 0);
	name_is(m, NEW_IP);
	found_within(m, NEW_IP, 20 * SECOND, "name late");
	undisturbed(m);
	mesh_free(m);
}
END_TEST

/* The last good address is enough when the name does not resolve; and the name, once it does. */
START_TEST(names_do_not_resolve)
{
	struct mesh *m = mesh_ready();

	world_dns_down(m->w, true);
	mesh_server_crash(m);
	mesh_flow_run(m, MINUTE, 10);
	mesh_server_start(m);
	found_within(m, OLD_IP, 20 * SECOND, "no DNS");
	mesh_flow_run(m, 15 * SECOND, 10);
	mesh_server_crash(m);
	world_host_roam(m->server_host, NEW_IP);
	name_is(m, NEW_IP);
	mesh_server_start(m);
	mesh_flow_run(m, 10 * MINUTE, 10);
	MESH_CHECK(m, mesh_server_sessions(m) == 0);
	world_dns_down(m->w, false);
	found_within(m, NEW_IP, 20 * SECOND, "DNS again");
	undisturbed(m);
	mesh_free(m);
}
END_TEST

/* Who gets the old address, or a false DNS answer, gets nothing: the nodes look on. */
START_TEST(another_server_has_the_old_address)
{
	struct mesh *m = mesh_ready(), *other = mesh_new(sim_seed() + 1);
	struct signal_config cfg = { .log_level = LOG_LEVEL_INFO };
	struct signal_server *impostor = NULL;
	struct host *h;
	struct err err = { 0 };
	char path[96];

	mesh_server_db(other, path);
	mesh_server_crash(other);
	mesh_server_crash(m);
	world_host_roam(m->server_host, NEW_IP);
	h = stranger_at(m, OLD_IP);
	snprintf(cfg.db_path, sizeof(cfg.db_path), "%s", path);
	SIM_CHECK_OK(m->w, addr_parse(CONFIG_BIND_DEFAULT, &cfg.bind));
	SIM_CHECK_OK(m->w, prefix4_parse(CONFIG_SUBNET_DEFAULT, &cfg.subnet, &err));
	SIM_CHECK_OK(m->w, signal_server_open(h, &cfg, &err, &impostor));
	mesh_flow_run(m, 5 * MINUTE, 10);
	MESH_CHECK(m, signal_server_stats_get(impostor).requests == 0);
	for (size_t i = 0; i < 3; i++) {
		struct session_status s;

		session_status_get(tunnel_session(mesh_tunnel(&m->node[i])), &s);
		MESH_CHECK(m, s.state == SESSION_RECONNECTING);
		MESH_CHECK(m, strstr(s.last_err.text, "not the expected one"));
	}
	name_is(m, NEW_IP);
	mesh_server_start(m);
	found_within(m, NEW_IP, 45 * SECOND, "impostor at the old address");
	undisturbed(m);
	signal_server_close(impostor);
	mesh_free(m);
	mesh_free(other);
}
END_TEST

UNIT_MAIN("sim/mesh_server", server_moves_and_its_name_with_it,
	  a_zone_over_the_servers_name_does_not_hide_it, running_server_moves,
	  name_follows_an_hour_later, names_do_not_resolve, another_server_has_the_old_address)
