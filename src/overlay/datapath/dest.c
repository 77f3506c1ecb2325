/* SPDX-License-Identifier: MIT */
/* A destination: what is pushed into it from above, and what it raises. */
#include <errno.h>

#include "overlay/datapath/dest.h"

void dest_raise(struct dest *d, enum dest_event e)
{
	if (d->events == 0)
		list_append(&d->dp->raised, &d->raised);
	d->events |= e;
	deferred_call(d->dp->events);
}

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

void dest_push(struct dest *d, const struct quic_endpoint *to, size_t datagram_max)
{
	d->reachable = to != NULL;
	d->endpoint = to ? *to : (struct quic_endpoint){ 0 };
	d->record_max = datagram_max > RECORD_OVERHEAD ? datagram_max - RECORD_OVERHEAD : 0;
	/* Until records come from where ours go, each new judgement above is to hear of it. */
	if (!addr_equal(&d->heard_at, &d->endpoint.to))
		d->heard_at = (struct addr){ 0 };
}
