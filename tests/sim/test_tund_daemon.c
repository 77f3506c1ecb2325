/* SPDX-License-Identifier: MIT */
/*
 * Which users may ask the daemon for what, as the kernel names them; what the daemon takes over,
 * and what it keeps over restarts.
 */
#include "daemon_kit.h"

static bool kept_here(struct mesh_node *n)
{
	return file_exists(n->host, DAEMON_STATE_DIR "/" MESH_CLUSTER ".state") ||
	       file_exists(n->host, DAEMON_STATE_DIR "/" MESH_CLUSTER ".node");
}

/* [P5-2] */
START_TEST(first_time_takes_root_or_the_group)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	user_expect(n, user_connect_with(n, ALICE, ALICE), "the group mlsh");
	MESH_CHECK(m, !mesh_tunnel(n) && !kept_here(n));
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"clusters\":[]");
	world_group_add(n->host, "wheel", GROUP, ALICE); /* another group */
	user_expect(n, user_connect_with(n, ALICE, ALICE), "the group mlsh");
	world_group_add(n->host, "mlsh", GROUP + 1, ALICE); /* by the list of its members */
	user_expect(n, user_connect_with(n, ALICE, ALICE), user_ok);
	MESH_CHECK(m, mesh_tunnel(n) && kept_here(n));
	mesh_free(m);
}
END_TEST

/* Names below them would be the cluster's for all users of the machine. */
START_TEST(zones_in_use_are_roots_to_take)
{
	static const char *const zones[] = { "box", "lan", "internal", "home", "com" };
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	struct handover files = user_read_files(n);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		user_expect(n, user_hand_over_as(n, ALICE, GROUP, zones[i], &files), "takes root");
		user_expect(n, user_hand_over_as(n, ROOT, ROOT, zones[i], &files),
			    "cluster file is of");
	}
	handover_free(&files);
	mesh_free(m);
}
END_TEST

START_TEST(the_primary_group_counts_and_root)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	world_group_add(n->host, "mlsh", GROUP, 1 << 20);
	user_expect(n, user_connect_with(n, ALICE, ALICE), "the group mlsh");
	user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
	mesh_free(m);
	n = user_node_ready(&m);
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_free(m);
}
END_TEST

/* `sudo` with somebody's HOME: root's command hands over nobody else's key. */
START_TEST(files_must_be_the_callers)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	struct handover files = user_read_files(n), none;
	struct host *was = user_become(n, ALICE, ALICE);
	char path[STORE_PATH_MAX + 32];
	struct err err = { 0 };

	ck_assert_int_eq(store_identity_path(&n->store, MESH_CLUSTER, STORE_KEY, path, NULL), 0);
	SIM_CHECK_OK(m->w, file_write(n->host, path, files.file[CONTROL_FILE_KEY].data,
				      files.file[CONTROL_FILE_KEY].len, 0600, NULL));
	handover_free(&files);
	files = user_read_files(n); /* she may read her own key, and root's file */
	user_become_again(n, was);
	ck_assert_int_eq(handover_read(n->host, &n->store, MESH_CLUSTER, &none, &err), -EPERM);
	ck_assert_msg(strstr(err.text, "belongs to user 1000"), "%s", err.text);
	was = user_become(n, BOB, BOB);
	ck_assert_int_eq(handover_read(n->host, &n->store, MESH_CLUSTER, &none, &err), -EPERM);
	user_become_again(n, was);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* [P5-10] */
START_TEST(others_do_not_know_that_it_exists)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	ck_assert_uint_eq(strlen(MESH_CLUSTER), strlen("nowhere"));
	user_check_hidden(n, BOB, BOB);
	user_check_hidden(n, BOB, GROUP); /* the group may bring up clusters, not command others' */
	/* but no lie is told of it; root knows better */
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_STATUS, MESH_CLUSTER),
		    "cluster homelab is not connected, or another user has connected it; "
		    "run: mlsh connect homelab");
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_DISCONNECT, MESH_CLUSTER),
		    "cluster homelab is not connected, or another user has connected it: "
		    "nothing to do");
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_NODES, "nowhere"),
		    "cluster nowhere is not connected; run: mlsh connect nowhere");
	MESH_CHECK(m, mesh_connected(n));
	mesh_free(m);
}
END_TEST

