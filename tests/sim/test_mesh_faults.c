/* SPDX-License-Identifier: MIT */
/* A mesh whose parts fail: the server, its database, nodes, single replies, commands. */
#include "identity/identity.h"
#include "mesh.h"

static bool all_registered(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_server_sessions(m) == m->n_nodes;
}

/* --- the server ------------------------------------------------------------------------------- */

START_TEST(server_crash_disturbs_no_tunnel)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	uint64_t back;

	mesh_reach(m, 5 * SECOND);
	mesh_flow_begin(m);
	mesh_flow_run(m, SECOND, 50);
	mesh_server_crash(m);
	mesh_flow_run(m, 20 * SECOND, 50);
	mesh_server_start(m);
	back = world_now(m->w);
	while (!all_registered(m) && world_now(m->w) - back < 10 * SECOND)
		mesh_flow_run(m, 20 * MS, 50);
	MESH_CHECK(m, all_registered(m));
	printf("all registered %.1f s after the server's return\n",
	       (double)(world_now(m->w) - back) / 1e9);
	mesh_flow_run(m, 10 * SECOND, 50);
	MESH_CHECK(m, mesh_flow_end(m) == 0 && m->doubled == 0 && m->unreachable == 0);
	mesh_all_connected(m, SECOND);
	MESH_CHECK(m, mesh_server_log(m) == 3);
	mesh_free(m);
}
END_TEST

START_TEST(server_is_gone_for_an_hour)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_direct(m, 5 * SECOND);
	mesh_server_crash(m);
	MESH_CHECK(m, mesh_flow(m, HOUR, 1) == 0);
	for (size_t i = 0; i < 3; i++) {
		struct session_status s;

		session_status_get(tunnel_session(mesh_tunnel(&m->node[i])), &s);
		MESH_CHECK(m, s.state == SESSION_RECONNECTING && s.last_err.text[0]);
		MESH_CHECK(m, world_now(m->w) - s.last_verified >= HOUR);
	}
	mesh_server_start(m);
	mesh_until(m, 10 * SECOND, all_registered, m);
	mesh_all_connected(m, SECOND);
	MESH_CHECK(m, mesh_flow(m, SECOND, 10) == 0);
	mesh_free(m);
}
END_TEST

START_TEST(server_restarts_in_order)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_direct(m, 5 * SECOND);
	for (int i = 0; i < 5; i++) {
		mesh_flow_begin(m);
		mesh_server_stop(m);
		mesh_flow_run(m, SECOND, 10);
		mesh_server_start(m);
		mesh_until(m, 10 * SECOND, all_registered, m);
		MESH_CHECK(m, mesh_flow_end(m) == 0);
		mesh_all_connected(m, SECOND);
	}
	mesh_free(m);
}
END_TEST

static bool server_has_four(void *ctx)
{
	return mesh_server_log(ctx) == 4;
}

START_TEST(server_restored_from_an_old_copy)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas, *tv;

	mesh_nodes(m, 2);
	mesh_join_all(m);
	mesh_all_connected(m, 5 * SECOND);
	mesh_server_stop(m);
	mesh_server_save(m, "old");
	mesh_server_start(m);
	mesh_all_connected(m, 15 * SECOND);
	nas = &m->node[0];
	for (size_t i = 2; i < 4; i++) {
		mesh_nodes(m, i + 1);
		mesh_adopt(&m->node[i], mesh_invite(nas, 3600));
		mesh_connect(&m->node[i]);
	}
	mesh_reach(m, 5 * SECOND);
	MESH_CHECK(m, mesh_server_log(m) == 4 && m->node[3].address == IP(100, 64, 0, 4));

	mesh_server_crash(m);
	mesh_server_restore(m, "old");
	mesh_server_start(m);
	MESH_CHECK(m, mesh_server_log(m) == 2);
	mesh_until(m, 10 * SECOND, server_has_four, m); /* pushed by a node */
	mesh_until(m, 35 * SECOND, all_registered, m);
	sim_pass(m->w, 10 * SECOND); /* in which it listens to beacons */
	mesh_nodes(m, 5);
	tv = &m->node[4];
	mesh_adopt(tv, mesh_invite(nas, 3600));
	mesh_connect(tv);
	MESH_CHECK(m, tv->address == IP(100, 64, 0, 5) && mesh_server_log(m) == 5);
	mesh_reach(m, 5 * SECOND);
	for (size_t i = 0; i < m->n_nodes; i++)
		MESH_CHECK(m, tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_SERVER)[0] == '\0');
	mesh_free(m);
}
END_TEST

