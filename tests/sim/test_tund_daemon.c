/* SPDX-License-Identifier: MIT */
/*
 * Who may ask the daemon for what, by the kernel's word of who asks; what it takes over, and what
 * it keeps over restarts.
 */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "mesh.h"
#include "os/local.h"

enum { ROOT = 0, ALICE = 1000, BOB = 1001, GROUP = 4242 };

static const char ok[] = "{\"ok\":true}";

/* A request from a process of that user; the reply is to be freed. */
static char *ask_as(struct mesh_node *n, unsigned uid, unsigned gid, enum control_verb verb,
		    const char *cluster, const int *fds, size_t n_fds)
{
	struct control_request r = { .verb = verb, .nonce = { 1 }, .expiry_s = 1 };
	struct host *user = n->host, *process = world_host_boot(user);
	char *reply;

	snprintf(r.cluster, sizeof(r.cluster), "%s", cluster);
	world_host_user(process, uid, gid);
	n->host = process;
	reply = mesh_control_request(n, &r, fds, n_fds);
	n->host = user;
	world_host_crash(process);
	return reply;
}

static void expect(struct mesh_node *n, char *reply, const char *part)
{
	if (!strstr(reply, part)) {
		world_dump(n->mesh->w);
		ck_abort_msg("not in it: %s\n%s", part, reply);
	}
	free(reply);
}

/* The user's four files, as if they belonged to `owner`. */
static void open_files(struct mesh_node *n, unsigned owner, int fds[CONTROL_CONNECT_FDS])
{
	char path[CONTROL_CONNECT_FDS][STORE_PATH_MAX + 16];
	struct world *w = n->mesh->w;

	SIM_CHECK_OK(w, store_cluster_path(&n->store, MESH_CLUSTER, STORE_CLUSTER, path[0], NULL));
	SIM_CHECK_OK(w, store_cluster_path(&n->store, MESH_CLUSTER, STORE_LOG, path[1], NULL));
	snprintf(path[2], sizeof(path[2]), "%s/identity/cert.pem", n->store.dir);
	snprintf(path[3], sizeof(path[3]), "%s/identity/key.pem", n->store.dir);
	for (size_t i = 0; i < CONTROL_CONNECT_FDS; i++) {
		fds[i] = world_fd_open(n->host, path[i], owner);
		SIM_CHECK_OK(w, fds[i]);
	}
}

static void close_files(int fds[CONTROL_CONNECT_FDS])
{
	for (size_t i = 0; i < CONTROL_CONNECT_FDS; i++)
		close(fds[i]);
}

static char *connect_with(struct mesh_node *n, unsigned uid, unsigned gid, unsigned owner)
{
	int fds[CONTROL_CONNECT_FDS];
	char *reply;

	open_files(n, owner, fds);
	reply = ask_as(n, uid, gid, CONTROL_CONNECT, MESH_CLUSTER, fds, CONTROL_CONNECT_FDS);
	close_files(fds);
	return reply;
}

/* A mesh with one node, its daemon running, nothing connected. */
static struct mesh_node *node_ready(struct mesh **ret)
{
	struct mesh *m = mesh_new(1);
	struct mesh_node *n = mesh_node(m, "nas");

	mesh_setup(n);
	mesh_daemon_start(n);
	*ret = m;
	return n;
}

static bool kept_here(struct mesh_node *n)
{
	return file_exists(n->host, DAEMON_STATE_DIR "/" MESH_CLUSTER ".state") ||
	       file_exists(n->host, DAEMON_STATE_DIR "/" MESH_CLUSTER "/identity/key.pem");
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(first_time_takes_root_or_the_group)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);

	expect(n, connect_with(n, ALICE, ALICE, ALICE), "the group mlsh");
	MESH_CHECK(m, !mesh_tunnel(n) && !kept_here(n));
	expect(n, ask_as(n, ALICE, ALICE, CONTROL_STATUS, "", NULL, 0), "\"clusters\":[]");
	world_group_add(n->host, "wheel", GROUP, ALICE); /* another group */
	expect(n, connect_with(n, ALICE, ALICE, ALICE), "the group mlsh");
	world_group_add(n->host, "mlsh", GROUP + 1, ALICE); /* by the list of its members */
	expect(n, connect_with(n, ALICE, ALICE, ALICE), ok);
	MESH_CHECK(m, mesh_tunnel(n) && kept_here(n));
	mesh_free(m);
}
END_TEST

