/* SPDX-License-Identifier: MIT */
/* The simulated machine's resolver service: says after a moment what the test wants it to say. */
#include "os/splitdns.h"
#include "base/assert.h"
#include "os/sim/sim.h"

#define ANSWER_NS NS_PER_MS

struct splitdns {
	struct list in_machine;
	struct event event;
	unsigned ifindex;
	char zone[254];
	ip4 server;
	enum splitdns_state state;
	loop_fn changed;
	void *ctx;
};

static void splitdns_fire(struct event *e)
{
	struct splitdns *s = container_of(e, struct splitdns, event);

	s->state = e->owner->machine->resolver;
	s->changed(s->ctx);
}

int splitdns_start(struct host *h, unsigned ifindex, const char *zone, ip4 server, loop_fn changed,
		   void *ctx, struct err *err, struct splitdns **ret)
{
	struct splitdns *s;

	if (!machine_if_find(h->machine, ifindex))
		return err_set(err, -ENODEV, "there is no interface %u on %s", ifindex,
			       h->machine->name);
	s = sim_alloc(sizeof(*s));
	if (strlen(zone) >= sizeof(s->zone)) {
		free(s);
		return err_set(err, -EINVAL, "zone name too long");
	}
	strcpy(s->zone, zone);
	s->ifindex = ifindex;
	s->server = server;
	s->changed = changed;
	s->ctx = ctx;
	event_init(&s->event, h, splitdns_fire);
	list_append(&h->machine->splits, &s->in_machine);
	event_set(h->world, &s->event, h->world->now + ANSWER_NS);
	*ret = s;
	return 0;
}

enum splitdns_state splitdns_state_get(const struct splitdns *s)
{
	return s->state;
}

const char *splitdns_detail(const struct splitdns *s)
{
	switch (s->state) {
	case SPLITDNS_PENDING:
		return "no answer yet";
	case SPLITDNS_ACTIVE:
		return "";
	case SPLITDNS_UNAVAILABLE:
		return "systemd-resolved does not run on this machine";
	case SPLITDNS_REFUSED:
		return "systemd-resolved refused";
	}
	UNREACHABLE();
}

void splitdns_stop(struct splitdns *s)
{
	if (!s)
		return;
	event_cancel(s->event.owner->world, &s->event);
	list_remove(&s->in_machine);
	free(s);
}

/* Those that asked already hear of it, as when the service stops or starts. */
void world_host_resolver(struct host *h, enum splitdns_state answer)
{
	struct machine *m = h->machine;

	m->resolver = answer;
	list_for_each(it, &m->splits) {
		struct splitdns *s = list_entry(it, struct splitdns, in_machine);

		if (s->event.owner->alive)
			event_set(m->world, &s->event, m->world->now + ANSWER_NS);
	}
}

bool machine_split_hides(const struct machine *m, const char *name)
{
	list_for_each(it, &m->splits) {
		const struct splitdns *s = list_entry(it, struct splitdns, in_machine);
		size_t n = strlen(name), z = strlen(s->zone);

		if (s->event.owner->alive && s->state == SPLITDNS_ACTIVE && n > z &&
		    name[n - z - 1] == '.' && strcmp(name + n - z, s->zone) == 0)
			return true;
	}
	return false;
}

/* What it was told ends with the process that owned the interface. */
bool world_splitdns(struct host *h, const char *zone, ip4 *ret_server, unsigned *ret_ifindex)
{
	list_for_each(it, &h->machine->splits) {
		struct splitdns *s = list_entry(it, struct splitdns, in_machine);

		if (!s->event.owner->alive || s->state != SPLITDNS_ACTIVE ||
		    strcmp(s->zone, zone) != 0)
			continue;
		*ret_server = s->server;
		*ret_ifindex = s->ifindex;
		return true;
	}
	return false;
}
