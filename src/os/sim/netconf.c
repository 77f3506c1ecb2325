/* SPDX-License-Identifier: MIT */
/* The simulated machine's network configuration: what it lists, routes, and who watches it. */
#include "os/netconf.h"

#include <stdio.h>

#include "os/sim/sim.h"

#define DEBOUNCE_NS (200 * NS_PER_MS)

struct netwatch {
	struct list in_machine;
	struct event event;
	loop_fn fn;
	void *ctx;
};

int netif_list(struct host *h, struct netif_addr *out, size_t max)
{
	struct machine *m = h->machine;
	size_t n = 0;

	for (size_t i = 0; i < m->n_addrs && n < max; i++) {
		const struct machine_addr *a = &m->addrs[i];
		const struct machine_if *f = machine_if_find(m, a->ifindex);

		out[n] = (struct netif_addr){ .ifindex = f->index, .kind = f->kind,
					      .addr = a->addr, .prefix_bits = a->bits };
		out[n].up = f->up && (m->carrier || f->kind != NETIF_PHYSICAL);
		out[n].uplink = f->index == IFINDEX_ETH;
		strcpy(out[n].ifname, f->name);
		n++;
	}
	return (int)n;
}

static void netwatch_fire(struct event *e)
{
	struct netwatch *w = container_of(e, struct netwatch, event);

	w->fn(w->ctx);
}

struct netwatch *netwatch_new(struct host *h, loop_fn fn, void *ctx)
{
	struct netwatch *w = sim_alloc(sizeof(*w));

	event_init(&w->event, h, netwatch_fire);
	w->fn = fn;
	w->ctx = ctx;
	list_append(&h->machine->watches, &w->in_machine);
	return w;
}

void netwatch_free(struct netwatch *w)
{
	if (!w)
		return;
	event_cancel(w->event.owner->world, &w->event);
	list_remove(&w->in_machine);
	free(w);
}

void machine_changed(struct machine *m)
{
	list_for_each(it, &m->watches) {
		struct netwatch *w = list_entry(it, struct netwatch, in_machine);

		if (w->event.owner->alive)
			event_set(m->world, &w->event, m->world->now + DEBOUNCE_NS);
	}
}

void world_host_uses(struct host *h, struct prefix4 p, const char *what)
{
	struct machine *m = h->machine;
	struct used_prefix *u = sim_array_add(&m->used, &m->n_used, sizeof(*u));

	u->prefix = p;
	snprintf(u->what, sizeof(u->what), "%s", what);
}

static struct prefix4 addr_prefix(const struct machine_addr *a)
{
	struct prefix4 p = { .bits = a->bits };

	p.net = addr_ip4(&a->addr) & prefix4_mask(p);
	return p;
}

int netconf_conflict(struct host *h, struct prefix4 p, unsigned ignore_ifindex, char *ret_what)
{
	struct machine *m = h->machine;
	char text[PREFIX4_TEXT_MAX];

	for (size_t i = 0; i < m->n_used; i++) {
		if (prefix4_overlaps(m->used[i].prefix, p)) {
			snprintf(ret_what, 64, "%s", m->used[i].what);
			return 1;
		}
	}
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (!addr_is_v4(&a->addr) || a->ifindex == ignore_ifindex ||
		    strncmp(machine_if_find(m, a->ifindex)->name, NETCONF_DEVICE,
			    strlen(NETCONF_DEVICE)) == 0 ||
		    !prefix4_overlaps(addr_prefix(a), p))
			continue;
		snprintf(ret_what, 64, "%s on %s", prefix4_format(addr_prefix(a), text),
			 machine_if_find(m, a->ifindex)->name);
		return 1;
	}
	return 0;
}

int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what)
{
	struct machine *m = h->machine;

	(void)for_self; /* what a test calls used is no name server of ours */
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (!addr_is_v4(&a->addr) || addr_ip4(&a->addr) != ip ||
		    a->ifindex == ignore_ifindex)
			continue;
		snprintf(ret_what, 64, "this host's own on %s",
			 machine_if_find(m, a->ifindex)->name);
		return 1;
	}
	for (size_t i = 0; i < m->n_used; i++) {
		if (m->used[i].prefix.bits != 32 || m->used[i].prefix.net != ip)
			continue;
		snprintf(ret_what, 64, "%s", m->used[i].what);
		return 1;
	}
	return 0;
}

int netconf_gateway(struct host *h, struct gateway *ret)
{
	struct machine *m = h->machine;
	ip4 gateway = net_gateway(m->net);

	for (size_t i = 0; gateway && m->carrier && i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (!addr_is_v4(&a->addr) || !prefix4_contains(addr_prefix(a), gateway))
			continue;
		*ret = (struct gateway){ gateway, addr_ip4(&a->addr), a->ifindex };
		return 0;
	}
	return -ENOENT;
}

static struct machine_if *device(struct host *h, unsigned ifindex, struct err *err)
{
	struct machine_if *i = h->alive ? machine_if_find(h->machine, ifindex) : NULL;

	if (!i)
		err_set(err, -ENODEV, "there is no interface %u on %s", ifindex, h->machine->name);
	return i;
}

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err)
{
	struct machine_if *i = device(h, ifindex, err);

	if (!i)
		return -ENODEV;
	i->up = true;
	return 0;
}

