/* SPDX-License-Identifier: MIT */
/* The simulated NATs: a box with a table of mappings. */
#include "os/sim/nat.h"

#include <stdlib.h>

#include "base/assert.h"
#include "os/sim/world.h"

#define NAT_PORT_FIRST 1024
#define NAT_FILTER_MAX                                                                             \
	64 /* remote endpoints that one mapping admits; who was not
			   * written to for longest goes first */

struct mapping {
	struct addr inner;
	struct addr remote; /* what the mapping depends on; unset parts are zero */
	uint16_t outer_port;
	uint64_t used;
	bool forwarded;
	bool replied;	 /* by_flow: packets went both ways */
	uint64_t number; /* by_flow: the order in which they came about */
	struct addr admitted[NAT_FILTER_MAX];
	size_t n_admitted;
};

struct nat {
	struct world *world;
	struct net *net;
	struct nat_config cfg;
	ip4 outer, only;
	struct mapping *map;
	size_t n;
	uint64_t random;
	uint16_t last_port; /* of the newest mapping */
	uint64_t flows;	    /* by_flow: that there have been */
};

/* The part of an address that a rule looks at. */
static struct addr nat_key(enum nat_depends d, const struct addr *remote)
{
	struct addr key = { 0 };

	if (d == NAT_ENDPOINT_INDEPENDENT)
		return key;
	key = *remote;
	if (d == NAT_ADDRESS_DEPENDENT)
		key.port = 0;
	return key;
}

static bool mapping_alive(const struct nat *n, const struct mapping *m)
{
	return m->forwarded || !n->cfg.timeout_ns ||
	       world_now(n->world) - m->used <= n->cfg.timeout_ns * (m->replied ? 4 : 1);
}

static void nat_expire(struct nat *n)
{
	for (size_t i = 0; i < n->n;) {
		if (mapping_alive(n, &n->map[i]))
			i++;
		else
			n->map[i] = n->map[--n->n];
	}
}

static struct mapping *nat_by_port(struct nat *n, uint16_t port)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->map[i].outer_port == port && mapping_alive(n, &n->map[i]))
			return &n->map[i];
	return NULL;
}

/* splitmix64 */
static uint64_t nat_random(struct nat *n)
{
	uint64_t z = n->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint16_t nat_random_port(struct nat *n)
{
	return (uint16_t)(NAT_PORT_FIRST + nat_random(n) % (65536 - NAT_PORT_FIRST));
}

static uint16_t nat_next_port(uint16_t port)
{
	return port == UINT16_MAX ? NAT_PORT_FIRST : port + 1;
}

static struct mapping *nat_add(struct nat *n)
{
	size_t oldest = 0;

	if (n->n < n->cfg.max_mappings)
		return &n->map[n->n++];
	for (size_t i = 1; i < n->n; i++)
		if (!n->map[i].forwarded && n->map[i].used < n->map[oldest].used)
			oldest = i;
	return &n->map[oldest];
}

/* --- by flow ---------------------------------------------------------------------------------- */

/* The flow that a datagram from `remote` to the port belongs to. */
static struct mapping *flow_from(struct nat *n, const struct addr *remote, uint16_t port)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->map[i].outer_port == port && mapping_alive(n, &n->map[i]) &&
		    (n->map[i].forwarded || addr_equal(&n->map[i].remote, remote)))
			return &n->map[i];
	return NULL;
}

/* The port that the first flow of an inner address gets if nothing else has it. */
static uint16_t flow_port_first(struct nat *n, const struct addr *inner)
{
	uint64_t seed = n->random;
	uint16_t port;

	if (n->cfg.preserve_port)
		return inner->port;
	n->random = (uint64_t)addr_ip4(inner) << 16 | inner->port;
	port = nat_random_port(n);
	n->random = seed;
	return port;
}

static const struct mapping *flow_newest(const struct nat *n, const struct addr *inner)
{
	const struct mapping *newest = NULL;

	for (size_t i = 0; i < n->n; i++)
		if (addr_equal(&n->map[i].inner, inner) &&
		    (!newest || n->map[i].number > newest->number))
			newest = &n->map[i];
	return newest;
}

