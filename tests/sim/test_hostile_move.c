/* SPDX-License-Identifier: MIT */
/*
 * After a move: the new server is a hostile one, or the old one lives on and goes on ordering.
 * Three nodes (nas, the admin; laptop; phone), whose log has four records; record 3 moved them.
 */
#include "command_kit.h"
#include "identity/identity.h"
#include "move_kit.h"

#define MOVED 4		       /* records */
#define BY_PEERS (40 * SECOND) /* as in test_hostile_server.c */

/*
 * `phone_off`: phone's daemon does not run during the move. `renames` (may be NULL) becomes an
 * entry that nas signed before it: laptop is desk.
 */
static struct mesh *moved(struct second *s, bool phone_off, struct entry_bytes *renames)
{
	struct mesh *m = move_begin(s, 3);

	if (phone_off) {
		sim_pass(m->w, 10 * SECOND);
		mesh_daemon_stop(PHONE);
	}
	if (renames)
		*renames = mesh_rename_entry(NAS, LAPTOP, "desk");
	move_all(NAS, s);
	mesh_until(m, 10 * SECOND, move_all_moved, m);
	sim_pass(m->w, SECOND);
	ck_assert_uint_eq(mlog_count(mesh_log_of(NAS)), MOVED);
	return m;
}

/* From now on the new server is hostile. */
static struct rogue *turn(struct mesh *m, struct second *s)
{
	struct rogue *r;
	char path[96];

	second_db(s, path);
	second_crash(s);
	r = rogue_start_at(m, &s->host, path);
	rogue_add_log(r, mesh_log_of(NAS), MOVED);
	return r;
}

/* The same, with all nodes at it. */
static struct mesh *hostile_new_server(struct second *s, struct rogue **ret)
{
	struct mesh *m = moved(s, false, NULL);

	*ret = turn(m, s);
	mesh_until(m, MINUTE, mesh_all_listen, *ret);
	sim_pass(m->w, SECOND);
	mesh_all_connected(m, SECOND);
	return m;
}

static void close_both(struct mesh *m, struct second *s, struct rogue *r)
{
	rogue_stop(r);
	move_end(m, s);
}

static bool knows(struct mesh_node *n, const char *name)
{
	return roster_by_name(mlog_roster(mesh_log_of(n)), span_str(name), ROSTER_CURRENT) != NULL;
}

/* All that are on have the log with the move, no complaint, and no wish to be elsewhere. */
static void expect_moved(struct mesh *m)
{
	for (size_t i = 0; i < 3; i++) {
		struct mesh_node *n = &m->node[i];

		if (!n->daemon)
			continue;
		MESH_CHECK(m, mlog_count(mesh_log_of(n)) == MOVED && !mesh_has_proof(n));
		ck_assert_str_eq(tunnel_cluster(mesh_tunnel(n))->signal_host, NEW_NAME);
	}
}

/* --- the new server --------------------------------------------------------------------------- */

static bool laptop_is_denied(void *ctx)
{
	struct mesh *m = ctx;
	struct node_id id = mesh_id_of(LAPTOP);

	return denials_denied(tunnel_denials(mesh_tunnel(PHONE)), &id);
}

/* It drops what it is to order: a removal holds all the same. */
START_TEST(drops)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);
	struct command_run run;

	mesh_reach(m, 10 * SECOND);
	r->swallows = true;
	command_run(&run, NAS, &remove_command, UINT_MAX, "", "remove laptop --yes");
	ck_assert_msg(run.code == EXIT_OK && strstr(run.out, "has\nnot ordered"), "%s%s", run.out,
		      run.complaint);
	mesh_until(m, 2 * SECOND, laptop_is_denied, m);
	expect_moved(m);
	close_both(m, &s, r);
}
END_TEST

