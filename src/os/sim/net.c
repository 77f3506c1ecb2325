/* SPDX-License-Identifier: MIT */
/* How a datagram gets from one machine to another: nets, boxes between them, links. */
#include "os/sim/sim.h"

#include "base/assert.h"

#define NET_ADDRS_MAX 100000
#define NETS_DEEP_MAX 8

struct net {
	struct list in_world;
	struct world *world;
	struct net *outside;
	struct box_ops ops;
	void *ctx;
	struct map *addrs;   /* 16 bytes of IP -> struct endpoint */
	struct endpoint box; /* in the net outside */
	ip4 gateway;	     /* 0 if none is known */
};

struct link {
	struct link_params params;
	struct link_stats stats;
	uint64_t free_at; /* when what is queued will have been sent */
	uint64_t last_arrival;
};

/* A datagram between two machines. */
struct flight {
	struct event event;
	struct net *net; /* where it comes down; NULL: on the sending machine itself */
	struct machine *from;
	struct link *link; /* NULL on the machine itself */
	struct packet packet;
};

struct net *world_net(struct world *w, struct net *outside, const struct box_ops *ops, void *ctx)
{
	struct net *n = sim_alloc(sizeof(*n));
	uint8_t seed[16];

	rng_fill(&w->rng, seed, sizeof(seed));
	n->world = w;
	n->outside = outside ? outside : w->public_net;
	n->addrs = map_new(seed, sizeof(((struct addr *)NULL)->ip), NET_ADDRS_MAX);
	if (!n->addrs)
		DIE("no memory");
	if (ops)
		n->ops = *ops;
	n->ctx = ctx;
	n->box = (struct endpoint){ .id = w->endpoints++, .behind = n };
	list_append(&w->nets, &n->in_world);
	return n;
}

void world_hops(struct world *w, unsigned n)
{
	w->public_hops = n;
}

struct net *world_public_net(struct world *w)
{
	return w->public_net;
}

struct world *net_world(struct net *n)
{
	return n->world;
}

int world_net_addr(struct net *n, const struct addr *outer)
{
	return net_claim(n->outside, outer, &n->box);
}

void world_net_gateway(struct net *n, ip4 gateway)
{
	n->gateway = gateway;
}

ip4 net_gateway(const struct net *n)
{
	return n->gateway;
}

struct machine *net_machine(const struct net *n, const struct addr *a)
{
	const struct endpoint *e = map_get(n->addrs, a->ip);

	return e ? e->machine : NULL;
}

int net_claim(struct net *n, const struct addr *a, struct endpoint *e)
{
	return map_put(n->addrs, a->ip, e);
}

void net_release(struct net *n, const struct addr *a, const struct endpoint *e)
{
	if (map_get(n->addrs, a->ip) == e)
		map_remove(n->addrs, a->ip);
}

void nets_free(struct world *w)
{
	list_for_each(it, &w->nets) {
		struct net *n = list_entry(it, struct net, in_world);

		if (n->ops.free)
			n->ops.free(n->ctx);
		map_free(n->addrs);
		free(n);
	}
}

struct link *link_between(struct machine *from, const struct endpoint *to)
{
	struct link *l;

	while (from->n_links <= to->id)
		sim_array_add(&from->links, &from->n_links, sizeof(struct link *));
	l = from->links[to->id];
	if (!l) {
		l = sim_alloc(sizeof(*l));
		l->params = LINK_DEFAULT;
		from->links[to->id] = l;
	}
	return l;
}

void links_free(struct machine *m)
{
	for (size_t i = 0; i < m->n_links; i++)
		free(m->links[i]);
	free(m->links);
}

void world_link(struct world *w, struct host *from, struct host *to, struct link_params p)
{
	struct link *l = link_between(from->machine, &to->machine->endpoint);

	if (p.mtu_bytes == 0)
		p.mtu_bytes = 1500;
	l->params = p;
	world_trace(w, "link %s -> %s: %s", from->machine->name, to->machine->name,
		    p.down ? "down" : "up");
}

void world_link_both(struct world *w, struct host *a, struct host *b, struct link_params p)
{
	world_link(w, a, b, p);
	world_link(w, b, a, p);
}

void world_link_cut(struct world *w, struct host *a, struct host *b, bool down)
{
	link_between(a->machine, &b->machine->endpoint)->params.down = down;
	link_between(b->machine, &a->machine->endpoint)->params.down = down;
	world_trace(w, "link %s <-> %s: %s", a->machine->name, b->machine->name,
		    down ? "cut" : "up");
}