START_TEST(the_primary_group_counts_and_root)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	expect(n, connect_with(n, ALICE, ALICE, ALICE), "the group mlsh");
	expect(n, connect_with(n, ALICE, GROUP, ALICE), ok);
	mesh_free(m);
	n = node_ready(&m);
	expect(n, connect_with(n, ROOT, ROOT, ROOT), ok);
	mesh_free(m);
}
END_TEST

/* Whoever gets hold of a descriptor of somebody's files can do nothing with it here. */
START_TEST(files_must_be_the_callers)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);

	expect(n, connect_with(n, ALICE, GROUP, BOB), "\"ok\":false");
	expect(n, connect_with(n, ALICE, GROUP, ROOT), "\"ok\":false");
	expect(n, connect_with(n, ROOT, ROOT, ALICE), "\"ok\":false");
	MESH_CHECK(m, !mesh_tunnel(n) && !kept_here(n));
	mesh_free(m);
}
END_TEST

static struct mesh_node *connected_by_alice(struct mesh **ret)
{
	struct mesh_node *n = node_ready(ret);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	expect(n, connect_with(n, ALICE, GROUP, ALICE), ok);
	mesh_all_connected(*ret, 5 * SECOND);
	return n;
}

/* Word for word what is said of a cluster that does not exist. */
static void check_hidden(struct mesh_node *n, unsigned uid, unsigned gid)
{
	static const enum control_verb verbs[] = { CONTROL_DISCONNECT,	CONTROL_STATUS,
						   CONTROL_NODES,	CONTROL_WATCH,
						   CONTROL_LOG,		CONTROL_INVITE_MADE };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		char *there = ask_as(n, uid, gid, verbs[i], MESH_CLUSTER, NULL, 0);
		char *absent = ask_as(n, uid, gid, verbs[i], "nowhere", NULL, 0), *at;

		MESH_CHECK(n->mesh, strstr(there, "\"ok\":false"));
		while ((at = strstr(there, MESH_CLUSTER)))
			memcpy(at, "nowhere", strlen(MESH_CLUSTER));
		ck_assert_str_eq(there, absent);
		free(there);
		free(absent);
	}
	expect(n, ask_as(n, uid, gid, CONTROL_STATUS, "", NULL, 0), "\"clusters\":[]");
}

START_TEST(others_do_not_know_that_it_exists)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	ck_assert_uint_eq(strlen(MESH_CLUSTER), strlen("nowhere"));
	check_hidden(n, BOB, BOB);
	check_hidden(n, BOB, GROUP); /* the group may bring up clusters, not command others' */
	/* but no lie is told of it; root knows better */
	expect(n, ask_as(n, BOB, BOB, CONTROL_STATUS, MESH_CLUSTER, NULL, 0),
	       "cluster homelab is not connected, or not by you; run: mlsh connect homelab");
	expect(n, ask_as(n, BOB, BOB, CONTROL_DISCONNECT, MESH_CLUSTER, NULL, 0),
	       "cluster homelab is not connected, or not by you: nothing to do");
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_NODES, "nowhere", NULL, 0),
	       "cluster nowhere is not connected; run: mlsh connect nowhere");
	MESH_CHECK(m, mesh_connected(n));
	mesh_free(m);
}
END_TEST

