/* SPDX-License-Identifier: MIT */
/* Interfaces and addresses of a machine, and how it chooses among them. */
#include "os/sim/sim.h"

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
static bool is_wired(const struct machine *m, unsigned ifindex)
{
	const struct machine_if *i = machine_if_find((struct machine *)m, ifindex);

	return i && i->kind == NETIF_PHYSICAL;
}

static void addr_drop(struct machine *m, size_t at)
{
	if (is_wired(m, m->addrs[at].ifindex))
		net_release(m->net, &m->addrs[at].addr, &m->endpoint);
	sim_array_del(m->addrs, &m->n_addrs, sizeof(*m->addrs), at);
}

void machine_routes_drop(struct machine *m, unsigned ifindex)
{
	for (size_t i = m->n_routes; i-- > 0;) {
		if (m->routes[i].ifindex == ifindex)
			sim_array_del(m->routes, &m->n_routes, sizeof(*m->routes), i);
	}
}

void machine_if_del(struct machine *m, unsigned index)
{
	for (size_t i = m->n_addrs; i-- > 0;) {
		if (m->addrs[i].ifindex == index)
			addr_drop(m, i);
	}
	machine_routes_drop(m, index);
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

const char *machine_ifname_of(const struct machine *m, const struct addr *a)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		for (size_t k = 0; k < m->n_ifs; k++) {
			if (addr_same_ip(&m->addrs[i].addr, a) &&
			    m->ifs[k].index == m->addrs[i].ifindex)
				return m->ifs[k].name;
		}
	}
	return "";
}

static bool is_up(const struct machine *m, unsigned ifindex)
{
	for (size_t i = 0; i < m->n_ifs; i++) {
		if (m->ifs[i].index == ifindex)
			return m->ifs[i].up || m->ifs[i].kind != NETIF_PHYSICAL;
	}
	return true;
}

bool machine_speaks(const struct machine *m, const struct addr *a)
{
	for (size_t i = 0; i < m->n_addrs; i++) {
		if (addr_same_ip(&m->addrs[i].addr, a))
			return is_up(m, m->addrs[i].ifindex);
	}
	return true;
}

void world_host_interface(struct host *h, const char *ifname, bool up)
{
	struct machine *m = h->machine;
	const struct machine_if *named = machine_if_named(m, ifname);
	struct machine_if *i = machine_if_find(m, named->index);

	if (i->up == up)
		return;
	i->up = up;
	world_trace(m->world, "%s: %s %s", m->name, ifname, up ? "up" : "down");
	if (i->kind != NETIF_TUNNEL) {
		machine_changed(m);
		return;
	}
	if (!up)
		machine_routes_drop(m, i->index);
	machine_touched(m);
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
	const struct machine_addr *best = NULL;
	bool wired = false;

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

		if (addr_is_v4(&a->addr) != addr_is_v4(to) || !is_up(m, a->ifindex) ||
		    is_link_local(&a->addr) != is_link_local(to))
			continue;
		if (!best || a->ifindex == ifindex ||
		    (best->ifindex != ifindex && !wired && is_wired(m, a->ifindex)))
			best = a;
		wired = is_wired(m, best->ifindex);
		if (best->ifindex == ifindex)
			break;
	}
	if (best)
		*ret = best->addr;
	return best != NULL;
}

static enum netif_kind kind_by_name(const char *name)
{
	static const struct {
		const char *prefix;
		enum netif_kind kind;
	} known[] = {
		{ "lo", NETIF_LOOPBACK },     { "docker", NETIF_CONTAINER },
		{ "br-", NETIF_CONTAINER },   { "veth", NETIF_CONTAINER },
		{ "virbr", NETIF_CONTAINER }, { "wg", NETIF_TUNNEL },
		{ "tun", NETIF_TUNNEL },      { "tailscale", NETIF_TUNNEL },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strncmp(name, known[i].prefix, strlen(known[i].prefix)) == 0)
			return known[i].kind;
	}
	return NETIF_PHYSICAL;
}

const struct machine_if *machine_if_named(struct machine *m, const char *name)
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

int machine_addr_add(struct machine *m, const struct addr *a, const char *ifname)
{
	const struct machine_if *i = machine_if_named(m, ifname);
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
	int rc = machine_addr_add(h->machine, a, ifname);

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
	if (ip && machine_addr_add(m, &a, "eth0") < 0)
		world_die(m->world, "%s: another machine has this address", m->name);
	world_trace(m->world, "%s: moves to %s", m->name, ip4_format(ip, text));
	machine_changed(m);
}

void world_host_roam(struct host *h, ip4 ip)
{
	world_host_move(h, h->machine->net, ip);
}
