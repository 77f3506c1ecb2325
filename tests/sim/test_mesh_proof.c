/* SPDX-License-Identifier: MIT */
/* A server that has ordered twice: its own signatures, kept by a node, convince a stranger. */
#include "client/proof_file.h"
#include "crypto/hash.h"
#include "hostile_mesh.h"

#define PROOF_PATH DAEMON_STATE_DIR "/" MESH_CLUSTER ".proof"
#define CODE_PROOF_PATH DAEMON_STATE_DIR "/" MESH_CLUSTER ".code-proof"

/* Half of the nodes are shown one record 3, the others another one. */
static struct mesh *two_orders(struct rogue **ret)
{
	struct mesh *m = hostile_mesh(ret);
	struct entry_bytes a = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct entry_bytes b = mesh_rename_entry(NAS, PHONE, "cell");
	struct rogue *r = *ret;

	rogue_branch_off(r, 3);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	rogue_swap(r);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_swap(r);
	r->shows_other[2] = true;
	rogue_tell(r, 3);
	mesh_until(m, SECOND, mesh_all_have_proof, m);
	return m;
}

/* On a machine that has nothing else of the cluster. */
static void expect_convincing(struct host *stranger, struct mesh_node *n, const char *path,
			      enum mlog_taken what, uint64_t seq)
{
	struct mesh *m = n->mesh;
	struct proof_verdict v = { .log = NULL };
	struct buf b = { 0 };
	struct err err = { 0 };

	SIM_CHECK_OK(m->w, file_read(n->host, path, PROOF_FILE_MAX, &err, &b));
	SIM_CHECK_OK(m->w, proof_file_verify(stranger, span_of(b.data, b.len), &v, &err));
	MESH_CHECK(m, v.take.result == what && v.take.seq == seq);
	MESH_CHECK(m,
		   memcmp(mlog_cluster_id(v.log), mlog_cluster_id(mesh_log_of(n)), HASH_LEN) == 0);
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

/* [P2-48] */
START_TEST(kept)
{
	struct rogue *r;
	struct mesh *m = two_orders(&r);
	struct host *stranger = mesh_node(m, "stranger")->host;
	struct node_id before;
	char *reply;

	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, status_has(&m->node[i], "\"proofs\":[\"server\"]"));
		expect_convincing(stranger, &m->node[i], PROOF_PATH, TAKEN_LIE, 3);
	}
	/* it outlives the daemon, and goes with the cluster */
	rogue_stop(r);
	before = mesh_id_of(LAPTOP);
	mesh_daemon_crash(LAPTOP);
	mesh_daemon_start(LAPTOP);
	ck_assert(node_id_equal(&before, &tunnel_cluster(mesh_tunnel(LAPTOP))->node_id));
	MESH_CHECK(m, status_has(LAPTOP, "\"proofs\":[\"server\"]"));
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
	MESH_CHECK(m, status_has(&m->node[0], "\"proofs\":[]"));
	reply = mesh_control(&m->node[0], CONTROL_PROOF);
	MESH_CHECK(m, strstr(reply, "no proof against the signal server") != NULL);
	free(reply);
	mesh_free(m);
}
END_TEST

/* --- what a recovery ends --------------------------------------------------------------------- */

/* A recovery on record `seq`, by this key, that makes `admin` the only one; then `next` counts. */
static struct entry_bytes recover_entry(struct mesh_node *admin, uint64_t seq, const uint8_t *seed,
					const uint8_t *next)
{
	struct world *w = admin->mesh->w;
	struct entry e = { .type = ENTRY_RECOVER, .base.seq = seq, .time_s = mesh_wall_s(admin) };
	struct signer signer = { .seed = seed };
	uint8_t key[KEY_LEN];
	struct entry_bytes b;
	struct record base;
	struct err err = { 0 };

	SIM_CHECK_OK(w, record_decode(mlog_record(mesh_log_of(admin), seq), &base, NULL));
	memcpy(e.base.hash, base.hash, HASH_LEN);
	SIM_CHECK_OK(w, seed_public(seed, e.recover.key));
	SIM_CHECK_OK(w, seed_public(next, key));
	sha256(span_of(key, KEY_LEN), e.recover.next);
	e.author = key_node_id(e.recover.key);
	e.recover.admins.n = 1;
	e.recover.admins.id[0] = mesh_id_of(admin);
	SIM_CHECK_OK(w,
		     entry_make(&e, mlog_cluster_id(mesh_log_of(admin)), &signer, NULL, &b, &err));
	return b;
}

