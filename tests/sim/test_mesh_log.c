/* SPDX-License-Identifier: MIT */
/* What the daemon's log says of peers' tunnels at level info: they come, change their way, go. */
#include "nat_kit.h"

#include <string.h>

#define LINE_MAX_LEN 200
#define LINES_MAX 64

static struct {
	char line[LINES_MAX][LINE_MAX_LEN];
	size_t n;
} seen;

static void keep_tunnels(void *ctx, enum log_level level, const char *line)
{
	(void)ctx;
	if (level != LOG_LEVEL_INFO || !strstr(line, "the tunnel ") || seen.n == LINES_MAX)
		return;
	snprintf(seen.line[seen.n++], LINE_MAX_LEN, "%s", line);
}

static void listen_to(struct mesh_node *n)
{
	seen.n = 0;
	host_log(n->daemon_host)->sink = keep_tunnels;
	host_log(n->daemon_host)->level = LOG_LEVEL_INFO;
}

static bool says(size_t i, const char *text)
{
	return i < seen.n && strncmp(seen.line[i], text, strlen(text)) == 0;
}

/* A mesh of two behind NATs that filter by port: relay first, then direct. */
static struct mesh *mesh_new_behind_nats(void)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 2);
	for (unsigned i = 0; i < 2; i++)
		nat_before(&m->node[i], &nat_by_port);
	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	mesh_until(m, 20 * SECOND, nat_passed, m);
	return m;
}

START_TEST(a_tunnel_comes_and_goes)
{
	struct mesh *m = mesh_new_behind_nats();

	mesh_daemon_stop(&m->node[0]);
	mesh_daemon_start(&m->node[0]);
	listen_to(&m->node[0]);
	mesh_until(m, 20 * SECOND, nat_passed, m);
	sim_pass(m->w, 5 * SECOND);
	MESH_CHECK(m, says(seen.n - 1, "homelab: laptop: the tunnel is direct now, to "
				       "203.0.113.11:"));
	listen_to(&m->node[0]);
	mesh_daemon_stop(&m->node[1]);
	sim_pass(m->w, 5 * SECOND);
	MESH_CHECK(m, seen.n == 1);
	MESH_CHECK(m, says(0, "homelab: laptop: the tunnel is gone: it shut down"));
	listen_to(&m->node[0]);
	sim_pass(m->w, HOUR);
	MESH_CHECK(m, seen.n == 0);
	mesh_free(m);
}
END_TEST

START_TEST(the_relay_is_named_where_nothing_else_is_possible)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, 2);
	for (unsigned i = 0; i < 2; i++)
		nat_before(&m->node[i], &nat_hard);
	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	mesh_daemon_stop(&m->node[0]);
	mesh_daemon_start(&m->node[0]);
	listen_to(&m->node[0]);
	sim_pass(m->w, MINUTE);
	MESH_CHECK(m, seen.n == 1);
	MESH_CHECK(m, says(0, "homelab: laptop: the tunnel goes over the relay now"));
	mesh_free(m);
}
END_TEST

START_TEST(a_peer_that_flaps_does_not_flood_the_log)
{
	struct mesh *m = mesh_new_behind_nats();

	listen_to(&m->node[0]);
	for (int i = 0; i < 20; i++) {
		mesh_daemon_stop(&m->node[1]);
		sim_pass(m->w, SECOND);
		mesh_daemon_start(&m->node[1]);
		sim_pass(m->w, 2 * SECOND);
	}
	MESH_CHECK(m, seen.n > 6);
	MESH_CHECK(m, seen.n <= 6 + 60 / 10 + 1);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_log", a_tunnel_comes_and_goes,
	  the_relay_is_named_where_nothing_else_is_possible,
	  a_peer_that_flaps_does_not_flood_the_log)
