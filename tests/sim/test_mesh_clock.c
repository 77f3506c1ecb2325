/* SPDX-License-Identifier: MIT */
/*
 * Clocks that are set, by a day forward or back, while tunnels carry packets, logs are exchanged
 * and nodes join: a wall clock is what people read, and what dates the log, and nothing else.
 */
#include "mesh.h"
#include "tund/dated.h"

#define DAY 86400

static void set_all(struct mesh *m, int64_t skew_s)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		world_host_wall_skew(m->node[i].host, skew_s);
	world_host_wall_skew(m->server_host, skew_s);
}

START_TEST(tunnels_and_sessions_do_not_notice)
{
	struct mesh *m = mesh_of(sim_seed(), 3);
	static const int64_t skews_s[] = { DAY, -DAY, 0, -20 * 365 * DAY, 5 * 365 * DAY, 0 };
	uint64_t up_since[3][3] = { 0 };

	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 20 * SECOND);
	for (size_t a = 0; a < 3; a++) {
		for (size_t b = 0; b < 3; b++)
			up_since[a][b] = a == b ? 0 : mesh_peer(&m->node[a], &m->node[b]).up_since;
	}
	mesh_flow_begin(m);
	for (size_t i = 0; i < ARRAY_LEN(skews_s); i++) {
		/* one after another, then all at once */
		for (size_t k = 0; k < m->n_nodes; k++) {
			world_host_wall_skew(m->node[k].host, skews_s[i]);
			mesh_flow_run(m, 5 * SECOND, 100);
		}
		set_all(m, skews_s[i]);
		mesh_flow_run(m, 40 * SECOND, 20);
		for (size_t k = 0; k < m->n_nodes; k++)
			MESH_CHECK(m, mesh_connected(&m->node[k]));
	}
	ck_assert_uint_eq(mesh_flow_end(m), 0);
	for (size_t a = 0; a < 3; a++) {
		for (size_t b = 0; b < 3; b++)
			MESH_CHECK(m, a == b || mesh_peer(&m->node[a], &m->node[b]).up_since ==
							up_since[a][b]);
	}
	mesh_free(m);
}
END_TEST

/* A day back at the server: it orders nothing, says why, and nothing is left of it. */
/* [P2-67] */
START_TEST(a_server_whose_clock_was_set_back_says_so)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *n = mesh_node(m, "one");
	struct invite_url url;
	struct err err = { 0 };

	sim_pass(m->w, HOUR);
	url = mesh_invite(&m->node[0], 3600);
	world_host_wall_skew(m->server_host, -DAY);
	ck_assert_int_lt(mesh_try_adopt(n, url, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "the server's clock is"));
	ck_assert_ptr_nonnull(strstr(err.text, "orders nothing"));
	MESH_CHECK(m, mesh_reach(m, 5 * SECOND) < 5 * SECOND);
	world_host_wall_skew(m->server_host, 0);
	mesh_adopt(n, url);
	ck_assert_uint_eq(mesh_server_log(m), 3);
	mesh_free(m);
}
END_TEST

START_TEST(nodes_join_with_clocks_of_yesterday)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct invite_url url = mesh_invite(&m->node[0], 3600);
	struct mesh_node *n = mesh_node(m, "one");

	world_host_wall_skew(n->host, -DAY);
	mesh_adopt(n, url);
	mesh_connect(n);
	mesh_reach(m, 10 * SECOND);
	/* Its clock is set right, and then a second one joins. */
	world_host_wall_skew(n->host, 0);
	sim_pass(m->w, 5 * SECOND);
	mesh_adopt(mesh_node(m, "two"), mesh_invite(&m->node[0], 3600));
	ck_assert_uint_eq(mesh_server_log(m), 4);
	mesh_free(m);
}
END_TEST

static struct dated_status dated_of(struct mesh_node *n)
{
	struct dated_status d;

	tunnel_dated(mesh_tunnel(n), &d);
	return d;
}

/*
 * The server's clock was a day ahead when it ordered the join. The others hold the record back
 * until that day has come.
 */
static void expect_held_for_a_day(struct mesh *m)
{
	sim_pass(m->w, 5 * SECOND);
	MESH_CHECK(m, dated_of(&m->node[0]).held.seq == 1);
	set_all(m, DAY);
	sim_pass(m->w, MINUTE);
	MESH_CHECK(m, dated_of(&m->node[0]).held.seq == 0);
}

static bool is_ahead(struct mesh *m)
{
	struct mlog *log = mesh_user_log(&m->node[1]);
	bool ahead = mlog_last_time_s(log) > (uint64_t)clock_wall_s(m->server_host) + 600;

	mlog_free(log);
	return ahead;
}

