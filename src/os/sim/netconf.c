/* SPDX-License-Identifier: MIT */
/* The simulated machine's network configuration: what it lists, routes, and who watches it. */
#include "os/netconf.h"

#include <stdio.h>

#include "os/sim/sim.h"

#define DEBOUNCE_NS (200 * NS_PER_MS)

#define TELL_NS NS_PER_MS /* until the kernel's word is read */

struct netwatch {
	struct list in_machine;
	struct host *host;
	struct event changed, touched;
	struct netwatch_config cfg;
	unsigned ifindex;
	ip4 self;
	struct netuses uses;
	struct netown own;
};

int netif_list(struct host *h, struct netif_addr *out, size_t max)
{
	struct machine *m = h->machine;
	size_t n = 0;

	for (size_t i = 0; i < m->n_addrs && n < max; i++) {
		const struct machine_addr *a = &m->addrs[i];
		const struct machine_if *f = machine_if_find(m, a->ifindex);

		out[n] = (struct netif_addr){ .ifindex = f->index,
					      .kind = f->kind,
					      .addr = a->addr,
					      .prefix_bits = a->bits };
		out[n].up = f->up && (m->carrier || f->kind != NETIF_PHYSICAL);
		out[n].uplink = f->index == IFINDEX_ETH;
		strcpy(out[n].ifname, f->name);
		n++;
	}
	return (int)n;
}

static void changed_fire(struct event *e)
{
	struct netwatch *w = container_of(e, struct netwatch, changed);

	w->cfg.changed(w->cfg.ctx);
}

static void touched_fire(struct event *e)
{
	struct netwatch *w = container_of(e, struct netwatch, touched);

	if (w->cfg.touched)
		w->cfg.touched(w->cfg.ctx);
}

struct netwatch *netwatch_new(struct host *h, const struct netwatch_config *cfg)
{
	struct netwatch *w = sim_alloc(sizeof(*w));

	event_init(&w->changed, h, changed_fire);
	event_init(&w->touched, h, touched_fire);
	w->host = h;
	w->cfg = *cfg;
	list_append(&h->machine->watches, &w->in_machine);
	return w;
}

void netwatch_free(struct netwatch *w)
{
	if (!w)
		return;
	event_cancel(w->host->world, &w->changed);
	event_cancel(w->host->world, &w->touched);
	list_remove(&w->in_machine);
	netuses_fini(&w->uses);
	free(w->own.routes);
	free(w);
}

int netwatch_own(struct netwatch *w, unsigned ifindex, ip4 self)
{
	w->ifindex = ifindex;
	w->self = self;
	return 0;
}

void machine_touched(struct machine *m)
{
	list_for_each(it, &m->watches) {
		struct netwatch *w = list_entry(it, struct netwatch, in_machine);

		if (w->host->alive && !event_is_set(&w->touched))
			event_set(m->world, &w->touched, m->world->now + TELL_NS);
	}
}

void machine_changed(struct machine *m)
{
	machine_touched(m);
	list_for_each(it, &m->watches) {
		struct netwatch *w = list_entry(it, struct netwatch, in_machine);

		if (w->host->alive)
			event_set(m->world, &w->changed, m->world->now + DEBOUNCE_NS);
	}
}

void world_host_uses(struct host *h, struct prefix4 p, const char *what)
{
	struct machine *m = h->machine;
	struct used_prefix *u = sim_array_add(&m->used, &m->n_used, sizeof(*u));

	u->prefix = p;
	snprintf(u->what, sizeof(u->what), "%s", what);
	machine_touched(m);
}

void world_host_uses_no_more(struct host *h, struct prefix4 p)
{
	struct machine *m = h->machine;

	for (size_t i = m->n_used; i-- > 0;) {
		if (m->used[i].prefix.net == p.net && m->used[i].prefix.bits == p.bits)
			sim_array_del(m->used, &m->n_used, sizeof(*m->used), i);
	}
	machine_touched(m);
}

static struct prefix4 addr_prefix(const struct machine_addr *a)
{
	struct prefix4 p = { .bits = a->bits };

	p.net = addr_ip4(&a->addr) & prefix4_mask(p);
	return p;
}

static bool is_ours(const char *ifname)
{
	return strncmp(ifname, NETCONF_DEVICE, strlen(NETCONF_DEVICE)) == 0;
}

