/* SPDX-License-Identifier: MIT */
/*
 * Random mishaps: machines crash, sleep, move, lose their links; the server restarts; others join
 * in the middle of it. Whatever happened, once all is well again everybody is a member and all
 * pairs reach each other within half a minute.
 *
 *	make sim T=mesh_random SEED=7 HOURS=24		another seed, and one long run
 */
#include "mesh.h"

#define MEMBERS 4
#define JOINERS 2
#define SCHEDULES 20
#define SCHEDULE_TIME (10 * MINUTE)
#define HEAL_TIME (30 * SECOND)

struct schedule {
	struct mesh *m;
	struct unit_rng rng;
	struct invite_url invite[JOINERS];
	struct mesh_join join[JOINERS];
	bool joining[JOINERS], connected[JOINERS];
	unsigned counts[16];
};

static struct mesh_node *any_node(struct schedule *s)
{
	return &s->m->node[unit_random_below(&s->rng, s->m->n_nodes)];
}

static void crash_or_boot(struct schedule *s)
{
	struct mesh_node *n = any_node(s);

	if (n->daemon)
		mesh_daemon_crash(n);
	else
		mesh_daemon_start(n);
}

static void stop_or_start(struct schedule *s)
{
	struct mesh_node *n = any_node(s);

	if (n->daemon && !n->suspended)
		mesh_daemon_stop(n);
	else if (!n->daemon)
		mesh_daemon_start(n);
}

static void sleep_or_wake(struct schedule *s)
{
	struct mesh_node *n = any_node(s);

	n->suspended = !n->suspended;
	if (n->suspended)
		world_host_suspend(n->host);
	else
		world_host_resume(n->host);
}

static void plug(struct schedule *s)
{
	struct mesh_node *n = any_node(s);

	n->unplugged = !n->unplugged;
	world_host_carrier(n->host, !n->unplugged);
}

static void move(struct schedule *s)
{
	struct mesh_node *n = any_node(s);

	world_host_roam(n->host, IP(203, 0, unit_random_below(&s->rng, 256), 10 + n->index));
}

static void cut_or_mend(struct schedule *s)
{
	struct mesh_node *a = any_node(s), *b = any_node(s);
	struct host *other = a == b ? s->m->server_host : b->host;

	world_link_cut(s->m->w, a->host, other, unit_random_below(&s->rng, 2));
}

/* Lasting ones: until the end of the schedule, or the next change of the same link. */
static void change_link(struct schedule *s)
{
	struct mesh_node *a = any_node(s), *b = any_node(s);
	struct host *other = a == b ? s->m->server_host : b->host;

	world_link(s->m->w, a->host, other,
		   (struct link_params){
			   .delay_ns = unit_random_below(&s->rng, 200) * MS,
			   .jitter_ns = unit_random_below(&s->rng, 50) * MS,
			   .loss = (double)unit_random_below(&s->rng, 30) / 100,
			   .duplicate = (double)unit_random_below(&s->rng, 5) / 100,
			   .reorder = unit_random_below(&s->rng, 2),
			   .mtu_bytes = (unsigned)(1280 + unit_random_below(&s->rng, 221)),
		   });
}

static void server(struct schedule *s)
{
	if (!s->m->server)
		mesh_server_start(s->m);
	else
		mesh_server_crash(s->m);
}

static void names(struct schedule *s)
{
	world_dns_down(s->m->w, unit_random_below(&s->rng, 2));
}

/* Ended? True when the node is a member; whoever failed may try again. */
static bool joined(struct schedule *s, size_t i)
{
	if (s->joining[i] && s->join[i].done) {
		s->joining[i] = false;
		(void)mesh_join_finish(&s->join[i]);
	}
	return s->m->node[MEMBERS + i].address != 0;
}

/* A step further: the command is started, killed, or followed by `mlsh connect`. */
static void join(struct schedule *s)
{
	size_t i = unit_random_below(&s->rng, JOINERS);
	struct mesh_node *n = &s->m->node[MEMBERS + i];

	if (joined(s, i)) {
		if (!s->connected[i] && !n->suspended)
			mesh_connect(n);
		s->connected[i] |= !n->suspended;
	} else if (!s->joining[i]) {
		mesh_adopt_start(n, &s->invite[i], &s->join[i]);
		s->joining[i] = true;
	} else if (unit_random_below(&s->rng, 3) == 0) {
		mesh_join_kill(&s->join[i]);
		s->joining[i] = false;
	}
}

/* When all is well, everybody gets in. */
static void join_all(struct schedule *s)
{
	for (size_t i = 0; i < JOINERS; i++) {
		struct mesh_node *n = &s->m->node[MEMBERS + i];

		if (s->joining[i]) {
			(void)mesh_join_finish(&s->join[i]);
			s->joining[i] = false;
		}
		if (!n->address)
			mesh_adopt(n, s->invite[i]);
		if (!s->connected[i])
			mesh_connect(n);
		s->connected[i] = true;
	}
}

static const struct {
	const char *name;
	void (*run)(struct schedule *s);
	unsigned weight;
} mishaps[] = {
	{ "crash or boot", crash_or_boot, 4 }, { "stop or start", stop_or_start, 2 },
	{ "sleep or wake", sleep_or_wake, 3 }, { "cable out or in", plug, 3 },
	{ "other network", move, 2 },	       { "link cut or mended", cut_or_mend, 4 },
	{ "link changed", change_link, 3 },    { "server down or up", server, 3 },
	{ "names down or up", names, 1 },      { "join", join, 4 },
};