/* A join begins with one clock and ends with another. */
START_TEST(clocks_are_set_in_the_middle_of_a_join)
{
	static const int64_t skews_s[] = { DAY, -DAY };

	for (size_t who = 0; who < 2; who++) {
		for (size_t i = 0; i < ARRAY_LEN(skews_s); i++) {
			for (unsigned ms = 0; ms < 100; ms += 7) {
				struct mesh *m = mesh_of(sim_seed() + ms, 1);
				struct mesh_node *n = mesh_node(m, "one");
				struct invite_url url;
				struct mesh_join j;

				sim_pass(m->w, HOUR);
				url = mesh_invite(&m->node[0], 7 * DAY);
				mesh_adopt_start(n, &url, &j);
				sim_pass(m->w, ms * MS);
				world_host_wall_skew(who ? m->server_host : n->host, skews_s[i]);
				int rc = mesh_join_finish(&j);

				/* A server that fell back cannot take it, but once it is right. */
				ck_assert_msg(rc == 0 || (who == 1 && skews_s[i] < 0),
					      "who %zu skew %zu ms %u: %s", who, i, ms, j.err.text);
				set_all(m, 0);
				if (rc < 0)
					mesh_adopt(n, url);
				ck_assert_uint_eq(mesh_server_log(m), 2);
				mesh_connect(n);
				if (who == 1 && skews_s[i] > 0 && is_ahead(m))
					expect_held_for_a_day(m);
				mesh_reach(m, 10 * SECOND);
				mesh_free(m);
			}
		}
	}
}
END_TEST

/* The sponsor's clock is a day ahead for a while: the invite is not at its end for that. */
START_TEST(an_invite_outlives_a_clock_that_was_wrong)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct invite_url url = mesh_invite(&m->node[0], 8 * 3600);

	world_host_wall_skew(m->node[0].host, DAY);
	mesh_daemon_crash(&m->node[0]); /* it looks at its invites when it begins */
	mesh_daemon_start(&m->node[0]);
	mesh_all_connected(m, 10 * SECOND);
	sim_pass(m->w, 3 * HOUR);
	ck_assert_uint_eq(mesh_server_log(m), 2);
	world_host_wall_skew(m->node[0].host, 0);
	sim_pass(m->w, HOUR);
	mesh_adopt(mesh_node(m, "one"), url);
	ck_assert_uint_eq(mesh_server_log(m), 3);
	mesh_free(m);
}
END_TEST

static bool knows_all(void *ctx)
{
	struct mesh *m = ctx;

	return mlog_count(tunnel_log(mesh_tunnel(&m->node[1]))) == 3;
}

/*
 * Its clock stands at yesterday when the news comes from a peer, and no server says what time it
 * is: the news waits for a clock, and the node says so.
 */
START_TEST(news_of_peers_waits_for_a_clock)
{
	struct mesh *m = mesh_of(sim_seed(), 2);

	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 2 * MINUTE);
	mesh_daemon_crash(&m->node[1]);
	sim_pass(m->w, HOUR);
	mesh_adopt(mesh_node(m, "one"), mesh_invite(&m->node[0], 3600));
	sim_pass(m->w, 5 * SECOND);
	ck_assert_uint_eq(mlog_count(tunnel_log(mesh_tunnel(&m->node[0]))), 3);
	mesh_server_crash(m);
	world_host_wall_skew(m->node[1].host, -DAY);
	mesh_daemon_start(&m->node[1]);
	mesh_reach(m, 30 * SECOND);
	sim_pass(m->w, 2 * MINUTE);
	MESH_CHECK(m, !knows_all(m) && dated_of(&m->node[1]).held.seq == 2);
	ck_assert_str_eq(dated_of(&m->node[1]).by->name, "nas");
	world_host_wall_skew(m->node[1].host, 0);
	mesh_until(m, MINUTE + SECOND, knows_all, m);
	MESH_CHECK(m, dated_of(&m->node[1]).held.seq == 0);
	mesh_free(m);
}
END_TEST

/* A machine without a clock takes the server's time, and with it all that has been ordered. */
/* [P2-54] */
START_TEST(a_node_without_a_clock_goes_by_the_servers)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	int64_t since_1970 = clock_wall_s(m->node[1].host);

	mesh_daemon_crash(&m->node[1]);
	sim_pass(m->w, HOUR);
	world_host_wall_skew(m->node[1].host, -since_1970);
	mesh_daemon_start(&m->node[1]);
	mesh_all_connected(m, 10 * SECOND);
	sim_pass(m->w, HOUR);
	mesh_adopt(mesh_node(m, "one"), mesh_invite(&m->node[0], 3600));
	mesh_until(m, SECOND, knows_all, m);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("mesh/clock", tunnels_and_sessions_do_not_notice,
	  a_server_whose_clock_was_set_back_says_so, nodes_join_with_clocks_of_yesterday,
	  clocks_are_set_in_the_middle_of_a_join, an_invite_outlives_a_clock_that_was_wrong,
	  news_of_peers_waits_for_a_clock, a_node_without_a_clock_goes_by_the_servers)