/* Puts the entry behind record `seq`, the last of what it shows, and tells of it. */
static void order_behind(struct rogue *r, uint64_t seq, const struct entry_bytes *b)
{
	r->n_records = seq + 1;
	rogue_order(r, mesh_span_of_entry(b), 0);
	rogue_tell(r, seq + 1);
}

static bool all_recovered(void *ctx)
{
	struct mesh *m = ctx;
	bool all = true;

	for (size_t i = 0; i < 3; i++)
		all &= mlog_generation(mesh_log_of(&m->node[i])) == generation_of(1, 0);
	return all;
}

static bool all_cured(void *ctx)
{
	struct mesh *m = ctx;
	bool all = true;

	for (size_t i = 0; i < 3; i++)
		all &= mlog_generation(mesh_log_of(&m->node[i])) == generation_of(2, 0);
	return all;
}

static bool all_know_of_misuse(void *ctx)
{
	struct mesh *m = ctx;
	bool all = true;

	for (size_t i = 0; i < 3; i++)
		all &= tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_CODE)[0] != '\0';
	return all;
}

static void expect_proven(struct mesh *m, bool server, bool code, const char *proofs)
{
	for (size_t i = 0; i < 3; i++) {
		MESH_CHECK(m, status_has(&m->node[i], "\"fork\":null") != server);
		MESH_CHECK(m, status_has(&m->node[i], "\"code_misused\":null") != code);
		MESH_CHECK(m, status_has(&m->node[i], proofs));
	}
}

#define BOTH "\"proofs\":[\"server\",\"recovery-code\"]"

static void restart(struct mesh_node *n)
{
	mesh_daemon_crash(n);
	mesh_daemon_start(n);
}

/*
 * A thief shows a second recovery by the same code, and later the server lies: each has its own
 * proof. The recovery with the next code ends both, also where the daemon is started again. What is
 * proven after it takes the place of what was proven before.
 */