static void mishap(struct schedule *s)
{
	unsigned all = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(mishaps); i++)
		all += mishaps[i].weight;
	at = (unsigned)unit_random_below(&s->rng, all);
	for (size_t i = 0; i < ARRAY_LEN(mishaps); i++) {
		if (at < mishaps[i].weight) {
			s->counts[i]++;
			mishaps[i].run(s);
			return;
		}
		at -= mishaps[i].weight;
	}
}

/* Waits are short and long: mishaps fall into the middle of what the ones before have begun. */
static uint64_t next_wait(struct schedule *s)
{
	static const uint64_t most[] = { 50 * MS, SECOND, 10 * SECOND, MINUTE };

	return unit_random_below(&s->rng, most[unit_random_below(&s->rng, ARRAY_LEN(most))]);
}

static void mishaps_for(struct schedule *s, uint64_t time)
{
	uint64_t end = world_now(s->m->w) + time;

	while (world_now(s->m->w) < end) {
		mishap(s);
		mesh_ping_pairs(s->m);
		sim_pass(s->m->w, next_wait(s));
		mesh_take(s->m);
	}
}

static void heal(struct mesh *m)
{
	world_dns_down(m->w, false);
	if (!m->server)
		mesh_server_start(m);
	mesh_links(m, LINK_DEFAULT);
	for (size_t i = 0; i < m->n_nodes; i++) {
		struct mesh_node *n = &m->node[i];

		if (n->suspended)
			world_host_resume(n->host);
		if (n->unplugged)
			world_host_carrier(n->host, true);
		n->suspended = n->unplugged = false;
		if (!n->daemon)
			mesh_daemon_start(n);
	}
}

static uint64_t check_healed(struct mesh *m)
{
	uint64_t took = mesh_reach(m, HEAL_TIME);

	mesh_all_connected(m, HEAL_TIME);
	MESH_CHECK(m, mesh_server_log(m) == m->n_nodes);
	for (size_t i = 0; i < m->n_nodes; i++) {
		MESH_CHECK(m, mlog_count(tunnel_log(mesh_tunnel(&m->node[i]))) == m->n_nodes);
		MESH_CHECK(m, tunnel_fork(mesh_tunnel(&m->node[i]), PROOF_SERVER)[0] == '\0');
	}
	return took;
}

/* Some hold on to dead connections for a while; by then what is sent arrives. */
static void check_quiet(struct mesh *m)
{
	sim_pass(m->w, 5 * SECOND);
	MESH_CHECK(m, mesh_flow(m, 5 * SECOND, 5) == 0);
}

static struct schedule schedule_new(uint64_t seed)
{
	struct schedule s = { .m = mesh_of(seed, MEMBERS), .rng = { seed } };

	mesh_reach(s.m, 10 * SECOND);
	for (size_t i = 0; i < JOINERS; i++)
		s.invite[i] = mesh_invite(&s.m->node[0], INVITE_TTL_MAX_S);
	mesh_nodes(s.m, MEMBERS + JOINERS);
	return s;
}

/* Returns how long it took until all pairs reached each other. */
static uint64_t run_for(struct schedule *s, uint64_t time)
{
	uint64_t took;

	mishaps_for(s, time);
	heal(s->m);
	join_all(s);
	took = check_healed(s->m);
	check_quiet(s->m);
	return took;
}

static uint64_t run_schedule(uint64_t seed)
{
	struct schedule s = schedule_new(seed);
	uint64_t took = run_for(&s, SCHEDULE_TIME);

	mesh_free(s.m);
	return took;
}

START_TEST(mishaps_heal)
{
	uint64_t seed = sim_seed() * 1000, longest = 0, sum = 0;

	/* A failure shows its own seed: MLSH_SIM_SCHEDULE=<that seed> repeats it alone. */
	if (getenv("MLSH_SIM_SCHEDULE")) {
		run_schedule(strtoull(getenv("MLSH_SIM_SCHEDULE"), NULL, 0));
		return;
	}
	for (unsigned i = 0; i < SCHEDULES; i++) {
		uint64_t took = run_schedule(seed + i);

		longest = MAX(longest, took);
		sum += took;
	}
	printf("%d schedules: all pairs after %.1f s, at most %.1f s\n", SCHEDULES,
	       (double)sum / SCHEDULES / 1e9, (double)longest / 1e9);
}
END_TEST

/* One mesh that lives long, and is well every hour. */
START_TEST(long_life)
{
	const char *text = getenv("MLSH_SIM_HOURS");
	unsigned long hours = text ? strtoul(text, NULL, 10) : 1;
	struct schedule s = schedule_new(sim_seed());
	uint64_t longest = 0;

	for (unsigned long i = 0; i < hours; i++) {
		uint64_t took = run_for(&s, HOUR);

		longest = MAX(longest, took);
	}
	printf("%lu hours: all pairs after at most %.1f s\n", hours, (double)longest / 1e9);
	for (size_t i = 0; i < ARRAY_LEN(mishaps); i++)
		printf("%6u %s\n", s.counts[i], mishaps[i].name);
	mesh_free(s.m);
}
END_TEST

UNIT_MAIN("sim/mesh_random", mishaps_heal, long_life)
