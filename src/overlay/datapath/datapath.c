/* SPDX-License-Identifier: MIT */
/* The packet path's own life, and its events. */
#include <errno.h>

#include "overlay/datapath/dest.h"

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
