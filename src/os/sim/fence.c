/* SPDX-License-Identifier: MIT */
/*
 * The simulated machine's packet filter: keeps which addresses are fenced, for tests to look at.
 * Packets between simulated machines never carry overlay addresses, so nothing is dropped. It is
 * one of the packet filters that cannot redirect.
 */
#include "os/fence.h"

#include <stdio.h>

#include "base/assert.h"
#include "os/sim/sim.h"

#define RETRY_NS (60 * NS_PER_S)

struct fence {
	struct list in_machine;
	struct event event;
	char device[16];
	ip4 *at;
	size_t n;
	enum fence_state state;
	loop_fn changed;
	void *ctx;
};

static void fence_fire(struct event *e)
{
	struct fence *f = container_of(e, struct fence, event);
	enum fence_state now = e->owner->machine->packet_filter;
	bool news = now != f->state;

	f->state = now;
	if (now != FENCE_UP)
		event_set(e->owner->world, e, e->owner->world->now + RETRY_NS);
	if (news)
		f->changed(f->ctx);
}

struct fence *fence_new(struct host *h, const char *device, loop_fn changed, void *ctx)
{
	struct fence *f = sim_alloc(sizeof(*f));

	snprintf(f->device, sizeof(f->device), "%s", device);
	f->changed = changed;
	f->ctx = ctx;
	event_init(&f->event, h, fence_fire);
	list_append(&h->machine->fences, &f->in_machine);
	f->state = h->machine->packet_filter;
	if (f->state != FENCE_UP)
		event_set(h->world, &f->event, h->world->now + RETRY_NS);
	return f;
}

void fence_free(struct fence *f)
{
	if (!f)
		return;
	event_cancel(f->event.owner->world, &f->event);
	list_remove(&f->in_machine);
	free(f->at);
	free(f);
}

static size_t place_of(const struct fence *f, ip4 ip)
{
	size_t i = 0;

	while (i < f->n && f->at[i] != ip)
		i++;
	return i;
}

int fence_address(struct fence *f, ip4 address, bool fenced)
{
	size_t i = place_of(f, address);

	if (fenced && i == f->n)
		*(ip4 *)sim_array_add(&f->at, &f->n, sizeof(*f->at)) = address;
	else if (!fenced && i < f->n)
		sim_array_del(f->at, &f->n, sizeof(*f->at), i);
	return 0;
}

void fence_flush(struct fence *f)
{
	(void)f; /* at once */
}

int fence_redirect(struct fence *f, ip4 address, uint16_t port, uint16_t udp, uint16_t tcp)
{
	(void)f;
	(void)address;
	(void)port;
	(void)udp;
	(void)tcp;
	return -EOPNOTSUPP;
}

void fence_network_changed(struct fence *f)
{
	(void)f;
}

enum fence_state fence_state_get(const struct fence *f)
{
	return f->state;
}

const char *fence_detail(const struct fence *f)
{
	switch (f->state) {
	case FENCE_UP:
		return "";
	case FENCE_UNAVAILABLE:
		return "this machine has no packet filter";
	case FENCE_REFUSED:
		return "the packet filter refuses";
	}
	UNREACHABLE();
}

uint64_t fence_dropped(struct fence *f)
{
	(void)f;
	return 0;
}

void world_host_filter(struct host *h, enum fence_state state)
{
	h->machine->packet_filter = state;
}

/* What a process put up ends with it. */
bool world_fenced(struct host *h, ip4 address)
{
	list_for_each(it, &h->machine->fences) {
		struct fence *f = list_entry(it, struct fence, in_machine);

		if (f->event.owner->alive && f->state == FENCE_UP && place_of(f, address) < f->n)
			return true;
	}
	return false;
}
