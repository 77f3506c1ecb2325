/* SPDX-License-Identifier: MIT */
/* A server that has ordered twice: its own signatures, kept by a node, convince a stranger. */
#include "client/proof_file.h"
#include "hostile_mesh.h"

#define PROOF_PATH DAEMON_STATE_DIR "/" MESH_CLUSTER ".proof"

/* Half of the nodes are shown one record 3, the others another one. */
static struct mesh *two_orders(struct rogue **ret)
{
	struct mesh *m = hostile_mesh(ret);
	struct entry_bytes a = rename_entry(NAS, LAPTOP, "desk");
	struct entry_bytes b = rename_entry(NAS, PHONE, "cell");
	struct rogue *r = *ret;

	rogue_branch_off(r, 3);
	rogue_order(r, span_of_entry(&a), 0);
	rogue_swap(r);
	rogue_order(r, span_of_entry(&b), 0);
	rogue_swap(r);
	r->shows_other[2] = true;
	rogue_tell(r, 3);
	mesh_until(m, SECOND, all_have_proof, m);
	return m;
}

/* On a machine that has nothing else of the cluster. */
static void expect_convincing(struct host *stranger, struct mesh_node *n)
{
	struct mesh *m = n->mesh;
	struct proof_verdict v = { .log = NULL };
	struct buf b = { 0 };
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, file_read(n->host, PROOF_PATH, PROOF_FILE_MAX, &err, &b));
	SIM_CHECK_OK(m->w, proof_file_verify(stranger, span_of(b.data, b.len), &v, &err));
	MESH_CHECK(m, v.take.result == TAKEN_LIE && v.take.seq == 3);
	MESH_CHECK(m, memcmp(mlog_cluster_id(v.log), mlog_cluster_id(log_of(n)), HASH_LEN) == 0);
	MESH_CHECK(m, v.shown.len > 0);
	proof_verdict_free(&v);
	buf_free(&b);
}

static bool status_has(struct mesh_node *n, const char *text)
{
	char *json = mesh_control(n, CONTROL_STATUS);
	bool has = strstr(json, text) != NULL;

	free(json);
	return has;
}

START_TEST(kept)
{
	struct rogue *r;
	struct mesh *m = two_orders(&r);
	struct host *stranger = mesh_node(m, "stranger")->host;
	struct node_id before;
	char *reply;

	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, status_has(&m->node[i], "\"proof\":true"));
		expect_convincing(stranger, &m->node[i]);
	}
	/* it outlives the daemon, and goes with the cluster */
	rogue_stop(r);
	before = id_of(LAPTOP);
	mesh_daemon_crash(LAPTOP);
	mesh_daemon_start(LAPTOP);
	ck_assert(node_id_equal(&before, &tunnel_cluster(mesh_tunnel(LAPTOP))->node_id));
	MESH_CHECK(m, status_has(LAPTOP, "\"proof\":true"));
	reply = mesh_control(LAPTOP, CONTROL_PROOF);
	MESH_CHECK(m, (uint8_t)reply[0] == 0x83 && reply[1] == 1);
	free(reply);
	free(mesh_control(LAPTOP, CONTROL_FORGET));
	MESH_CHECK(m, !file_exists(LAPTOP->host, PROOF_PATH));
	mesh_free(m);
}
END_TEST

/* An honest server is never accused. */
START_TEST(none_without_a_lie)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	char *reply;

	mesh_reach(m, 10 * SECOND);
	MESH_CHECK(m, status_has(&m->node[0], "\"proof\":false"));
	reply = mesh_control(&m->node[0], CONTROL_PROOF);
	MESH_CHECK(m, strstr(reply, "no proof against the signal server") != NULL);
	free(reply);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_proof", kept, none_without_a_lie)
