/* SPDX-License-Identifier: MIT */
/*
 * The event loop: timers with nanosecond resolution, deferred calls, signals. One loop a host.
 * Callbacks run one at a time and may create, change and free anything, their own timer included.
 */
#ifndef MLSH_OS_LOOP_H
#define MLSH_OS_LOOP_H

#include "os/host.h"

struct timer;
struct deferred;
struct signal_watch;

typedef void (*loop_fn)(void *ctx);

/* NULL only when memory is gone. Not armed. */
struct timer *timer_new(struct host *h, loop_fn fn, void *ctx);
/*
 * Absolute time on clock_now's scale; a time in the past fires in the next turn; TIME_NEVER
 * disarms. One-shot. Equal times fire in the order in which they were set.
 */
void timer_set(struct timer *t, uint64_t at);
void timer_set_in(struct timer *t, uint64_t delay);
bool timer_is_set(const struct timer *t);
void timer_free(struct timer *t); /* NULL allowed; disarms */

/*
 * Runs `fn` once after the current callback has returned, before the loop sleeps again: the one
 * place where objects are freed. Calling it while it is already pending does nothing.
 */
struct deferred *deferred_new(struct host *h, loop_fn fn, void *ctx);
void deferred_call(struct deferred *d);
void deferred_free(struct deferred *d);

/*
 * Runs until loop_stop, not at all if that was called since the last run. In a simulated world all
 * other hosts run meanwhile; its tests mostly step the world instead (os/sim/world.h).
 */
int loop_run(struct host *h) MUST_CHECK;
void loop_stop(struct host *h);

/*
 * For a daemon's start: ignores signals that would end or stop it for a reason that does not
 * concern it. These are the end of its terminal (SIGHUP), a write to a
 * terminal by a background job, a reader that went away, a file size limit, SIGUSR1 and SIGUSR2.
 */
void signals_ignore_strays(void);
/*
 * For the start of a program that may be the first process of a container: the kernel keeps from
 * that one what it has no handler for, Ctrl-C and SIGTERM included. It ends by them, as any other
 * process does, with 128 and the signal's number. Does nothing in other processes.
 */
void signals_end_first(void);
/* Returns true if the process was started with this signal ignored (by nohup, say). */
bool signal_is_ignored(int signum);
/*
 * Calls fn in the loop when the process receives `signum`, also if it was ignored before. On
 * simulated hosts it never comes by itself.
 */
struct signal_watch *signal_watch_new(struct host *h, int signum, loop_fn fn, void *ctx);
/*
 * NULL allowed. Discards a signal that came and was not told yet; later signals act as they do
 * without a watch.
 */
void signal_watch_free(struct signal_watch *w);

#endif
