/* SPDX-License-Identifier: MIT */
/* Name resolution from the world's list of names. */
#include "os/resolve.h"

#include <strings.h>

#include "os/sim/sim.h"

#define ANSWER_NS (10 * NS_PER_MS)
#define NAME_MAX_BYTES 254

struct dns_name {
	struct list in_world;
	char name[NAME_MAX_BYTES];
	struct addr addrs[RESOLVE_MAX];
	size_t n;
};

struct resolve {
	struct event event;
	char name[NAME_MAX_BYTES];
	uint16_t port;
	uint64_t timeout_ns;
	bool literal;
	struct addr addr; /* of the literal */
	resolve_fn fn;
	void *ctx;
	bool answering; /* freed behind the callback */
};

static struct dns_name *name_find(struct world *w, const char *name)
{
	list_for_each(it, &w->names) {
		struct dns_name *n = list_entry(it, struct dns_name, in_world);

		if (strcasecmp(n->name, name) == 0)
			return n;
	}
	return NULL;
}

int world_dns_set(struct world *w, const char *name, const struct addr *a)
{
	struct dns_name *n = name_find(w, name);

	if (strlen(name) >= NAME_MAX_BYTES)
		return -ENAMETOOLONG;
	if (!n) {
		n = sim_alloc(sizeof(*n));
		strcpy(n->name, name);
		list_append(&w->names, &n->in_world);
	}
	if (n->n == RESOLVE_MAX)
		return -ENOSPC;
	n->addrs[n->n++] = *a;
	return 0;
}

void world_dns_del(struct world *w, const char *name)
{
	struct dns_name *n = name_find(w, name);

	if (!n)
		return;
	list_remove(&n->in_world);
	free(n);
}

void world_dns_down(struct world *w, bool down)
{
	w->dns_down = down;
}

void names_free(struct world *w)
{
	list_for_each(it, &w->names)
		free(list_entry(it, struct dns_name, in_world));
}

/* IPv6 and IPv4 in turns, IPv6 first (RFC 8305 section 4). */
static size_t interleave(const struct dns_name *name, uint16_t port, struct addr *out)
{
	size_t n = 0, next[2] = { 0, 0 };
	bool v4 = false;

	while (n < name->n) {
		size_t *at = &next[v4];

		while (*at < name->n && addr_is_v4(&name->addrs[*at]) != v4)
			(*at)++;
		if (*at < name->n) {
			out[n] = name->addrs[(*at)++];
			out[n++].port = port;
		}
		v4 = !v4;
	}
	return n;
}

static void answer(struct resolve *r, const struct err *err, const struct addr *addrs, size_t n)
{
	r->answering = true;
	r->fn(r->ctx, err, addrs, n); /* may cancel r */
	free(r);
}

static void resolve_fire(struct event *e)
{
	struct resolve *r = container_of(e, struct resolve, event);
	const struct dns_name *name = name_find(e->owner->world, r->name);
	struct addr addrs[RESOLVE_MAX];
	struct err err = { 0 };

	if (r->literal) {
		r->addr.port = r->port;
		addrs[0] = r->addr;
		answer(r, NULL, addrs, 1);
	} else if (e->at >= r->timeout_ns) {
		err_set(&err, -ETIMEDOUT, "cannot resolve %s: no name server answered", r->name);
		answer(r, &err, NULL, 0);
	} else if (!name || machine_split_hides(e->owner->machine, r->name)) {
		err_set(&err, -ENOENT, "cannot resolve %s: no such name", r->name);
		answer(r, &err, NULL, 0);
	} else {
		size_t n = interleave(name, r->port, addrs);

		answer(r, NULL, addrs, n);
	}
}

int resolve_start(struct host *h, const char *name, uint16_t port, uint64_t timeout_ns,
		  resolve_fn fn, void *ctx, struct err *err, struct resolve **ret)
{
	struct world *w = h->world;
	struct resolve *r;
	uint64_t delay = ANSWER_NS;

	if (strlen(name) == 0 || strlen(name) >= NAME_MAX_BYTES)
		return err_set(err, -EINVAL, "cannot resolve a name of %zu bytes", strlen(name));
	r = sim_alloc(sizeof(*r));
	event_init(&r->event, h, resolve_fire);
	strcpy(r->name, name);
	r->port = port;
	r->timeout_ns = w->now + timeout_ns;
	r->fn = fn;
	r->ctx = ctx;
	r->literal = addr_parse_ip(name, &r->addr) == 0;
	if (r->literal)
		delay = 0;
	else if (w->dns_down || !h->machine->carrier || timeout_ns < delay)
		delay = timeout_ns;
	event_set(w, &r->event, w->now + delay);
	*ret = r;
	return 0;
}

void resolve_cancel(struct resolve *r)
{
	if (!r || r->answering)
		return;
	event_cancel(r->event.owner->world, &r->event);
	free(r);
}
