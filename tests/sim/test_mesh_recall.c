/* SPDX-License-Identifier: MIT */
/* The server is killed and started again: it calls its nodes back, as far as it remembers them. */
#include "nat_kit.h"
#include "os/file.h"
#include "signal/recall.h"

#define NODES 4
#define KILLS 20
#define BY_KEEP_ALIVE (SIGNAL_KEEP_ALIVE + SECOND)

static struct mesh *mesh_ready(void)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, NODES);
	nat_before(&m->node[0], &nat_by_port);
	nat_before(&m->node[1], &nat_hard);
	mesh_links(m, (struct link_params){ .delay_ns = 20 * MS, .mtu_bytes = 1500 });
	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	sim_pass(m->w, 20 * SECOND);
	return m;
}

static bool all_have_a_session(void *ctx)
{
	struct mesh *m = ctx;

	return mesh_server_sessions(m) == m->n_nodes;
}

/* How long until all nodes have a session with the server that was just started. */
static uint64_t until_back(struct mesh *m)
{
	uint64_t begin = world_now(m->w);

	mesh_until(m, 20 * SECOND, all_have_a_session, m);
	return world_now(m->w) - begin;
}

static void kill_server(struct mesh *m, uint64_t down)
{
	mesh_server_crash(m);
	sim_pass(m->w, down);
	mesh_server_start(m);
}

static void list_path(struct mesh *m, char out[128])
{
	char db[96];

	mesh_server_db(m, db);
	snprintf(out, 128, "%s" RECALL_SUFFIX, db);
}

/* The server is killed again and again, after so long and ever a bit more: all are back in time. */
static void check_kills(uint64_t apart, const char *how)
{
	struct mesh *m = mesh_ready();
	uint64_t worst = 0;

	for (unsigned i = 0; i < KILLS; i++) {
		uint64_t took;

		kill_server(m, 50 * MS);
		took = until_back(m);
		worst = MAX(worst, took);
		sim_pass(m->w, apart + i * 250 * MS);
	}
	printf("%d kills%s: %llu ms at most\n", KILLS, how, (unsigned long long)(worst / MS));
	MESH_CHECK(m, worst <= SECOND);
	mesh_free(m);
}

/* [P3-81] */
START_TEST(nodes_are_back_within_a_second_of_the_servers_death)
{
	check_kills(11 * SECOND, "");
}
END_TEST

/* A session that lasted some seconds was of use: no long wait follows it. */
START_TEST(nor_does_it_take_longer_when_the_server_dies_every_few_seconds)
{
	check_kills(4 * SECOND, " in quick succession");
}
END_TEST

/* The first process that starts again dies as well, before it has reached anybody. */
START_TEST(a_server_that_dies_again_at_once_does_not_forget_its_nodes)
{
	struct mesh *m = mesh_ready();
	uint64_t took;

	kill_server(m, 50 * MS);
	sim_pass(m->w, 5 * MS);
	kill_server(m, 50 * MS);
	sim_pass(m->w, 200 * MS); /* some have returned, the list is another one */
	kill_server(m, 50 * MS);
	took = until_back(m);
	printf("after three kills: %llu ms\n", (unsigned long long)(took / MS));
	MESH_CHECK(m, took <= 2 * SECOND); /* the waits of sessions that did not last */
	mesh_free(m);
}
END_TEST

struct lossy {
	struct mesh *m;
	unsigned to_lose;
};

/* Drops the first datagrams that a server which has just started sends. */
static bool drop_first(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		       uint8_t *data, size_t *len)
{
	struct lossy *l = ctx;

	(void)src, (void)dst, (void)data, (void)len;
	if (from != l->m->server_host || l->to_lose == 0)
		return true;
	l->to_lose--;
	return false;
}

START_TEST(a_call_that_gets_lost_is_repeated)
{
	struct mesh *m = mesh_ready();
	struct lossy l = { m, NODES }; /* the whole first round */
	uint64_t took;

	mesh_server_crash(m);
	world_tap(m->w, drop_first, &l);
	mesh_server_start(m);
	took = until_back(m);
	printf("with the first calls lost: %llu ms\n", (unsigned long long)(took / MS));
	MESH_CHECK(m, took > 500 * MS && took <= 1500 * MS);
	mesh_free(m);
}
END_TEST

START_TEST(without_a_readable_list_the_keep_alives_do)
{
	struct mesh *m = mesh_ready();
	char path[128];

	list_path(m, path);
	MESH_CHECK(m, file_exists(m->server_host, path));
	SIM_CHECK_OK(m->w, file_write(m->server_host, path, "\x82\x01\x81", 3, 0600, NULL));
	kill_server(m, 50 * MS);
	MESH_CHECK(m, until_back(m) <= BY_KEEP_ALIVE);
	sim_pass(m->w, 20 * SECOND);
	SIM_CHECK_OK(m->w, file_remove(m->server_host, path));
	kill_server(m, 50 * MS);
	MESH_CHECK(m, until_back(m) <= BY_KEEP_ALIVE);
	mesh_free(m);
}
END_TEST

START_TEST(a_server_that_stops_in_order_calls_nobody)
{
	struct mesh *m = mesh_ready();
	struct buf b = { 0 };
	char path[128];

	list_path(m, path);
	mesh_server_stop(m);
	SIM_CHECK_OK(m->w, file_read(m->server_host, path, RECALL_FILE_MAX, NULL, &b));
	MESH_CHECK(m, b.len == 3 && memcmp(b.data, "\x82\x01\x80", 3) == 0);
	buf_free(&b);
	mesh_server_start(m);
	until_back(m);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_recall", nodes_are_back_within_a_second_of_the_servers_death,
	  nor_does_it_take_longer_when_the_server_dies_every_few_seconds,
	  a_server_that_dies_again_at_once_does_not_forget_its_nodes,
	  a_call_that_gets_lost_is_repeated, without_a_readable_list_the_keep_alives_do,
	  a_server_that_stops_in_order_calls_nobody)
