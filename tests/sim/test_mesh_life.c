/* SPDX-License-Identifier: MIT */
/* A mesh's life without mishaps: from fresh machines to packets and names; and bad networks. */
#include "mesh.h"

#define NET ((struct prefix4){ IP(100, 64, 0, 0), 24 })

static void expect_in(struct mesh *m, const char *text, const char *part)
{
	if (strstr(text, part))
		return;
	world_dump(m->w);
	ck_abort_msg("not in it: %s\n%s", part, text);
}

static void expect_status(struct mesh_node *n)
{
	struct mesh *m = n->mesh;
	char *json = mesh_control(n, CONTROL_STATUS);

	expect_in(m, json, "\"name\":\"homelab\",\"state\":\"connected\"");
	expect_in(m, json, "\"key_exchange\":\"X25519MLKEM768\"");
	free(json);
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct peer_status s;
		struct addr on_wire;

		if (&m->node[i] == n)
			continue;
		s = mesh_peer(n, &m->node[i]);
		on_wire = addr_v4(m->node[i].ip, 0);
		MESH_CHECK(m, s.state == PEER_UP && s.path == PEER_PATH_DIRECT && s.online);
		MESH_CHECK(m, strcmp(s.group, "X25519MLKEM768") == 0);
		MESH_CHECK(m, addr_same_ip(&s.endpoint, &on_wire));
		MESH_CHECK(m, s.rtt_ns >= 10 * MS && s.rtt_ns < 30 * MS && s.rx_packets > 0);
	}
}

static void expect_names(struct mesh_node *n)
{
	struct mesh *m = n->mesh;
	unsigned rcode;
	ip4 ip = 0;

	for (size_t i = 0; i < m->n_nodes; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s." MESH_CLUSTER, m->node[i].name);
		MESH_CHECK(m, mesh_dns(n, name, &ip, &rcode) == 1);
		MESH_CHECK(m, rcode == 0 && ip == m->node[i].address);
	}
	MESH_CHECK(m, mesh_dns(n, MESH_CLUSTER, &ip, &rcode) == 1 && ip == n->address);
	MESH_CHECK(m, mesh_dns(n, "nobody." MESH_CLUSTER, &ip, &rcode) == 0 && rcode == 3);
	MESH_CHECK(m, mesh_dns(n, "www.example", &ip, &rcode) == 0 && rcode == 5);
}

/* Routes to the others, the backstop, the zone: there while connected, gone afterwards. */
static void expect_host_changed(struct mesh_node *n)
{
	struct mesh *m = n->mesh;
	unsigned ifindex = overlay_ifindex(tunnel_overlay(mesh_tunnel(n))), zone_if = 0;
	ip4 server = 0;

	MESH_CHECK(m, world_tun_up(n->host, 0) && world_has_route(n->host, NET, 0));
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct prefix4 p = { m->node[i].address, 32 };

		if (&m->node[i] != n)
			MESH_CHECK(m, world_has_route(n->host, p, ifindex));
		MESH_CHECK(m, world_fenced(n->host, m->node[i].address));
	}
	MESH_CHECK(m, world_splitdns(n->host, MESH_CLUSTER, &server, &zone_if));
	MESH_CHECK(m, server == n->address && zone_if == ifindex);
}

static void expect_host_unchanged(struct mesh_node *n)
{
	struct mesh *m = n->mesh;
	struct addr own = addr_v4(n->address, 0);
	unsigned zone_if;
	ip4 server;

	MESH_CHECK(m, world_routes(n->host, NULL, 0) == 0 && !world_has_addr(n->host, &own));
	MESH_CHECK(m, !world_tun_up(n->host, 0));
	for (size_t i = 0; i < m->n_nodes; i++)
		MESH_CHECK(m, !world_fenced(n->host, m->node[i].address));
	MESH_CHECK(m, !world_splitdns(n->host, MESH_CLUSTER, &server, &zone_if));
}

