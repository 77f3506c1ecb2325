/* SPDX-License-Identifier: MIT */
/*
 * Simulated UDP sockets. Datagrams that arrived at the same instant are joined to runs, as a kernel
 * with GRO does; what a receiver gets is memory of exactly that size and only until its next call,
 * so that the address sanitizer sees every wrong use.
 */
#include "os/udp.h"
#include "os/udp_notes.h"
#include "os/sim/sim.h"

#define BUF_DEFAULT 212992    /* net.core.rmem_default and wmem_default of Linux */
#define DATAGRAM_OVERHEAD 256 /* what the kernel accounts beside the payload */
#define RUN_BYTES_MAX 65535

struct datagram {
	struct list in_socket;
	uint64_t arrived;
	struct packet packet;
};

struct udp {
	struct list in_machine;
	struct host *host;
	struct addr bound;
	bool shared;
	char device[16]; /* "": any */
	size_t rcvbuf, sndbuf, queued;
	struct list queue;
	struct event readable, writable;
	loop_fn readable_fn, writable_fn;
	void *readable_ctx, *writable_ctx;
	uint8_t *lent[UDP_BATCH_MAX]; /* by the last udp_recv */
	struct udp_stats stats;
	struct udp_notes refused;
};

static struct udp *udp_at(struct machine *m, const struct addr *a, const char *ifname)
{
	struct udp *any = NULL;

	list_for_each(it, &m->udps) {
		struct udp *u = list_entry(it, struct udp, in_machine);

		if (!u->host->alive || u->bound.port != a->port ||
		    (u->device[0] && strcmp(u->device, ifname) != 0))
			continue;
		if (addr_same_ip(&u->bound, a))
			return u;
		if (addr_has_no_ip(&u->bound))
			any = u;
	}
	return any;
}

/* Is there a socket that this one would collide with? */
static bool port_taken(struct machine *m, const struct addr *bind, bool shared)
{
	list_for_each(it, &m->udps) {
		struct udp *u = list_entry(it, struct udp, in_machine);

		if (u->host->alive && u->bound.port == bind->port && !(shared && u->shared) &&
		    (addr_has_no_ip(&u->bound) || addr_has_no_ip(bind) ||
		     addr_same_ip(&u->bound, bind)))
			return true;
	}
	return false;
}

static int port_choose(struct machine *m, struct addr *bind)
{
	for (int tries = 0; tries < 32768; tries++) {
		bind->port = m->next_port++;
		if (m->next_port < 32768)
			m->next_port = 32768;
		if (!port_taken(m, bind, false))
			return 0;
	}
	return -EADDRINUSE;
}

static void readable_fire(struct event *e)
{
	struct udp *u = container_of(e, struct udp, readable);

	if (list_empty(&u->queue))
		return;
	event_set(u->host->world, e, u->host->world->now); /* again, while something waits */
	u->readable_fn(u->readable_ctx);
}

static void writable_fire(struct event *e)
{
	struct udp *u = container_of(e, struct udp, writable);

	if (u->writable_fn)
		u->writable_fn(u->writable_ctx);
}

int udp_open(struct host *h, const struct udp_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct udp **ret)
{
	struct machine *m = h->machine;
	struct addr bind = cfg->bind;
	char text[ADDR_TEXT_MAX];
	struct udp *u;

	if (!addr_has_no_ip(&bind) && !machine_owns(m, &bind) && !cfg->address_may_come)
		return err_set(err, -EADDRNOTAVAIL, "cannot bind UDP %s: not an address of %s",
			       addr_format(&bind, text), m->name);
	if (bind.port ? port_taken(m, &bind, cfg->shared) : port_choose(m, &bind) < 0)
		return err_set(err, -EADDRINUSE, "cannot bind UDP %s: in use on %s",
			       addr_format(&bind, text), m->name);
	u = sim_alloc(sizeof(*u));
	u->host = h;
	u->bound = bind;
	u->shared = cfg->shared;
	if (cfg->device)
		snprintf(u->device, sizeof(u->device), "%s", cfg->device);
	u->rcvbuf = cfg->rcvbuf_bytes ? cfg->rcvbuf_bytes : BUF_DEFAULT;
	u->sndbuf = cfg->sndbuf_bytes ? cfg->sndbuf_bytes : BUF_DEFAULT;
	u->readable_fn = readable;
	u->readable_ctx = ctx;
	list_init(&u->queue);
	event_init(&u->readable, h, readable_fire);
	event_init(&u->writable, h, writable_fire);
	list_append(&m->udps, &u->in_machine);
	*ret = u;
	return 0;
}