/* --- lost replies ----------------------------------------------------------------------------- */

/* From the moment on when the server's log has `entries`, nothing that it says arrives. */
struct silence {
	struct mesh *m;
	size_t clusters, entries;
};

static bool silence_tap(void *ctx, struct host *from, const struct addr *src,
			const struct addr *dst, uint8_t *data, size_t *len)
{
	struct silence *s = ctx;

	(void)src, (void)dst, (void)data, (void)len;
	if (from != s->m->server_host || !s->m->server)
		return true;
	return signal_server_stats_get(s->m->server).clusters < s->clusters ||
	       mesh_server_log(s->m) < s->entries;
}

/* The key is in the request until there is a cluster. */
static struct node_id identity_of(struct mesh_node *n)
{
	struct identity *id = NULL;
	struct pending p;
	struct node_id node;
	struct err err = { 0 };
	int rc = store_load_pending(n->host, &n->store, MESH_CLUSTER, &p, &err);

	if (rc == 0)
		rc = identity_from_seed(p.seed, &err, &id);
	else if (rc == -ENOENT)
		rc = store_identity(n->host, &n->store, MESH_CLUSTER, &id, &err);
	SIM_CHECK_OK(n->mesh->w, rc);
	node = identity_node_id(id);
	identity_free(id);
	return node;
}

/* The command ends without an answer: by itself, or it is killed. */
static void go_without_reply(struct mesh_join *j, bool killed)
{
	struct mesh *m = j->node->mesh;

	if (killed) {
		sim_pass(m->w, SECOND);
		MESH_CHECK(m, !j->done);
		mesh_join_kill(j);
		return;
	}
	MESH_CHECK(m, mesh_join_finish(j) < 0);
	MESH_CHECK(m, strstr(j->err.text, "run the same command again"));
}

static void lose_reply_of_setup(bool killed)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas = mesh_node(m, "nas"), *thief = mesh_node(m, "thief");
	struct silence s = { m, 1, 0 };
	struct node_id before, after;
	struct mesh_join j;

	world_tap(m->w, silence_tap, &s);
	mesh_setup_start(nas, m->token, &j);
	go_without_reply(&j, killed);
	MESH_CHECK(m, signal_server_stats_get(m->server).clusters == 1);
	MESH_CHECK(m, !store_has_cluster(nas->host, &nas->store, MESH_CLUSTER));
	world_tap(m->w, NULL, NULL);
	before = identity_of(nas);

	/* nobody else can have it */
	mesh_setup_start(thief, m->token, &j);
	MESH_CHECK(m, mesh_join_finish(&j) < 0 && j.err.reason == REFUSAL_USED_CODE);

	mesh_setup_start(nas, m->token, &j);
	MESH_CHECK(m, mesh_join_finish(&j) == 0 && j.completed_pending);
	MESH_CHECK(m, !j.recovery_code[0]); /* it was shown before, and is kept nowhere */
	after = identity_of(nas);
	MESH_CHECK(m, node_id_equal(&before, &after));
	MESH_CHECK(m, nas->address == IP(100, 64, 0, 1) && mesh_server_log(m) == 1);
	MESH_CHECK(m, signal_server_stats_get(m->server).clusters == 1);
	mesh_connect(nas);
	mesh_all_connected(m, SECOND);
	mesh_free(m);
}

START_TEST(reply_of_setup_is_lost)
{
	lose_reply_of_setup(false);
	lose_reply_of_setup(true);
}
END_TEST

