/* SPDX-License-Identifier: MIT */
/* The daemon's part of forgetting a cluster: nothing of it is left, however it was ended. */
#include "daemon_kit.h"

static void note_any(void *ctx, const char *name)
{
	bool *any = ctx;

	*any |= strcmp(name, "lock") != 0;
}

static bool anything_kept(struct mesh_node *n)
{
	bool any = false;

	ck_assert_int_eq(dir_list(n->host, DAEMON_STATE_DIR, note_any, &any, NULL), 0);
	return any || file_exists(n->host, DAEMON_STATE_DIR "/" MESH_CLUSTER);
}

START_TEST(forget_leaves_nothing)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);

	user_expect(n, user_ask_as(n, BOB, GROUP, CONTROL_FORGET, MESH_CLUSTER), "nothing to do");
	MESH_CHECK(m, mesh_connected(n) && anything_kept(n));
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_FORGET, MESH_CLUSTER), user_ok);
	MESH_CHECK(m, !mesh_tunnel(n) && !anything_kept(n));
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_STATUS, ""), "\"clusters\":[]");
	user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_FORGET, MESH_CLUSTER), "nothing to do");
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
	MESH_CHECK(m, !mesh_tunnel(n));
	/* The name is free, and root can free one that is stopped. */
	user_expect(n, user_connect_with(n, BOB, GROUP), user_ok);
	user_expect(n, user_ask_as(n, BOB, GROUP, CONTROL_DISCONNECT, MESH_CLUSTER), user_ok);
	user_expect(n, user_connect_with(n, ALICE, GROUP), "sudo mlsh forget homelab");
	user_expect(n, user_ask_as(n, ROOT, ROOT, CONTROL_FORGET, MESH_CLUSTER), user_ok);
	MESH_CHECK(m, !anything_kept(n));
	user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
	mesh_free(m);
}
END_TEST

/* Killed in the middle of it, the daemon still knows of what is left, and forgets that, too. */
START_TEST(forget_killed_at_every_step)
{
	struct mesh *m;
	struct mesh_node *n = user_connected_by_alice(&m);
	struct host *last;
	unsigned changes = 0;
	bool killed;

	do {
		mesh_daemon_crash(n);
		last = n->host = world_host_boot(n->host);
		world_host_crash_after(n->host, changes++);
		(void)!state_remove(n->host, DAEMON_STATE_DIR, MESH_CLUSTER, NULL);
		killed = !world_host_alive(last);
		world_host_crash(n->host);
		mesh_daemon_start(n);
		if (anything_kept(n)) {
			MESH_CHECK(m, file_exists(n->host,
						  DAEMON_STATE_DIR "/" MESH_CLUSTER ".state"));
			user_expect(n, user_ask_as(n, ALICE, ALICE, CONTROL_FORGET, MESH_CLUSTER),
				    user_ok);
		}
		MESH_CHECK(m, !anything_kept(n));
		user_expect(n, user_connect_with(n, ALICE, GROUP), user_ok);
		sim_pass(m->w, 3 * SECOND); /* the peers' file, too */
	} while (killed);
	ck_assert_uint_ge(changes, 5);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("tund/forget", forget_leaves_nothing, forget_killed_at_every_step)
