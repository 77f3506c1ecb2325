/* SPDX-License-Identifier: MIT */
/*
 * Machines that sleep, move, lose an interface or their cable; NATs that forget meanwhile; servers
 * that are restarted: how long until packets pass again, directly and over the relay, whichever
 * side it happens to. And that nobody is shown as connected who is not.
 */
#include "mesh.h"
#include "os/sim/nat.h"
#include "overlay/internal.h"

#define BACK_WITHIN (5 * SECOND)
#define TRUTH_WITHIN (3 * SECOND)

/* Two nodes, each behind a NAT that filters by address and port. */
struct home {
	struct mesh *m;
	struct nat *nat[2];
	bool relayed; /* they cannot reach each other directly */
	unsigned moves;
};

static struct mesh_node *node(struct home *h, unsigned i)
{
	return &h->m->node[i];
}

static bool is_path(struct home *h, enum peer_path want)
{
	return mesh_peer(node(h, 0), node(h, 1)).path == want &&
	       mesh_peer(node(h, 1), node(h, 0)).path == want;
}

static struct nat *nat_make(struct home *h, ip4 outer)
{
	struct nat_config cfg = { .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .timeout_ns = 30 * SECOND };

	if (h->relayed) /* of both: no direct path */
		cfg.mapping = NAT_ADDRESS_AND_PORT_DEPENDENT;
	return nat_new(h->m->w, NULL, &cfg, outer);
}

static void home_new(struct home *h, bool relayed)
{
	*h = (struct home){ .m = mesh_new(sim_seed()), .relayed = relayed };
	mesh_nodes(h->m, 2);
	for (unsigned i = 0; i < 2; i++) {
		h->nat[i] = nat_make(h, IP(203, 0, 113, 10 + i));
		world_host_move(node(h, i)->host, nat_net(h->nat[i]), IP(10, 7, i, 2));
	}
	mesh_join_all(h->m);
	mesh_reach(h->m, 2 * SECOND);
	mesh_flow(h->m, 10 * SECOND, 20);
	MESH_CHECK(h->m, is_path(h, relayed ? PEER_PATH_RELAY : PEER_PATH_DIRECT));
}

/* Traffic both ways: how long until something passes in both directions. */
static uint64_t silence(struct mesh *m)
{
	uint64_t begin = world_now(m->w);

	mesh_flow_begin(m);
	while (m->pings_got[0][1] == 0 || m->pings_got[1][0] == 0) {
		if (world_now(m->w) - begin > 60 * SECOND)
			return TIME_NEVER;
		mesh_ping_pairs(m);
		sim_pass(m->w, 10 * MS);
		mesh_take(m);
	}
	return world_now(m->w) - begin;
}

/* --- what happens ----------------------------------------------------------------------------- */

/* A second home or a café: another NAT, another address behind it. */
static void elsewhere(struct home *h, unsigned which)
{
	struct nat *n = nat_make(h, IP(203, 0, 113, 50 + h->moves));

	world_host_move(node(h, which)->host, nat_net(n), IP(10, 8, h->moves, 2));
	h->moves++;
}

static void suspend(struct home *h, unsigned which)
{
	world_host_suspend(node(h, which)->host);
}

static void resume(struct home *h, unsigned which)
{
	world_host_resume(node(h, which)->host);
}

static void wake_elsewhere(struct home *h, unsigned which)
{
	elsewhere(h, which);
	resume(h, which);
}

static void suspend_both(struct home *h, unsigned which)
{
	(void)which;
	suspend(h, 0);
	suspend(h, 1);
}

static void resume_both(struct home *h, unsigned which)
{
	resume(h, which);
	resume(h, 1 - which);
}

static void wake_both_elsewhere(struct home *h, unsigned which)
{
	elsewhere(h, which);
	elsewhere(h, 1 - which);
	resume_both(h, which);
}

static void unplug(struct home *h, unsigned which)
{
	world_host_carrier(node(h, which)->host, false);
}

static void plug(struct home *h, unsigned which)
{
	world_host_carrier(node(h, which)->host, true);
}

static void plug_elsewhere(struct home *h, unsigned which)
{
	elsewhere(h, which);
	plug(h, which);
}

static void nat_restart(struct home *h, unsigned which)
{
	nat_reboot(h->nat[which]);
}

static void nat_new_address(struct home *h, unsigned which)
{
	SIM_CHECK_OK(h->m->w, nat_renumber(h->nat[which], IP(203, 0, 113, 200 + h->moves++)));
}

static void server_restart(struct home *h, unsigned which)
{
	(void)which;
	mesh_server_crash(h->m);
	mesh_server_start(h->m);
}

static void nothing(struct home *h, unsigned which)
{
	(void)h, (void)which;
}

struct event_of_life {
	const char *what;
	void (*begin)(struct home *h, unsigned which);
	uint64_t lasts;
	void (*end)(struct home *h, unsigned which);
};

