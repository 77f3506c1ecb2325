/* SPDX-License-Identifier: MIT */
/* Timers, deferred calls and signals on the world's event queue. */
#include "os/loop.h"
#include "os/sim/sim.h"

struct timer {
	struct event event;
	loop_fn fn;
	void *ctx;
};

struct deferred {
	struct list in_world; /* linked while pending */
	struct host *host;
	loop_fn fn;
	void *ctx;
};

struct signal_watch {
	struct list in_machine;
	struct event event;
	int signum;
	loop_fn fn;
	void *ctx;
};

static void timer_fire(struct event *e)
{
	struct timer *t = container_of(e, struct timer, event);
	struct host *h = e->owner;

	world_digest_u64(h->world, h->world->now);
	world_digest_u64(h->world, (uint64_t)h->machine->endpoint.id);
	t->fn(t->ctx);
}

struct timer *timer_new(struct host *h, loop_fn fn, void *ctx)
{
	struct timer *t = sim_alloc(sizeof(*t));

	event_init(&t->event, h, timer_fire);
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

void timer_set(struct timer *t, uint64_t at)
{
	struct host *h = t->event.owner;

	if (at == TIME_NEVER || !h->alive)
		event_cancel(h->world, &t->event);
	else
		event_set(h->world, &t->event, at);
}

void timer_set_in(struct timer *t, uint64_t delay)
{
	uint64_t now = t->event.owner->world->now;

	timer_set(t, delay < TIME_NEVER - now ? now + delay : TIME_NEVER);
}

bool timer_is_set(const struct timer *t)
{
	return event_is_set(&t->event);
}

void timer_free(struct timer *t)
{
	if (!t)
		return;
	event_cancel(t->event.owner->world, &t->event);
	free(t);
}

struct deferred *deferred_new(struct host *h, loop_fn fn, void *ctx)
{
	struct deferred *d = sim_alloc(sizeof(*d));

	d->host = h;
	d->fn = fn;
	d->ctx = ctx;
	return d;
}

void deferred_call(struct deferred *d)
{
	if (!d->in_world.next && d->host->alive)
		list_append(&d->host->world->deferred, &d->in_world);
}

void deferred_free(struct deferred *d)
{
	if (!d)
		return;
	list_remove(&d->in_world);
	free(d);
}

static struct deferred *deferred_next(struct world *w)
{
	list_for_each(it, &w->deferred) {
		struct deferred *d = list_entry(it, struct deferred, in_world);

		if (!d->host->machine->suspended)
			return d;
	}
	return NULL;
}

void deferred_run(struct world *w)
{
	struct deferred *d;

	while ((d = deferred_next(w))) {
		list_remove(&d->in_world);
		if (!d->host->alive)
			continue;
		if (++w->instant_events > INSTANT_EVENTS_MAX)
			world_die(w, "deferred calls without end");
		d->fn(d->ctx);
	}
}

/* Runs the whole world until this host stops: what a program's main function expects. */
int loop_run(struct host *h)
{
	struct world *w = h->world;

	h->stopped = h->stopping;
	while (!h->stopping && h->alive) {
		deferred_run(w);
		if (!h->stopping && !event_run_one(w, TIME_NEVER))
			world_die(w, "%s waits in loop_run forever", h->machine->name);
		deferred_run(w);
	}
	h->stopping = false;
	return h->alive ? 0 : -ESHUTDOWN;
}

void loop_stop(struct host *h)
{
	h->stopped = h->stopping = true;
}

bool world_host_stopped(const struct host *h)
{
	return h->stopped;
}

static void signal_fire(struct event *e)
{
	struct signal_watch *s = container_of(e, struct signal_watch, event);

	s->fn(s->ctx);
}

void signals_ignore_strays(void)
{
}

bool signal_is_ignored(int signum)
{
	(void)signum;
	return false;
}

struct signal_watch *signal_watch_new(struct host *h, int signum, loop_fn fn, void *ctx)
{
	struct signal_watch *s = sim_alloc(sizeof(*s));

	event_init(&s->event, h, signal_fire);
	s->signum = signum;
	s->fn = fn;
	s->ctx = ctx;
	list_append(&h->machine->signals, &s->in_machine);
	return s;
}

void signal_watch_free(struct signal_watch *s)
{
	if (!s)
		return;
	event_cancel(s->event.owner->world, &s->event);
	list_remove(&s->in_machine);
	free(s);
}

void world_host_signal(struct host *h, int signum)
{
	world_trace(h->world, "%s: signal %d", h->machine->name, signum);
	list_for_each(it, &h->machine->signals) {
		struct signal_watch *s = list_entry(it, struct signal_watch, in_machine);

		if (s->event.owner == h && s->signum == signum && h->alive)
			event_set(h->world, &s->event, h->world->now);
	}
}