static void datagram_free(struct datagram *d)
{
	list_remove(&d->in_socket);
	free(d->packet.data);
	free(d);
}

static void lent_free(struct udp *u)
{
	for (size_t i = 0; i < ARRAY_LEN(u->lent); i++) {
		free(u->lent[i]);
		u->lent[i] = NULL;
	}
}

void udp_close(struct udp *u)
{
	if (!u)
		return;
	list_for_each(it, &u->queue)
		datagram_free(list_entry(it, struct datagram, in_socket));
	lent_free(u);
	event_cancel(u->host->world, &u->readable);
	event_cancel(u->host->world, &u->writable);
	list_remove(&u->in_machine);
	free(u);
}

struct addr udp_local(const struct udp *u)
{
	return u->bound;
}

bool machine_listens(struct machine *m, const struct addr *a, const char *ifname)
{
	return machine_owns(m, a) && udp_at(m, a, ifname);
}

void machine_receive(struct machine *m, const struct packet *p, const char *ifname)
{
	struct udp *u = udp_at(m, &p->dst, ifname);
	struct datagram *d;

	if (!u || u->queued + p->len + DATAGRAM_OVERHEAD > u->rcvbuf) {
		world_trace_packet(m->world, NULL, m,
				   u ? "receive buffer is full" : "port is closed", p);
		return;
	}
	d = sim_alloc(sizeof(*d));
	d->arrived = m->world->now;
	d->packet = *p;
	d->packet.data = sim_copy(p->data, p->len);
	u->queued += p->len + DATAGRAM_OVERHEAD;
	list_append(&u->queue, &d->in_socket);
	if (!event_is_set(&u->readable))
		event_set(m->world, &u->readable, m->world->now);
}

/* May `next` follow `first` in one run? */
static bool joins(const struct datagram *first, const struct datagram *next)
{
	return next->arrived == first->arrived && next->packet.ecn == first->packet.ecn &&
	       next->packet.len > 0 && next->packet.len <= first->packet.len &&
	       addr_equal(&next->packet.src, &first->packet.src) &&
	       addr_equal(&next->packet.dst, &first->packet.dst);
}

/* How many datagrams from `first` on make one run, and its bytes. */
static size_t run_measure(const struct udp *u, const struct datagram *first, size_t *ret_bytes)
{
	size_t n = 0, bytes = 0;

	list_for_each(it, &u->queue) {
		const struct datagram *d = list_entry(it, struct datagram, in_socket);

		if (n > 0 && (!joins(first, d) || n == UDP_GSO_SEGMENTS_MAX ||
			      bytes + d->packet.len > RUN_BYTES_MAX))
			break;
		bytes += d->packet.len;
		n++;
		if (d->packet.len < first->packet.len || first->packet.len == 0)
			break; /* a shorter one is the last of its run */
	}
	*ret_bytes = bytes;
	return n;
}

static uint8_t *run_take(struct udp *u, struct udp_rx *rx)
{
	struct datagram *first = list_entry(u->queue.next, struct datagram, in_socket);
	size_t bytes, at = 0, n = run_measure(u, first, &bytes);
	uint8_t *data = sim_alloc(bytes);

	*rx = (struct udp_rx){ .data = data,
			       .len = bytes,
			       .segment = first->packet.len,
			       .from = first->packet.src,
			       .local = first->packet.dst,
			       .ecn = first->packet.ecn };
	rx->local.port = 0;
	for (size_t i = 0; i < n; i++) {
		struct datagram *d = list_entry(u->queue.next, struct datagram, in_socket);

		memcpy(data + at, d->packet.data, d->packet.len);
		at += d->packet.len;
		u->queued -= d->packet.len + DATAGRAM_OVERHEAD;
		u->stats.rx_datagrams++;
		datagram_free(d);
	}
	u->stats.rx_bytes += bytes;
	return data;
}

size_t udp_recv(struct udp *u, struct udp_rx *rx, size_t max)
{
	size_t n = 0;

	lent_free(u);
	if (!u->host->alive)
		return 0;
	for (; n < MIN(max, UDP_BATCH_MAX) && !list_empty(&u->queue); n++)
		u->lent[n] = run_take(u, &rx[n]);
	if (n > 0)
		u->stats.rx_calls++;
	return n;
}