struct link_stats world_link_stats(struct world *w, struct host *from, struct host *to)
{
	(void)w;
	return link_between(from->machine, &to->machine->endpoint)->stats;
}

void world_tap(struct world *w, world_tap_fn fn, void *ctx)
{
	w->tap = fn;
	w->tap_ctx = ctx;
}

/* Bytes on the wire: with IP and UDP headers. */
static size_t wire_len(const struct addr *to, size_t len)
{
	return len + (addr_is_v4(to) ? 20 : 40) + 8;
}

bool net_fits_interface(struct machine *m, const struct addr *to, size_t len)
{
	const struct endpoint *e = map_get(m->net->addrs, to->ip);
	unsigned mtu = m->mtu_bytes;

	if (machine_owns(m, to))
		return len <= 65507;
	if (e && mtu >= 1500)
		mtu = MAX(mtu, link_between(m, e)->params.mtu_bytes);
	return wire_len(to, len) <= mtu;
}

static void flight_free(struct flight *f)
{
	free(f->packet.data);
	free(f);
}

void net_packet_drop(struct event *e)
{
	flight_free(container_of(e, struct flight, event));
}

/* `n` routers pass it on; false if one of them discards it. */
static bool hop(struct packet *p, unsigned n)
{
	if (p->hops == 0)
		return true;
	if (p->hops <= n)
		return false;
	p->hops = (uint8_t)(p->hops - n);
	return true;
}

/* Inwards through the boxes that own the address, to a machine; NULL if it was not let in. */
static struct machine *net_find(struct net *n, struct packet *p)
{
	struct endpoint *at = map_get(n->addrs, p->dst.ip);

	for (int deep = 0; at && at->behind && deep < NETS_DEEP_MAX; deep++) {
		n = at->behind;
		/* The box sees a datagram before it counts the hop. */
		if (!n->ops.in(n->ctx, p) || !hop(p, 1))
			return NULL;
		at = map_get(n->addrs, p->dst.ip);
	}
	return at ? at->machine : NULL;
}

static void flight_arrive(struct event *e)
{
	struct flight *f = container_of(e, struct flight, event);
	struct world *w = f->from->world;
	struct machine *m = f->net ? net_find(f->net, &f->packet) : f->from;

	if (!m) {
		world_trace_packet(w, f->from, f->from, "not let in", &f->packet);
	} else if (m->suspended || (f->net && !(m->carrier && machine_speaks(m, &f->packet.dst)))) {
		world_trace_packet(w, f->from, m, "machine is off", &f->packet);
	} else {
		if (f->link)
			f->link->stats.delivered++;
		world_trace_packet(w, f->from, m, "received", &f->packet);
		machine_receive(m, &f->packet, machine_ifname_of(m, &f->packet.dst));
	}
	flight_free(f);
}

static void flight_start(struct machine *m, struct net *n, struct link *l, const struct packet *p,
			 uint64_t arrival)
{
	struct flight *f = sim_alloc(sizeof(*f));

	event_init(&f->event, NULL, flight_arrive);
	f->net = n;
	f->from = m;
	f->link = l;
	f->packet = *p;
	f->packet.data = sim_copy(p->data, p->len);
	event_set(m->world, &f->event, arrival);
}

/* The machine that will probably get it, for the parameters of the link. */
static const struct endpoint *link_end(const struct endpoint *e, const struct packet *p)
{
	struct packet inner = *p;

	for (int deep = 0; e->behind && deep < NETS_DEEP_MAX; deep++) {
		const struct net *n = e->behind;
		const struct endpoint *next;

		if (!n->ops.peek || !n->ops.peek(n->ctx, &inner, &inner.dst))
			break;
		next = map_get(n->addrs, inner.dst.ip);
		if (!next)
			break;
		e = next;
	}
	return e;
}

/*
 * Puts it into the link's queue, which it reaches at `now`: when will the last bit of it have left?
 * TIME_NEVER: dropped.
 */
