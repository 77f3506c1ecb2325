/* SPDX-License-Identifier: MIT */
/*
 * Host and loop: timers fire in order and may free themselves, deferred calls, signals,
 * descriptors, clock, randomness.
 */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/posix/watch.h"
#include "os_unit.h"

#define TIMERS 200

static struct host *new_host(void)
{
	struct host *h = NULL;
	ck_assert_int_eq(host_new(NULL, &h), 0);
	return h;
}

static void count_call(void *ctx)
{
	++*(unsigned *)ctx;
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

struct firing {
	struct host *host;
	struct timer *timer;
	uint64_t at;
	uint64_t *last;
	unsigned *left;
};

static void on_fire(void *ctx)
{
	struct firing *f = ctx;
	ck_assert(clock_now(f->host) >= f->at);
	ck_assert(*f->last <= f->at);
	*f->last = f->at;
	ck_assert(!timer_is_set(f->timer));
	timer_free(f->timer);
	f->timer = NULL;
	if (--*f->left == 0)
		loop_stop(f->host);
}

START_TEST(timers_fire_in_order_and_free_themselves)
{
	struct unit_rng rng = unit_rng_new("timers");
	struct host *h = new_host();
	struct firing f[TIMERS];
	uint64_t last = 0, start = clock_refresh(h);
	unsigned left = TIMERS;
	for (size_t i = 0; i < TIMERS; i++) {
		f[i] = (struct firing){ h, NULL, start + unit_random_below(&rng, 30 * NS_PER_MS),
					&last, &left };
		f[i].timer = timer_new(h, on_fire, &f[i]);
		timer_set(f[i].timer, f[i].at);
	}
	/* Moving and removing must keep the heap in order. */
	for (size_t i = 0; i < TIMERS; i += 3) {
		f[i].at = start + unit_random_below(&rng, 30 * NS_PER_MS);
		timer_set(f[i].timer, f[i].at);
	}
	for (size_t i = 0; i < TIMERS; i += 7) {
		timer_free(f[i].timer);
		f[i].timer = NULL;
		left--;
	}
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_uint_eq(left, 0);
	for (size_t i = 0; i < TIMERS; i++)
		ck_assert_ptr_null(f[i].timer);
	host_free(h);
}
END_TEST

static void append_name(void *ctx)
{
	const char **name = ctx; /* name[0] is appended to the buffer in name[1] */
	strcat((char *)(uintptr_t)name[1], name[0]);
}

START_TEST(equal_times_fire_in_the_order_set)
{
	struct host *h = new_host();
	char order[8] = "";
	const char *a[] = { "a", order }, *b[] = { "b", order }, *c[] = { "c", order };
	struct timer *ta = timer_new(h, append_name, a), *tb = timer_new(h, append_name, b);
	struct timer *tc = timer_new(h, append_name, c), *end = timer_new(h, stop, h);
	uint64_t at = clock_refresh(h) + NS_PER_MS;
	timer_set(tb, at);
	timer_set(tc, at);
	timer_set(ta, at);
	timer_set(end, at);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_str_eq(order, "bca");
	timer_free(ta);
	timer_free(tb);
	timer_free(tc);
	timer_free(end);
	host_free(h);
}
END_TEST

START_TEST(timer_never_disarms)
{
	struct host *h = new_host();
	struct timer *t = timer_new(h, stop, h);
	timer_set_in(t, 5);
	ck_assert(timer_is_set(t));
	timer_set(t, TIME_NEVER);
	ck_assert(!timer_is_set(t));
	timer_set_in(t, TIME_NEVER - 5);
	ck_assert(!timer_is_set(t));
	timer_free(t);
	timer_free(NULL);
	host_free(h);
}
END_TEST

/* A timer that always sets itself into the past must not keep a descriptor from being served. */
struct greedy {
	struct host *host;
	struct timer *timer;
	unsigned fired;
};

static void on_greedy(void *ctx)
{
	struct greedy *g = ctx;
	g->fired++;
	timer_set(g->timer, 1);
}

START_TEST(timer_in_the_past_waits_for_the_next_turn)
{
	struct host *h = new_host();
	int fds[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	struct greedy g = { .host = h };
	g.timer = timer_new(h, on_greedy, &g);
	timer_set(g.timer, 1);
	struct fd_watch *w = fd_watch_new(h, fds[0], true, false, stop, h);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_uint_ge(g.fired, 1);
	fd_watch_free(w);
	timer_free(g.timer);
	close(fds[0]);
	close(fds[1]);
	host_free(h);
}
END_TEST

struct step {
	struct host *host;
	struct deferred *self, *next;
	char *order;
	const char *name;
	bool stop;
};

static void on_step(void *ctx)
{
	struct step *s = ctx;
	strcat(s->order, s->name);
	if (s->next)
		deferred_call(s->next);
	if (s->stop)
		loop_stop(s->host);
	deferred_free(s->self);
	s->self = NULL;
}

static void start_steps(void *ctx)
{
	struct step *s = ctx;
	strcat(s->order, "(");
	deferred_call(s->self);
	deferred_call(s->self);
	strcat(s->order, ")");
}

START_TEST(deferred_runs_once_after_the_callback)
{
	struct host *h = new_host();
	char order[16] = "";
	struct step b = { .host = h, .order = order, .name = "b", .stop = true };
	struct step a = { .host = h, .order = order, .name = "a" };
	b.self = deferred_new(h, on_step, &b);
	a.self = deferred_new(h, on_step, &a);
	a.next = b.self;
	struct timer *t = timer_new(h, start_steps, &a);
	timer_set_in(t, 0);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_str_eq(order, "()ab");
	ck_assert_ptr_null(b.self);
	timer_free(t);
	host_free(h);
}
END_TEST

/* Pending before the loop runs, and nothing else to wake it. */
START_TEST(deferred_runs_before_the_loop_sleeps)
{
	struct host *h = new_host();
	struct deferred *d = deferred_new(h, stop, h), *gone = deferred_new(h, stop, h);
	deferred_call(gone);
	deferred_free(gone);
	deferred_call(d);
	ck_assert_int_eq(loop_run(h), 0);
	deferred_free(d);
	deferred_free(NULL);
	host_free(h);
}
END_TEST

struct endless {
	struct deferred *deferred;
	unsigned calls;
};

static void on_endless(void *ctx)
{
	struct endless *e = ctx;
	e->calls++;
	deferred_call(e->deferred);
}

START_TEST(deferred_that_calls_itself_does_not_starve_timers)
{
	struct host *h = new_host();
	struct endless e = { 0 };
	e.deferred = deferred_new(h, on_endless, &e);
	struct timer *t = timer_new(h, stop, h);
	timer_set_in(t, 2 * NS_PER_MS);
	deferred_call(e.deferred);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_uint_ge(e.calls, 2);
	timer_free(t);
	deferred_free(e.deferred);
	host_free(h);
}
END_TEST

struct caught {
	struct host *host;
	struct signal_watch *watch;
	unsigned count;
};

static void on_signal(void *ctx)
{
	struct caught *c = ctx;
	c->count++;
	signal_watch_free(c->watch);
	c->watch = NULL;
	loop_stop(c->host);
}

START_TEST(signal_reaches_its_watch)
{
	struct host *h = new_host();
	struct caught c = { .host = h };
	c.watch = signal_watch_new(h, SIGUSR1, on_signal, &c);
	ck_assert_ptr_nonnull(c.watch);
	ck_assert_int_eq(raise(SIGUSR1), 0);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_uint_eq(c.count, 1);
	host_free(h);
}
END_TEST

/* One that was ignored, as nohup leaves it, reaches its watch as well. */
START_TEST(strays_do_not_end_a_daemon)
{
	static const int strays[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTOU, SIGXFSZ };
	struct host *h = new_host();
	struct caught c = { .host = h };
	ck_assert(!signal_is_ignored(SIGHUP));
	signals_ignore_strays();
	for (size_t i = 0; i < ARRAY_LEN(strays); i++) {
		ck_assert(signal_is_ignored(strays[i]));
		ck_assert_int_eq(raise(strays[i]), 0);
	}
	c.watch = signal_watch_new(h, SIGHUP, on_signal, &c);
	ck_assert_ptr_nonnull(c.watch);
	ck_assert_int_eq(raise(SIGHUP), 0);
	ck_assert_int_eq(loop_run(h), 0);
	ck_assert_uint_eq(c.count, 1);
	host_free(h);
}
END_TEST

struct watched {
	struct host *host;
	struct fd_watch *watch;
	int fds[2];
};

static void on_readable_once(void *ctx)
{
	struct watched *w = ctx;
	fd_watch_free(w->watch);
	close(w->fds[0]);
	/* The number is free again at once, and a library may watch it again. */
	int fd = dup(w->fds[1]);
	ck_assert_int_eq(fd, w->fds[0]);
	w->watch = fd_watch_new(w->host, fd, false, true, stop, w->host);
	ck_assert_ptr_nonnull(w->watch);
}

START_TEST(watch_is_freed_in_its_callback_and_its_number_used_again)
{
	struct host *h = new_host();
	struct watched w = { .host = h };
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w.fds), 0);
	ck_assert_int_eq(write(w.fds[1], "x", 1), 1);
	w.watch = fd_watch_new(h, w.fds[0], true, false, on_readable_once, &w);
	ck_assert_int_eq(loop_run(h), 0);
	fd_watch_free(w.watch);
	fd_watch_free(NULL);
	close(w.fds[0]);
	close(w.fds[1]);
	host_free(h);
}
END_TEST