/* Source of a datagram; false when the machine has none that fits. */
static bool source_choose(const struct udp *u, const struct udp_tx *tx, struct addr *ret)
{
	const struct machine *m = u->host->machine;
	struct addr src = u->bound;

	if (!addr_has_no_ip(&tx->local))
		src = tx->local;
	if (addr_has_no_ip(&src) && !machine_source(m, &tx->to, &src))
		return false;
	if (!machine_owns(m, &src) || addr_is_v4(&src) != addr_is_v4(&tx->to))
		return false;
	src.port = u->bound.port;
	*ret = src;
	return true;
}

static void refuse(struct udp *u, const struct addr *to, int code, size_t len)
{
	const struct udp_refusal why = { .code = code };

	if (len <= UDP_REFUSED_BYTES)
		udp_note(&u->refused, u->host->world->now, to, &why);
}

bool udp_refused(const struct udp *u, const struct addr *to, uint64_t since,
		 struct udp_refusal *ret)
{
	return udp_noted(&u->refused, to, since, ret);
}

/* With addresses of the other family only there is a route: to a router that knows no further. */
static bool has_network(const struct machine *m)
{
	static const struct addr any6 = { .ip = { 0x20, 0x01 } };
	const struct addr any4 = addr_v4(0x01010101, 0);
	struct addr src;

	return machine_source(m, &any4, &src) || machine_source(m, &any6, &src);
}

/* Sends one run; datagrams that cannot be sent are given up. */
static void run_send(struct udp *u, const struct udp_tx *tx)
{
	struct machine *m = u->host->machine;
	struct packet p = { .dst = tx->to, .ecn = tx->ecn, .hops = tx->hops };

	if (!source_choose(u, tx, &p.src)) {
		p.len = tx->len;
		p.data = (uint8_t *)tx->data;
		p.src = tx->local;
		world_trace_packet(m->world, NULL, m, "no address to send from", &p);
		u->stats.tx_errors++;
		if (!has_network(m))
			refuse(u, &tx->to, -ENETUNREACH, MIN(tx->len, tx->segment));
		return;
	}
	for (size_t at = 0; at < MAX(tx->len, 1); at += MAX(tx->segment, 1)) {
		p.len = MIN(tx->segment, tx->len - at);
		if (!net_fits_interface(m, &tx->to, p.len)) {
			u->stats.tx_too_big++;
			refuse(u, &tx->to, -EMSGSIZE, p.len);
			continue;
		}
		p.data = sim_copy(tx->data + at, p.len);
		u->stats.tx_datagrams++;
		u->stats.tx_bytes += p.len;
		net_send(u->host, m, &p);
		free(p.data);
	}
}

/* What waits because the machine's network card is slow. */
size_t udp_queued(const struct udp *u)
{
	const struct machine *m = u->host->machine;
	uint64_t now = m->world->now;

	if (m->uplink_bps == 0 || m->uplink_free_at <= now)
		return 0;
	return (size_t)((double)(m->uplink_free_at - now) * (double)m->uplink_bps / 8e9);
}

/* Is the socket's buffer full? */
static bool is_full(struct udp *u)
{
	const struct machine *m = u->host->machine;
	uint64_t now = m->world->now;

	if (udp_queued(u) < u->sndbuf)
		return false;
	event_set(m->world, &u->writable, now + (m->uplink_free_at - now) / 2);
	return true;
}

size_t udp_send(struct udp *u, const struct udp_tx *tx, size_t n)
{
	size_t sent = 0;

	if (!host_may_send(u->host))
		return n;
	for (; sent < n && !is_full(u); sent++) {
		if (tx[sent].len > UDP_GSO_BYTES_MAX ||
		    (tx[sent].segment == 0 && tx[sent].len > 0) ||
		    tx[sent].len > tx[sent].segment * UDP_GSO_SEGMENTS_MAX)
			world_die(u->host->world, "%s: udp_send of %zu bytes cut at %zu",
				  u->host->machine->name, tx[sent].len, tx[sent].segment);
		run_send(u, &tx[sent]);
	}
	u->stats.tx_calls++;
	return sent;
}

void udp_forget(struct udp *u)
{
	(void)u; /* runs go out whole here */
}

void udp_on_writable(struct udp *u, loop_fn writable, void *ctx)
{
	u->writable_fn = writable;
	u->writable_ctx = ctx;
}

struct udp_stats udp_stats_get(const struct udp *u)
{
	return u->stats;
}