static const struct event_of_life life[] = {
	{ "sleeps for 2 s", suspend, 2 * SECOND, resume },
	{ "sleeps for 20 s", suspend, 20 * SECOND, resume },
	{ "sleeps for 10 min", suspend, 10 * MINUTE, resume },
	{ "sleeps for 8 h", suspend, 8 * HOUR, resume },
	{ "sleeps for 5 s, wakes elsewhere", suspend, 5 * SECOND, wake_elsewhere },
	{ "sleeps for 1 h, wakes elsewhere", suspend, HOUR, wake_elsewhere },
	{ "both sleep for 1 h", suspend_both, HOUR, resume_both },
	{ "both sleep, wake elsewhere", suspend_both, 10 * MINUTE, wake_both_elsewhere },
	{ "moves to another network", elsewhere, 0, nothing },
	{ "cable out for 3 s", unplug, 3 * SECOND, plug },
	{ "cable out for 40 s", unplug, 40 * SECOND, plug },
	{ "cable out for 10 min", unplug, 10 * MINUTE, plug },
	{ "cable out, in elsewhere", unplug, 20 * SECOND, plug_elsewhere },
	{ "its router is rebooted", nat_restart, 0, nothing },
	{ "its router gets another address", nat_new_address, 0, nothing },
	{ "the server is restarted", server_restart, 0, nothing },
};

/*
 * Lets the time pass, and looks how long the other side is shown as connected though nothing can
 * get through.
 */
static uint64_t wait_for_the_end(struct home *h, const struct event_of_life *e, unsigned which,
				 bool busy)
{
	struct mesh_node *other = node(h, 1 - which);
	uint64_t begin = world_now(h->m->w), truth = 0;
	bool looks = e->lasts >= TRUTH_WITHIN && e->begin != suspend_both;

	while (looks && world_now(h->m->w) - begin < MIN(e->lasts, 10 * SECOND)) {
		if (busy)
			mesh_ping(other, node(h, which));
		sim_pass(h->m->w, 50 * MS);
		mesh_take(h->m);
		(void)overlay_look(tunnel_overlay(mesh_tunnel(other)));
		if (mesh_peer(other, node(h, which)).state == PEER_UP)
			truth = world_now(h->m->w) - begin;
	}
	sim_pass(h->m->w, begin + e->lasts - world_now(h->m->w));
	return truth;
}

static void happen(bool relayed, unsigned which, bool busy, const struct event_of_life *e)
{
	struct home h;
	uint64_t truth, t;

	home_new(&h, relayed);
	sim_pass(h.m->w, busy ? 0 : 3 * MINUTE);
	e->begin(&h, which);
	truth = wait_for_the_end(&h, e, which, busy);
	e->end(&h, which);
	t = silence(h.m);
	printf("%-7s %s  node %u %-34s noticed after %5llu ms  back after %5lld ms%s\n",
	       relayed ? "relayed" : "direct", busy ? "busy" : "idle", which, e->what,
	       (unsigned long long)(truth / MS), t == TIME_NEVER ? -1 : (long long)(t / MS),
	       t < BACK_WITHIN ? "" : "   TOO LATE");
	fflush(stdout);
	MESH_CHECK(h.m, t < BACK_WITHIN);
	MESH_CHECK(h.m, truth < TRUTH_WITHIN);
	mesh_free(h.m);
}

static void all(bool relayed)
{
	for (size_t i = 0; i < ARRAY_LEN(life); i++) {
		for (unsigned k = 0; k < 4; k++)
			happen(relayed, k & 1, k >> 1 & 1, &life[i]);
	}
}

START_TEST(direct_tunnels_are_back_within_five_seconds)
{
	all(false);
}
END_TEST

START_TEST(relayed_tunnels_are_back_within_five_seconds)
{
	all(true);
}
END_TEST

/* The other side's attempts are at any point of theirs when the relay is there again. */
START_TEST(whatever_the_attempts_are_at)
{
	struct event_of_life e = { "cable out, in elsewhere", unplug, 0, plug_elsewhere };

	for (unsigned i = 0; i < 60; i += SIM_STRIDE) {
		e.lasts = 10 * SECOND + i * 370 * MS;
		happen(true, i & 1, i >> 1 & 1, &e);
	}
}
END_TEST

/* Does `mlsh status` show a path to the other one? */
static bool status_shows(struct home *h, unsigned which)
{
	char *reply = mesh_control(node(h, which), CONTROL_STATUS);
	bool shown = strstr(reply, "\"direct\"") != NULL;

	MESH_CHECK(h->m, strstr(reply, "\"path\"") != NULL);
	free(reply);
	return shown;
}

START_TEST(status_of_an_idle_tunnel_is_true_at_the_first_asking)
{
	for (unsigned which = 0; which < 2; which++) {
		struct home h;
		uint64_t asked;

		home_new(&h, false);
		sim_pass(h.m->w, 3 * MINUTE + 7 * SECOND);
		asked = world_now(h.m->w);
		MESH_CHECK(h.m, status_shows(&h, which));
		MESH_CHECK(h.m, world_now(h.m->w) - asked < 100 * MS);
		sim_pass(h.m->w, 100 * SECOND);
		suspend(&h, 1 - which);
		sim_pass(h.m->w, 3 * SECOND);
		MESH_CHECK(h.m, !status_shows(&h, which));
		resume(&h, 1 - which);
		MESH_CHECK(h.m, silence(h.m) < BACK_WITHIN);
		mesh_flow(h.m, 15 * SECOND, 20); /* back on a direct path, too */
		MESH_CHECK(h.m, status_shows(&h, which));
		mesh_free(h.m);
	}
}
END_TEST

UNIT_MAIN("sim/paths_roam", status_of_an_idle_tunnel_is_true_at_the_first_asking,
	  direct_tunnels_are_back_within_five_seconds, relayed_tunnels_are_back_within_five_seconds,
	  whatever_the_attempts_are_at)
