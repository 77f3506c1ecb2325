/* SPDX-License-Identifier: MIT */
/*
 * The event loop: epoll, with the timers in a heap behind one timerfd on CLOCK_BOOTTIME, which has
 * the nanoseconds that QUIC asks for and counts the time that the machine slept. (Not libuv: its
 * timers have milliseconds, and on newer kernels it sets up an io_uring, through which a process
 * does unseen what its system call filter forbids.)
 */
#include "os/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/list.h"
#include "os/linux/internal.h"
#include "os/posix/watch.h"

#define EVENTS_MAX 64 /* descriptors served in one turn */

struct timer {
	struct host *host;
	loop_fn fn;
	void *ctx;
	uint64_t at;	/* TIME_NEVER when it is not in the heap */
	uint64_t order; /* equal times fire in the order they were set */
	size_t index;	/* in the heap */
};

struct deferred {
	struct list entry; /* linked while pending */
	struct loop *loop;
	loop_fn fn;
	void *ctx;
};

struct fd_watch {
	struct loop *loop;
	int fd;
	loop_fn fn;
	void *ctx;
	uint32_t want; /* EPOLLIN, EPOLLOUT; none: not with epoll at all */
	uint32_t ready;
};

struct signal_watch {
	struct fd_watch *watch;
	int fd;
	int signum;
	loop_fn fn;
	void *ctx;
	bool *gone; /* set when it is freed in its callback */
};

struct loop {
	struct host *host;
	int epoll_fd;
	struct epoll_event events[EVENTS_MAX]; /* of this turn; freed watches are taken out */
	size_t n_events;

	int timer_fd;
	struct fd_watch *timer_watch;
	uint64_t timer_armed_at; /* what the timerfd waits for */
	struct timer **heap;	 /* room for all timers: setting one cannot fail */
	size_t heap_len, heap_cap, n_timers;
	uint64_t next_order;
	uint64_t firing_until; /* while timers fire: their common due time, else 0 */

	struct list pending;	 /* deferred calls */
	struct list pending_end; /* while they run: linked behind the last one to run now */
	bool stopping;
};

/* ---- timers ---- */

