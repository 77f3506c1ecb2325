/* SPDX-License-Identifier: MIT */
/* The event queue: a binary heap ordered by time, then by the order in which events were set. */
#include "os/sim/sim.h"

#include "base/assert.h"

static bool before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void put(struct world *w, struct event *e, size_t slot)
{
	w->heap[slot] = e;
	e->slot = slot;
}

static void sift_up(struct world *w, struct event *e)
{
	size_t slot = e->slot;

	while (slot > 1 && before(e, w->heap[slot / 2])) {
		put(w, w->heap[slot / 2], slot);
		slot /= 2;
	}
	put(w, e, slot);
}

static void sift_down(struct world *w, struct event *e)
{
	size_t slot = e->slot;

	for (;;) {
		size_t child = 2 * slot;

		if (child > w->heap_len)
			break;
		if (child < w->heap_len && before(w->heap[child + 1], w->heap[child]))
			child++;
		if (!before(w->heap[child], e))
			break;
		put(w, w->heap[child], slot);
		slot = child;
	}
	put(w, e, slot);
}

void event_init(struct event *e, struct host *owner, void (*fire)(struct event *e))
{
	*e = (struct event){ .fire = fire, .owner = owner };
}

void event_cancel(struct world *w, struct event *e)
{
	size_t slot = e->slot;
	struct event *last;

	if (slot == 0)
		return;
	last = w->heap[w->heap_len--];
	e->slot = 0;
	if (last == e)
		return;
	put(w, last, slot);
	sift_up(w, last);
	sift_down(w, last);
}

static void insert(struct world *w, struct event *e)
{
	if (w->heap_len + 1 >= w->heap_cap) {
		w->heap_cap = MAX(64, 2 * w->heap_cap);
		w->heap = realloc(w->heap, w->heap_cap * sizeof(*w->heap));
		if (!w->heap)
			DIE("no memory");
	}
	put(w, e, ++w->heap_len);
	sift_up(w, e);
}

void event_set(struct world *w, struct event *e, uint64_t at)
{
	event_cancel(w, e);
	e->at = MAX(at, w->now);
	e->seq = ++w->seq;
	insert(w, e);
}

static void advance(struct world *w, uint64_t to)
{
	if (to > w->now) {
		w->now = to;
		w->instant_events = 0;
	} else if (++w->instant_events > INSTANT_EVENTS_MAX) {
		world_die(w, "%d events and time does not advance: a loop without end",
			  INSTANT_EVENTS_MAX);
	}
}

bool event_run_one(struct world *w, uint64_t until)
{
	struct event *e;

	if (w->heap_len == 0 || w->heap[1]->at == TIME_NEVER || w->heap[1]->at > until)
		return false;
	e = w->heap[1];
	event_cancel(w, e);
	if (e->owner && !e->owner->alive)
		return true;
	if (e->owner && e->owner->machine->suspended) {
		e->at = TIME_NEVER;
		e->seq = ++w->seq; /* those held back fire in the order they were due */
		insert(w, e);
		return true;
	}
	advance(w, e->at);
	e->fire(e);
	return true;
}

void world_release_events(struct world *w, const struct machine *m)
{
	for (size_t slot = 1; slot <= w->heap_len; slot++) {
		struct event *e = w->heap[slot];

		if (e->at == TIME_NEVER && e->owner && e->owner->machine == m)
			e->at = w->now;
	}
	for (size_t slot = w->heap_len / 2; slot >= 1; slot--)
		sift_down(w, w->heap[slot]);
}
