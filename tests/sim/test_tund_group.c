/* SPDX-License-Identifier: MIT */
/* Members of the group mlsh see what root has connected, and nobody else's; what they cannot do. */
#include "daemon_kit.h"

static const enum control_verb looks[] = { CONTROL_STATUS, CONTROL_NODES, CONTROL_WATCH,
					   CONTROL_LOG,	   CONTROL_PING,  CONTROL_NETCHECK,
					   CONTROL_WHY,	   CONTROL_PROOF, CONTROL_CODE_PROOF,
					   CONTROL_NAMES };
static const enum control_verb changes[] = { CONTROL_DISCONNECT, CONTROL_FORGET,
					     CONTROL_INVITE_MADE, CONTROL_SUBMIT };

static struct mesh_node *connected_by_root(struct mesh **ret)
{
	struct mesh_node *n = node_ready(ret);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	expect(n, connect_with(n, ROOT, ROOT), ok);
	mesh_all_connected(*ret, 5 * SECOND);
	return n;
}

START_TEST(the_group_sees_what_root_connected)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);
	char *log;

	_Static_assert(ARRAY_LEN(looks) + ARRAY_LEN(changes) + 2 == CONTROL_VERBS,
		       "a new verb belongs in one of the lists"); /* connect, and 0 is none */
	expect(n, ask_as(n, BOB, BOB, CONTROL_STATUS, ""), "\"name\":\"homelab\"");
	expect(n, ask_as(n, BOB, BOB, CONTROL_STATUS, ""), "\"owner_uid\":0");
	expect(n, ask_as(n, BOB, BOB, CONTROL_NODES, MESH_CLUSTER), "\"nas\"");
	log = ask_as(n, BOB, BOB, CONTROL_LOG, MESH_CLUSTER);
	MESH_CHECK(m, memcmp(log, "\x8dmls", 4) == 0);
	free(log);
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		char *reply = ask_as(n, BOB, BOB, looks[i], MESH_CLUSTER);

		MESH_CHECK(m, !strstr(reply, "not connected") && !strstr(reply, "use sudo"));
		free(reply);
	}
	expect(n, ask_as(n, BOB, BOB, CONTROL_WHY, MESH_CLUSTER), "no node tv");
	check_hidden(n, ALICE, ALICE); /* who is in no group */
	mesh_free(m);
}
END_TEST

START_TEST(and_changes_nothing_of_it)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		expect(n, ask_as(n, BOB, BOB, changes[i], MESH_CLUSTER), "use sudo");
	expect(n, connect_with(n, BOB, BOB), "is connected on this host by another user");
	MESH_CHECK(m, mesh_connected(n));
	MESH_CHECK(m, tunnel_invites(mesh_tunnel(n))->n == 0);
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), ok);
	expect(n, ask_as(n, BOB, BOB, CONTROL_STATUS, MESH_CLUSTER), "\"state\":\"stopped\"");
	expect(n, ask_as(n, BOB, BOB, CONTROL_NODES, MESH_CLUSTER), "run: sudo mlsh connect");
	expect(n, connect_with(n, BOB, BOB), "another user's, and stopped");
	MESH_CHECK(m, !mesh_tunnel(n));
	mesh_free(m);
}
END_TEST

START_TEST(other_members_of_the_group_have_their_own)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	check_hidden(n, BOB, BOB);
	check_hidden(n, BOB, GROUP);
	/* she owns it by her user, whatever groups she is in */
	expect(n, ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"owner_uid\":1000");
	mesh_free(m);
}
END_TEST

/* A downgraded daemon cannot read whose it is, and takes it for nobody's but root's. */
START_TEST(what_cannot_be_read_is_not_shown)
{
	static const char path[] = DAEMON_STATE_DIR "/" MESH_CLUSTER ".state";
	struct mesh *m;
	struct mesh_node *n = connected_by_alice(&m);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	mesh_daemon_stop(n);
	SIM_CHECK_OK(m->w, file_write(n->host, path, "\x86\x02zzzzz", 7, 0600, NULL));
	mesh_daemon_start(n);
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_STATUS, ""), "newer");
	check_hidden(n, BOB, GROUP);
	mesh_free(m);
}
END_TEST

/* --- a watcher -------------------------------------------------------------------------------- */

struct watcher {
	struct local_conn *conn;
	unsigned told, closed;
};

static void on_message(void *ctx, struct local_conn *c, struct span m)
{
	struct watcher *w = ctx;

	(void)c;
	w->told += m.len > 0 && m.data[0] == CONTROL_LAST;
}

static void on_closed(void *ctx, struct local_conn *c)
{
	struct watcher *w = ctx;

	(void)c;
	w->closed++;
}

static const struct local_ops ops = { .message = on_message, .closed = on_closed };

/* A user makes a cluster under a name that root has forgotten: the watcher hears nothing. */
START_TEST(a_watcher_hears_of_roots_only)
{
	struct control_request r = { .verb = CONTROL_WATCH, .cluster = MESH_CLUSTER };
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);
	struct host *was, *bobs;
	uint8_t bytes[CONTROL_REQUEST_MAX];
	struct watcher w = { .told = 0 };
	struct handover files = read_files(n);
	ptrdiff_t len = control_request_encode(&r, bytes, sizeof(bytes));

	was = become(n, BOB, BOB);
	SIM_CHECK_OK(m->w, local_connect(n->host, CONTROL_SOCKET, &ops, &w, NULL, &w.conn));
	SIM_CHECK_OK(m->w, local_send(w.conn, bytes, (size_t)len));
	bobs = n->host;
	n->host = was;
	sim_pass(m->w, SECOND);
	ck_assert_uint_gt(w.told, 0);
	unsigned before = w.told;
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), ok);
	sim_pass(m->w, SECOND);
	ck_assert_uint_gt(w.told, before);
	expect(n, ask_as(n, ROOT, ROOT, CONTROL_FORGET, MESH_CLUSTER), ok);
	sim_pass(m->w, SECOND);
	before = w.told;
	world_group_add(n->host, "mlsh", GROUP, ALICE);
	expect(n, hand_over_as(n, ALICE, ALICE, MESH_CLUSTER, &files), ok);
	mesh_all_connected(m, 5 * SECOND);
	ck_assert_uint_eq(w.told, before);
	ck_assert_uint_eq(w.closed, 0);
	local_conn_close(w.conn);
	world_host_crash(bobs);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/group", the_group_sees_what_root_connected, and_changes_nothing_of_it,
	  other_members_of_the_group_have_their_own, what_cannot_be_read_is_not_shown,
	  a_watcher_hears_of_roots_only)
