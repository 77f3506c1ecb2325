/* SPDX-License-Identifier: MIT */
/* Members of the group mlsh see what root has connected, and nobody else's; what they cannot do. */
#include "daemon_kit.h"

static const enum control_verb looks[] = { CONTROL_STATUS,   CONTROL_NODES, CONTROL_PING,
					   CONTROL_NETCHECK, CONTROL_WHY,   CONTROL_NAMES,
					   CONTROL_CLUSTERS };
static const enum control_verb roots[] = { CONTROL_DISCONNECT,	CONTROL_FORGET,
					   CONTROL_INVITE_MADE, CONTROL_SUBMIT,
					   CONTROL_WATCH,	CONTROL_LOG,
					   CONTROL_PROOF,	CONTROL_CODE_PROOF };

static struct mesh_node *connected_by_root(struct mesh **ret)
{
	struct mesh_node *n = user_node_ready(ret);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_all_connected(*ret, 5 * SECOND);
	return n;
}

/* [P5-2] */
START_TEST(the_group_sees_what_root_connected)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);

	_Static_assert(ARRAY_LEN(looks) + ARRAY_LEN(roots) + 2 == CONTROL_VERBS,
		       "a new verb belongs in one of the lists"); /* connect, and 0 is none */
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_STATUS, ""), "\"name\":\"homelab\"");
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_STATUS, ""), "\"owner_uid\":0");
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_NODES, MESH_CLUSTER), "\"nas\"");
	for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
		char *reply = user_ask_as(n, BOB, BOB, looks[i], MESH_CLUSTER);

		MESH_CHECK(m, !strstr(reply, "not connected") && !strstr(reply, "use sudo"));
		free(reply);
	}
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_WHY, MESH_CLUSTER), "no node tv");
	user_check_hidden(n, ALICE, ALICE); /* who is in no group */
	user_check_same_words(n, ALICE, ALICE, CONTROL_CONNECT);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_check_hidden(n, ALICE, ALICE);
	user_check_same_words(n, ALICE, ALICE, CONTROL_CONNECT);
	mesh_free(m);
}
END_TEST

/* [P5-2] */
START_TEST(and_neither_changes_it_nor_reads_its_log)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);

	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		user_expect(n, user_ask_as(n, BOB, BOB, roots[i], MESH_CLUSTER), "use sudo");
	user_expect(n, user_connect_with(n, BOB, BOB), "is connected on this host by another user");
	MESH_CHECK(m, mesh_connected(n));
	MESH_CHECK(m, tunnel_invites(mesh_tunnel(n))->n == 0);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_STATUS, MESH_CLUSTER),
		    "\"state\":\"stopped\"");
	user_expect(n, user_ask_as(n, BOB, BOB, CONTROL_NODES, MESH_CLUSTER),
		    "run: sudo mlsh connect");
	user_expect(n, user_connect_with(n, BOB, BOB), "another user's, and stopped");
	MESH_CHECK(m, !mesh_tunnel(n));
	mesh_free(m);
}
END_TEST

START_TEST(other_members_of_the_group_have_their_own)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	user_check_hidden(n, BOB, BOB);
	user_check_hidden(n, BOB, GROUP);
	/* she owns it by her user, whatever groups she is in */
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"owner_uid\":1000");
	mesh_free(m);
}
END_TEST

/* A downgraded daemon cannot read whose it is, and takes it for nobody's but root's. */
START_TEST(what_cannot_be_read_is_not_shown)
{
	static const char path[] = DAEMON_STATE_DIR "/" MESH_CLUSTER ".state";
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	mesh_daemon_stop(n);
	SIM_CHECK_OK(m->w, file_write(n->host, path, "\x86\x17zzzzz", 7, 0600, NULL));
	mesh_daemon_start(n);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_STATUS, ""), "newer");
	user_check_hidden(n, BOB, GROUP);
	user_check_same_words(n, ALICE, ALICE,
			      CONTROL_CONNECT); /* in no group, and known as no owner */
	mesh_free(m);
}
END_TEST

/* The daemon reads files to know it, in the loop that carries packets. */
static void check_asked(struct mesh_node *n, unsigned uid, enum control_verb verb,
			const char *cluster, unsigned times)
{
	unsigned before = world_groups_asked(n->host);

	free(user_ask_as(n, uid, uid, verb, cluster));
	ck_assert_uint_eq(world_groups_asked(n->host) - before, times);
}

