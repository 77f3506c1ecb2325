/* SPDX-License-Identifier: MIT */
/* Machines: their interfaces and addresses, and the processes that run on them. */
#include <stdio.h>

#include "os/sim/sim.h"

#define IFINDEX_ETH 2
#define PORT_EPHEMERAL 32768

struct machine *machine_new(struct world *w, struct net *n, const char *name)
{
	struct machine *m = sim_alloc(sizeof(*m));

	if (strlen(name) >= sizeof(m->name))
		world_die(w, "machine %s: name too long", name);
	strcpy(m->name, name);
	m->world = w;
	m->net = n;
	m->endpoint = (struct endpoint){ .id = w->endpoints++, .machine = m };
	rng_seed(&m->rng, w->seed, name);
	m->carrier = true;
	m->next_port = PORT_EPHEMERAL;
	m->next_ifindex = IFINDEX_ETH;
	m->next_pid = 1000;
	m->resolver = SPLITDNS_ACTIVE;
	list_init(&m->udps);
	list_init(&m->tuns);
	list_init(&m->watches);
	list_init(&m->listeners);
	list_init(&m->splits);
	list_init(&m->signals);
	list_init(&m->groups);
	machine_files_init(m);
	list_append(&w->machines, &m->in_world);
	return m;
}

void machine_free(struct machine *m)
{
	links_free(m);
	machine_files_free(m);
	machine_groups_free(m);
	free(m->ifs);
	free(m->addrs);
	free(m->routes);
	free(m->used);
	free(m);
}

struct machine_if *machine_if_find(struct machine *m, unsigned index)
{
	for (size_t i = 0; i < m->n_ifs; i++) {
		if (m->ifs[i].index == index)
			return &m->ifs[i];
	}
	return NULL;
}

struct machine_if *machine_if_add(struct machine *m, const char *name, enum netif_kind kind)
{
	struct machine_if *i = sim_array_add(&m->ifs, &m->n_ifs, sizeof(*i));

	if (strlen(name) >= sizeof(i->name))
		world_die(m->world, "interface %s: name too long", name);
	strcpy(i->name, name);
	i->index = m->next_ifindex++;
	i->kind = kind;
	i->up = kind != NETIF_TUNNEL;
	return i;
}

/* Only what is plugged in somewhere is known in the net. */
static bool is_wired(struct machine *m, unsigned ifindex)
{
	const struct machine_if *i = machine_if_find(m, ifindex);

	return i && i->kind == NETIF_PHYSICAL;
}

static void addr_drop(struct machine *m, size_t at)
{
	if (is_wired(m, m->addrs[at].ifindex))
		net_release(m->net, &m->addrs[at].addr, &m->endpoint);
	sim_array_del(m->addrs, &m->n_addrs, sizeof(*m->addrs), at);
}

void machine_if_del(struct machine *m, unsigned index)
{
	for (size_t i = m->n_addrs; i-- > 0;) {
		if (m->addrs[i].ifindex == index)
			addr_drop(m, i);
	}
	for (size_t i = m->n_routes; i-- > 0;) {
		if (m->routes[i].ifindex == index)
			sim_array_del(m->routes, &m->n_routes, sizeof(*m->routes), i);
	}
	for (size_t i = m->n_ifs; i-- > 0;) {
		if (m->ifs[i].index == index)
			sim_array_del(m->ifs, &m->n_ifs, sizeof(*m->ifs), i);
	}
}

static bool is_loopback(const struct addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return memcmp(a->ip, one, 16) == 0 || (addr_is_v4(a) && addr_ip4(a) >> 24 == 127);
}

bool machine_owns(const struct machine *m, const struct addr *a)
{
	if (is_loopback(a))
		return true;
	for (size_t i = 0; i < m->n_addrs; i++) {
		if (addr_same_ip(&m->addrs[i].addr, a))
			return true;
	}
	return false;
}