/* Two entries in one order to one node, in the other to the others: its own key convicts it. */
START_TEST(forks_and_reorders)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);
	struct entry_bytes a = mesh_rename_entry(NAS, LAPTOP, "desk");
	struct entry_bytes b = mesh_rename_entry(NAS, PHONE, "cell");
	uint64_t began = world_now(m->w);

	rogue_branch_off(r, MOVED);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_swap(r);
	rogue_order(r, mesh_span_of_entry(&b), 0);
	rogue_order(r, mesh_span_of_entry(&a), 0);
	r->shows_other[2] = true;
	rogue_tell(r, MOVED);
	mesh_until(m, BY_PEERS, mesh_all_have_proof, m);
	printf("all have proof after %.1f s\n", (double)(world_now(m->w) - began) / 1e9);
	close_both(m, &s, r);
}
END_TEST

/* Its log ends before the move, or goes on there by its own order key: nobody goes back. */
START_TEST(rolls_back_to_before_the_move)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);
	struct entry_bytes e = mesh_rename_entry(NAS, LAPTOP, "desk");

	for (int goes_on = 0; goes_on < 2; goes_on++) {
		r->n_records = MOVED - 1;
		if (goes_on)
			rogue_order(r, mesh_span_of_entry(&e), 0);
		rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
		MESH_CHECK(m, mesh_flow(m, BY_PEERS, 1) == 0);
		expect_moved(m);
	}
	close_both(m, &s, r);
}
END_TEST

/* It answers with the log of a cluster of its own. */
START_TEST(names_another_cluster)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);
	struct genesis g = *mlog_genesis(mesh_log_of(NAS));
	struct record x = { .genesis = true };
	struct identity *key = NULL;
	struct record_bytes b;
	struct entry_bytes e;

	SIM_CHECK_OK(m->w, identity_new(s.host, NULL, &key));
	memcpy(g.key, identity_key(key), KEY_LEN);
	g.server = *mlog_server(mesh_log_of(NAS));
	SIM_CHECK_OK(m->w, genesis_make(&g, mesh_wall_s(NAS), identity_signer(key), &e, NULL));
	x.entry = mesh_span_of_entry(&e);
	SIM_CHECK_OK(m->w, record_encode(&x, &b));
	r->n_records = 0;
	rogue_add(r, span_of(b.data, b.len));
	rogue_hang_up(r, SIGNAL_CLOSE_SHUTDOWN);
	MESH_CHECK(m, mesh_flow(m, BY_PEERS, 1) == 0);
	expect_moved(m);
	identity_free(key);
	close_both(m, &s, r);
}
END_TEST

/* It says that an entry is ordered, and shows no record of it. */
START_TEST(claims_an_order_that_it_did_not_give)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);
	struct command_run run;

	r->only_says_yes = true;
	command_run(&run, NAS, &rename_command, UINT_MAX, "", "rename laptop desk");
	ck_assert_msg(run.code != EXIT_OK, "%s", run.out);
	ck_assert_uint_ge(r->appends, 1);
	sim_pass(m->w, BY_PEERS);
	expect_moved(m);
	MESH_CHECK(m, knows(PHONE, "laptop") && !knows(NAS, "desk"));
	close_both(m, &s, r);
}
END_TEST

/* "Not a member", to all that were members before it had the cluster. */
/* [P3-42] */
START_TEST(refuses_old_nodes)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_new_server(&s, &r);

	r->says_removed = true;
	mesh_flow_begin(m);
	rogue_hang_up(r, SIGNAL_CLOSE_REMOVED);
	mesh_flow_run(m, 5 * MINUTE, 1);
	MESH_CHECK(m, mesh_flow_end(m) == 0);
	expect_moved(m);
	for (size_t i = 0; i < 3; i++)
		MESH_CHECK(m, !tunnel_left(mesh_tunnel(&m->node[i])));
	close_both(m, &s, r);
}
END_TEST

/* --- who was off ------------------------------------------------------------------------------ */

static bool phone_has_moved(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_tunnel(PHONE) && mlog_count(mesh_log_of(PHONE)) == MOVED &&
	       move_is_at(PHONE, NEW_IP);
}