START_TEST(asks_once_who_is_in_the_group)
{
	struct mesh *m;
	struct mesh_node *n = connected_by_root(&m);

	for (int verb = CONTROL_DISCONNECT; verb < CONTROL_VERBS; verb++) {
		check_asked(n, BOB, (enum control_verb)verb, MESH_CLUSTER, 1);
		check_asked(n, ALICE, (enum control_verb)verb, MESH_CLUSTER, 1);
		check_asked(n, ALICE, (enum control_verb)verb, "nowhere", 0);
	}
	check_asked(n, BOB, CONTROL_STATUS, "", 1);
	check_asked(n, ALICE, CONTROL_NAMES, "", 1);
	check_asked(n, ROOT, CONTROL_STATUS, "", 0);
	mesh_free(m);
}
END_TEST

/* A status request waits until it is known which peers are there, and looks again and again. */
START_TEST(and_once_while_it_waits)
{
	struct mesh *m = mesh_of(1, 2);
	struct mesh_node *n = &m->node[0];
	uint64_t began;

	world_group_add(n->host, "mlsh", GROUP, BOB);
	mesh_reach(m, 10 * SECOND);
	sim_pass(m->w, 3 * MINUTE + 7 * SECOND); /* idle */
	world_host_suspend(m->node[1].host);
	sim_pass(m->w, 3 * SECOND);
	began = world_now(m->w);
	check_asked(n, BOB, CONTROL_STATUS, "", 1);
	ck_assert_uint_gt(world_now(m->w) - began, SECOND / 10);
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

/* Root makes a cluster under a name that a user has forgotten: the user's watcher hears nothing. */
START_TEST(a_watcher_hears_of_its_own_only)
{
	struct control_request r = { .verb = CONTROL_WATCH, .cluster = MESH_CLUSTER };
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct host *was, *hers;
	uint8_t bytes[CONTROL_REQUEST_MAX];
	struct watcher w = { .told = 0 };
	struct handover files = user_read_files(n);
	ptrdiff_t len = control_request_encode(&r, bytes, sizeof(bytes));

	was = user_become(n, ALICE, GROUP);
	SIM_CHECK_OK(m->w, local_connect(n->host, CONTROL_SOCKET, &ops, &w, NULL, &w.conn));
	SIM_CHECK_OK(m->w, local_send(w.conn, bytes, (size_t)len));
	hers = n->host;
	n->host = was;
	sim_pass(m->w, SECOND);
	ck_assert_uint_gt(w.told, 0);
	unsigned before = w.told;
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	sim_pass(m->w, SECOND);
	ck_assert_uint_gt(w.told, before);
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_FORGET, MESH_CLUSTER), user_ok);
	sim_pass(m->w, SECOND);
	before = w.told;
	user_expect(n, user_hand_over_as(n, ROOT, ROOT, MESH_CLUSTER, &files), user_ok);
	mesh_all_connected(m, 5 * SECOND);
	ck_assert_uint_eq(w.told, before);
	ck_assert_uint_eq(w.closed, 0);
	local_conn_close(w.conn);
	world_host_crash(hers);
	handover_free(&files);
	mesh_free(m);
}
END_TEST

static void search(struct mesh_node *n, const char *conf)
{
	SIM_CHECK_OK(n->mesh->w, dir_make(n->host, "/etc", 0755, NULL));
	SIM_CHECK_OK(n->mesh->w,
		     file_write(n->host, "/etc/resolv.conf", conf, strlen(conf), 0644, NULL));
}

/* Names that programs here ask for without their ends are not taken for a user's cluster. */
START_TEST(the_search_domain_is_not_taken)
{
	static const char *const taken[] = {
		"search homelab\n",
		"nameserver 192.0.2.1\ndomain homelab\n",
		"options edns0\nsearch example.org\tNas.HomeLab. example.net\r\n",
	};
	struct mesh *m;
	struct mesh_node *n = user_node_ready(&m);

	world_group_add(n->host, "mlsh", GROUP, BOB);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		search(n, taken[i]);
		user_expect(n, user_connect_with(n, ALICE, GROUP),
			    i < 2 ? "has the search domain homelab"
				  : "has the search domain nas.homelab");
	}
	search(n, "# search homelab\nnameserver 192.0.2.1\nsearch . myhomelab homelab.example\n");
	user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
	search(n, taken[0]); /* another network: what is connected here stays so */
	user_expect(n, user_ask_as(n, ALICE, GROUP, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
	user_expect(n, user_ask_as(n, ALICE, GROUP, CONTROL_FORGET, MESH_CLUSTER), user_ok);
	user_expect(n, user_connect_with(n, ROOT, ROOT), user_ok);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/group", the_group_sees_what_root_connected,
	  and_neither_changes_it_nor_reads_its_log, asks_once_who_is_in_the_group,
	  and_once_while_it_waits, other_members_of_the_group_have_their_own,
	  what_cannot_be_read_is_not_shown, a_watcher_hears_of_its_own_only,
	  the_search_domain_is_not_taken)
