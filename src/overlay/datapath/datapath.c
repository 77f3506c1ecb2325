/* SPDX-License-Identifier: MIT */
/* The packet path's own life, and what is pushed into it from above. */
#include <errno.h>

#include "overlay/datapath/dest.h"
#include "proto/limits.h"

#define ICMP_PER_S 20
#define RECORDS_MAX 4096 /* tunnels, and those that are being replaced */

int datapath_init(struct datapath *dp, struct host *h, loop_fn events, void *ctx)
{
	uint8_t seed[16];

	dp->h = h;
	list_init(&dp->raised);
	bucket_init(&dp->icmp, ICMP_PER_S, ICMP_PER_S, clock_now(h));
	random_fill(h, seed, sizeof(seed));
	dp->records = map_new(seed, RECORD_TAG_LEN, RECORDS_MAX);
	dp->pump = deferred_new(h, outbound_pump, dp);
	dp->events = deferred_new(h, events, ctx);
	dp->pacer.timer = timer_new(h, pace_pump, dp);
	if (!dp->records || !dp->pump || !dp->events || !dp->pacer.timer)
		return -ENOMEM;
	if (flowq_init(&dp->flows) < 0)
		return -ENOMEM;
	return coalesce_init(&dp->coalescer, false, false, inbound_write, dp);
}

void datapath_offloads(struct datapath *dp)
{
	coalesce_offloads(&dp->coalescer, dp->tun && tun_can_join(dp->tun, TUN_GSO_TCP4),
			  dp->tun && tun_can_join(dp->tun, TUN_GSO_UDP4));
}

void datapath_fini(struct datapath *dp)
{
	fib_fini(&dp->fib);
	coalesce_fini(&dp->coalescer);
	timer_free(dp->pacer.timer);
	deferred_free(dp->pump);
	deferred_free(dp->events);
	flowq_fini(&dp->flows);
	flowq_fini(&dp->pacer.flows);
	map_free(dp->records);
}

/* --- events ---------------------------------------------------------------------------------- */

void dest_raise(struct dest *d, enum dest_event e)
{
	if (d->events == 0)
		list_append(&d->dp->raised, &d->raised);
	d->events |= e;
	deferred_call(d->dp->events);
}

struct dest *datapath_event(struct datapath *dp, unsigned *ret_events)
{
	struct dest *d;

	if (list_empty(&dp->raised))
		return NULL;
	d = list_entry(dp->raised.next, struct dest, raised);
	list_remove(&d->raised);
	*ret_events = d->events;
	d->events = 0;
	return d;
}

/* --- destinations ---------------------------------------------------------------------------- */

void dest_init(struct dest *d, struct datapath *dp, ip4 address, struct relay_path *relay)
{
	*d = (struct dest){ .dp = dp, .address = address, .relay = relay };
}

void dest_fini(struct dest *d)
{
	list_remove(&d->raised);
	dest_close(d);
	queue_fini(&d->waiting);
}

int dest_open(struct dest *d, struct quic_conn *c, struct records *r)
{
	struct datapath *dp = d->dp;

	if (map_put(dp->records, r->tag, d) < 0) {
		records_free(r);
		return -ENOMEM;
	}
	d->records = r;
	d->conn = c;
	return 0;
}

void dest_close(struct dest *d)
{
	struct datapath *dp = d->dp;

	if (d->records) {
		if (map_get(dp->records, d->records->tag) == d)
			map_remove(dp->records, d->records->tag);
		if (dp->last == d)
			dp->last = NULL;
		records_free(d->records);
	}
	d->records = NULL;
	d->conn = NULL;
	d->up = d->greeted = d->idle = false;
	dp->count.drops[DROP_in_early] += d->early.n;
	queue_fini(&d->early);
	dest_push(d, NULL, 0);
}

void dest_push(struct dest *d, const struct quic_route *to, size_t datagram_max)
{
	d->reachable = to != NULL;
	d->endpoint = to ? *to : (struct quic_route){ 0 };
	d->record_max = datagram_max > RECORD_OVERHEAD ? datagram_max - RECORD_OVERHEAD : 0;
	/* Until records come from where ours go, each new judgement above is to hear of it. */
	if (!addr_equal(&d->heard_at, &d->endpoint.to))
		d->heard_at = (struct addr){ 0 };
}