/* get_unique_tuple of Linux's nf_nat_core.c */
static uint16_t flow_port(struct nat *n, const struct addr *inner, const struct addr *remote)
{
	const struct mapping *newest = flow_newest(n, inner);
	bool by_chance = n->cfg.mapping != NAT_ENDPOINT_INDEPENDENT;
	uint16_t port = flow_port_first(n, inner);

	if (newest && !by_chance && !flow_from(n, remote, newest->outer_port))
		return newest->outer_port;
	if (by_chance)
		port = nat_random_port(n);
	while (flow_from(n, remote, port))
		port = nat_random_port(n);
	return port;
}

static struct mapping *flow_out(struct nat *n, const struct addr *inner, const struct addr *remote)
{
	struct mapping *m;
	uint16_t port;

	for (size_t i = 0; i < n->n; i++) {
		m = &n->map[i];
		if (addr_equal(&m->inner, inner) &&
		    (m->forwarded || addr_equal(&m->remote, remote)))
			return m;
	}
	port = flow_port(n, inner, remote);
	m = nat_add(n);
	*m = (struct mapping){
		.inner = *inner, .remote = *remote, .outer_port = port, .number = ++n->flows
	};
	return m;
}

/* Returns false if it is for the router itself, which remembers it. */
static bool flow_in(struct nat *n, const struct packet *p, struct addr *ret_inner)
{
	struct mapping *m;

	nat_expire(n);
	m = flow_from(n, &p->src, p->dst.port);
	if (!m && n->cfg.drops)
		return false;
	if (!m) {
		m = nat_add(n);
		*m = (struct mapping){ .remote = p->src, .outer_port = p->dst.port };
	}
	m->used = world_now(n->world);
	if (addr_is_unset(&m->inner))
		return false;
	m->replied = true;
	*ret_inner = m->inner;
	return true;
}

/* --- by mapping ------------------------------------------------------------------------------- */

static uint16_t nat_free_port(struct nat *n, uint16_t wanted)
{
	if (n->cfg.preserve_port && !nat_by_port(n, wanted))
		return wanted;
	for (;;) {
		uint16_t port = n->cfg.in_turn && n->last_port ? nat_next_port(n->last_port)
							       : nat_random_port(n);

		n->last_port = port;
		if (!nat_by_port(n, port))
			return port;
	}
}

static struct mapping *nat_map(struct nat *n, const struct addr *inner, const struct addr *remote)
{
	struct addr key = nat_key(n->cfg.mapping, remote);
	struct mapping *m;

	nat_expire(n);
	if (n->cfg.by_flow)
		return flow_out(n, inner, remote);
	/* What was forwarded by hand holds in both directions, before what came about by itself. */
	for (size_t i = 0; i < n->n; i++)
		if (n->map[i].forwarded && addr_equal(&n->map[i].inner, inner))
			return &n->map[i];
	for (size_t i = 0; i < n->n; i++)
		if (addr_equal(&n->map[i].inner, inner) && addr_equal(&n->map[i].remote, &key))
			return &n->map[i];
	uint16_t port = nat_free_port(n, inner->port);
	m = nat_add(n);
	*m = (struct mapping){ .inner = *inner, .remote = key, .outer_port = port };
	return m;
}

static void mapping_admit(struct nat *n, struct mapping *m, const struct addr *remote)
{
	struct addr key = nat_key(n->cfg.filtering, remote);

	size_t i = 0;

	while (i < m->n_admitted && !addr_equal(&m->admitted[i], &key))
		i++;
	if (i == NAT_FILTER_MAX)
		i = 0;
	else if (i == m->n_admitted)
		m->n_admitted++;
	/* The one used last is the last. */
	memmove(&m->admitted[i], &m->admitted[i + 1],
		(m->n_admitted - i - 1) * sizeof(m->admitted[0]));
	m->admitted[m->n_admitted - 1] = key;
}

static bool mapping_admits(const struct nat *n, const struct mapping *m, const struct addr *remote)
{
	struct addr key = nat_key(n->cfg.filtering, remote);

	if (m->forwarded || n->cfg.filtering == NAT_ENDPOINT_INDEPENDENT)
		return true;
	for (size_t i = 0; i < m->n_admitted; i++)
		if (addr_equal(&m->admitted[i], &key))
			return true;
	return false;
}

static bool nat_allows(const struct nat *n, const struct addr *remote)
{
	return !n->only || (addr_is_v4(remote) && addr_ip4(remote) == n->only);
}