static void lose_reply_of_admit(bool killed, bool overtaken)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_node *nas = &m->node[0], *laptop = mesh_node(m, "laptop");
	struct invite_url url = mesh_invite(nas, 3600);
	struct silence s = { m, 0, 2 };
	struct node_id before, after;
	struct mesh_join j;

	world_tap(m->w, silence_tap, &s);
	mesh_adopt_start(laptop, &url, &j);
	go_without_reply(&j, killed);
	MESH_CHECK(m, mesh_server_log(m) == 2);
	MESH_CHECK(m, !store_has_cluster(laptop->host, &laptop->store, MESH_CLUSTER));
	world_tap(m->w, NULL, NULL);
	before = identity_of(laptop);
	mesh_all_connected(m, 15 * SECOND);
	if (overtaken) {
		struct mesh_node *phone = mesh_node(m, "phone");

		mesh_adopt(phone, mesh_invite(nas, 3600));
		MESH_CHECK(m, phone->address == IP(100, 64, 0, 3));
		mesh_connect(phone);
	}

	mesh_adopt_start(laptop, &url, &j);
	MESH_CHECK(m, mesh_join_finish(&j) == 0 && j.completed_pending);
	after = identity_of(laptop);
	MESH_CHECK(m, node_id_equal(&before, &after));
	MESH_CHECK(m, laptop->address == IP(100, 64, 0, 2));
	MESH_CHECK(m, mesh_server_log(m) == (overtaken ? 3 : 2));
	mesh_connect(laptop);
	mesh_reach(m, 5 * SECOND);
	mesh_free(m);
}

/* The cluster's files are there, and the request was not forgotten yet. */
START_TEST(killed_at_the_very_end)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mesh_node *laptop = mesh_node(m, "laptop");
	struct invite_url url = mesh_invite(&m->node[0], 3600);
	struct silence s = { m, 0, 2 };
	struct mesh_join j;
	struct buf pending = { 0 };
	char path[STORE_PATH_MAX];

	world_tap(m->w, silence_tap, &s);
	mesh_adopt_start(laptop, &url, &j);
	go_without_reply(&j, true);
	world_tap(m->w, NULL, NULL);
	ck_assert_int_eq(store_cluster_path(&laptop->store, MESH_CLUSTER, STORE_PENDING, path,
					    NULL),
			 0);
	ck_assert_int_eq(file_read(laptop->host, path, 65536, NULL, &pending), 0);
	mesh_adopt_start(laptop, &url, &j);
	MESH_CHECK(m, mesh_join_finish(&j) == 0);

	ck_assert_int_eq(file_write(laptop->host, path, pending.data, pending.len, 0600, NULL), 0);
	buf_free(&pending);
	mesh_adopt_start(laptop, &url, &j);
	MESH_CHECK(m, mesh_join_finish(&j) == 0 && j.completed_pending);
	MESH_CHECK(m, !store_has_pending(laptop->host, &laptop->store, MESH_CLUSTER));
	MESH_CHECK(m, mesh_server_log(m) == 2);
	mesh_connect(laptop);
	mesh_reach(m, 20 * SECOND);
	mesh_free(m);
}
END_TEST

START_TEST(reply_of_admit_is_lost)
{
	for (int i = 0; i < 4; i++)
		lose_reply_of_admit(i & 1, i & 2);
}
END_TEST

/* Whenever a command or the server is killed: the same command again makes it whole. */
static void kill_at(uint64_t at, bool setup, bool server)
{
	struct mesh *m = mesh_of(sim_seed(), setup ? 0 : 1);
	struct mesh_node *n = mesh_node(m, "last");
	struct invite_url url;
	struct mesh_join j;

	if (setup) {
		mesh_setup_start(n, m->token, &j);
	} else {
		url = mesh_invite(&m->node[0], 3600);
		mesh_adopt_start(n, &url, &j);
	}
	sim_pass(m->w, at);
	if (server) {
		mesh_server_crash(m);
		if (mesh_join_finish(&j) < 0)
			j.done = false;
		mesh_server_start(m);
	} else if (!j.done) {
		mesh_join_kill(&j);
		j.done = false;
	} else {
		MESH_CHECK(m, mesh_join_finish(&j) == 0);
	}
	if (!j.done && setup)
		mesh_setup(n);
	else if (!j.done)
		mesh_adopt(n, url);
	MESH_CHECK(m, n->address == IP(100, 64, 0, 1) + n->index);
	MESH_CHECK(m, mesh_server_log(m) == m->n_nodes);
	MESH_CHECK(m, !file_exists(n->host,
				   "/root/.config/mlsh/clusters/" MESH_CLUSTER STORE_PENDING));
	mesh_connect(n);
	mesh_all_connected(m, 20 * SECOND);
	mesh_reach(m, 5 * SECOND);
	mesh_free(m);
}