static bool timer_before(const struct timer *a, const struct timer *b)
{
	return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_place(struct loop *l, size_t i, struct timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void heap_sift_up(struct loop *l, size_t i, struct timer *t)
{
	while (i > 0 && timer_before(t, l->heap[(i - 1) / 2])) {
		heap_place(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_place(l, i, t);
}

static void heap_sift_down(struct loop *l, size_t i, struct timer *t)
{
	for (;;) {
		size_t child = 2 * i + 1;
		if (child >= l->heap_len)
			break;
		if (child + 1 < l->heap_len && timer_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!timer_before(l->heap[child], t))
			break;
		heap_place(l, i, l->heap[child]);
		i = child;
	}
	heap_place(l, i, t);
}

static void heap_restore(struct loop *l, size_t i, struct timer *t)
{
	if (i > 0 && timer_before(t, l->heap[(i - 1) / 2]))
		heap_sift_up(l, i, t);
	else
		heap_sift_down(l, i, t);
}

static void heap_remove(struct loop *l, struct timer *t)
{
	if (t->at == TIME_NEVER)
		return;
	t->at = TIME_NEVER;
	struct timer *last = l->heap[--l->heap_len];
	if (last != t)
		heap_restore(l, t->index, last);
}

struct timer *timer_new(struct host *h, loop_fn fn, void *ctx)
{
	struct loop *l = h->loop;
	if (l->n_timers == l->heap_cap) {
		size_t cap = l->heap_cap ? 2 * l->heap_cap : 64;
		struct timer **heap = reallocarray(l->heap, cap, sizeof(struct timer *));
		if (!heap)
			return NULL;
		l->heap = heap;
		l->heap_cap = cap;
	}
	struct timer *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct timer){ .host = h, .fn = fn, .ctx = ctx, .at = TIME_NEVER };
	l->n_timers++;
	return t;
}

void timer_set(struct timer *t, uint64_t at)
{
	struct loop *l = t->host->loop;
	if (at == TIME_NEVER) {
		heap_remove(l, t);
		return;
	}
	/*
	 * A timer that sets itself into the past waits for the next turn, or nothing else would
	 * ever run.
	 */
	if (l->firing_until && at <= l->firing_until)
		at = l->firing_until + 1;
	bool in_heap = t->at != TIME_NEVER;
	t->at = at;
	t->order = l->next_order++;
	if (in_heap)
		heap_restore(l, t->index, t);
	else
		heap_sift_up(l, l->heap_len++, t);
}

void timer_set_in(struct timer *t, uint64_t delay)
{
	uint64_t now = t->host->now_ns;
	timer_set(t, delay >= TIME_NEVER - now ? TIME_NEVER : now + delay);
}

bool timer_is_set(const struct timer *t)
{
	return t->at != TIME_NEVER;
}

void timer_free(struct timer *t)
{
	if (!t)
		return;
	heap_remove(t->host->loop, t);
	t->host->loop->n_timers--;
	free(t);
}

/*
 * Arms the timerfd for the first timer. A timer that moved to later leaves the timerfd alone: it
 * fires once for nothing, which costs less than a system call at each of the many changes.
 */
static void timerfd_arm(struct loop *l)
{
	uint64_t at = l->heap_len ? l->heap[0]->at : TIME_NEVER;
	if (at >= l->timer_armed_at)
		return;
	at = MAX(at, 1); /* zero would disarm */
	struct itimerspec when = { .it_value = { (time_t)(at / NS_PER_S), (long)(at % NS_PER_S) } };
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		l->timer_armed_at = at;
}

static void on_timerfd(void *ctx)
{
	struct loop *l = ctx;
	uint64_t count;
	/* Only a wake-up: timers_fire sees what is due. */
	if (read(l->timer_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		l->timer_armed_at = TIME_NEVER;
}

static void run_deferred(struct loop *l);

static void timers_fire(struct loop *l)
{
	l->firing_until = clock_refresh(l->host);
	while (l->heap_len && l->heap[0]->at <= l->firing_until) {
		struct timer *t = l->heap[0];
		heap_remove(l, t);
		t->fn(t->ctx); /* may free t */
		run_deferred(l);
	}
	l->firing_until = 0;
}

/* ---- deferred calls ---- */

struct deferred *deferred_new(struct host *h, loop_fn fn, void *ctx)
{
	struct deferred *d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	*d = (struct deferred){ .loop = h->loop, .fn = fn, .ctx = ctx };
	return d;
}

void deferred_call(struct deferred *d)
{
	if (!d->entry.next)
		list_append(&d->loop->pending, &d->entry);
}

void deferred_free(struct deferred *d)
{
	if (!d)
		return;
	list_remove(&d->entry);
	free(d);
}

/*
 * Runs those that are pending now; what they add waits for the next round, so that they cannot
 * starve the sockets.
 */
static void run_deferred(struct loop *l)
{
	if (list_empty(&l->pending))
		return;
	list_append(&l->pending, &l->pending_end);
	while (l->pending.next != &l->pending_end) {
		struct deferred *d = list_entry(l->pending.next, struct deferred, entry);
		list_remove(&d->entry);
		d->fn(d->ctx); /* may free d */
	}
	list_remove(&l->pending_end);
}

/* ---- descriptors ---- */

static uint32_t want_events(bool read, bool write)
{
	return (read ? EPOLLIN : 0u) | (write ? EPOLLOUT : 0u);
}

/*
 * Without any event to wait for it leaves epoll, which would report errors and ends all the same.
 */
static int watch_want(struct fd_watch *w, uint32_t want)
{
	struct epoll_event e = { .events = want, .data.ptr = w };
	int op = !w->want ? EPOLL_CTL_ADD : want ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
	if (want == w->want)
		return 0;
	w->want = want;
	return epoll_ctl(w->loop->epoll_fd, op, w->fd, &e) < 0 ? -errno : 0;
}

static struct fd_watch *watch_new(struct loop *l, int fd, uint32_t want, loop_fn fn, void *ctx)
{
	struct fd_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct fd_watch){ .loop = l, .fd = fd, .fn = fn, .ctx = ctx };
	if (watch_want(w, want) < 0) {
		free(w);
		return NULL;
	}
	return w;
}

struct fd_watch *fd_watch_new(struct host *h, int fd, bool read, bool write, loop_fn fn, void *ctx)
{
	return watch_new(h->loop, fd, want_events(read, write), fn, ctx);
}

void fd_watch_set(struct fd_watch *w, bool read, bool write)
{
	int r = watch_want(w, want_events(read, write));
	if (r < 0) /* out of memory, or the descriptor was closed too early */
		log_error(&w->loop->host->log, "cannot watch descriptor %d: %s", w->fd,
			  strerror(-r));
}

bool fd_watch_is_readable(const struct fd_watch *w)
{
	return w->ready & (EPOLLIN | EPOLLERR | EPOLLHUP);
}

bool fd_watch_is_writable(const struct fd_watch *w)
{
	return w->ready & (EPOLLOUT | EPOLLERR | EPOLLHUP);
}

void fd_watch_free(struct fd_watch *w)
{
	if (!w)
		return;
	struct loop *l = w->loop;
	(void)!watch_want(w, 0);
	for (size_t i = 0; i < l->n_events; i++)
		if (l->events[i].data.ptr == w)
			l->events[i].data.ptr = NULL;
	free(w);
}

static void watches_serve(struct loop *l)
{
	for (size_t i = 0; i < l->n_events; i++) {
		struct fd_watch *w = l->events[i].data.ptr;
		if (!w || !w->want)
			continue; /* freed or silenced by an earlier callback of this turn */
		w->ready = l->events[i].events;
		clock_refresh(l->host);
		w->fn(w->ctx); /* may free w and others */
		run_deferred(l);
	}
	l->n_events = 0;
}

/* ---- signals ---- */

static void on_signalfd(void *ctx)
{
	struct signal_watch *w = ctx;
	struct signalfd_siginfo info;
	bool gone = false;
	w->gone = &gone;
	/* Several of the same kind may have become one: so it is with signals. */
	if (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		w->fn(w->ctx);
	if (!gone)
		w->gone = NULL;
}

static int signal_mask(int how, int signum)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signum);
	return sigprocmask(how, &set, NULL);
}

struct signal_watch *signal_watch_new(struct host *h, int signum, loop_fn fn, void *ctx)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signum);
	struct signal_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct signal_watch){ .signum = signum, .fn = fn, .ctx = ctx };
	w->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (w->fd >= 0)
		w->watch = fd_watch_new(h, w->fd, true, false, on_signalfd, w);
	if (!w->watch || signal_mask(SIG_BLOCK, signum) < 0) {
		signal_watch_free(w);
		return NULL;
	}
	signal(signum, SIG_DFL); /* what is ignored does not even become pending */
	return w;
}