static bool nat_out(void *ctx, struct packet *p)
{
	struct nat *n = ctx;

	if (!addr_is_v4(&p->dst) || !addr_is_v4(&p->src) || !nat_allows(n, &p->dst))
		return false;
	if (addr_ip4(&p->dst) == n->outer && !n->cfg.hairpin)
		return false;
	struct mapping *m = nat_map(n, &p->src, &p->dst);
	m->used = world_now(n->world);
	mapping_admit(n, m, &p->dst);
	p->src = addr_v4(n->outer, m->outer_port);
	return true;
}

static bool nat_find(struct nat *n, const struct packet *p, struct addr *ret_inner)
{
	const struct mapping *m;

	if (addr_ip4(&p->dst) != n->outer)
		return false; /* an address that was ours before */
	m = n->cfg.by_flow ? flow_from(n, &p->src, p->dst.port) : nat_by_port(n, p->dst.port);
	if (!m || !nat_allows(n, &p->src) || addr_is_unset(&m->inner) ||
	    (!n->cfg.by_flow && !mapping_admits(n, m, &p->src)))
		return false;
	*ret_inner = m->inner;
	return true;
}

static bool nat_in(void *ctx, struct packet *p)
{
	struct nat *n = ctx;

	if (n->cfg.by_flow && addr_ip4(&p->dst) == n->outer && nat_allows(n, &p->src))
		return flow_in(n, p, &p->dst);
	return nat_find(n, p, &p->dst);
}

/* A stranger's datagram crosses the same link as those that are let in. */
static bool flow_peek(struct nat *n, uint16_t port, struct addr *ret_inner)
{
	for (size_t i = 0; i < n->n; i++) {
		if (n->map[i].outer_port == port && !addr_is_unset(&n->map[i].inner)) {
			*ret_inner = n->map[i].inner;
			return true;
		}
	}
	return false;
}

static bool nat_peek(void *ctx, const struct packet *p, struct addr *ret_inner)
{
	struct nat *n = ctx;

	return nat_find(n, p, ret_inner) ||
	       (n->cfg.by_flow && flow_peek(n, p->dst.port, ret_inner));
}

static void nat_free(void *ctx)
{
	struct nat *n = ctx;

	free(n->map);
	free(n);
}

struct nat *nat_new(struct world *w, struct net *outside, const struct nat_config *cfg, ip4 outer)
{
	static const struct box_ops ops = { nat_out, nat_in, nat_peek, nat_free };
	struct addr a = addr_v4(outer, 0);
	struct nat *n = calloc(1, sizeof(*n));

	if (!n)
		DIE("no memory");
	n->world = w;
	n->cfg = *cfg;
	if (!n->cfg.max_mappings)
		n->cfg.max_mappings = 1024;
	n->map = calloc(n->cfg.max_mappings, sizeof(*n->map));
	n->outer = outer;
	n->random = outer;
	if (!n->map)
		DIE("no memory");
	n->net = world_net(w, outside, &ops, n);
	if (world_net_addr(n->net, &a) < 0)
		DIE("the outer address is taken");
	return n;
}

struct net *nat_net(struct nat *n)
{
	return n->net;
}

void nat_reboot(struct nat *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n->n; i++)
		if (n->map[i].forwarded)
			n->map[kept++] = n->map[i];
	n->n = kept;
}

int nat_renumber(struct nat *n, ip4 outer)
{
	struct addr a = addr_v4(outer, 0);
	int rc = world_net_addr(n->net, &a);

	if (rc < 0)
		return rc;
	n->outer = outer; /* the old address leads nowhere: nothing is mapped for it */
	nat_reboot(n);
	return 0;
}

int nat_forward(struct nat *n, uint16_t outer_port, const struct addr *inner)
{
	nat_expire(n);
	if (nat_by_port(n, outer_port))
		return -EADDRINUSE;
	*nat_add(n) = (struct mapping){
		.inner = *inner,
		.outer_port = outer_port,
		.forwarded = true,
		.used = world_now(n->world),
	};
	return 0;
}

int nat_unforward(struct nat *n, uint16_t outer_port)
{
	struct mapping *m = nat_by_port(n, outer_port);

	if (!m || !m->forwarded)
		return -ENOENT;
	*m = n->map[--n->n];
	return 0;
}

ip4 nat_outer(const struct nat *n)
{
	return n->outer;
}

void nat_only(struct nat *n, ip4 outside)
{
	n->only = outside;
}

size_t nat_mappings(const struct nat *n)
{
	size_t alive = 0;

	for (size_t i = 0; i < n->n; i++)
		alive += mapping_alive(n, &n->map[i]);
	return alive;
}
