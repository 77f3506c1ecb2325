/* SPDX-License-Identifier: MIT */
/*
 * Nodes that are restarted, in order or by kill -9, again and again, with and without a server: how
 * long until packets pass again.
 */
#include "nat_kit.h"

#define AT_ONCE SECOND	      /* the README promises "a second or two" */
#define PROMISED (5 * SECOND) /* "five at the most" */
#define PING_GAP (200 * MS)
#define NODES 3

/* Three connected nodes; bit i of `nats` puts node i behind a NAT. */
static struct mesh *mesh_behind(unsigned nats)
{
	struct mesh *m = mesh_new(sim_seed());

	mesh_nodes(m, NODES);
	for (unsigned i = 0; i < NODES; i++) {
		if (nats >> i & 1)
			nat_before(&m->node[i], &nat_by_port);
	}
	mesh_join_all(m);
	mesh_reach(m, 10 * SECOND);
	sim_pass(m->w, 20 * SECOND);
	return m;
}

/* Pings every PING_GAP until one passes: how long that took, `within` if none did. */
static uint64_t until_ping(struct mesh *m, struct mesh_node *from, struct mesh_node *to,
			   uint64_t within)
{
	uint64_t begin = world_now(m->w), next = begin;
	uint32_t before = m->ping_seq;

	while (m->newest[to->index][from->index] <= before && world_now(m->w) - begin < within) {
		if (world_now(m->w) >= next) {
			mesh_ping(from, to);
			next += PING_GAP;
		}
		sim_pass(m->w, 10 * MS);
		mesh_take(m);
	}
	return world_now(m->w) - begin;
}

static void end_daemon(struct mesh_node *n, bool kill)
{
	if (kill)
		mesh_daemon_crash(n);
	else
		mesh_daemon_stop(n);
}

/* --- the same node, again and again ----------------------------------------------------------- */

enum server_is { SERVER_THERE, SERVER_AWAY, SERVER_KILLED_TOO };

struct flap {
	unsigned nats;
	unsigned which, peer; /* is restarted; pings it, and is pinged by it */
	bool kill;
	enum server_is server;
	uint64_t age;	 /* between restarts */
	uint64_t within; /* 0: AT_ONCE */
};

static void server_before(struct mesh *m, enum server_is server)
{
	if (server == SERVER_KILLED_TOO) {
		mesh_server_crash(m);
		mesh_server_start(m);
	}
}

/* The longest time until packets pass in both directions, of eight restarts. */
static uint64_t flap_worst(const struct flap *f)
{
	struct mesh *m = mesh_behind(f->nats);
	struct mesh_node *n = &m->node[f->which], *peer = &m->node[f->peer];
	uint64_t worst = 0;

	if (f->server == SERVER_AWAY)
		mesh_server_crash(m);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t there, back;

		sim_pass(m->w, f->age);
		server_before(m, f->server);
		end_daemon(n, f->kill);
		sim_pass(m->w, 100 * MS);
		mesh_daemon_start(n);
		there = until_ping(m, n, peer, MINUTE);
		back = until_ping(m, peer, n, MINUTE);
		worst = MAX(worst, there + back);
	}
	mesh_free(m);
	return worst;
}

/* [P4-9] */
START_TEST(a_node_that_restarts_often_is_back_at_once)
{
	static const struct flap cases[] = {
		/* The tunnel is younger than "useful": a knock and a reset are no failures. */
		{ .nats = 1, .which = 1, .kill = true, .server = SERVER_AWAY, .age = 7 * SECOND },
		{ .nats = 1, .which = 1, .kill = true, .server = SERVER_AWAY, .age = 4 * SECOND },
		{ .which = 1, .kill = true, .server = SERVER_AWAY, .age = 12 * SECOND },
		{ .which = 1, .server = SERVER_AWAY, .age = 2 * SECOND },
		/* A knock comes within the gap after the test that another one caused. */
		{ .which = 1, .kill = true, .server = SERVER_AWAY, .age = 300 * MS },
		{ .nats = 3, .which = 1, .kill = true, .server = SERVER_AWAY, .age = 500 * MS },
		{ .nats = 7, .which = 2, .kill = true, .server = SERVER_AWAY, .age = 700 * MS },
		{ .nats = 1, .which = 1, .kill = true, .server = SERVER_THERE, .age = 600 * MS },
		/* The side that begins. */
		{ .nats = 2,
		  .which = 0,
		  .peer = 1,
		  .kill = true,
		  .server = SERVER_AWAY,
		  .age = SECOND },
		{ .nats = 3, .which = 0, .peer = 1, .server = SERVER_THERE, .age = 3 * SECOND },
		/* With the server at the same moment. */
		{ .nats = 3,
		  .which = 1,
		  .kill = true,
		  .server = SERVER_KILLED_TOO,
		  .age = 4 * SECOND,
		  .within = 2 * SECOND },
		{ .nats = 1,
		  .which = 0,
		  .peer = 2,
		  .kill = true,
		  .server = SERVER_KILLED_TOO,
		  .age = 2 * SECOND,
		  .within = 2 * SECOND },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t worst = flap_worst(&cases[i]);
		uint64_t limit = cases[i].within ? cases[i].within : AT_ONCE;

		printf("case %zu: %llu ms at most\n", i, (unsigned long long)(worst / MS));
		ck_assert_msg(worst <= limit, "case %zu: %llu ms", i,
			      (unsigned long long)(worst / MS));
	}
}
END_TEST

