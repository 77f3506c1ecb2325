/* SPDX-License-Identifier: MIT */
/* What a service manager hears of daemon and server: ready, a line, and that they live. */
#include "mesh.h"

#define WATCHDOG (300 * SECOND)
#define ALIVE_EVERY (30 * SECOND)

static bool ends_with(const struct host *h, const char *end)
{
	const char *words = world_managed_words(h);
	size_t len = strlen(words), of_end = strlen(end);

	return len >= of_end && strcmp(words + len - of_end, end) == 0;
}

struct expected {
	struct host *host;
	const char *end;
};

static bool has_said(void *ctx)
{
	const struct expected *e = ctx;

	return ends_with(e->host, e->end);
}

static void says_within(struct mesh *m, uint64_t within, struct host *h, const char *end)
{
	struct expected e = { h, end };

	if (!world_run(m->w, within, has_said, &e)) {
		world_dump(m->w);
		ck_abort_msg("not at the end of what it said: %s\n%s", end, world_managed_words(h));
	}
}

/* The manager sees it live more often than it asks, and hears of changes as often. */
static void lives_for(struct mesh *m, uint64_t ns, const struct host *h)
{
	uint64_t end = world_now(m->w) + ns;

	while (world_now(m->w) < end) {
		sim_pass(m->w, SECOND);
		MESH_CHECK(m, world_now(m->w) - world_managed_alive_at(h) <= ALIVE_EVERY);
	}
}

START_TEST(a_daemon_says_what_it_does)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *nas = &m->node[0], *laptop = &m->node[1];

	mesh_reach(m, 10 * SECOND);
	mesh_daemon_stop(nas);
	m->watchdog = WATCHDOG;
	mesh_daemon_start(nas);
	ck_assert_str_eq(world_managed_words(nas->daemon_host),
			 "READY=1\nSTATUS=0 of 1 cluster connected, tunnels to 0 of 1 node\n");
	says_within(m, 10 * SECOND, nas->daemon_host,
		    "\nSTATUS=1 of 1 cluster connected, tunnels to 1 of 1 node\n");
	lives_for(m, 10 * MINUTE, nas->daemon_host);
	MESH_CHECK(m, ends_with(nas->daemon_host, "tunnels to 1 of 1 node\n"));
	mesh_daemon_stop(laptop);
	says_within(m, 2 * MINUTE, nas->daemon_host, "tunnels to 0 of 1 node\n");
	free(mesh_control(nas, CONTROL_DISCONNECT));
	says_within(m, 2 * SECOND, nas->daemon_host, "\nSTATUS=no cluster is connected\n");
	mesh_free(m);
}
END_TEST

/* The watchdog is for a loop that does not go round: here the whole machine stands still. */
START_TEST(a_loop_that_stands_still_is_silent)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas;

	m->watchdog = WATCHDOG;
	nas = mesh_node(m, "nas");
	mesh_daemon_start(nas);
	ck_assert_str_eq(world_managed_words(nas->daemon_host),
			 "READY=1\nSTATUS=no cluster is connected\n");
	world_host_suspend(nas->daemon_host);
	sim_pass(m->w, 10 * MINUTE);
	MESH_CHECK(m, world_now(m->w) - world_managed_alive_at(nas->daemon_host) > 9 * MINUTE);
	world_host_resume(nas->daemon_host);
	sim_pass(m->w, SECOND);
	lives_for(m, 2 * MINUTE, nas->daemon_host);
	mesh_free(m);
}
END_TEST

START_TEST(a_manager_that_is_behind_hears_it_later)
{
	struct mesh *m = mesh_new(sim_seed());

	m->watchdog = WATCHDOG;
	mesh_server_crash(m);
	mesh_server_start(m);
	world_managed_deaf(m->server_host, true);
	signal_server_serves(m->server);
	sim_pass(m->w, 20 * SECOND);
	ck_assert_str_eq(world_managed_words(m->server_host), "");
	world_managed_deaf(m->server_host, false);
	sim_pass(m->w, SECOND + MS);
	ck_assert_str_eq(world_managed_words(m->server_host),
			 "READY=1\nSTATUS=0 clusters, 0 nodes connected\n");
	mesh_free(m);
}
END_TEST

/* It is deaf just when the sign of life is due. The next one would come too late. */
START_TEST(a_sign_of_life_that_was_not_taken_comes_again)
{
	struct mesh *m = mesh_new(sim_seed());
	uint64_t before;

	m->watchdog = 2 * ALIVE_EVERY;
	mesh_server_crash(m);
	mesh_server_start(m);
	signal_server_serves(m->server);
	before = world_managed_alive_at(m->server_host);
	sim_pass(m->w, ALIVE_EVERY - SECOND);
	world_managed_deaf(m->server_host, true);
	sim_pass(m->w, 3 * SECOND);
	MESH_CHECK(m, world_managed_alive_at(m->server_host) == before);
	world_managed_deaf(m->server_host, false);
	sim_pass(m->w, SECOND + MS);
	MESH_CHECK(m, world_managed_alive_at(m->server_host) > before);
	mesh_free(m);
}
END_TEST

START_TEST(a_server_says_what_it_does)
{
	struct mesh *m = mesh_of(sim_seed(), 3);

	mesh_all_connected(m, 10 * SECOND);
	m->watchdog = WATCHDOG;
	mesh_server_crash(m);
	mesh_server_start(m);
	ck_assert_str_eq(world_managed_words(m->server_host), "");
	sim_pass(m->w, 5 * SECOND);
	ck_assert_str_eq(world_managed_words(m->server_host), ""); /* not before it serves */
	signal_server_serves(m->server);
	says_within(m, MINUTE, m->server_host, "\nSTATUS=1 cluster, 3 nodes connected\n");
	lives_for(m, 10 * MINUTE, m->server_host);
	mesh_daemon_stop(&m->node[2]);
	says_within(m, 5 * SECOND, m->server_host, "\nSTATUS=1 cluster, 2 nodes connected\n");
	signal_server_reloads(m->server);
	signal_server_serves(m->server);
	MESH_CHECK(m,
		   strstr(world_managed_words(m->server_host), "\nRELOADING=1\nMONOTONIC_USEC="));
	MESH_CHECK(m, ends_with(m->server_host, "\nREADY=1\n"));
	signal_server_stop(m->server, NULL, NULL);
	MESH_CHECK(m, ends_with(m->server_host, "\nREADY=1\nSTOPPING=1\n"));
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_manager", a_daemon_says_what_it_does, a_loop_that_stands_still_is_silent,
	  a_manager_that_is_behind_hears_it_later, a_sign_of_life_that_was_not_taken_comes_again,
	  a_server_says_what_it_does)