START_TEST(three_nodes_reach_each_other)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	uint64_t took;

	for (unsigned i = 0; i < 3; i++)
		MESH_CHECK(m, m->node[i].address == IP(100, 64, 0, 1) + i);
	mesh_all_connected(m, 2 * SECOND);
	took = mesh_reach(m, 3 * SECOND);
	printf("all pairs %.1f s after the last connect\n", (double)took / 1e9);
	MESH_CHECK(m, mesh_flow(m, 5 * SECOND, 20) == 0 && m->doubled == 0);
	for (size_t i = 0; i < 3; i++) {
		expect_status(&m->node[i]);
		expect_names(&m->node[i]);
		expect_host_changed(&m->node[i]);
	}
	mesh_free(m);
}
END_TEST

static uint64_t digest_of(uint64_t seed)
{
	struct mesh *m = mesh_of(seed, 3);
	uint64_t digest;

	mesh_reach(m, 5 * SECOND);
	mesh_server_crash(m);
	mesh_daemon_crash(&m->node[1]);
	sim_pass(m->w, 10 * SECOND);
	mesh_server_start(m);
	mesh_daemon_start(&m->node[1]);
	mesh_reach(m, 30 * SECOND);
	digest = world_digest(m->w);
	mesh_free(m);
	return digest;
}

START_TEST(a_seed_says_all)
{
	uint64_t first = digest_of(sim_seed());

	ck_assert_uint_eq(first, digest_of(sim_seed()));
	ck_assert_uint_ne(first, digest_of(sim_seed() + 1));
}
END_TEST

START_TEST(disconnect_leaves_nothing_behind)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *laptop = &m->node[1];
	char *reply;

	mesh_reach(m, 5 * SECOND);
	reply = mesh_control(laptop, CONTROL_DISCONNECT);
	MESH_CHECK(m, strcmp(reply, "{\"ok\":true}") == 0);
	free(reply);
	expect_host_unchanged(laptop);
	sim_pass(m->w, 2 * SECOND);
	MESH_CHECK(m, mesh_server_sessions(m) == 2);
	/* said goodbye: the others know, and do not wait for a timeout */
	MESH_CHECK(m, mesh_peer(&m->node[0], laptop).state != PEER_UP);
	MESH_CHECK(m, !mesh_peer(&m->node[0], laptop).online);
	/* it stays so over a restart, until it is connected again */
	mesh_daemon_stop(laptop);
	mesh_daemon_start(laptop);
	expect_host_unchanged(laptop);
	mesh_connect(laptop);
	mesh_reach(m, 5 * SECOND);
	expect_host_changed(laptop);
	mesh_daemon_stop(laptop);
	expect_host_unchanged(laptop);
	mesh_free(m);
}
END_TEST

static void expect_fence(struct mesh_node *n, const char *state)
{
	char *reply = mesh_control(n, CONTROL_STATUS), want[64];

	snprintf(want, sizeof(want), "\"fence\":{\"state\":\"%s\"", state);
	if (!strstr(reply, want)) {
		world_dump(n->mesh->w);
		ck_abort_msg("no %s in %s", want, reply);
	}
	free(reply);
}

/* A tunnel without a fence works and says what it lacks; the fence comes when it can. */
START_TEST(a_machine_without_a_packet_filter)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas;

	mesh_nodes(m, 2);
	nas = &m->node[0];
	world_host_filter(nas->host, FENCE_UNAVAILABLE);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	expect_fence(nas, "unavailable");
	expect_fence(&m->node[1], "up");
	MESH_CHECK(m, !world_fenced(nas->host, nas->address));
	world_host_filter(nas->host, FENCE_UP); /* modprobe */
	sim_pass(m->w, MINUTE);
	expect_fence(nas, "up");
	expect_host_changed(nas);
	mesh_free(m);
}
END_TEST

/* An address that the host uses itself is no member's here: its packets are let through. */
START_TEST(the_fence_spares_what_the_host_uses)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas, *laptop;

	mesh_nodes(m, 3);
	nas = &m->node[0];
	laptop = &m->node[1];
	mesh_join_all(m);
	MESH_CHECK(m, laptop->address == IP(100, 64, 0, 2));
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, world_fenced(nas->host, laptop->address));
	world_host_uses(nas->host, (struct prefix4){ IP(100, 64, 0, 2), 32 }, "gateway");
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, !world_fenced(nas->host, laptop->address));
	MESH_CHECK(m, world_fenced(nas->host, nas->address));
	MESH_CHECK(m, world_fenced(nas->host, m->node[2].address));
	MESH_CHECK(m, world_fenced(laptop->host, nas->address));
	mesh_free(m);
}
END_TEST

