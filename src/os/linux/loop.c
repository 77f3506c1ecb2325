/* SPDX-License-Identifier: MIT */
/*
 * The event loop on libuv (the one file that includes it). Timers are our own: libuv counts
 * milliseconds, QUIC needs less. They lie in a heap, and one timerfd on CLOCK_BOOTTIME wakes the
 * loop for the first of them. libuv's error codes are negative errno values on Linux.
 */
#include "os/loop.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/list.h"
#include "os/linux/internal.h"

struct timer {
	struct host *host;
	loop_fn fn;
	void *ctx;
	uint64_t at;		/* TIME_NEVER when it is not in the heap */
	uint64_t order;		/* equal times fire in the order they were set */
	size_t index;		/* in the heap */
};

struct deferred {
	struct list entry;	/* linked while pending */
	struct loop *loop;
	loop_fn fn;
	void *ctx;
};

struct fd_watch {
	uv_poll_t poll;
	struct loop *loop;
	loop_fn fn;		/* NULL once freed */
	void *ctx;
	int want;		/* UV_READABLE, UV_WRITABLE */
	int ready;
};

struct signal_watch {
	uv_signal_t signal;
	struct loop *loop;
	loop_fn fn;		/* NULL once freed */
	void *ctx;
};

struct loop {
	struct host *host;
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_poll_t timer_poll;
	int timer_fd;
	uint64_t timer_armed_at;	/* what the timerfd waits for */

	struct timer **heap;		/* room for all timers: setting one can not fail */
	size_t heap_len, heap_cap, n_timers;
	uint64_t next_order;
	uint64_t firing_until;		/* while timers fire: their common due time, else 0 */

	struct list pending;		/* deferred calls */
	struct list pending_end;	/* while they run: linked behind the last one to run now */
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
	if (!list_empty(&l->pending))
		at = 1; /* do not sleep */
	if (at >= l->timer_armed_at)
		return;
	at = MAX(at, 1); /* zero would disarm */
	struct itimerspec when = { .it_value = { (time_t)(at / NS_PER_S), (long)(at % NS_PER_S) } };
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0)
		l->timer_armed_at = at;
}

static void on_timerfd(uv_poll_t *poll, int status, int events)
{
	struct loop *l = poll->data;
	uint64_t count;
	(void)status;
	(void)events;
	/* Only a wake-up: on_check fires what is due. */
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
 * Runs those that are pending now; what they add waits for the next round, so that they can not
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

static void fd_watch_start(struct fd_watch *w);

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct fd_watch *w = poll->data;
	struct loop *l = w->loop;
	if (!w->fn)
		return;
	clock_refresh(l->host);
	if (status < 0) {
		/*
		 * libuv stopped watching; the owner finds the error by reading or writing. Watch on
		 * unless it stops us.
		 */
		events = UV_READABLE | UV_WRITABLE;
		fd_watch_start(w);
	}
	w->ready = events;
	w->fn(w->ctx); /* may free w */
	run_deferred(l);
}

static void fd_watch_start(struct fd_watch *w)
{
	if (w->want)
		uv_poll_start(&w->poll, w->want, on_poll);
	else
		uv_poll_stop(&w->poll);
}

static int want_events(bool read, bool write)
{
	return (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
}

struct fd_watch *fd_watch_new(struct host *h, int fd, bool read, bool write, loop_fn fn, void *ctx)
{
	struct fd_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	if (uv_poll_init(&h->loop->uv, &w->poll, fd) < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	w->loop = h->loop;
	w->fn = fn;
	w->ctx = ctx;
	w->want = want_events(read, write);
	fd_watch_start(w);
	return w;
}

void fd_watch_set(struct fd_watch *w, bool read, bool write)
{
	int want = want_events(read, write);
	if (want == w->want)
		return;
	w->want = want;
	fd_watch_start(w);
}

bool fd_watch_is_readable(const struct fd_watch *w)
{
	return w->ready & UV_READABLE;
}

bool fd_watch_is_writable(const struct fd_watch *w)
{
	return w->ready & UV_WRITABLE;
}

static void on_watch_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void fd_watch_free(struct fd_watch *w)
{
	if (!w)
		return;
	w->fn = NULL;
	uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

/* ---- signals ---- */

static void on_signal(uv_signal_t *signal, int signum)
{
	struct signal_watch *w = signal->data;
	struct loop *l = w->loop;
	(void)signum;
	if (!w->fn)
		return;
	clock_refresh(l->host);
	w->fn(w->ctx);
	run_deferred(l);
}

struct signal_watch *signal_watch_new(struct host *h, int signum, loop_fn fn, void *ctx)
{
	struct signal_watch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	if (uv_signal_init(&h->loop->uv, &w->signal) < 0) {
		free(w);
		return NULL;
	}
	w->signal.data = w;
	w->loop = h->loop;
	w->fn = fn;
	w->ctx = ctx;
	if (uv_signal_start(&w->signal, on_signal, signum) < 0) {
		signal_watch_free(w);
		return NULL;
	}
	return w;
}

void signal_watch_free(struct signal_watch *w)
{
	if (!w)
		return;
	w->fn = NULL;
	uv_close((uv_handle_t *)&w->signal, on_watch_closed);
}

/* ---- the loop ---- */

/* Before the loop sleeps. */
static void on_prepare(uv_prepare_t *prepare)
{
	struct loop *l = prepare->data;
	run_deferred(l);
	timerfd_arm(l);
}

/* After the descriptors' callbacks. */
static void on_check(uv_check_t *check)
{
	timers_fire(check->data);
}

int loop_new(struct host *h, struct err *err, struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, -ENOMEM, "out of memory");
	l->host = h;
	l->timer_armed_at = TIME_NEVER;
	list_init(&l->pending);
	l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0) {
		int code = -errno;
		free(l);
		return err_set(err, code, "can not create a timer: %s", strerror(-code));
	}
	int r = uv_loop_init(&l->uv);
	if (r < 0) {
		close(l->timer_fd);
		free(l);
		return err_set(err, r, "can not create the event loop: %s", uv_strerror(r));
	}
	/* These can not fail on a fresh loop, except for want of memory in uv_poll_init. */
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	l->prepare.data = l->check.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	r = uv_poll_init(&l->uv, &l->timer_poll, l->timer_fd);
	if (r == 0) {
		l->timer_poll.data = l;
		r = uv_poll_start(&l->timer_poll, UV_READABLE, on_timerfd);
	}
	if (r < 0) {
		loop_free(l);
		return err_set(err, r, "can not watch the timer: %s", uv_strerror(r));
	}
	*ret = l;
	return 0;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	struct loop *l = arg;
	if (uv_is_closing(handle))
		return;
	bool ours = handle == (uv_handle_t *)&l->prepare || handle == (uv_handle_t *)&l->check ||
		    handle == (uv_handle_t *)&l->timer_poll;
	uv_close(handle, ours ? NULL : on_watch_closed);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	uv_walk(&l->uv, close_handle, l);
	while (uv_loop_close(&l->uv) == UV_EBUSY)
		uv_run(&l->uv, UV_RUN_NOWAIT); /* lets the closed handles be freed */
	close(l->timer_fd);
	free(l->heap);
	free(l);
}

int loop_run(struct host *h)
{
	struct loop *l = h->loop;
	clock_refresh(h);
	while (!l->stopping)
		uv_run(&l->uv, UV_RUN_ONCE);
	l->stopping = false;
	return 0;
}

void loop_stop(struct host *h)
{
	h->loop->stopping = true;
	uv_stop(&h->loop->uv); /* a turn that is under way does not sleep any more */
}