/* The record of the move is at the old server, or at a peer: the new one shows it to nobody. */
static void comes_back(bool old_lives)
{
	struct second s;
	struct mesh *m = moved(&s, true, NULL);
	struct rogue *r = turn(m, &s);

	r->shows_only[2] = MOVED - 1;
	if (!old_lives)
		mesh_server_crash(m);
	sim_pass(m->w, MINUTE);
	mesh_daemon_start(PHONE);
	mesh_until(m, 2 * MINUTE, phone_has_moved, m);
	mesh_reach(m, MINUTE);
	expect_moved(m);
	close_both(m, &s, r);
}

START_TEST(who_was_off_asks_the_old_server)
{
	comes_back(true);
}
END_TEST

START_TEST(who_was_off_asks_a_peer)
{
	comes_back(false);
}
END_TEST

/* --- the old server --------------------------------------------------------------------------- */

static bool proof_is_kept(struct mesh_node *n)
{
	char *reply = mesh_control(n, CONTROL_PROOF);
	bool kept = strstr(reply, "\"ok\":false") == NULL;

	free(reply);
	return kept;
}

static void cut_peers(struct mesh *m, bool cut)
{
	world_link_cut(m->w, PHONE->host, NAS->host, cut);
	world_link_cut(m->w, PHONE->host, LAPTOP->host, cut);
}

/*
 * It goes on behind the move: its key is not in force there, so nobody has a record of it. In the
 * place of the move: whoever was off takes that, and all that meet it have the proof.
 */
static void old_server_lives_on(bool instead)
{
	struct second s;
	struct entry_bytes e;
	struct mesh *m = moved(&s, true, &e);
	struct rogue *r;

	mesh_server_crash(m);
	r = rogue_start(m);
	rogue_add_log(r, mesh_log_of(NAS), instead ? MOVED - 1 : MOVED);
	rogue_order(r, mesh_span_of_entry(&e), 0);
	sim_pass(m->w, MINUTE);
	MESH_CHECK(m, r->sessions == 0); /* nobody comes back to it */
	expect_moved(m);
	cut_peers(m, true); /* else they tell it first */
	mesh_daemon_start(PHONE);
	if (instead) {
		mesh_await_records(PHONE, MOVED, MINUTE);
		MESH_CHECK(m, knows(PHONE, "desk"));
		cut_peers(m, false);
		mesh_until(m, 5 * MINUTE, mesh_all_have_proof, m);
		for (size_t i = 0; i < 3; i++)
			MESH_CHECK(m, proof_is_kept(&m->node[i]));
	} else {
		sim_pass(m->w, MINUTE);
		MESH_CHECK(m, !knows(PHONE, "desk"));
		cut_peers(m, false);
		mesh_until(m, 2 * MINUTE, phone_has_moved, m);
		mesh_reach(m, MINUTE);
		expect_moved(m);
	}
	/* whatever it says, those that have moved stay */
	MESH_CHECK(m, mlog_count(mesh_log_of(NAS)) == MOVED &&
			      mlog_count(mesh_log_of(LAPTOP)) == MOVED);
	MESH_CHECK(m, move_is_at(NAS, NEW_IP) && move_is_at(LAPTOP, NEW_IP));
	MESH_CHECK(m, !knows(NAS, "desk") && !knows(LAPTOP, "desk"));
	close_both(m, &s, r);
}

START_TEST(old_server_orders_behind_the_move)
{
	old_server_lives_on(false);
}
END_TEST

START_TEST(old_server_orders_in_place_of_the_move)
{
	old_server_lives_on(true);
}
END_TEST

UNIT_MAIN("sim/hostile_move", drops, forks_and_reorders, rolls_back_to_before_the_move,
	  names_another_cluster, claims_an_order_that_it_did_not_give, refuses_old_nodes,
	  who_was_off_asks_the_old_server, who_was_off_asks_a_peer,
	  old_server_orders_behind_the_move, old_server_orders_in_place_of_the_move)
