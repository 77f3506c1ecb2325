/* SPDX-License-Identifier: MIT */
/* Entries that a command signs and the daemon has ordered: with a server, without one, and with
 * crashes in between. */
#include "client/govern.h"
#include "daemon_kit.h"
#include "identity/identity.h"

static struct entry_bytes made;

static const struct member *member(struct mesh_node *n, const char *name)
{
	const struct member *m = roster_by_name(mlog_roster(tunnel_log(mesh_tunnel(n))),
						span_str(name), ROSTER_ALL);

	MESH_CHECK(n->mesh, m);
	return m;
}

/* What the command knows: the user's identity, and the daemon's log. */
static struct govern governing(struct mesh_node *n, struct identity **ret)
{
	SIM_CHECK_OK(n->mesh->w, store_identity(n->host, &n->store, MESH_CLUSTER, ret, NULL));
	return (struct govern){ .log = tunnel_log(mesh_tunnel(n)),
				.identity = *ret,
				.now_s = (uint64_t)clock_wall_s(n->host) };
}

static void make_removal(struct mesh_node *n, const char *whom)
{
	struct identity *id;
	struct govern g = governing(n, &id);
	struct id_list one = { .n = 1 };

	one.id[0] = member(n, whom)->id;
	SIM_CHECK_OK(n->mesh->w, govern_remove(&g, &one, &made, NULL));
	identity_free(id);
}

static void make_leave(struct mesh_node *n)
{
	struct identity *id;
	struct govern g = governing(n, &id);

	SIM_CHECK_OK(n->mesh->w, govern_leave(&g, &made, NULL));
	identity_free(id);
}

static void make_rename(struct mesh_node *n, const char *whom, const char *name)
{
	struct identity *id;
	struct govern g = governing(n, &id);

	SIM_CHECK_OK(n->mesh->w, govern_rename(&g, member(n, whom), name, &made, NULL));
	identity_free(id);
}

static struct control_request submit_request(void)
{
	return (struct control_request){ .verb = CONTROL_SUBMIT,
					 .cluster = MESH_CLUSTER,
					 .entry = span_of(made.data, made.len) };
}

static char *submit(struct mesh_node *n)
{
	struct control_request r = submit_request();

	return mesh_control_request(n, &r);
}

struct both {
	struct mesh_node *node;
	const char *name;
};

static bool is_gone(void *ctx)
{
	const struct both *b = ctx;
	struct tunnel *t = mesh_tunnel(b->node);

	return t && !roster_by_name(mlog_roster(tunnel_log(t)), span_str(b->name), ROSTER_CURRENT);
}

static void until_gone(struct mesh_node *node, const char *name, uint64_t within)
{
	struct both b = { node, name };

	mesh_until(node->mesh, within, is_gone, &b);
}

START_TEST(removal_is_ordered)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0], *laptop = &m->node[1], *phone = &m->node[2];
	uint64_t began;

	mesh_reach(m, 5 * SECOND);
	make_removal(nas, "laptop");
	began = clock_now(nas->host);
	user_expect(nas, submit(nas), "{\"ok\":true,\"ordered\":true,\"seq\":3,\"why\":null}");
	until_gone(phone, "laptop", 2 * SECOND - (clock_now(nas->host) - began));
	until_gone(laptop, "laptop", 2 * SECOND);
	MESH_CHECK(m, tunnel_left(mesh_tunnel(laptop)));
	MESH_CHECK(m, strstr(tunnel_failure(mesh_tunnel(laptop)), "nas removed laptop"));
	/* Once more: the record that is there. */
	user_expect(nas, submit(nas), "\"ordered\":true,\"seq\":3");
	MESH_CHECK(m, mesh_server_log(m) == 4);
	mesh_free(m);
}
END_TEST

/* The command's answer is not lost with the session that the record ends. */
START_TEST(leave_is_answered)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *laptop = &m->node[1];

	make_leave(laptop);
	user_expect(laptop, submit(laptop), "\"ordered\":true,\"seq\":2");
	MESH_CHECK(m, tunnel_left(mesh_tunnel(laptop)));
	until_gone(&m->node[0], "laptop", 2 * SECOND);
	mesh_free(m);
}
END_TEST

START_TEST(renamed_node_is_found_by_its_new_name)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0], *phone = &m->node[2];
	unsigned rcode;
	ip4 ip = 0;

	mesh_reach(m, 5 * SECOND);
	make_rename(nas, "laptop", "tablet");
	mesh_flow_begin(m);
	user_expect(nas, submit(nas), "\"ordered\":true");
	mesh_flow_run(m, 2 * SECOND, 20);
	MESH_CHECK(m, mesh_dns(phone, "tablet.homelab", &ip, &rcode) == 1);
	MESH_CHECK(m, ip == m->node[1].address);
	MESH_CHECK(m, mesh_dns(phone, "laptop.homelab", &ip, &rcode) == 0);
	MESH_CHECK(m, mesh_flow_end(m) == 0); /* tunnels live on */
	mesh_free(m);
}
END_TEST

