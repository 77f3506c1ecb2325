/* SPDX-License-Identifier: MIT */
/*
 * A node changes its key: the others go on with it under the new one, whatever it was that ended
 * the command or the daemon in between.
 */
#include "client/fetch.h"
#include "client/govern.h"
#include "client/rotation.h"
#include "mesh.h"
#include "signal/caller.h"

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

START_TEST(killed_at_every_step)
{
	for (int last = BEGUN; last <= SETTLED; last++) {
		rotate_after((enum step)last, false);
		rotate_after((enum step)last, true);
	}
}
END_TEST

/* An admin's new key: its invites of before are worth nothing, those of after are good. */
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

/* --- a recovery behind it --------------------------------------------------------------------- */

static struct mlog *copy_of(const struct mlog *l)
{
	static const uint8_t seed[16] = { 7 };
	struct mlog *copy = mlog_new(seed);
	struct wire_entries page;
	struct mlog_take take;

	mlog_page(l, 0, &page);
	mlog_take(copy, page.item, page.n, &take);
	mlog_commit(copy);
	ck_assert_uint_eq(mlog_count(copy), mlog_count(l));
	return copy;
}

/* Puts a recovery behind the log, ordered by the server's key. */
static void recover(struct mesh_node *admin, struct mlog *l, const char *code)
{
	struct world *w = admin->mesh->w;
	struct entry e = { .type = ENTRY_RECOVER, .base = mlog_head(l) };
	struct server_keys *keys = &admin->mesh->server->keys;
	struct ordering by = { .now_s = (uint64_t)clock_wall_s(admin->host),
			       .order_seed = keys->order_seed,
			       .order_key = keys->order_key };
	uint8_t seed[SIGN_SEED_LEN];
	struct signer signer = { .seed = seed };
	struct entry_bytes b;
	struct err err = { 0 };

	SIM_CHECK_OK(w, recovery_code_seed(code, mlog_genesis(l)->random, seed));
	SIM_CHECK_OK(w, seed_public(seed, e.recover.key));
	e.author = key_node_id(e.recover.key);
	e.time_s = by.now_s;
	e.recover.admins.n = 1;
	e.recover.admins.id[0] = tunnel_cluster(mesh_tunnel(admin))->node_id;
	SIM_CHECK_OK(w, entry_make(&e, mlog_cluster_id(l), &signer, NULL, &b, &err));
	SIM_CHECK_OK(w, entry_decode(span_of(b.data, b.len), &e, &err));
	SIM_CHECK_OK(w, mlog_order(l, &e, span_of(b.data, b.len), &by, &err));
	mlog_commit(l);
}

/* The admin's node has it, and brings it to the server. */
static bool server_recovered(void *ctx)
{
	struct mesh *m = ctx;
	struct cluster *c = registry_find(m->server->registry, m->cluster_id);

	return mlog_generation(c->log) > 0;
}

static void bring(struct mesh_node *n, const struct mlog *l)
{
	struct wire_entries page;
	struct mlog_take take;

	mlog_page(l, 0, &page);
	mlog_take(log_of(n), page.item, page.n, &take);
	mlog_commit(log_of(n));
	MESH_CHECK(n->mesh, take.reorganised);
	overlay_log_grew(tunnel_overlay(mesh_tunnel(n)));
	session_log_grew(tunnel_session(mesh_tunnel(n)));
	mesh_until(n->mesh, MINUTE, server_recovered, n->mesh);
}

static bool is_refused(void *ctx)
{
	struct session_status s;

	session_status_get(tunnel_session(mesh_tunnel(ctx)), &s);
	return s.last_err.reason == REFUSAL_BAD_TOKEN;
}

struct asking {
	bool done;
	struct err err;
};

static void on_fetched(void *ctx, const struct err *err)
{
	struct asking *a = ctx;

	a->done = true;
	if (err)
		a->err = *err;
}

static bool is_fetched(void *ctx)
{
	return ((struct asking *)ctx)->done;
}

/* As `mlsh move --follow`, with the key in use, or the one before. */
static enum refusal fetch(struct mesh_node *n, struct mlog *l, const struct identity *id)
{
	struct cluster_file f = mesh_cluster_file(n);
	struct fetch_params p = { .identity = id,
				  .log = l,
				  .host = f.signal_host,
				  .port = f.signal_port,
				  .cert = f.signal_cert,
				  .node_token = f.node_token };
	struct asking a = { .done = false };
	struct fetch *running = NULL;
	struct err err = { 0 };

	SIM_CHECK_OK(n->mesh->w, fetch_start(n->host, &p, on_fetched, &a, &err, &running));
	mesh_until(n->mesh, MINUTE, is_fetched, &a);
	fetch_free(running);
	return a.err.code ? (enum refusal)a.err.reason : REFUSAL_NONE;
}

/* The node was off. The server knows no key that it uses, and peers neither. */
START_TEST(a_recovery_drops_it)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas, *laptop;
	struct mesh_join setup;
	struct identity *first, *now, *before = NULL;
	struct cluster_file f;
	struct mlog *past, *own;
	struct err err = { 0 };

	mesh_nodes(m, 2);
	nas = &m->node[0];
	laptop = &m->node[1];
	mesh_setup_start(nas, m->token, &setup);
	SIM_CHECK_OK(m->w, mesh_join_finish(&setup));
	mesh_connect(nas);
	mesh_adopt(laptop, mesh_invite(nas, 3600));
	mesh_connect(laptop);
	mesh_reach(m, 10 * SECOND);
	past = copy_of(log_of(nas));
	first = identity_of(laptop);
	rotate(laptop, HANDED_OVER);
	mesh_all_connected(m, 10 * SECOND);
	mesh_reach(m, 10 * SECOND);

	mesh_daemon_crash(laptop);
	recover(nas, past, setup.recovery_code);
	bring(nas, past);
	mesh_daemon_start(laptop);
	mesh_until(m, MINUTE, is_refused, laptop);
	f = mesh_cluster_file(laptop);
	own = mesh_user_log(laptop);
	now = identity_of(laptop);
	MESH_CHECK(m, fetch(laptop, own, now) == REFUSAL_BAD_TOKEN);
	SIM_CHECK_OK(m->w,
		     rotation_before(laptop->host, &laptop->store, MESH_CLUSTER, &before, &err));
	MESH_CHECK(m, fetch(laptop, own, before) == REFUSAL_NONE && mlog_generation(own) > 0);
	SIM_CHECK_OK(m->w, store_save_log(laptop->host, &laptop->store, &f, own, &err));
	MESH_CHECK(m, rotation_settle(laptop->host, &laptop->store, MESH_CLUSTER, own, &err) == 1);
	mesh_connect(laptop);
	mesh_all_connected(m, MINUTE);
	mesh_reach(m, 30 * SECOND);
	MESH_CHECK(m, tunnel_has_key(mesh_tunnel(laptop), first));
	/* once it is in place there is nothing more to do */
	MESH_CHECK(m, rotation_settle(laptop->host, &laptop->store, MESH_CLUSTER, own, &err) == 0);
	identity_free(first);
	identity_free(now);
	identity_free(before);
	mlog_free(past);
	mlog_free(own);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_rotate", at_once, killed_at_every_step, invites_die, a_recovery_drops_it)