static int add_use(struct netuses *u, struct prefix4 about, enum netuse_kind kind, struct prefix4 p,
		   const struct machine_if *i)
{
	struct netuse use = { .kind = kind, .p = p, .ifindex = i->index };

	snprintf(use.name, sizeof(use.name), "%s", i->name);
	return prefix4_overlaps(p, about) ? netuses_add(u, &use) : 0;
}

int netuses_load(struct host *h, struct prefix4 about, struct netuses *ret)
{
	struct machine *m = h->machine;
	int rc = 0;

	*ret = (struct netuses){ 0 };
	for (size_t i = 0; rc == 0 && i < m->n_used; i++) {
		struct netuse use = { .kind = NETUSE_OTHER, .p = m->used[i].prefix };

		snprintf(use.name, sizeof(use.name), "%s", m->used[i].what);
		if (prefix4_overlaps(use.p, about))
			rc = netuses_add(ret, &use);
	}
	for (size_t i = 0; rc == 0 && i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];
		const struct machine_if *f = machine_if_find(m, a->ifindex);

		if (!addr_is_v4(&a->addr))
			continue;
		rc = add_use(ret, about, NETUSE_ADDRESS, (struct prefix4){ addr_ip4(&a->addr), 32 },
			     f);
		if (rc == 0 && !is_ours(f->name))
			rc = add_use(ret, about, NETUSE_NETWORK, addr_prefix(a), f);
	}
	return rc;
}

static void own_add(struct netown *own, enum netroute_kind kind, struct prefix4 to)
{
	struct netown_route *r = sim_array_add(&own->routes, &own->n_routes, sizeof(*r));

	*r = (struct netown_route){ kind, to };
}

static bool has_rule(const struct machine *m, struct prefix4 subnet)
{
	for (size_t i = 0; i < m->n_rules; i++) {
		if (m->rules[i].net == subnet.net && m->rules[i].bits == subnet.bits)
			return true;
	}
	return false;
}

static void own_look(struct netwatch *w)
{
	struct machine *m = w->host->machine;
	const struct machine_if *f = machine_if_find(m, w->ifindex);
	struct netown *own = &w->own;

	free(own->routes);
	*own = (struct netown){ .rules = has_rule(m, w->cfg.subnet) };
	if (f) {
		own->link = true;
		own->up = f->up;
		own->mtu_bytes = f->mtu_bytes;
		snprintf(own->ifname, sizeof(own->ifname), "%s", f->name);
	}
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		own->address |= a->ifindex == w->ifindex && addr_is_v4(&a->addr) &&
				addr_ip4(&a->addr) == w->self;
	}
	for (size_t i = 0; i < m->n_routes; i++) {
		if (m->routes[i].ifindex == w->ifindex)
			own_add(own, NETROUTE_MEMBER, m->routes[i].prefix);
		else if (m->routes[i].ifindex == 0)
			own_add(own, NETROUTE_BACKSTOP, m->routes[i].prefix);
	}
	for (size_t i = 0; i < m->n_guards; i++)
		own_add(own, NETROUTE_GUARD, (struct prefix4){ m->guards[i], 32 });
	if (own->n_routes > 0)
		qsort(own->routes, own->n_routes, sizeof(*own->routes), netown_compare);
}