/* Those that are still pending would end the process when they are let through. */
static void signals_discard(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
}

void signal_watch_free(struct signal_watch *w)
{
	if (!w)
		return;
	if (w->gone)
		*w->gone = true;
	fd_watch_free(w->watch);
	if (w->fd >= 0) {
		signals_discard(w->fd);
		close(w->fd);
	}
	signal_mask(SIG_UNBLOCK, w->signum);
	free(w);
}

/* ---- the loop ---- */

int loop_new(struct host *h, struct err *err, struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->host = h;
	l->timer_armed_at = TIME_NEVER;
	list_init(&l->pending);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->epoll_fd >= 0 && l->timer_fd >= 0)
		l->timer_watch = watch_new(l, l->timer_fd, EPOLLIN, on_timerfd, l);
	if (!l->timer_watch) {
		int code = -errno;
		loop_free(l);
		return err_set(err, code, "cannot create the event loop: %s", strerror(-code));
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	fd_watch_free(l->timer_watch);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	free(l->heap);
	free(l);
}

static int turn(struct loop *l)
{
	run_deferred(l);
	timerfd_arm(l);
	bool sleep = list_empty(&l->pending) && !l->stopping;
	int n = epoll_wait(l->epoll_fd, l->events, EVENTS_MAX, sleep ? -1 : 0);
	if (n < 0 && errno != EINTR)
		return -errno;
	l->n_events = n > 0 ? (size_t)n : 0;
	watches_serve(l);
	timers_fire(l);
	return 0;
}

int loop_run(struct host *h)
{
	struct loop *l = h->loop;
	int r = 0;
	clock_refresh(h);
	while (r == 0 && !l->stopping)
		r = turn(l);
	l->stopping = false;
	return r;
}

void loop_stop(struct host *h)
{
	h->loop->stopping = true;
}