/* [P5-2] */
START_TEST(owner_and_root_may_all)
{
	static const unsigned users[] = { ALICE, ROOT };
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		unsigned u = users[i];
		char *log;

		user_expect(n, user_ask_as(n, u, u, CONTROL_STATUS, ""), "\"name\":\"homelab\"");
		user_expect(n, user_ask_as(n, u, u, CONTROL_STATUS, MESH_CLUSTER), "connected");
		user_expect(n, user_ask_as(n, u, u, CONTROL_WATCH, MESH_CLUSTER), "connected");
		user_expect(n, user_ask_as(n, u, u, CONTROL_NODES, MESH_CLUSTER), "\"nas\"");
		user_expect(n, user_ask_as(n, u, u, CONTROL_NAMES, ""),
			    "{\"clusters\":[{\"name\":\"homelab\",\"nodes\":[\"nas\"]}]}");
		user_expect(n, user_ask_as(n, u, u, CONTROL_CLUSTERS, ""),
			    "{\"clusters\":[{\"name\":\"homelab\",\"nodes\":[]}]}");
		user_expect(n, user_ask_as(n, u, u, CONTROL_INVITE_MADE, MESH_CLUSTER), user_ok);
		log = user_ask_as(n, u, u, CONTROL_LOG, MESH_CLUSTER);
		MESH_CHECK(m, memcmp(log, "\x8dmls", 4) == 0); /* not JSON */
		free(log);
		user_expect(n, user_ask_as(n, u, u, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
		MESH_CHECK(m, !mesh_tunnel(n));
		user_expect(n, user_ask_as(n, u, u, CONTROL_NAMES, ""),
			    "{\"clusters\":[{\"name\":\"homelab\",\"nodes\":[]}]}");
		/* the group counts the first time only */
		user_expect(n, user_connect_with(n, u, u), user_ok);
		mesh_all_connected(m, 5 * SECOND);
	}
	mesh_free(m);
}
END_TEST

START_TEST(a_name_is_not_taken_over)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	user_expect(n, user_connect_with(n, BOB, GROUP),
		    "is connected on this host by another user");
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_expect(n, user_connect_with(n, BOB, GROUP), "is another user's, and stopped");
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	user_expect(n, user_connect_with(n, BOB, GROUP), "another user");
	user_check_hidden(n, BOB, GROUP);
	user_expect(n, user_connect_with(n, ALICE, ALICE), user_ok);
	mesh_free(m);
}
END_TEST

START_TEST(owner_and_state_outlive_the_daemon)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, mesh_tunnel(n));
	mesh_all_connected(m, 10 * SECOND);
	user_check_hidden(n, BOB, GROUP);
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_NODES, MESH_CLUSTER), "is stopped");
	mesh_free(m);
}
END_TEST

/* [P5-15] */
START_TEST(wrong_files_are_refused)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	struct handover files = user_read_files(n);

	for (size_t k = 0; k < CONTROL_FILES; k++) {
		struct handover wrong = files;

		wrong.file[k] = (struct buf){ (uint8_t *)"rubbish", 7 };
		user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &wrong),
			    "\"ok\":false");
		wrong.file[k] = files.file[(k + 1) % CONTROL_FILES];
		user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &wrong),
			    "\"ok\":false");
		wrong.file[k] = (struct buf){ 0 };
		user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &wrong), "is empty");
	}
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, "another", &files),
		    "is of homelab, not of another");
	MESH_CHECK(m, !mesh_tunnel(n) && !kept_here(n));
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* The user's copy of the log may be older than the daemon's, which it never replaces. */
START_TEST(an_older_log_changes_nothing)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m), *b;
	struct handover files = user_read_files(n); /* with genesis only */

	mesh_connect(n);
	b = mesh_node(m, "laptop");
	mesh_adopt(b, mesh_invite(n, 3600));
	mesh_connect(b);
	mesh_reach(m, 10 * SECOND);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	mesh_server_crash(m); /* so that nobody else tells it */
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
	MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(n))) == 2);
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(n))) == 2);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

/* A member that joined while the disk was full is not lost in a crash after there is room again. */
START_TEST(a_log_that_could_not_be_saved_is_tried_again)
{
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m), *b;

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

/* [P5-18] */
START_TEST(damaged_state_stops_only_its_cluster)
{
	static const char *const files[] = {
		".state",
		".node",
		"/clusters/homelab.log",
	};
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char path[STORE_PATH_MAX];

		user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
		mesh_daemon_stop(n);
		snprintf(path, sizeof(path), DAEMON_STATE_DIR "/" MESH_CLUSTER "%s", files[i]);
		SIM_CHECK_OK(m->w, file_write(n->host, path, "rubbish", 7, 0600, NULL));
		mesh_daemon_start(n);
		MESH_CHECK(m, !mesh_tunnel(n));
		if (i > 0) /* why, is shown */
			user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_STATUS, MESH_CLUSTER),
				    "\"state\":\"stopped\",\"address\":null,\"error\":\"");
	}
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_all_connected(m, 5 * SECOND);
	mesh_free(m);
}
END_TEST