START_TEST(bad_network)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 3);
	mesh_links(m, (struct link_params){ .delay_ns = 20 * MS,
					    .jitter_ns = 50 * MS,
					    .loss = 0.01,
					    .duplicate = 0.01,
					    .reorder = true,
					    .mtu_bytes = 1500 });
	mesh_join_all(m);
	mesh_all_connected(m, 20 * SECOND);
	mesh_reach(m, 20 * SECOND);
	/* what a bad network loses stays lost, but not much more than that */
	MESH_CHECK(m, mesh_flow(m, MINUTE, 10) < 6 * 600 * 2 / 100);
	mesh_all_connected(m, SECOND);
	mesh_free(m);
}
END_TEST

/* A full packet of the overlay fits no datagram there: it goes another way. */
START_TEST(narrow_network)
{
	struct mesh *m = mesh_new(sim_seed());

	m->ping_len = MESH_PING_MAX;
	mesh_nodes(m, 3);
	mesh_links(m, (struct link_params){
			      .delay_ns = 30 * MS, .mtu_bytes = 1280, .rate_bps = 10000000 });
	mesh_join_all(m);
	mesh_all_connected(m, 5 * SECOND);
	mesh_reach(m, 5 * SECOND);
	MESH_CHECK(m, mesh_flow(m, 10 * SECOND, 20) == 0);
	/* the way gets wider */
	mesh_links(m, LINK_DEFAULT);
	MESH_CHECK(m, mesh_flow(m, MINUTE, 20) == 0);
	mesh_free(m);
}
END_TEST

/* Full packets from the first moment on, before the path's size is known. */
START_TEST(full_packets)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	uint32_t lost;

	m->ping_len = MESH_PING_MAX;
	mesh_reach(m, 2 * SECOND);
	MESH_CHECK(m, mesh_flow(m, 10 * SECOND, 50) == 0 && m->doubled == 0);
	/* the path becomes narrow: what is lost until that is noticed is little */
	mesh_links(m, (struct link_params){ .delay_ns = 5 * MS, .mtu_bytes = 1280 });
	lost = mesh_flow(m, MINUTE, 20);
	printf("%u of %u full packets lost when the path became narrow\n", lost, 60 * 20 * 6);
	MESH_CHECK(m, lost < 3 * 20 * 6); /* three seconds' worth */
	MESH_CHECK(m, mesh_flow(m, 10 * SECOND, 20) == 0);
	mesh_free(m);
}
END_TEST

START_TEST(ip6_and_ip4)
{
	struct mesh *m = mesh_new(sim_seed());
	struct peer_status six;

	mesh_node_with(m, "six", MESH_IP6);
	mesh_node_with(m, "both", MESH_BOTH);
	mesh_node_with(m, "sixtoo", MESH_IP6);
	mesh_join_all(m);
	mesh_all_connected(m, 5 * SECOND);
	mesh_reach(m, 5 * SECOND);
	six = mesh_peer(&m->node[1], &m->node[0]);
	MESH_CHECK(m, !addr_is_v4(&six.endpoint));
	/* and one that only the other family reaches: the relay is for it and the two others */
	mesh_node_with(m, "four", MESH_IP4);
	mesh_adopt(&m->node[3], mesh_invite(&m->node[0], 3600));
	mesh_connect(&m->node[3]);
	mesh_all_connected(m, 5 * SECOND);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 5 * SECOND);
	MESH_CHECK(m, mesh_peer(&m->node[3], &m->node[1]).path == PEER_PATH_DIRECT);
	MESH_CHECK(m, mesh_peer(&m->node[3], &m->node[0]).path == PEER_PATH_RELAY);
	MESH_CHECK(m, mesh_peer(&m->node[0], &m->node[3]).path == PEER_PATH_RELAY);
	mesh_free(m);
}
END_TEST