START_TEST(owner_and_root_may_all)
{
	static const unsigned users[] = { ALICE, ROOT };
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		unsigned u = users[i];
		char *log;

		expect(n, ask_as(n, u, u, CONTROL_STATUS, "", NULL, 0), "\"name\":\"homelab\"");
		expect(n, ask_as(n, u, u, CONTROL_STATUS, MESH_CLUSTER, NULL, 0), "connected");
		expect(n, ask_as(n, u, u, CONTROL_WATCH, MESH_CLUSTER, NULL, 0), "connected");
		expect(n, ask_as(n, u, u, CONTROL_NODES, MESH_CLUSTER, NULL, 0), "\"nas\"");
		expect(n, ask_as(n, u, u, CONTROL_INVITE_MADE, MESH_CLUSTER, NULL, 0), ok);
		log = ask_as(n, u, u, CONTROL_LOG, MESH_CLUSTER, NULL, 0);
		MESH_CHECK(m, log[0] == 0 && log[1] == 0); /* a length, not JSON */
		free(log);
		expect(n, ask_as(n, u, u, CONTROL_DISCONNECT, MESH_CLUSTER, NULL, 0), ok);
		MESH_CHECK(m, !mesh_tunnel(n));
		/* the group counts the first time only */
		expect(n, connect_with(n, u, u, u), ok);
		mesh_all_connected(m, 5 * SECOND);
	}
	mesh_free(m);
}
END_TEST

START_TEST(a_name_is_not_taken_over)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	expect(n, connect_with(n, BOB, GROUP, BOB), "is connected on this host by another user");
	expect(n, ask_as(n, ALICE, ALICE, CONTROL_DISCONNECT, MESH_CLUSTER, NULL, 0), ok);
	expect(n, connect_with(n, BOB, GROUP, BOB), "is another user's, and stopped");
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	expect(n, connect_with(n, BOB, GROUP, BOB), "another user");
	check_hidden(n, BOB, GROUP);
	expect(n, connect_with(n, ALICE, ALICE, ALICE), ok);
	mesh_free(m);
}
END_TEST

START_TEST(owner_and_state_outlive_the_daemon)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, mesh_tunnel(n));
	mesh_all_connected(m, 10 * SECOND);
	check_hidden(n, BOB, GROUP);
	expect(n, ask_as(n, ALICE, ALICE, CONTROL_DISCONNECT, MESH_CLUSTER, NULL, 0), ok);
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	expect(n, ask_as(n, ALICE, ALICE, CONTROL_NODES, MESH_CLUSTER, NULL, 0), "is stopped");
	mesh_free(m);
}
END_TEST

START_TEST(wrong_descriptors_are_refused_and_closed)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	int fds[CONTROL_CONNECT_FDS], pipes[2], swapped[CONTROL_CONNECT_FDS];
	size_t before;

	ck_assert_int_eq(pipe(pipes), 0);
	open_files(n, ROOT, fds);
	before = open_descriptors();
	for (size_t k = 0; k < CONTROL_CONNECT_FDS; k++) {
		expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, MESH_CLUSTER, fds, k),
		       "\"ok\":false");
		memcpy(swapped, fds, sizeof(fds));
		swapped[k] = pipes[0];
		expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, MESH_CLUSTER, swapped,
				 CONTROL_CONNECT_FDS), "\"ok\":false");
		swapped[k] = fds[(k + 1) % CONTROL_CONNECT_FDS];
		expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, MESH_CLUSTER, swapped,
				 CONTROL_CONNECT_FDS), "\"ok\":false");
	}
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, "another", fds, CONTROL_CONNECT_FDS),
	       "is of homelab, not of another");
	/* and with requests that want none */
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_STATUS, "", fds, CONTROL_CONNECT_FDS), "clusters");
	ck_assert_uint_eq(open_descriptors(), before);
	MESH_CHECK(m, !mesh_tunnel(n) && !kept_here(n));
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, MESH_CLUSTER, fds, CONTROL_CONNECT_FDS),
	       ok);
	ck_assert_uint_eq(open_descriptors(), before);
	close_files(fds);
	close(pipes[0]);
	close(pipes[1]);
	mesh_free(m);
}
END_TEST

/* The user's copy of the log may be older than the daemon's, which it never replaces. */
START_TEST(an_older_log_changes_nothing)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m), *b;
	int fds[CONTROL_CONNECT_FDS];

	open_files(n, ROOT, fds); /* with genesis only */
	mesh_connect(n);
	b = mesh_node(m, "laptop");
	mesh_adopt(b, mesh_invite(n, 3600));
	mesh_connect(b);
	mesh_reach(m, 10 * SECOND);
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER, NULL, 0), ok);
	mesh_server_crash(m); /* so that nobody else tells it */
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_CONNECT, MESH_CLUSTER, fds, CONTROL_CONNECT_FDS),
	       ok);
	MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(n))) == 2);
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(n))) == 2);
	close_files(fds);
	mesh_free(m);
}
END_TEST

