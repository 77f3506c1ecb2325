/* SPDX-License-Identifier: MIT */
/*
 * A mesh whose cluster moves to another signal server: by a record that the old server orders, or
 * one by the recovery code. All nodes follow that record, and nobody's word.
 */
#include "identity/identity.h"
#include "move_kit.h"

/* --- cases --- */

START_TEST(all_nodes_follow)
{
	struct second s;
	struct mesh *m = move_begin(&s, 3);
	struct invite_url old = mesh_invite(NAS, 3600), url;
	struct mesh_node *tv, *van;
	struct err err = { 0 };
	uint64_t began;

	mesh_flow_begin(m);
	mesh_flow_run(m, SECOND, 50);
	began = world_now(m->w);
	move_all(NAS, &s);
	while (!move_all_moved(m) && world_now(m->w) - began < 20 * SECOND)
		mesh_flow_run(m, 20 * MS, 50);
	printf("all are at the new server after %.2f s\n", (double)(world_now(m->w) - began) / 1e9);
	MESH_CHECK(m, move_all_moved(m) && world_now(m->w) - began < 3 * SECOND);
	mesh_flow_run(m, SECOND, 50);
	MESH_CHECK(m, mesh_flow_end(m) == 0 && m->doubled == 0);
	ck_assert_str_eq(tunnel_cluster(mesh_tunnel(LAPTOP))->signal_host, NEW_NAME);

	/* a daemon that is started again, from earlier files, is at the new one at once */
	mesh_daemon_stop(PHONE);
	mesh_connect(PHONE);
	mesh_until(m, 10 * SECOND, move_all_moved, m);

	/* an earlier invite says what to do; a new one is the new server's */
	tv = mesh_node(m, "tv");
	ck_assert_int_lt(mesh_try_adopt(tv, old, &err), 0);
	ck_assert_int_eq(err.reason, REFUSAL_MOVED_AWAY);
	ck_assert_ptr_nonnull(strstr(err.text, NEW_NAME));
	ck_assert_ptr_nonnull(strstr(err.text, "new invite"));
	mesh_server_crash(m);
	van = mesh_node(m, "van");
	url = mesh_invite(NAS, 3600);
	ck_assert_str_eq(url.host, NEW_NAME);
	ck_assert_mem_eq(url.signal_key, identity_key_sha256(s.server->identity), HASH_LEN);
	mesh_adopt(van, url);
	mesh_connect(van);
	mesh_until(m, 10 * SECOND, move_all_moved, m);
	mesh_reach(m, 10 * SECOND);
	move_end(m, &s);
}
END_TEST

/* One that was off finds the record at the old server; or from a peer, if that is gone. */
static void one_was_off(bool old_lives)
{
	struct second s;
	struct mesh *m = move_begin(&s, 3);

	sim_pass(m->w, 10 * SECOND);
	mesh_daemon_stop(PHONE);
	move_all(NAS, &s);
	mesh_until(m, 10 * SECOND, move_all_moved, m);
	if (!old_lives)
		mesh_server_crash(m);
	sim_pass(m->w, MINUTE);
	mesh_daemon_start(PHONE);
	mesh_until(m, MINUTE, move_all_moved, m);
	mesh_reach(m, 20 * SECOND);
	move_end(m, &s);
}

START_TEST(who_was_off_asks_the_old_server)
{
	one_was_off(true);
}
END_TEST

START_TEST(who_was_off_asks_a_peer)
{
	one_was_off(false);
}
END_TEST

/* Each server crashes at each step, and what was begun can be begun again. */
START_TEST(crashes_at_each_step)
{
	struct second s;
	struct mesh *m = move_begin(&s, 2);
	struct log_server to;
	struct ordering_of o;
	struct handing h;

	/* the new one is down, then dies in the middle, then when it has the log */
	second_crash(&s);
	h = move_try_import(NAS, &s);
	ck_assert_int_eq(h.err.reason, REFUSAL_UNREACHABLE);
	second_open(&s);
	(void)move_import_log(NAS, &s);
	second_crash(&s);
	second_open(&s);
	to = move_import_log(NAS, &s); /* with the earlier token */

	/* the old one dies before it has ordered: the same entry is good afterwards */
	move_ask_to_order(NAS, &to, &o);
	mesh_server_crash(m);
	sim_pass(m->w, 3 * SECOND);
	second_crash(&s); /* and the new one, just then */
	mesh_server_start(m);
	mesh_until(m, MINUTE, move_is_ordered, &o);
	ck_assert_msg(o.err.code == 0, "%s", o.err.text);

	/* the nodes come when it does, and bring the record */
	mesh_server_crash(m);
	sim_pass(m->w, 10 * SECOND);
	mesh_reach(m, 5 * SECOND);
	second_open(&s);
	ck_assert_uint_eq(second_log(&s) + 1, mlog_count(mesh_log_of(NAS)));
	mesh_until(m, MINUTE, move_all_moved, m);
	ck_assert_uint_eq(second_log(&s), mlog_count(mesh_log_of(NAS)));
	move_end(m, &s);
}
END_TEST

/* The old server refuses to order: nobody moves, and nothing is lost. */
START_TEST(a_server_that_swallows_the_move)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to;
	struct ordering_of o;

	second_start(&s, m);
	to = move_import_log(NAS, &s);
	r->swallows = true;
	move_ask_to_order(NAS, &to, &o);
	sim_pass(m->w, MINUTE);
	ck_assert(!o.done);
	ck_assert_str_eq(mlog_server(mesh_log_of(LAPTOP))->host, MESH_SIGNAL);
	mesh_reach(m, 5 * SECOND);
	rogue_stop(r);
	move_end(m, &s);
}
END_TEST

/* It orders the move, and keeps it from the others: they learn it from a peer. */
START_TEST(a_server_that_keeps_its_nodes)
{
	struct second s;
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to;
	struct ordering_of o;

	second_start(&s, m);
	to = move_import_log(NAS, &s);
	for (size_t i = 1; i < 3; i++)
		r->shows_only[i] = r->n_records;
	move_ask_to_order(NAS, &to, &o);
	mesh_until(m, MINUTE, move_is_ordered, &o);
	mesh_until(m, MINUTE, move_all_moved, m);
	rogue_stop(r);
	move_end(m, &s);
}
END_TEST

/* Its word alone moves nobody: neither "moved-away" without a record nor an invented record. */
/* [P3-42] */
START_TEST(a_word_moves_nobody)
{
	struct rogue *r;
	struct mesh *m = hostile_mesh(&r);
	struct log_server to = *mlog_server(mesh_log_of(NAS));
	struct entry_bytes e;

	snprintf(to.host, sizeof(to.host), NEW_NAME);
	to.key[0] ^= 1;
	e = move_signal_entry(LAPTOP, &to); /* no admin */
	rogue_order(r, mesh_span_of_entry(&e), 0);
	rogue_tell(r, r->n_records - 1);
	sim_pass(m->w, MINUTE);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_str_eq(mlog_server(mesh_log_of(&m->node[i]))->host, MESH_SIGNAL);
		ck_assert_str_eq(tunnel_cluster(mesh_tunnel(&m->node[i]))->signal_host,
				 MESH_SIGNAL);
	}
	mesh_reach(m, 5 * SECOND);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("mesh/move", all_nodes_follow, who_was_off_asks_the_old_server, who_was_off_asks_a_peer,
	  crashes_at_each_step, a_server_that_swallows_the_move, a_server_that_keeps_its_nodes,
	  a_word_moves_nobody)