/* Each with a TUN, a socket and addresses of its own, on the same machines. */
START_TEST(two_clusters)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	ip4 home[2] = { m->node[0].address, m->node[1].address };

	mesh_reach(m, 5 * SECOND);
	mesh_server_token(m);
	m->cluster = "office";
	m->tun = 1;
	m->node[0].address = m->node[1].address = 0;
	mesh_join_all(m);
	/* one sequence of addresses over all clusters of the server */
	MESH_CHECK(m, m->node[0].address == IP(100, 64, 0, 3));
	MESH_CHECK(m, m->node[1].address == IP(100, 64, 0, 4));
	mesh_reach(m, 5 * SECOND);
	MESH_CHECK(m, signal_server_stats_get(m->server).clusters == 2);
	MESH_CHECK(m, mesh_server_sessions(m) == 4);
	/* packets of one do not come out of the other, whatever they say */
	m->tun = 0;
	mesh_flow_begin(m);
	mesh_flow_run(m, SECOND, 10);
	MESH_CHECK(m, mesh_flow_end(m) == 20);
	m->tun = 1;
	mesh_take(m);
	MESH_CHECK(m, m->pings_got[0][1] == 0 && m->pings_got[1][0] == 0);
	/* both come back, and one can go alone */
	mesh_daemon_crash(&m->node[0]);
	mesh_daemon_start(&m->node[0]);
	mesh_reach(m, 10 * SECOND);
	free(mesh_control(&m->node[0], CONTROL_DISCONNECT));
	m->cluster = MESH_CLUSTER;
	m->tun = 0;
	m->node[0].address = home[0];
	m->node[1].address = home[1];
	mesh_reach(m, SECOND);
	MESH_CHECK(m, mesh_flow(m, 5 * SECOND, 10) == 0);
	mesh_free(m);
}
END_TEST

START_TEST(a_laptop_sleeps_and_moves)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *laptop = &m->node[1];

	mesh_reach(m, 5 * SECOND);
	world_host_suspend(laptop->host);
	sim_pass(m->w, 2 * MINUTE);
	MESH_CHECK(m, !mesh_peer(&m->node[0], laptop).online);
	world_host_resume(laptop->host);
	printf("%.1f s after two minutes of sleep\n", (double)mesh_reach(m, 10 * SECOND) / 1e9);
	mesh_all_connected(m, 10 * SECOND);

	world_host_roam(laptop->host, IP(203, 0, 113, 77));
	printf("%.1f s after a change of networks\n", (double)mesh_reach(m, 10 * SECOND) / 1e9);
	mesh_all_connected(m, 10 * SECOND);

	world_host_suspend(laptop->host);
	sim_pass(m->w, 8 * HOUR);
	world_host_roam(laptop->host, IP(203, 0, 113, 99));
	world_host_resume(laptop->host);
	printf("%.1f s after a night, elsewhere\n", (double)mesh_reach(m, 10 * SECOND) / 1e9);
	mesh_all_connected(m, 10 * SECOND);
	mesh_free(m);
}
END_TEST

/* The server's name leads into what the unreachable route would cover. */
START_TEST(server_within_the_clusters_range)
{
	struct mesh *m = mesh_new(sim_seed());
	struct addr inside = addr_v4(IP(100, 64, 0, 77), 0);

	SIM_CHECK_OK(m->w, world_host_addr(m->server_host, &inside, "eth0"));
	world_dns_del(m->w, MESH_SIGNAL);
	SIM_CHECK_OK(m->w, world_dns_set(m->w, MESH_SIGNAL, &inside));
	mesh_nodes(m, 2);
	mesh_join_all(m);
	mesh_all_connected(m, 5 * SECOND);
	mesh_reach(m, 5 * SECOND);
	for (size_t i = 0; i < 2; i++)
		MESH_CHECK(m, !world_has_route(m->node[i].host, NET, 0));
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_life", three_nodes_reach_each_other, a_seed_says_all,
	  disconnect_leaves_nothing_behind, a_machine_without_a_packet_filter,
	  the_fence_spares_what_the_host_uses, bad_network, narrow_network, full_packets,
	  ip6_and_ip4, two_clusters, a_laptop_sleeps_and_moves, server_within_the_clusters_range)