int netconf_addr_add(struct host *h, unsigned ifindex, ip4 ip, uint8_t bits, struct err *err)
{
	struct machine *m = h->machine;
	struct machine_addr *a;
	struct addr addr = addr_v4(ip, 0);

	if (!device(h, ifindex, err))
		return -ENODEV;
	for (size_t i = 0; i < m->n_addrs; i++) {
		if (m->addrs[i].ifindex == ifindex && addr_same_ip(&m->addrs[i].addr, &addr))
			return 0;
	}
	a = sim_array_add(&m->addrs, &m->n_addrs, sizeof(*a));
	*a = (struct machine_addr){ .addr = addr, .ifindex = ifindex, .bits = bits };
	return 0;
}

/* As the kernel says -EEXIST: another device, ours too, has a route to the same place. */
static bool route_is_anothers(const struct machine *m, unsigned ifindex, struct prefix4 p)
{
	for (size_t i = 0; i < m->n_routes; i++) {
		const struct world_route *r = &m->routes[i];

		if (r->ifindex != 0 && r->ifindex != ifindex && r->prefix.net == p.net &&
		    r->prefix.bits == p.bits)
			return true;
	}
	return false;
}

static struct world_route *route_find(struct machine *m, unsigned ifindex, struct prefix4 p)
{
	for (size_t i = 0; i < m->n_routes; i++) {
		struct world_route *r = &m->routes[i];

		if (r->ifindex == ifindex && r->prefix.net == p.net && r->prefix.bits == p.bits)
			return r;
	}
	return NULL;
}

int netconf_route_add(struct host *h, unsigned ifindex, struct prefix4 p, ip4 source,
		      struct err *err)
{
	struct machine *m = h->machine;
	struct world_route *r;
	char text[PREFIX4_TEXT_MAX];

	if (!h->alive)
		return 0;
	if (ifindex != 0) {
		const struct machine_if *i = device(h, ifindex, err);

		if (!i)
			return -ENODEV;
		if (!i->up)
			return err_set(err, -ENETDOWN, "cannot add route %s: %s is down",
				       prefix4_format(p, text), i->name);
		if (route_is_anothers(m, ifindex, p))
			return err_set(err, -EEXIST,
				       "can not add a route to %s: this machine has one already",
				       prefix4_format(p, text));
	}
	r = route_find(m, ifindex, p);
	if (!r)
		r = sim_array_add(&m->routes, &m->n_routes, sizeof(*r));
	*r = (struct world_route){ .prefix = p, .ifindex = ifindex, .source = source };
	return 0;
}

int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p)
{
	struct machine *m = h->machine;
	struct world_route *r = route_find(m, ifindex, p);

	if (!r)
		return -ESRCH;
	if (!h->alive)
		return 0;
	sim_array_del(m->routes, &m->n_routes, sizeof(*r), (size_t)(r - m->routes));
	return 0;
}

/* Does one of our devices have its address in there? */
static bool backs_a_tunnel(struct machine *m, struct prefix4 p)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (addr_is_v4(&a->addr) && prefix4_contains(p, addr_ip4(&a->addr)) &&
		    strncmp(machine_if_find(m, a->ifindex)->name, NETCONF_DEVICE,
			    strlen(NETCONF_DEVICE)) == 0)
			return true;
	}
	return false;
}

/* Routes through devices went away with them: what is left behind are the unreachable ones. */
int netconf_cleanup(struct host *h, struct err *err)
{
	struct machine *m = h->machine;

	(void)err;
	if (!h->alive)
		return 0;
	for (size_t i = m->n_routes; i-- > 0;) {
		if (m->routes[i].ifindex == 0 && !backs_a_tunnel(m, m->routes[i].prefix))
			sim_array_del(m->routes, &m->n_routes, sizeof(*m->routes), i);
	}
	return 0;
}

size_t world_routes(struct host *h, struct world_route *out, size_t max)
{
	const struct machine *m = h->machine;

	if (MIN(max, m->n_routes) > 0)
		memcpy(out, m->routes, MIN(max, m->n_routes) * sizeof(*out));
	return m->n_routes;
}

bool world_has_route(struct host *h, struct prefix4 p, unsigned ifindex)
{
	return route_find(h->machine, ifindex, p) != NULL;
}

/* Is the address in one of the machine's own networks, by a prefix at least that long? */
static bool is_nearer(const struct machine *m, ip4 ip, const struct world_route *r)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (addr_is_v4(&a->addr) && a->ifindex != r->ifindex &&
		    a->bits >= r->prefix.bits && prefix4_contains(addr_prefix(a), ip))
			return true;
	}
	return false;
}

/* The most specific one; of equals, the unreachable one has low priority. */
const struct world_route *machine_route(const struct machine *m, const struct addr *to)
{
	const struct world_route *best = NULL;

	if (!addr_is_v4(to))
		return NULL;
	for (size_t i = 0; i < m->n_routes; i++) {
		const struct world_route *r = &m->routes[i];

		if (prefix4_contains(r->prefix, addr_ip4(to)) &&
		    (!best || r->prefix.bits > best->prefix.bits ||
		     (r->prefix.bits == best->prefix.bits && best->ifindex == 0)))
			best = r;
	}
	return best && !is_nearer(m, addr_ip4(to), best) ? best : NULL;
}