/*
 * Both restart, one after the other: the called one dies between the handshake and its hello, at
 * the latest before it has answered. Its knocks show the caller that nobody will answer.
 */
/* [P4-10] */
START_TEST(a_node_that_dies_before_its_hello_is_called_again_at_once)
{
	static const struct link_params far = { .delay_ns = 80 * MS, .mtu_bytes = 1500 };
	struct mesh *m = mesh_behind(0);
	struct mesh_node *caller = &m->node[0], *called = &m->node[1];
	uint64_t worst = 0;

	mesh_links(m, far);
	for (unsigned ms = 150; ms < 500; ms += 10) {
		uint64_t took;

		sim_pass(m->w, 12 * SECOND);
		end_daemon(caller, true);
		mesh_daemon_start(caller);
		sim_pass(m->w, ms * MS);
		end_daemon(called, true);
		sim_pass(m->w, 50 * MS); /* so that what the caller says last is lost */
		mesh_daemon_start(called);
		took = until_ping(m, called, caller, MINUTE);
		worst = MAX(worst, took);
	}
	mesh_free(m);
	printf("killed before its hello: %llu ms at most\n", (unsigned long long)(worst / MS));
	ck_assert_uint_le(worst, 2 * SECOND);
}
END_TEST

/* --- whatever happens ------------------------------------------------------------------------- */

/* One mishap of the server before the node's, drawn by lot. */
static void server_mishap(struct mesh *m, struct unit_rng *rng)
{
	switch (unit_random_below(rng, 4)) {
	case 0:
		mesh_server_stop(m);
		break;
	case 1:
		mesh_server_crash(m);
		break;
	default:
		return;
	}
	if (unit_random_below(rng, 4) == 0)
		return; /* stays away during the node's restart */
	sim_pass(m->w, unit_random_below(rng, 1500) * MS);
	mesh_server_start(m);
	sim_pass(m->w, unit_random_below(rng, 5000) * MS);
}

/* Restarts a node at a random time, perhaps together with the server or its peer. */
static uint64_t random_restart(struct mesh *m, struct unit_rng *rng, unsigned which)
{
	unsigned peer = (which + 1 + unit_random_below(rng, NODES - 1)) % NODES;
	struct mesh_node *n = &m->node[which], *other = &m->node[peer];
	bool from_peer = unit_random_below(rng, 3) == 0;
	uint64_t took;

	sim_pass(m->w, unit_random_below(rng, 9500) * MS);
	server_mishap(m, rng);
	if (unit_random_below(rng, 8) == 0) {
		end_daemon(other, unit_random_below(rng, 2) == 0);
		mesh_daemon_start(other);
		sim_pass(m->w, unit_random_below(rng, 3000) * MS);
	}
	end_daemon(n, unit_random_below(rng, 2) == 0);
	sim_pass(m->w, unit_random_below(rng, 3) ? 50 * MS : unit_random_below(rng, 8000) * MS);
	mesh_daemon_start(n);
	took = from_peer ? until_ping(m, other, n, MINUTE) : until_ping(m, n, other, MINUTE);
	if (!m->server)
		mesh_server_start(m);
	return took;
}

/* The longest of 40 random restarts; now and then one node is hit several times in a row. */
static uint64_t random_worst(unsigned nats, const struct link_params *links)
{
	struct mesh *m = mesh_behind(nats);
	struct unit_rng rng = { sim_seed() };
	unsigned which = 0, left = 0;
	uint64_t worst = 0;

	mesh_links(m, *links);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t took;

		if (left-- == 0) {
			which = unit_random_below(&rng, NODES);
			left = unit_random_below(&rng, 8);
		}
		took = random_restart(m, &rng, which);
		worst = MAX(worst, took);
	}
	mesh_free(m);
	printf("behind NATs %u: %llu ms at most\n", nats, (unsigned long long)(worst / MS));
	return worst;
}

START_TEST(random_restarts_take_two_seconds_at_most)
{
	static const struct link_params links = { .delay_ns = 10 * MS, .mtu_bytes = 1500 };

	ck_assert(random_worst(0, &links) <= 2 * SECOND);
	ck_assert(random_worst(3, &links) <= 2 * SECOND);
	ck_assert(random_worst(7, &links) <= 2 * SECOND);
}
END_TEST

START_TEST(random_restarts_on_bad_links_take_five_seconds_at_most)
{
	static const struct link_params far = { .delay_ns = 80 * MS, .mtu_bytes = 1500 };
	static const struct link_params lossy = { .delay_ns = 10 * MS,
						  .loss = 0.02,
						  .mtu_bytes = 1500 };

	ck_assert(random_worst(1, &far) <= PROMISED);
	ck_assert(random_worst(3, &lossy) <= PROMISED);
}
END_TEST

UNIT_MAIN("sim/paths_restart", a_node_that_restarts_often_is_back_at_once,
	  a_node_that_dies_before_its_hello_is_called_again_at_once,
	  random_restarts_take_two_seconds_at_most,
	  random_restarts_on_bad_links_take_five_seconds_at_most)