START_TEST(clock_stands_still_within_a_callback_and_never_goes_back)
{
	struct host *h = new_host();
	uint64_t t0 = clock_now(h);
	ck_assert(t0 == clock_now(h));
	uint64_t t1 = clock_refresh(h);
	ck_assert(t1 > t0);
	ck_assert(clock_now(h) == t1);
	ck_assert(clock_wall_s(h) > 1700000000);
	host_free(h);
}
END_TEST

START_TEST(random_below_stays_below)
{
	struct host *h = new_host();
	unsigned seen = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_below(h, 5);
		ck_assert(v < 5);
		seen |= 1u << v;
	}
	ck_assert_uint_eq(seen, 0x1f);
	ck_assert(random_below(h, 1) == 0);
	ck_assert(random_u64(h) != random_u64(h));
	host_free(h);
}
END_TEST

START_TEST(host_name_needs_room)
{
	struct host *h = new_host();
	char name[256];
	ck_assert_int_eq(host_name(h, name, sizeof(name)), 0);
	ck_assert_uint_gt(strlen(name), 0);
	ck_assert_int_lt(host_name(h, name, strlen(name)), 0);
	ck_assert_int_lt(host_name(h, name, 0), 0);
	host_free(h);
}
END_TEST

/* Standard error into a pipe, one host, one line. */
static const char *logged_line(bool journal)
{
	static char line[128];
	char stream[64];
	struct stat st;
	int fds[2], saved = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + !journal);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	struct host *h = os_unit_host();
	log_debug(host_log(h), "not at this level");
	log_warn(host_log(h), "careful");
	ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	ssize_t n = read(fds[0], line, sizeof(line) - 1);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	close(fds[0]);
	close(saved);
	host_free(h);
	return line;
}

