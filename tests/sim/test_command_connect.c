/* SPDX-License-Identifier: MIT */
/* `mlsh connect` comes back when the node can be used, by its names, too. */
#include "command_kit.h"

/* nas has set the cluster up; its daemon runs. The resolver does not answer yet. */
static struct mesh *begin(void)
{
	struct mesh *m = mesh_new(sim_seed());
	struct mesh_node *nas = mesh_node(m, "nas");

	mesh_setup(nas);
	mesh_daemon_start(nas);
	world_host_resolver(nas->host, SPLITDNS_PENDING);
	return m;
}

/* Returns how long it took. */
static uint64_t connect_takes(struct mesh *m, const char *line)
{
	uint64_t begun = world_now(m->w);
	struct command_run r;

	command_run(&r, &m->node[0], &connect_command, UINT_MAX, "", line);
	ck_assert_msg(r.code == EXIT_OK, "%s\n%s%s", line, r.out, r.complaint);
	ck_assert_msg(strstr(r.out, "Connected to homelab: this node is nas.homelab"), "%s", r.out);
	return world_now(m->w) - begun;
}

static void resolver_answers(void *host)
{
	world_host_resolver(host, SPLITDNS_ACTIVE);
}

/* polkit is started when systemd-resolved asks it for the first time: that takes time. */
START_TEST(it_waits_for_the_names)
{
	struct mesh *m = begin();
	struct host *other = world_host(m->w, "other", IP(192, 0, 2, 99));
	struct timer *t = timer_new(other, resolver_answers, m->node[0].host);
	uint64_t took;

	timer_set_in(t, 3 * SECOND);
	took = connect_takes(m, "connect homelab");
	MESH_CHECK(m, took >= 3 * SECOND && took < 4 * SECOND);
	took = connect_takes(m, "connect homelab");
	MESH_CHECK(m, took < SECOND);
	timer_free(t);
	mesh_free(m);
}
END_TEST

START_TEST(without_names_it_is_connected_all_the_same)
{
	struct mesh *m = begin();
	uint64_t took = connect_takes(m, "connect homelab --wait 5");

	MESH_CHECK(m, took >= 5 * SECOND && took < 6 * SECOND);
	world_host_resolver(m->node[0].host, SPLITDNS_UNAVAILABLE);
	MESH_CHECK(m, connect_takes(m, "connect homelab") < SECOND);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("command/connect", it_waits_for_the_names, without_names_it_is_connected_all_the_same)