/* As it lies there after a downgrade: said, and left alone by all that would replace it. */
/* [P5-19] */
START_TEST(files_of_a_newer_version_are_left_alone)
{
	static const struct {
		const char *file, *bytes;
		size_t len;
	} newer[] = {
		{ ".state", "\x86\x03zzzzz", 7 },
		{ ".node", "\x86\x02zzzzz", 7 },
		{ "/clusters/homelab.log", "\x8dmls\0\0\0\x02", 8 },
		{ ".removals", "\x83\x02zzzzz", 7 },
		{ ".proof", "\x83\x02zzzzz", 7 },
		{ ".code-proof", "\x83\x02zzzzz", 7 },
	};
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	for (size_t i = 0; i < ARRAY_LEN(newer); i++) {
		char path[STORE_PATH_MAX];
		struct buf good = { 0 }, now = { 0 };

		user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
		mesh_daemon_stop(n);
		snprintf(path, sizeof(path), DAEMON_STATE_DIR "/" MESH_CLUSTER "%s", newer[i].file);
		bool there = file_read(n->host, path, 65536, NULL, &good) == 0;
		MESH_CHECK(m, there == (i < 3));
		SIM_CHECK_OK(m->w,
			     file_write(n->host, path, newer[i].bytes, newer[i].len, 0600, NULL));
		mesh_daemon_start(n);
		MESH_CHECK(m, !mesh_tunnel(n));
		user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_STATUS, MESH_CLUSTER), "newer");
		user_expect(n, user_connect_with(n, ROOT, ROOT), "newer");
		user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER),
			    "newer");
		mesh_daemon_stop(n);
		SIM_CHECK_OK(m->w, file_read(n->host, path, 65536, NULL, &now));
		MESH_CHECK(m, now.len == newer[i].len &&
				      memcmp(now.data, newer[i].bytes, now.len) == 0);
		SIM_CHECK_OK(m->w,
			     there ? file_write(n->host, path, good.data, good.len, 0600, NULL)
				   : file_remove(n->host, path));
		buf_free(&good);
		buf_free(&now);
		mesh_daemon_start(n);
	}
	mesh_all_connected(m, 5 * SECOND);
	mesh_free(m);
}
END_TEST

/* The older daemon has not read them at its start, because the cluster was disconnected. */
START_TEST(newer_files_of_a_stopped_cluster_are_left_alone)
{
	static const char path[] = DAEMON_STATE_DIR "/" MESH_CLUSTER "/clusters/homelab.log";
	static const char newer[] = "\x8dmls\0\0\0\x02";
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	struct buf now = { 0 };

	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	mesh_daemon_stop(n);
	SIM_CHECK_OK(m->w, file_write(n->host, path, newer, sizeof(newer), 0600, NULL));
	mesh_daemon_start(n);
	user_expect(n, user_connect_with(n, ROOT, ROOT), "newer");
	SIM_CHECK_OK(m->w, file_read(n->host, path, 65536, NULL, &now));
	MESH_CHECK(m, now.len == sizeof(newer) && memcmp(now.data, newer, now.len) == 0);
	buf_free(&now);
	mesh_free(m);
}
END_TEST

/* A person has edited the cluster file: the next connect hands over what is in it now. */
START_TEST(a_changed_file_is_taken_over_while_connected)
{
	struct cluster_file f = { 0 };
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	char host[HOST_TEXT_MAX + 1];

	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_all_connected(m, 5 * SECOND);
	SIM_CHECK_OK(m->w, store_load_cluster(n->host, &n->store, MESH_CLUSTER, &f, NULL));
	strcpy(host, f.signal_host);
	strcpy(f.signal_host, "192.0.2.200"); /* nobody is there */
	SIM_CHECK_OK(m->w,
		     store_save_cluster(n->host, &n->store, &f, tunnel_log(mesh_tunnel(n)), NULL));
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	ck_assert_str_eq(tunnel_cluster(mesh_tunnel(n))->signal_host, "192.0.2.200");
	sim_pass(m->w, 2 * SECOND);
	MESH_CHECK(m, !mesh_connected(n));
	mesh_daemon_crash(n);
	mesh_daemon_start(n); /* the daemon's own copy has it, too */
	ck_assert_str_eq(tunnel_cluster(mesh_tunnel(n))->signal_host, "192.0.2.200");
	/* any other field counts as well: with another token the server lets nobody in */
	strcpy(f.signal_host, host);
	f.node_token[0] ^= 1;
	SIM_CHECK_OK(m->w,
		     store_save_cluster(n->host, &n->store, &f, tunnel_log(mesh_tunnel(n)), NULL));
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	sim_pass(m->w, 2 * SECOND);
	MESH_CHECK(m, !mesh_connected(n));
	f.node_token[0] ^= 1;
	SIM_CHECK_OK(m->w,
		     store_save_cluster(n->host, &n->store, &f, tunnel_log(mesh_tunnel(n)), NULL));
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_all_connected(m, 5 * SECOND);
	mesh_free(m);
}
END_TEST