START_TEST(log_goes_to_standard_error)
{
	ck_assert_str_eq(logged_line(false), "warn: careful\n");
	ck_assert_str_eq(logged_line(true), "<4>careful\n");
}
END_TEST

/* Two descriptors are ready in one turn, and whoever is served first frees the other. */
struct rivals {
	struct host *host;
	struct fd_watch *watch[2];
	unsigned served;
};

static void free_both(void *ctx)
{
	struct rivals *r = ctx;
	r->served++;
	for (size_t i = 0; i < 2; i++) {
		fd_watch_free(r->watch[i]);
		r->watch[i] = NULL;
	}
	loop_stop(r->host);
}

START_TEST(watch_freed_by_another_is_not_served)
{
	struct rivals r = { .host = new_host() };
	int fds[2][2];
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(fds[i]), 0);
		ck_assert_int_eq(write(fds[i][1], "x", 1), 1);
		r.watch[i] = fd_watch_new(r.host, fds[i][0], true, false, free_both, &r);
	}
	ck_assert_int_eq(loop_run(r.host), 0);
	ck_assert_uint_eq(r.served, 1);
	host_free(r.host);
}
END_TEST

/* An end (EPOLLHUP) on a descriptor that nobody asked about must not keep the loop awake. */
START_TEST(silenced_watch_is_silent)
{
	struct host *h = new_host();
	unsigned calls = 0;
	int fds[2];
	ck_assert_int_eq(pipe(fds), 0);
	struct fd_watch *w = fd_watch_new(h, fds[0], true, false, count_call, &calls);
	fd_watch_set(w, false, false);
	close(fds[1]);
	os_unit_run_for(h, 5 * NS_PER_MS);
	ck_assert_uint_eq(calls, 0);
	fd_watch_set(w, true, false);
	os_unit_run_for(h, 5 * NS_PER_MS);
	ck_assert_uint_gt(calls, 0);
	fd_watch_free(w);
	ck_assert_ptr_null(fd_watch_new(h, 9999, true, false, count_call, &calls));
	close(fds[0]);
	host_free(h);
}
END_TEST

UNIT_MAIN("os/loop", timers_fire_in_order_and_free_themselves, equal_times_fire_in_the_order_set,
	  timer_never_disarms, timer_in_the_past_waits_for_the_next_turn,
	  deferred_runs_once_after_the_callback, deferred_runs_before_the_loop_sleeps,
	  deferred_that_calls_itself_does_not_starve_timers, signal_reaches_its_watch,
	  strays_do_not_end_a_daemon, watch_is_freed_in_its_callback_and_its_number_used_again,
	  clock_stands_still_within_a_callback_and_never_goes_back, random_below_stays_below,
	  host_name_needs_room, log_goes_to_standard_error, watch_freed_by_another_is_not_served,
	  silenced_watch_is_silent)
