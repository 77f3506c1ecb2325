/* SPDX-License-Identifier: MIT */
/*
 * Packets that go over the relay, at the rate that its server has told. Sent faster, they would be
 * dropped there one by one, which costs both ends and the server more than the packets themselves:
 * each loss makes TCP send smaller pieces. So they wait here, by flow as all others do, and leave
 * in batches, as many as have earned their time since the last ones.
 */
#include "overlay/datapath/dest.h"

#define RATE_LIFE (2 * NS_PER_S) /* the server repeats it while we send */
#define ROOM 64			 /* a part of the rate is left to handshakes and probes */
#define BATCH_TIME (4 * NS_PER_MS)
#define BATCH_MIN 3000
#define BATCH_MAX (2 * UDP_GSO_BYTES_MAX)
#define LOOK_AGAIN NS_PER_MS /* after the socket was full */
#define CREDIT_TIME_MAX NS_PER_S

static uint64_t batch_bytes(const struct pacer *p)
{
	return MAX(MIN(p->rate * BATCH_TIME / NS_PER_S, (uint64_t)BATCH_MAX), (uint64_t)BATCH_MIN);
}

void pace_told(struct datapath *dp, uint64_t bytes_per_s)
{
	struct pacer *p = &dp->pacer;
	uint64_t now = clock_now(dp->h);

	if (!p->flows.memory && bytes_per_s > 0 && flowq_init(&p->flows) < 0)
		return; /* the server drops the packets that are too many */
	if (p->rate == 0) {
		p->credit = 0;
		p->credited = now;
	}
	p->told_at = now;
	p->rate = bytes_per_s > 0 ? MAX(bytes_per_s - bytes_per_s / ROOM, 1u) : 0;
	/* A whole read of the TUN, and the batches before it, are no queue. */
	if (p->rate > 0)
		p->flows.target = FLOWQ_TARGET +
				  (2 * batch_bytes(p) + TUN_PACKET_MAX) * NS_PER_S / p->rate;
}

bool pace_holds(const struct dest *d)
{
	return d->dp->pacer.rate > 0 && d->reachable && d->endpoint.overhead > 0;
}

void pace_put(struct datapath *dp, const struct tun_packet *t, const struct packet4 *h,
	      uint64_t now)
{
	struct tun_packet copy = *t;

	copy.data = flowq_buffer(&dp->pacer.flows) + TUN_HEADROOM;
	memcpy(copy.data, t->data, t->len);
	flowq_put(&dp->pacer.flows, &copy, h, now);
}

/* No nanosecond is lost to rounding: time that earned no whole byte counts the next time. */
static void earn(struct pacer *p, uint64_t now)
{
	uint64_t elapsed = MIN(now - p->credited, CREDIT_TIME_MAX);
	uint64_t bytes = elapsed * p->rate / NS_PER_S;
	int64_t most = (int64_t)(2 * batch_bytes(p));

	p->credited = elapsed == CREDIT_TIME_MAX ? now : p->credited + bytes * NS_PER_S / p->rate;
	p->credit = MIN(p->credit + (int64_t)bytes, most);
}

/* As long as there is credit; the last one may take more than there is. */
static void send_earned(struct datapath *dp, uint64_t now)
{
	struct pacer *p = &dp->pacer;
	const struct flowq_item *i;

	while (!dp->closing && (p->rate == 0 || p->credit > 0) && send_has_room(dp) &&
	       (i = flowq_next(&p->flows, now)) != NULL)
		p->credit -= (int64_t)send_item(dp, i);
	quic_socket_flush(dp->socket);
}

void pace_pump(void *datapath)
{
	struct datapath *dp = datapath;
	struct pacer *p = &dp->pacer;
	uint64_t now = clock_now(dp->h), wait = LOOK_AGAIN;

	if (!p->flows.memory)
		return;
	if (p->rate > 0 && now - p->told_at > RATE_LIFE)
		p->rate = 0;
	if (p->rate > 0)
		earn(p, now);
	send_earned(dp, now);
	dp->count.drops[DROP_out_queue] = dp->flows.dropped + p->flows.dropped;
	if (flowq_empty(&p->flows) || dp->closing)
		return;
	if (p->rate > 0 && p->credit <= 0)
		wait = ((uint64_t)-p->credit + batch_bytes(p)) * NS_PER_S / p->rate;
	timer_set_in(p->timer, MIN(wait, RATE_LIFE)); /* a rate that ends by then is no rate */
}