int netwatch_look(struct netwatch *w, const struct netuses **ret_uses,
		  const struct netown **ret_own)
{
	netuses_fini(&w->uses);
	int rc = netuses_load(w->host, w->cfg.subnet, &w->uses);

	netuses_own_device(&w->uses, w->ifindex);
	own_look(w);
	*ret_uses = &w->uses;
	*ret_own = &w->own;
	return rc;
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

int netconf_link_mtu(struct host *h, unsigned ifindex, unsigned mtu_bytes, struct err *err)
{
	struct machine_if *i = device(h, ifindex, err);

	if (!i)
		return -ENODEV;
	i->mtu_bytes = mtu_bytes;
	return 0;
}

int netconf_link_rename(struct host *h, unsigned ifindex, const char *name, struct err *err)
{
	struct machine_if *i = device(h, ifindex, err);

	if (!i)
		return -ENODEV;
	if (strlen(name) >= sizeof(i->name))
		return err_set(err, -EINVAL, "interface name %s: too long", name);
	strcpy(i->name, name);
	return 0;
}

int netconf_rules_add(struct host *h, struct prefix4 subnet, struct err *err)
{
	struct machine *m = h->machine;

	(void)err;
	if (h->alive && !has_rule(m, subnet)) {
		struct prefix4 *p = sim_array_add(&m->rules, &m->n_rules, sizeof(*p));

		*p = subnet;
		machine_touched(m);
	}
	return 0;
}

static size_t guard_at(const struct machine *m, ip4 ip)
{
	size_t i = 0;

	while (i < m->n_guards && m->guards[i] != ip)
		i++;
	return i;
}

int netconf_guard_add(struct host *h, ip4 ip, struct err *err)
{
	struct machine *m = h->machine;

	(void)err;
	if (h->alive && guard_at(m, ip) == m->n_guards) {
		ip4 *p = sim_array_add(&m->guards, &m->n_guards, sizeof(*p));

		*p = ip;
	}
	return 0;
}

int netconf_guard_del(struct host *h, ip4 ip)
{
	struct machine *m = h->machine;
	size_t at = guard_at(m, ip);

	if (at == m->n_guards)
		return -ESRCH;
	if (h->alive)
		sim_array_del(m->guards, &m->n_guards, sizeof(*m->guards), at);
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
	machine_touched(m);
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
				       "cannot add a route to %s: this machine has one already",
				       prefix4_format(p, text));
	}
	r = route_find(m, ifindex, p);
	if (!r)
		r = sim_array_add(&m->routes, &m->n_routes, sizeof(*r));
	*r = (struct world_route){ .prefix = p, .ifindex = ifindex, .source = source };
	machine_touched(m);
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
	for (size_t i = m->n_rules; i-- > 0;) {
		if (backs_a_tunnel(m, m->rules[i]))
			continue;
		for (size_t k = m->n_guards; k-- > 0;) {
			if (prefix4_contains(m->rules[i], m->guards[k]))
				sim_array_del(m->guards, &m->n_guards, sizeof(*m->guards), k);
		}
		sim_array_del(m->rules, &m->n_rules, sizeof(*m->rules), i);
	}
	return 0;
}

void world_flush_routes(struct host *h)
{
	struct machine *m = h->machine;

	free(m->routes);
	m->routes = NULL;
	m->n_routes = 0;
	machine_touched(m);
}

void world_flush_addresses(struct host *h, const char *ifname)
{
	struct machine *m = h->machine;
	unsigned ifindex = machine_if_named(m, ifname)->index;

	machine_routes_drop(m, ifindex); /* as their source goes */
	for (size_t i = m->n_addrs; i-- > 0;) {
		if (m->addrs[i].ifindex == ifindex)
			sim_array_del(m->addrs, &m->n_addrs, sizeof(*m->addrs), i);
	}
	machine_touched(m);
}

void world_link_change(struct host *h, const char *ifname, const char *name, unsigned mtu_bytes)
{
	struct machine *m = h->machine;
	struct machine_if *i = machine_if_find(m, machine_if_named(m, ifname)->index);

	snprintf(i->name, sizeof(i->name), "%s", name);
	i->mtu_bytes = mtu_bytes;
	machine_touched(m);
}

unsigned world_link_mtu(struct host *h, const char *ifname)
{
	return machine_if_named(h->machine, ifname)->mtu_bytes;
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

		if (addr_is_v4(&a->addr) && a->ifindex != r->ifindex && a->bits >= r->prefix.bits &&
		    prefix4_contains(addr_prefix(a), ip))
			return true;
	}
	return false;
}

static bool is_guarded(const struct machine *m, ip4 ip)
{
	for (size_t i = 0; i < m->n_rules; i++) {
		if (prefix4_contains(m->rules[i], ip))
			return guard_at(m, ip) < m->n_guards;
	}
	return false;
}

/* The most specific one; of equals, the unreachable one has low priority. */
const struct world_route *machine_route(const struct machine *m, const struct addr *to)
{
	static const struct world_route stop = { .prefix = { 0, 32 } };
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
	if (!(best && best->prefix.bits == 32 && best->ifindex) && is_guarded(m, addr_ip4(to)))
		return &stop;
	return best && !is_nearer(m, addr_ip4(to), best) ? best : NULL;
}

int world_leaves_by(struct host *h, const struct addr *to)
{
	const struct world_route *r = machine_route(h->machine, to);

	return !r ? 0 : r->ifindex ? (int)r->ifindex : WORLD_NOWHERE;
}
