/* SPDX-License-Identifier: MIT */
/*
 * The raw clients of the simulated tests (tests/sim/signal_steps.h) on this machine's own sockets:
 * what those headers ask of a world, over the event loop of a real host. It is included before them
 * and in place of sim.h.
 */
#ifndef MLSH_BENCH_REAL_SIM_H
#define MLSH_BENCH_REAL_SIM_H

#define MLSH_TESTS_SIM_H /* not that one */

#include <errno.h>

#include "../tests/unit/unit.h"
#include "os/loop.h"
#include "os/udp.h"

#define IP(a, b, c, d) ((ip4)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define SIM_CHECK(w, expr) ck_assert_msg((expr), "%s", #expr)
#define WORLD_TURN (200 * NS_PER_US) /* after so long it is asked again whether it is done */

/* One host, whose loop runs until something is true. */
struct world {
	struct host *h;
	struct timer *turn;
	uint64_t until;
	bool (*done)(void *ctx);
	void *ctx;
	bool was_done;
};

static inline void world_turn(void *ctx)
{
	struct world *w = ctx;
	uint64_t now = clock_now(w->h);

	w->was_done = w->done && w->done(w->ctx);
	if (w->was_done || now >= w->until)
		loop_stop(w->h);
	else
		timer_set(w->turn, w->done ? MIN(now + WORLD_TURN, w->until) : w->until);
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(host_new(NULL, &w->h), 0);
	host_log(w->h)->level = LOG_LEVEL_ERROR;
	w->turn = timer_new(w->h, world_turn, w);
	ck_assert_ptr_nonnull(w->turn);
	return w;
}

static inline void world_free(struct world *w)
{
	timer_free(w->turn);
	host_free(w->h);
	free(w);
}

static inline bool world_run(struct world *w, uint64_t for_ns, bool (*done)(void *ctx), void *ctx)
{
	w->done = done;
	w->ctx = ctx;
	w->until = clock_refresh(w->h) + for_ns;
	timer_set(w->turn, clock_now(w->h));
	ck_assert_int_eq(loop_run(w->h), 0);
	return w->was_done || !done;
}

static inline void sim_pass(struct world *w, uint64_t ns)
{
	ck_assert(world_run(w, ns, NULL, NULL));
}

/* What only simulated machines do. */
static inline struct world *sim_new(void)
{
	return world_new();
}

static inline void world_seed_tls(struct world *w)
{
	(void)w;
}

static inline struct host *world_host(struct world *w, const char *name, ip4 ip)
{
	(void)name;
	(void)ip;
	return w->h;
}

static inline void world_host_crash(struct host *h)
{
	(void)h;
}

static inline struct host *world_host_boot(struct host *h)
{
	return h;
}

#endif