static uint64_t link_queue(struct link *l, uint64_t now, size_t bytes, struct packet *p)
{
	const struct link_params *q = &l->params;
	uint64_t start = MAX(now, l->free_at);
	double waiting;
	size_t limit;

	if (q->rate_bps == 0)
		return now;
	waiting = (double)(start - now) * (double)q->rate_bps / 8e9;
	limit = q->queue_bytes ? q->queue_bytes : MAX(65536, (size_t)(q->rate_bps / 80));
	if (waiting + (double)bytes > (double)limit)
		return TIME_NEVER;
	if (q->ecn_bytes && waiting > (double)q->ecn_bytes && p->ecn != 0) {
		p->ecn = 3; /* CE, RFC 3168 section 5 */
		l->stats.marked++;
	}
	l->free_at = start + (uint64_t)((double)bytes * 8e9 / (double)q->rate_bps);
	return l->free_at;
}

static uint64_t link_arrival(struct world *w, struct link *l, uint64_t sent)
{
	uint64_t at = sent + l->params.delay_ns;

	if (l->params.jitter_ns)
		at += rng_below(&w->rng, l->params.jitter_ns + 1);
	if (!l->params.reorder)
		at = MAX(at, l->last_arrival);
	l->last_arrival = MAX(at, l->last_arrival);
	return at;
}

static void link_send(struct machine *m, struct net *n, struct link *l, struct packet *p)
{
	struct world *w = m->world;
	size_t bytes = wire_len(&p->dst, p->len);
	const char *why = NULL;
	uint64_t sent = machine_depart(m, bytes);

	l->stats.sent++;
	if (l->params.down) {
		l->stats.down++;
		why = "link is down";
	} else if (bytes > l->params.mtu_bytes) {
		l->stats.too_big++;
		why = "too big for the link";
	} else if (rng_chance(&w->rng, l->params.loss)) {
		l->stats.lost++;
		why = "lost";
	} else if ((sent = link_queue(l, sent, bytes, p)) == TIME_NEVER) {
		l->stats.queue_full++;
		why = "queue is full";
	}
	if (why) {
		world_trace_packet(w, NULL, m, why, p);
		return;
	}
	world_trace_packet(w, NULL, m, "sent", p);
	flight_start(m, n, l, p, link_arrival(w, l, sent));
	if (rng_chance(&w->rng, l->params.duplicate))
		flight_start(m, n, l, p, link_arrival(w, l, sent));
}

/* Outwards through boxes until the address is found. */
static void net_route(struct machine *m, struct packet *p)
{
	struct net *n = m->net;
	const struct endpoint *e;

	for (int deep = 0; !(e = map_get(n->addrs, p->dst.ip)); deep++) {
		if (!n->outside || deep == NETS_DEEP_MAX) {
			world_trace_packet(m->world, NULL, m, "no machine has this address", p);
			return;
		}
		if (!hop(p, 1) || !n->ops.out(n->ctx, p)) {
			world_trace_packet(m->world, NULL, m, "not let out", p);
			return;
		}
		n = n->outside;
	}
	if (n == m->world->public_net && !hop(p, m->world->public_hops)) {
		world_trace_packet(m->world, NULL, m, "too many hops", p);
		return;
	}
	link_send(m, n, link_between(m, link_end(e, p)), p);
}

void net_send(struct host *from, struct machine *m, const struct packet *p)
{
	struct world *w = m->world;
	const struct world_route *r;
	struct packet sent = *p;

	if (machine_owns(m, &p->dst)) {
		world_trace_packet(w, NULL, m, "to itself", p);
		flight_start(m, NULL, NULL, p, w->now);
		return;
	}
	r = machine_route(m, &p->dst);
	if (r) {
		world_trace_packet(w, NULL, m, r->ifindex ? "into the tunnel" : "unreachable", p);
		if (r->ifindex)
			machine_tun_route(m, r->ifindex, p);
		return;
	}
	if (!m->carrier || m->suspended || !machine_speaks(m, &p->src)) {
		world_trace_packet(w, NULL, m, "no carrier", p);
		return;
	}
	sent.data = sim_copy(p->data, p->len);
	if (w->tap && !w->tap(w->tap_ctx, from, &p->src, &p->dst, sent.data, &sent.len))
		world_trace_packet(w, NULL, m, "swallowed by the tap", &sent);
	else
		net_route(m, &sent);
	free(sent.data);
}

void world_inject(struct world *w, const struct addr *src, const struct addr *dst, uint8_t ecn,
		  const void *data, size_t len)
{
	struct packet p = { .src = *src, .dst = *dst, .ecn = ecn, .len = len };

	p.data = sim_copy(data, len);
	net_send(NULL, w->nowhere, &p);
	free(p.data);
}