START_TEST(a_recovery_ends_what_was_proven)
{
	static const uint8_t next[SIGN_SEED_LEN] = { 1 }, stolen[SIGN_SEED_LEN] = { 2 };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct host *stranger = mesh_node(m, "stranger")->host;
	uint8_t code[SIGN_SEED_LEN];
	struct entry_bytes first, second, a, b, cure;
	uint64_t generation = 0;
	struct buf file = { 0 };
	struct err err = { 0 };

	m->n_nodes = 3; /* the stranger is no part of it */
	SIM_CHECK_OK(m->w, recovery_code_seed(m->recovery_code,
					      mlog_genesis(mesh_log_of(NAS))->random, code));
	first = recover_entry(NAS, 2, code, next);
	second = recover_entry(LAPTOP, 2, code, stolen);
	order_behind(r, 2, &first);
	mesh_until(m, SECOND, all_recovered, m);
	order_behind(r, 2, &second);
	mesh_until(m, 5 * SECOND, all_know_of_misuse, m);
	expect_proven(m, false, true, "\"proofs\":[\"recovery-code\"]");

	r->n_records = 2; /* on, in the true log */
	for (uint64_t seq = 2; seq < 4; seq++)
		rogue_add(r, mlog_record(mesh_log_of(NAS), seq));
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	mesh_until(m, MINUTE, mesh_all_listen, r);
	a = mesh_rename_entry(NAS, LAPTOP, "desk");
	b = mesh_rename_entry(NAS, PHONE, "cell");
	order_behind(r, 3, &a);
	sim_pass(m->w, SECOND);
	order_behind(r, 3, &b);
	mesh_until(m, 5 * SECOND, mesh_all_have_proof, m);
	expect_proven(m, true, true, BOTH);
	for (size_t i = 0; i < 3; i++) {
		expect_convincing(stranger, &m->node[i], PROOF_PATH, TAKEN_LIE, 4);
		expect_convincing(stranger, &m->node[i], CODE_PROOF_PATH, TAKEN_CODE_MISUSED, 3);
	}
	restart(LAPTOP);
	expect_proven(m, true, true, BOTH);

	cure = recover_entry(NAS, 3, next, code);
	order_behind(r, 3, &cure);
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	mesh_until(m, 2 * MINUTE, all_cured, m);
	expect_proven(m, false, false, BOTH);
	restart(LAPTOP);
	expect_proven(m, false, false, BOTH);

	a = mesh_rename_entry(NAS, LAPTOP, "desk");
	b = mesh_rename_entry(NAS, PHONE, "cell");
	mesh_until(m, MINUTE, mesh_all_listen, r);
	order_behind(r, 4, &a);
	sim_pass(m->w, SECOND);
	order_behind(r, 4, &b);
	mesh_until(m, 5 * SECOND, mesh_all_have_proof, m);
	SIM_CHECK_OK(m->w, file_read(LAPTOP->host, PROOF_PATH, PROOF_FILE_MAX, &err, &file));
	SIM_CHECK_OK(m->w, proof_file_generation(span_of(file.data, file.len), &generation));
	ck_assert_uint_eq(generation, generation_of(2, 0));
	buf_free(&file);
	expect_convincing(stranger, LAPTOP, PROOF_PATH, TAKEN_LIE, 5);
	free(mesh_control(LAPTOP, CONTROL_FORGET));
	MESH_CHECK(m, !file_exists(LAPTOP->host, CODE_PROOF_PATH));
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

static bool laptop_left(void *ctx)
{
	struct mesh *m = ctx;
	struct node_id laptop = mesh_id_of(LAPTOP);

	return !roster_by_id(mlog_roster(mesh_log_of(NAS)), &laptop, ROSTER_CURRENT) &&
	       !roster_by_id(mlog_roster(mesh_log_of(PHONE)), &laptop, ROSTER_CURRENT);
}

static bool nas_recovered(void *ctx)
{
	struct mesh *m = ctx;

	return mlog_generation(mesh_log_of(NAS)) > 0;
}

/* No log has what a recovery dropped, so the daemon keeps who it let back in. */
START_TEST(who_was_let_back_is_said_after_a_restart)
{
	static const uint8_t next[SIGN_SEED_LEN] = { 1 };
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	uint8_t code[SIGN_SEED_LEN];
	struct entry_bytes e = mesh_remove_entry(NAS, LAPTOP);

	SIM_CHECK_OK(m->w, recovery_code_seed(m->recovery_code,
					      mlog_genesis(mesh_log_of(NAS))->random, code));
	order_behind(r, 2, &e);
	mesh_until(m, SECOND, laptop_left, m);
	e = recover_entry(NAS, 2, code, next);
	order_behind(r, 2, &e);
	mesh_until(m, SECOND, nas_recovered, m);
	MESH_CHECK(m, status_has(NAS, "\"let_back\":\"laptop had left"));
	restart(NAS);
	MESH_CHECK(m, status_has(NAS, "\"let_back\":\"laptop had left"));
	e = mesh_remove_entry(NAS, LAPTOP);
	mesh_until(m, MINUTE, mesh_all_listen, r);
	order_behind(r, 3, &e);
	mesh_until(m, MINUTE, laptop_left, m);
	restart(NAS);
	MESH_CHECK(m, status_has(NAS, "\"let_back\":null"));
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_proof", kept, none_without_a_lie, a_recovery_ends_what_was_proven,
	  who_was_let_back_is_said_after_a_restart)
