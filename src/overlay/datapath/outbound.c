/* SPDX-License-Identifier: MIT */
/*
 * From the TUN to where packets wait for their turn: route and checks. The TUN is read as fast as
 * packets come, since its own queue knows no flows; ours does (flowq.h). Nothing here allocates
 * or logs, and the time is the loop's own (clock_now).
 */
#include "overlay/datapath/dest.h"

/* A turn: what is read from the TUN, then what is sent. */
#define READ_PACKETS 64
#define READ_BYTES (4096u << 10)
#define PUMP_BYTES (256u << 10)

/* Checks, and puts it where it waits its turn: a moment, or for a tunnel. */
static void outbound_packet(struct datapath *dp, const struct tun_packet *t, uint64_t now)
{
	struct packet4 h;
	struct dest *d;

	if (t->len < 1 || t->data[0] >> 4 != 4) {
		drop_count(dp, DROP_out_not_ip4);
		return;
	}
	if (packet_parse(t->data, t->len, &h) != DROP_NONE) {
		drop_count(dp, DROP_out_header);
		return;
	}
	if (h.src != dp->address) {
		drop_count(dp, DROP_out_source);
		return;
	}
	if (h.dst >> 28 == 0xe) { /* multicast: 224.0.0.0/4 */
		drop_count(dp, DROP_out_multicast);
		return;
	}
	d = fib_lookup(&dp->fib, h.dst);
	if (!d) {
		drop_count(dp, DROP_out_no_member);
		send_unreachable(dp, t->data, t->len);
		return;
	}
	if (!d->up)
		send_later(d, t, &h);
	else if (dp->pacer.rate > 0 && pace_holds(d))
		pace_put(dp, t, &h, now);
	else
		flowq_put(&dp->flows, t, &h, now);
}

void outbound_pump(void *datapath)
{
	struct datapath *dp = datapath;
	uint64_t now = clock_now(dp->h);
	const struct flowq_item *i = NULL;
	size_t sent = 0;

	while (sent < PUMP_BYTES && !dp->closing && send_has_room(dp) &&
	       (i = flowq_next(&dp->flows, now)) != NULL) {
		sent += i->packet.len;
		send_item(dp, i);
	}
	quic_socket_flush(dp->socket);
	dp->count.drops[DROP_out_queue] = dp->flows.dropped + dp->pacer.flows.dropped;
	if (sent >= PUMP_BYTES)
		deferred_call(dp->pump); /* packets that came in meanwhile are first */
}

void outbound_readable(void *datapath)
{
	struct datapath *dp = datapath;
	uint64_t now = clock_now(dp->h);
	struct tun_packet t;
	size_t bytes = 0;

	for (int i = 0; i < READ_PACKETS && bytes < READ_BYTES; i++) {
		int rc = tun_read(dp->tun, flowq_buffer(&dp->flows), &t);

		if (rc < 0) {
			dp->tun_gone = true;
			deferred_call(dp->events);
			return;
		}
		if (rc == 0)
			break;
		bytes += t.len;
		outbound_packet(dp, &t, now);
	}
	outbound_pump(dp);
	if (!flowq_empty(&dp->pacer.flows))
		pace_pump(dp);
}
