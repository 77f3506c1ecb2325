/* SPDX-License-Identifier: MIT */
/* The simulated gateway that maps ports. */
#include "os/sim/portmapd_internal.h"

#include "base/assert.h"

static void lease_end(struct portmapd *d, struct lease *l)
{
	if (nat_unforward(d->nat, l->outer_port) < 0)
		world_die(d->host->world, "a mapped port was not forwarded");
	*l = (struct lease){ 0 };
}

static void schedule(struct portmapd *d)
{
	uint64_t at = TIME_NEVER;

	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (d->lease[i].outer_port)
			at = MIN(at, d->lease[i].expires);
	timer_set(d->timer, at);
}

static void on_timer(void *ctx)
{
	struct portmapd *d = ctx;

	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (d->lease[i].outer_port && d->lease[i].expires <= clock_now(d->host))
			lease_end(d, &d->lease[i]);
	schedule(d);
}

static struct lease *lease_of(struct portmapd *d, const struct addr *inner)
{
	struct lease *place = NULL;

	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		struct lease *l = &d->lease[i];

		if (l->outer_port && addr_equal(&l->inner, inner))
			return l;
		if (!l->outer_port && !place)
			place = l;
	}
	return place;
}

uint16_t portmapd_map(struct portmapd *d, const struct portmap_request *q, const struct addr *inner,
		      struct portmap_answer *a)
{
	struct lease *l = lease_of(d, inner);
	uint16_t port = q->external.port ? q->external.port : q->internal_port;

	if (!l)
		return 8; /* NO_RESOURCES */
	if (l->outer_port && q->version == PORTMAP_PCP &&
	    memcmp(l->nonce, q->nonce, sizeof(l->nonce)) != 0)
		return 2; /* NOT_AUTHORIZED */
	if (q->lifetime_s == 0) {
		if (l->outer_port)
			lease_end(d, l);
		return PORTMAP_SUCCESS;
	}
	if (!l->outer_port) {
		while (nat_forward(d->nat, port, inner) < 0)
			port++;
		l->inner = *inner;
		l->outer_port = port;
		memcpy(l->nonce, q->nonce, sizeof(l->nonce));
	}
	a->lifetime_s = q->lifetime_s;
	if (d->cfg.lifetime_max_s)
		a->lifetime_s = MIN(a->lifetime_s, d->cfg.lifetime_max_s);
	l->expires = clock_now(d->host) + a->lifetime_s * NS_PER_S;
	a->external = addr_v4(nat_outer(d->nat), l->outer_port);
	schedule(d);
	return PORTMAP_SUCCESS;
}

static void answer(struct portmapd *d, const struct portmap_request *q, const struct addr *from,
		   struct portmap_answer *a)
{
	struct addr inner = *from;

	*a = (struct portmap_answer){ .version = q->version, .op = q->op };
	a->epoch_s = (uint32_t)((clock_now(d->host) - d->began) / NS_PER_S);
	if (q->version == PORTMAP_PCP && !d->cfg.pcp) {
		a->version = PORTMAP_NATPMP;
		a->result = PORTMAP_UNSUPP_VERSION;
		return;
	}
	if (q->op == PORTMAP_ASK) {
		a->external = addr_v4(nat_outer(d->nat), 0);
		return;
	}
	d->requests++;
	memcpy(a->nonce, q->nonce, sizeof(a->nonce));
	a->internal_port = q->internal_port;
	inner.port = q->internal_port;
	if (d->cfg.refuse)
		a->result = d->cfg.refuse;
	else if (q->version == PORTMAP_PCP && !addr_same_ip(&q->client, from))
		a->result = 12; /* ADDRESS_MISMATCH */
	else
		a->result = portmapd_map(d, q, &inner, a);
	schedule(d);
}

static void on_readable(void *ctx)
{
	struct portmapd *d = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(d->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++) {
		struct portmap_request q;
		struct portmap_answer a;
		uint8_t buf[PORTMAP_REQUEST_MAX];
		ptrdiff_t len;

		if (portmap_request_decode(span_of(rx[i].data, rx[i].segment), &q) < 0 ||
		    !(d->cfg.natpmp || (d->cfg.pcp && q.version == PORTMAP_PCP)))
			continue;
		answer(d, &q, &rx[i].from, &a);
		len = portmap_answer_encode(&a, buf, sizeof(buf));
		if (len < 0)
			DIE("the answer does not fit");
		struct udp_tx tx = { .data = buf,
				     .len = (size_t)len,
				     .segment = (size_t)len,
				     .to = rx[i].from,
				     .local = rx[i].local };
		if (udp_send(d->udp, &tx, 1) != 1)
			DIE("the answer was not sent");
	}
}

struct portmapd *portmapd_new(struct nat *n, const char *name, ip4 inner,
			      const struct portmapd_config *cfg)
{
	struct portmapd *d = sim_alloc(sizeof(*d));
	struct udp_config uc = { .bind = { .port = PORTMAP_PORT } };

	d->nat = n;
	d->cfg = *cfg;
	d->host = world_host_in(nat_net(n), name, inner);
	d->began = clock_now(d->host);
	d->timer = timer_new(d->host, on_timer, d);
	if (!d->timer || udp_open(d->host, &uc, on_readable, d, NULL, &d->udp) < 0)
		DIE("no timer or no port");
	portmapd_upnp_start(d);
	world_net_gateway(nat_net(n), inner);
	return d;
}

void portmapd_free(struct portmapd *d)
{
	if (!d)
		return;
	udp_close(d->udp);
	udp_close(d->ssdp);
	service_free(d->control);
	timer_free(d->timer);
	free(d);
}

void portmapd_reboot(struct portmapd *d)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		if (d->lease[i].outer_port)
			lease_end(d, &d->lease[i]);
	nat_reboot(d->nat);
	d->began = clock_now(d->host);
	schedule(d);
}

void portmapd_configure(struct portmapd *d, const struct portmapd_config *cfg)
{
	d->cfg = *cfg;
}

struct host *portmapd_host(struct portmapd *d)
{
	return d->host;
}

size_t portmapd_mappings(const struct portmapd *d)
{
	size_t n = 0;

	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		n += d->lease[i].outer_port != 0;
	return n;
}

size_t portmapd_requests(const struct portmapd *d)
{
	return d->requests;
}