bool addr_has_no_ip(const struct addr *a)
{
	struct addr any = addr_v4(0, 0);

	return addr_same_ip(a, &any) || addr_same_ip(a, &(struct addr){ 0 });
}

static bool is_link_local(const struct addr *a)
{
	if (addr_is_v4(a))
		return addr_ip4(a) >> 16 == 0xa9fe;
	return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool machine_source(const struct machine *m, const struct addr *to, struct addr *ret)
{
	const struct world_route *r = machine_route(m, to);
	unsigned ifindex = r ? r->ifindex : IFINDEX_ETH;
	const struct addr *best = NULL;

	if (machine_owns(m, to)) {
		*ret = *to;
		return true;
	}
	if (r && r->source) {
		*ret = addr_v4(r->source, 0);
		return true;
	}
	for (size_t i = 0; i < m->n_addrs; i++) {
		const struct machine_addr *a = &m->addrs[i];

		if (addr_is_v4(&a->addr) != addr_is_v4(to) ||
		    is_link_local(&a->addr) != is_link_local(to))
			continue;
		if (!best || a->ifindex == ifindex) {
			best = &a->addr;
			if (a->ifindex == ifindex)
				break;
		}
	}
	if (best)
		*ret = *best;
	return best != NULL;
}

static enum netif_kind kind_by_name(const char *name)
{
	static const struct {
		const char *prefix;
		enum netif_kind kind;
	} known[] = {
		{ "lo", NETIF_LOOPBACK }, { "docker", NETIF_CONTAINER }, { "br-", NETIF_CONTAINER },
		{ "veth", NETIF_CONTAINER }, { "virbr", NETIF_CONTAINER }, { "wg", NETIF_TUNNEL },
		{ "tun", NETIF_TUNNEL }, { "tailscale", NETIF_TUNNEL },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strncmp(name, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].kind;
	}
	return NETIF_PHYSICAL;
}

static const struct machine_if *if_named(struct machine *m, const char *name)
{
	struct machine_if *i;

	for (size_t at = 0; at < m->n_ifs; at++) {
		if (strcmp(m->ifs[at].name, name) == 0)
			return &m->ifs[at];
	}
	i = machine_if_add(m, name, kind_by_name(name));
	i->up = true;
	return i;
}

static int addr_add(struct machine *m, const struct addr *a, const char *ifname)
{
	const struct machine_if *i = if_named(m, ifname);
	struct machine_addr *entry;
	int rc;

	if (i->kind == NETIF_PHYSICAL) {
		rc = net_claim(m->net, a, &m->endpoint);
		if (rc < 0)
			return rc;
	}
	entry = sim_array_add(&m->addrs, &m->n_addrs, sizeof(*entry));
	entry->addr = *a;
	entry->addr.port = 0;
	entry->ifindex = i->index;
	entry->bits = addr_is_v4(a) ? 24 : 64;
	return 0;
}

int world_host_addr(struct host *h, const struct addr *a, const char *ifname)
{
	int rc = addr_add(h->machine, a, ifname);

	if (rc == 0)
		machine_changed(h->machine);
	return rc;
}

int world_host_addr_del(struct host *h, const struct addr *a)
{
	struct machine *m = h->machine;

	for (size_t i = 0; i < m->n_addrs; i++) {
		if (addr_same_ip(&m->addrs[i].addr, a)) {
			addr_drop(m, i);
			machine_changed(m);
			return 0;
		}
	}
	return -ENOENT;
}

bool world_has_addr(struct host *h, const struct addr *a)
{
	return machine_owns(h->machine, a);
}

void world_host_move(struct host *h, struct net *n, ip4 ip)
{
	struct machine *m = h->machine;
	struct addr a = addr_v4(ip, 0);
	char text[IP4_TEXT_MAX];

	for (size_t i = m->n_addrs; i-- > 0;) {
		if (is_wired(m, m->addrs[i].ifindex))
			addr_drop(m, i);
	}
	m->net = n;
	if (ip && addr_add(m, &a, "eth0") < 0)
		world_die(m->world, "%s: another machine has this address", m->name);
	world_trace(m->world, "%s: moves to %s", m->name, ip4_format(ip, text));
	machine_changed(m);
}

void world_host_roam(struct host *h, ip4 ip)
{
	world_host_move(h, h->machine->net, ip);
}

void world_host_carrier(struct host *h, bool up)
{
	struct machine *m = h->machine;

	if (m->carrier == up)
		return;
	m->carrier = up;
	world_trace(m->world, "%s: carrier %s", m->name, up ? "on" : "off");
	machine_changed(m);
}

void world_host_uplink(struct host *h, uint64_t rate_bps)
{
	h->machine->uplink_bps = rate_bps;
}

uint64_t machine_depart(struct machine *m, size_t bytes)
{
	uint64_t now = m->world->now;

	if (m->uplink_bps == 0)
		return now;
	m->uplink_free_at = MAX(now, m->uplink_free_at) +
			    (uint64_t)((double)bytes * 8e9 / (double)m->uplink_bps);
	return m->uplink_free_at;
}

static void log_sink(void *ctx, enum log_level level, const char *line)
{
	const struct host *h = ctx;

	world_trace(h->world, "%s: %s: %s", h->machine->name, log_level_name(level), line);
	if ((int)level <= h->world->log_level)
		fprintf(stderr, "%12.6f %s: %s\n", (double)(h->world->now - WORLD_START_NS) / 1e9,
			h->machine->name, line);
}

struct host *host_start(struct machine *m)
{
	struct host *h = sim_alloc(sizeof(*h));

	h->world = m->world;
	h->machine = m;
	h->log.level = MAX((enum log_level)MAX(m->world->log_level, 0), LOG_LEVEL_INFO);
	h->log.sink = log_sink;
	h->log.ctx = h;
	h->pid = (int)m->next_pid++;
	h->alive = true;
	list_init(&h->conns);
	list_append(&m->world->hosts, &h->in_world);
	return h;
}

void hosts_free(struct world *w)
{
	list_for_each(it, &w->hosts)
		free(list_entry(it, struct host, in_world));
}

struct host *world_host_in(struct net *n, const char *name, ip4 ip)
{
	struct world *w = net_world(n);
	struct machine *m;
	struct addr a = addr_v4(ip, 0);

	list_for_each(it, &w->machines) {
		if (strcmp(list_entry(it, struct machine, in_world)->name, name) == 0)
			world_die(w, "there is a machine %s already", name);
	}
	m = machine_new(w, n, name);
	(void)if_named(m, "eth0");
	if (ip && addr_add(m, &a, "eth0") < 0)
		world_die(w, "%s: another machine has this address", name);
	return host_start(m);
}

struct host *world_host(struct world *w, const char *name, ip4 ip)
{
	return world_host_in(w->public_net, name, ip);
}

struct host *world_host_boot(struct host *h)
{
	world_trace(h->world, "%s: boots", h->machine->name);
	return host_start(h->machine);
}

void world_host_crash(struct host *h)
{
	if (!h->alive)
		return;
	world_trace(h->world, "%s: crashes", h->machine->name);
	h->alive = false;
	machine_tuns_kill(h);
	machine_local_kill(h);
}

bool world_host_alive(const struct host *h)
{
	return h->alive;
}

void world_host_user(struct host *h, unsigned uid, unsigned gid)
{
	h->uid = uid;
	h->gid = gid;
}

void world_host_suspend(struct host *h)
{
	world_trace(h->world, "%s: suspends", h->machine->name);
	h->machine->suspended = true;
}

/* What was due meanwhile fires at once; the network card comes up anew. */
void world_host_resume(struct host *h)
{
	struct machine *m = h->machine;

	if (!m->suspended)
		return;
	world_trace(h->world, "%s: resumes", m->name);
	m->suspended = false;
	events_release(h->world, m);
	machine_changed(m);
}