START_TEST(a_state_folder_has_one_daemon)
{
	struct daemon_config cfg = { .socket_path = "/run/other.sock",
				     .state_dir = DAEMON_STATE_DIR };
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);
	struct daemon *second = NULL;
	struct host *other = world_host_boot(n->host);
	struct err err = { 0 };

	MESH_CHECK(m, daemon_new(other, &cfg, &err, &second) == -EBUSY);
	MESH_CHECK(m, strstr(err.text, "process ") && strstr(err.text, DAEMON_STATE_DIR));
	mesh_daemon_crash(n); /* nothing is left of its lock */
	SIM_CHECK_OK(m->w, daemon_new(other, &cfg, &err, &second));
	daemon_free(second);
	world_host_crash(other);
	mesh_daemon_start(n);
	mesh_free(m);
}
END_TEST

static void on_reply(void *ctx, struct local_conn *c, struct span msg)
{
	(void)c;
	ck_assert_uint_gt(msg.len, 1);
	ck_assert_ptr_nonnull(memmem(msg.data, msg.len, "\"ok\":false", 10));
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
	struct mesh_node *n = user_node_ready(&m);
	struct local_conn *conn = NULL;
	unsigned replies = 0;
	uint8_t bytes[300];

	SIM_CHECK_OK(m->w, local_connect(n->host, CONTROL_SOCKET, &ops, &replies, NULL, &conn));
	for (unsigned i = 0; i < 500; i++) {
		size_t len = 1 + unit_random_below(&rng, sizeof(bytes));

		unit_random_bytes(&rng, bytes, len);
		SIM_CHECK_OK(m->w, local_send(conn, bytes, len));
		sim_pass(m->w, MS);
		ck_assert_uint_eq(replies, i + 1);
	}
	local_conn_close(conn);
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_STATUS, ""), "\"clusters\":[]");
	mesh_free(m);
}
END_TEST

/* --- another version -------------------------------------------------------------------------- */

struct caller {
	char text[512];
};

static void on_text(void *ctx, struct local_conn *c, struct span m)
{
	struct caller *caller = ctx;

	(void)c;
	snprintf(caller->text, sizeof(caller->text), "%.*s", (int)m.len - 1,
		 (const char *)m.data + 1);
}

/* After an upgrade the old daemon still runs, or an old mlsh is in somebody's PATH. */
START_TEST(another_version_of_mlsh_is_told_which_side_to_renew)
{
	static const struct local_ops ops = { .message = on_text, .closed = on_gone };
	static const struct {
		int more;
		const char *says;
	} cases[] = { { 1, "restart mlshtund" }, { -1, "use the mlsh that came with mlshtund" } };
	struct control_request r = { .verb = CONTROL_STATUS };
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t bytes[CONTROL_REQUEST_MAX];
		ptrdiff_t len = control_request_encode(&r, bytes, sizeof(bytes));
		struct caller caller = { .text = "" };
		struct local_conn *conn;

		ck_assert_uint_eq(bytes[1], CONTROL_VERSION);
		bytes[1] = (uint8_t)(CONTROL_VERSION + cases[i].more);
		SIM_CHECK_OK(m->w,
			     local_connect(n->host, CONTROL_SOCKET, &ops, &caller, NULL, &conn));
		SIM_CHECK_OK(m->w, local_send(conn, bytes, (size_t)len));
		sim_pass(m->w, SECOND);
		ck_assert_msg(strstr(caller.text, "of different versions") &&
				      strstr(caller.text, cases[i].says),
			      "%s", caller.text);
		local_conn_close(conn);
	}
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/daemon", another_version_of_mlsh_is_told_which_side_to_renew,
	  first_time_takes_root_or_the_group, zones_in_use_are_roots_to_take,
	  the_primary_group_counts_and_root, files_must_be_the_callers,
	  others_do_not_know_that_it_exists, owner_and_root_may_all, a_name_is_not_taken_over,
	  owner_and_state_outlive_the_daemon, wrong_files_are_refused, an_older_log_changes_nothing,
	  a_log_that_could_not_be_saved_is_tried_again, damaged_state_stops_only_its_cluster,
	  rubbish_gets_an_answer, files_of_a_newer_version_are_left_alone,
	  newer_files_of_a_stopped_cluster_are_left_alone,
	  a_changed_file_is_taken_over_while_connected, a_state_folder_has_one_daemon)