/* Without a server a removal waits, and anything else did not happen. */
START_TEST(no_server)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0];

	mesh_server_crash(m);
	sim_pass(m->w, 10 * SECOND);
	make_rename(nas, "laptop", "tablet");
	user_expect(nas, submit(nas), "\"ok\":false,\"error\":\"nothing was changed");
	make_removal(nas, "phone");
	user_expect(nas, submit(nas), "\"ordered\":false,\"seq\":null,\"why\":\"");
	mesh_server_start(m);
	until_gone(nas, "phone", 20 * SECOND);
	until_gone(&m->node[1], "phone", 5 * SECOND);
	sim_pass(m->w, 30 * SECOND);
	MESH_CHECK(m, member(nas, "laptop")); /* the name is as before */
	MESH_CHECK(m, strcmp(member(nas, "laptop")->name, "laptop") == 0);
	MESH_CHECK(m, mesh_server_log(m) == 4);
	mesh_free(m);
}
END_TEST

/* Whoever asked has gone: a rename is given up, a removal is not. */
static void ask_and_go(struct mesh_node *n)
{
	static const struct local_ops ops = { .message = NULL };
	struct control_request r = submit_request();
	uint8_t bytes[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(&r, bytes, sizeof(bytes));
	struct host *was = user_become(n, ROOT, 0);
	struct local_conn *conn;

	SIM_CHECK(n->mesh->w, len > 0);
	SIM_CHECK_OK(n->mesh->w, local_connect(n->host, CONTROL_SOCKET, &ops, NULL, NULL, &conn));
	SIM_CHECK_OK(n->mesh->w, local_send(conn, bytes, (size_t)len));
	sim_pass(n->mesh->w, MS);
	local_conn_close(conn); /* as the kernel does for a process that was killed */
	user_become_again(n, was);
}

START_TEST(command_is_killed)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0];

	mesh_server_crash(m);
	sim_pass(m->w, 10 * SECOND);
	make_rename(nas, "laptop", "tablet");
	ask_and_go(nas);
	make_removal(nas, "phone");
	ask_and_go(nas);
	mesh_server_start(m);
	until_gone(nas, "phone", 20 * SECOND);
	sim_pass(m->w, 30 * SECOND);
	MESH_CHECK(m, strcmp(member(nas, "laptop")->name, "laptop") == 0);
	mesh_free(m);
}
END_TEST

static bool is_connected(void *ctx)
{
	return mesh_connected(ctx);
}

/*
 * The server or the daemon is killed at any moment of a removal. It is in the log once at the end,
 * or, if the daemon died before anybody was told that it was ordered, when it is asked for again.
 */
static void kill_after(uint64_t after, bool server)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *nas = &m->node[0];

	make_removal(nas, "phone");
	ask_and_go(nas);
	sim_pass(m->w, after);
	if (server) {
		mesh_server_crash(m);
		sim_pass(m->w, SECOND);
		mesh_server_start(m);
	} else {
		mesh_daemon_crash(nas);
		mesh_daemon_start(nas);
	}
	mesh_until(m, 20 * SECOND, is_connected, nas);
	user_expect(nas, submit(nas), "\"ordered\":true,\"seq\":3");
	until_gone(&m->node[1], "phone", 5 * SECOND);
	MESH_CHECK(m, mesh_server_log(m) == 4);
	mesh_free(m);
}

START_TEST(server_is_killed_at_any_moment)
{
	for (uint64_t after = 0; after <= 40 * MS; after += 8 * MS)
		kill_after(after, true);
}
END_TEST

START_TEST(daemon_is_killed_at_any_moment)
{
	for (uint64_t after = 0; after <= 40 * MS; after += 8 * MS)
		kill_after(after, false);
}
END_TEST

/* Refusals are the log's own, and nothing is sent. */
START_TEST(refusals_come_back_exact)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *nas = &m->node[0];

	make_rename(nas, "laptop", "tablet");
	struct entry_bytes older = made;
	make_rename(nas, "laptop", "phone");
	user_expect(nas, submit(nas), "\"ordered\":true");
	made = older;
	user_expect(nas, submit(nas), "look and try again");
	make_removal(nas, "phone");
	made.data[made.len - 1] ^= 1;
	user_expect(nas, submit(nas), "the signature of nas does not fit");
	memset(made.data, 0xff, made.len);
	user_expect(nas, submit(nas), "\"ok\":false");
	MESH_CHECK(m, mesh_server_log(m) == 3);
	mesh_free(m);
}
END_TEST

/* Only the owner of the cluster, and root. */
START_TEST(others_may_not_submit)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct control_request r;
	struct host *was;
	char *reply;

	memset(made.data, 1, made.len = 10);
	r = submit_request();
	was = user_become(n, BOB, GROUP);
	reply = mesh_control_request(n, &r);
	user_become_again(n, was);
	user_expect(n, reply, "is not connected, or another user has connected it");
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/submit", removal_is_ordered, leave_is_answered,
	  renamed_node_is_found_by_its_new_name, no_server, command_is_killed,
	  server_is_killed_at_any_moment, daemon_is_killed_at_any_moment, refusals_come_back_exact,
	  others_may_not_submit)
