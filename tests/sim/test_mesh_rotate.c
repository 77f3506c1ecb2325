/* SPDX-License-Identifier: MIT */
/*
 * A node changes its key: the others go on with it under the new one, whatever it was that ended
 * the command or the daemon in between. test_command_kills_turn.c kills the command at each of
 * its steps; test_command_keys.c has recoveries that go back behind a rotation.
 */
#include "client/govern.h"
#include "client/rotation.h"
#include "identity/identity.h"
#include "mesh.h"

enum step { BEGUN, ORDERED, SETTLED, HANDED_OVER };

static struct identity *identity_of(struct mesh_node *n)
{
	struct identity *id = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w, store_identity(n->host, &n->store, MESH_CLUSTER, &id, &err));
	return id;
}

static struct mlog *log_of(struct mesh_node *n)
{
	return tunnel_log(mesh_tunnel(n));
}

/* The daemon has the server order it. */
static void submit(struct mesh_node *n, const struct entry_bytes *b)
{
	struct control_request r = { .verb = CONTROL_SUBMIT, .entry = span_of(b->data, b->len) };
	char *reply;

	snprintf(r.cluster, sizeof(r.cluster), "%s", MESH_CLUSTER);
	reply = mesh_control_request(n, &r);
	if (!strstr(reply, "\"ordered\":true")) {
		world_dump(n->mesh->w);
		ck_abort_msg("%s", reply);
	}
	free(reply);
}

/* The command's steps, up to one behind which it is killed. */
static void rotate(struct mesh_node *n, enum step last)
{
	struct world *w = n->mesh->w;
	struct identity *own = identity_of(n), *next = NULL;
	struct govern g = { log_of(n), own, (uint64_t)clock_wall_s(n->host) };
	struct cluster_file f = mesh_cluster_file(n);
	struct entry_bytes b;
	struct err err = { 0 };
	int rc;

	SIM_CHECK_OK(w, rotation_next(n->host, &n->store, MESH_CLUSTER, &next, &err));
	if (last >= ORDERED) {
		rc = govern_rotate(&g, next, &b, &err);
		ck_assert_msg(rc == 0 || rc == GOVERN_DONE, "%s", err.text);
		if (rc == 0)
			submit(n, &b);
		SIM_CHECK_OK(w, store_save_log(n->host, &n->store, &f, log_of(n), &err));
	}
	if (last >= SETTLED) {
		rc = rotation_settle(n->host, &n->store, MESH_CLUSTER, log_of(n), &err);
		ck_assert_msg(rc >= 0, "%s", err.text);
		MESH_CHECK(n->mesh, !rotation_begun(n->host, &n->store, MESH_CLUSTER));
	}
	if (last >= HANDED_OVER)
		mesh_connect(n);
	identity_free(own);
	identity_free(next);
}

static const struct member *member_of(struct mesh_node *viewer, struct mesh_node *n)
{
	return roster_by_address(mlog_roster(log_of(viewer)), n->address, ROSTER_CURRENT);
}

static void expect_new_key(struct mesh *m, struct mesh_node *n, const struct node_id *id)
{
	struct identity *own = identity_of(n);

	for (size_t i = 0; i < m->n_nodes; i++) {
		const struct member *x = member_of(&m->node[i], n);

		MESH_CHECK(m, x && node_id_equal(&x->id, id));
		MESH_CHECK(m, memcmp(x->key_sha256, identity_key_sha256(own), HASH_LEN) == 0);
	}
	MESH_CHECK(m, tunnel_has_key(mesh_tunnel(n), own));
	identity_free(own);
}

/*
 * Killed behind `last`, with the daemon or not; then the command is run again, or, where only the
 * daemon does not have the key, `mlsh connect`.
 */
static void rotate_after(enum step last, bool crash)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *laptop = &m->node[1];
	struct node_id id = tunnel_cluster(mesh_tunnel(laptop))->node_id;

	mesh_reach(m, 10 * SECOND);
	rotate(laptop, last);
	if (crash) {
		mesh_daemon_crash(laptop);
		mesh_daemon_start(laptop);
		sim_pass(m->w, 5 * SECOND);
	}
	if (last == SETTLED)
		mesh_connect(laptop);
	else
		rotate(laptop, HANDED_OVER);
	mesh_all_connected(m, 30 * SECOND);
	mesh_reach(m, 30 * SECOND);
	expect_new_key(m, laptop, &id);
	/* the daemon has it, too, and both start again from their files */
	mesh_daemon_crash(laptop);
	mesh_daemon_start(laptop);
	mesh_all_connected(m, 30 * SECOND);
	mesh_reach(m, 30 * SECOND);
	expect_new_key(m, laptop, &id);
	mesh_free(m);
}

START_TEST(at_once)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	struct mesh_node *laptop = &m->node[1];
	struct node_id id = tunnel_cluster(mesh_tunnel(laptop))->node_id;
	uint64_t took;

	mesh_reach(m, 10 * SECOND);
	rotate(laptop, HANDED_OVER);
	mesh_all_connected(m, 10 * SECOND);
	took = mesh_reach(m, 10 * SECOND);
	MESH_CHECK(m, took < 3 * SECOND);
	expect_new_key(m, laptop, &id);
	MESH_CHECK(m, mesh_server_log(m) == 4);
	mesh_free(m);
}
END_TEST

START_TEST(killed_between_two_steps)
{
	for (int last = BEGUN; last <= SETTLED; last++) {
		rotate_after((enum step)last, false);
		rotate_after((enum step)last, true);
	}
}
END_TEST

/* An admin's new key: its earlier invites are worth nothing, later ones are good. */
START_TEST(invites_die)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct invite_url before = mesh_invite(&m->node[0], 3600);
	struct mesh_node *late = mesh_node(m, "late");
	struct err err;

	rotate(&m->node[0], HANDED_OVER);
	mesh_all_connected(m, 10 * SECOND);
	MESH_CHECK(m, mesh_try_adopt(late, before, &err) < 0);
	MESH_CHECK(m, err.reason == REFUSAL_INVITE_CANCELLED);
	mesh_adopt(late, mesh_invite(&m->node[0], 3600));
	mesh_connect(late);
	mesh_reach(m, 20 * SECOND);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_rotate", at_once, killed_between_two_steps, invites_die)