/* Who came while the disk was full is not lost in a crash after there was room again. */
START_TEST(a_log_that_could_not_be_saved_is_tried_again)
{
	struct mesh *m;
	struct mesh_node *n = node_ready(&m), *b;

	mesh_connect(n);
	b = mesh_node(m, "laptop");
	struct invite_url url = mesh_invite(n, 3600);

	world_host_disk_full(n->host, true);
	mesh_adopt(b, url);
	mesh_connect(b);
	mesh_reach(m, 10 * SECOND);
	world_host_disk_full(n->host, false);
	sim_pass(m->w, 61 * SECOND);
	mesh_server_crash(m); /* so that nobody else tells it */
	mesh_daemon_crash(b);
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(n))) == 2);
	mesh_free(m);
}
END_TEST

START_TEST(damaged_state_stops_only_its_cluster)
{
	static const char *const files[] = {
		".state", "/clusters/homelab.toml", "/clusters/homelab.log", "/identity/key.pem",
	};
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[STORE_PATH_MAX];

		expect(n, connect_with(n, ROOT, ROOT, ROOT), ok);
		mesh_daemon_stop(n);
		snprintf(path, sizeof(path), DAEMON_STATE_DIR "/" MESH_CLUSTER "%s", files[i]);
		SIM_CHECK_OK(m->w, file_write(n->host, path, "rubbish", 7, 0600, NULL));
		mesh_daemon_start(n);
		MESH_CHECK(m, !mesh_tunnel(n));
		if (i > 0) /* why, is shown */
			expect(n, ask_as(n, ROOT, ROOT, CONTROL_STATUS, MESH_CLUSTER, NULL, 0),
			       "\"state\":\"stopped\",\"address\":null,\"error\":\"");
	}
	expect(n, connect_with(n, ROOT, ROOT, ROOT), ok);
	mesh_all_connected(m, 5 * SECOND);
	mesh_free(m);
}
END_TEST

static void on_reply(void *ctx, struct local_conn *c, struct local_message *msg)
{
	(void)c;
	ck_assert_uint_gt(msg->len, 1);
	ck_assert_ptr_nonnull(memmem(msg->data, msg->len, "\"ok\":false", 10));
	++*(unsigned *)ctx;
}

static void on_gone(void *ctx, struct local_conn *c)
{
	(void)ctx, (void)c;
	ck_abort_msg("the daemon has closed the connection");
}

START_TEST(rubbish_gets_an_answer)
{
	static const struct local_ops ops = { .message = on_reply, .closed = on_gone };
	struct unit_rng rng = unit_rng_new("rubbish_gets_an_answer");
	struct mesh *m;
	struct mesh_node *n = node_ready(&m);
	struct local_conn *conn = NULL;
	unsigned replies = 0;
	uint8_t bytes[300];

	SIM_CHECK_OK(m->w, local_connect(n->host, CONTROL_SOCKET, &ops, &replies, NULL, &conn));
	for (unsigned i = 0; i < 500; i++) {
		size_t len = 1 + unit_random_below(&rng, sizeof(bytes));

		unit_random_bytes(&rng, bytes, len);
		SIM_CHECK_OK(m->w, local_send(conn, bytes, len, NULL, 0));
		sim_pass(m->w, MS);
		ck_assert_uint_eq(replies, i + 1);
	}
	local_conn_close(conn);
	expect(n, ask_as(n, BOB, BOB, CONTROL_STATUS, "", NULL, 0), "\"clusters\":[]");
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/daemon", first_time_takes_root_or_the_group, the_primary_group_counts_and_root,
	  files_must_be_the_callers, others_do_not_know_that_it_exists, owner_and_root_may_all,
	  a_name_is_not_taken_over, owner_and_state_outlive_the_daemon,
	  wrong_descriptors_are_refused_and_closed, an_older_log_changes_nothing,
	  a_log_that_could_not_be_saved_is_tried_again,
	  damaged_state_stops_only_its_cluster, rubbish_gets_an_answer)