START_TEST(killed_at_any_moment)
{
	for (uint64_t at = 0; at <= 80 * MS; at += 5 * MS + 1) {
		for (int i = 0; i < 4; i++)
			kill_at(at, i & 1, i & 2);
	}
}
END_TEST

/* --- nodes ------------------------------------------------------------------------------------ */

START_TEST(node_crashes_and_reboots)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_reach(m, 5 * SECOND);
	for (size_t i = 0; i < 3; i++) {
		mesh_daemon_crash(&m->node[i]);
		sim_pass(m->w, (i + 1) * 20 * SECOND / 2); /* less and more than a timeout */
		mesh_daemon_start(&m->node[i]);
		printf("%s: %.1f s after its start\n", m->node[i].name,
		       (double)mesh_reach(m, 5 * SECOND) / 1e9);
		mesh_all_connected(m, SECOND);
	}
	/* the power fails everywhere */
	for (size_t i = 0; i < 3; i++)
		mesh_daemon_crash(&m->node[i]);
	mesh_server_crash(m);
	sim_pass(m->w, MINUTE);
	for (size_t i = 0; i < 3; i++)
		mesh_daemon_start(&m->node[i]);
	sim_pass(m->w, MINUTE);
	mesh_server_start(m);
	printf("everybody: %.1f s after the server's start\n",
	       (double)mesh_reach(m, 15 * SECOND) / 1e9);
	mesh_free(m);
}
END_TEST

/*
 * What a node knows is on its own disk: names and routes are there; without the peers' addresses
 * (test_mesh_alone.c has the case with them) tunnels wait for the server.
 */
START_TEST(node_reboots_while_the_server_is_away)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *laptop = &m->node[1];
	unsigned rcode;
	ip4 ip = 0;

	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 5 * SECOND);
	mesh_server_crash(m);
	for (size_t i = 0; i < 3; i++)
		mesh_daemon_crash(&m->node[i]);
	for (size_t i = 0; i < 3; i++) {
		struct host *h = world_host_boot(m->node[i].host);

		SIM_CHECK_OK(m->w, file_remove(h, DAEMON_STATE_DIR "/" MESH_CLUSTER ".peers"));
	}
	mesh_daemon_start(&m->node[0]);
	mesh_daemon_start(&m->node[2]);
	sim_pass(m->w, 5 * SECOND);
	mesh_daemon_start(laptop);
	sim_pass(m->w, SECOND);
	MESH_CHECK(m, world_tun_up(laptop->host, 0));
	MESH_CHECK(m, tunnel_state_get(mesh_tunnel(laptop)) == TUNNEL_CONNECTING);
	MESH_CHECK(m, mesh_dns(laptop, "nas." MESH_CLUSTER, &ip, &rcode) == 1);
	MESH_CHECK(m, ip == m->node[0].address);
	MESH_CHECK(m, mesh_peer(laptop, &m->node[0]).state != PEER_UP);
	MESH_CHECK(m, mesh_peer(laptop, &m->node[0]).detail[0]);
	sim_pass(m->w, MINUTE);
	mesh_server_start(m);
	printf("%.1f s after the server's return\n", (double)mesh_reach(m, 15 * SECOND) / 1e9);
	mesh_all_connected(m, 10 * SECOND);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_faults", server_crash_disturbs_no_tunnel, server_is_gone_for_an_hour,
	  server_restarts_in_order, server_restored_from_an_old_copy, reply_of_setup_is_lost,
	  reply_of_admit_is_lost, killed_at_the_very_end, killed_at_any_moment,
	  node_crashes_and_reboots, node_reboots_while_the_server_is_away)
