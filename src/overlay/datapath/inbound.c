/* SPDX-License-Identifier: MIT */
/*
 * From a peer to the TUN: the checks of docs/protocol/04-peer.md, then what can be joined is
 * joined. A peer may only ever send as itself and to us; everything else is dropped and counted by
 * reason.
 */
#include <errno.h>

#include "overlay/datapath/dest.h"
#include "proto/peer.h"

#define ECN_MASK 3
#define ECN_CE 3

void inbound_write(void *datapath, const struct tun_packet *p)
{
	struct datapath *dp = datapath;
	int rc = dp->tun ? tun_write(dp->tun, p) : -ENOBUFS; /* it is being made again */

	if (rc == 0)
		return;
	drop_count(dp, DROP_in_tun);
	if (rc != -ENOBUFS && rc != -EAGAIN && rc != -EINVAL) {
		dp->tun_gone = true;
		deferred_call(dp->events);
	}
}

/*
 * A record overtakes the hello that was sent before it when both come in one batch. A few wait
 * for it, so that the first packet through a new tunnel is not lost.
 */
static void keep_early(struct dest *d, const uint8_t *data, size_t len)
{
	struct queue *q = &d->early;
	uint8_t *at = NULL;

	if (q->n < DEST_WAITING_PACKETS && len > 0 && queue_init(q) == 0)
		at = queue_reserve(q, len);
	if (!at) {
		drop_count(d->dp, DROP_in_early);
		return;
	}
	memcpy(at, data, len);
	queue_commit(q, len);
}

static void inbound_packet(struct dest *d, const uint8_t *data, size_t len)
{
	struct datapath *dp = d->dp;
	struct packet4 h;
	enum overlay_drop drop;

	if (!d->greeted) {
		keep_early(d, data, len);
		return;
	}
	drop = packet_check_inbound(data, len, d->address, dp->address, &h);
	if (drop != DROP_NONE) {
		drop_count(dp, drop);
		return;
	}
	d->rx_packets++;
	d->rx_bytes += len - 1;
	dp->count.rx_packets++;
	dp->count.rx_bytes += len - 1;
	coalesce_add(&dp->coalescer, data[0], data + 1, len - 1, &h);
}

void inbound_early(struct dest *d)
{
	struct queue *q = &d->early;

	d->greeted = true;
	for (; !queue_empty(q); queue_pop(q))
		inbound_packet(d, queue_head(q).data, queue_head(q).len);
	coalesce_flush(&d->dp->coalescer);
	queue_fini(q);
}

/* RFC 6040 section 4.2. Returns false if a router marked a packet that cannot carry the mark. */
static bool carry_congestion(uint8_t *ip, size_t len, uint8_t outer)
{
	if (outer != ECN_CE || len < IP4_HEADER_MIN || (ip[1] & ECN_MASK) == ECN_CE)
		return true;
	if ((ip[1] & ECN_MASK) == 0)
		return false;
	ip[1] |= ECN_CE;
	packet_ip_checksum(ip, MIN((size_t)(ip[0] & 15) * 4, len));
	return true;
}

/* Records come in runs of one connection: it is looked up once for each. */
static struct dest *dest_of_tag(struct datapath *dp, const uint8_t *tag)
{
	struct dest *d = dp->last;

	if (!d || memcmp(d->records->tag, tag, RECORD_TAG_LEN) != 0)
		d = dp->last = map_get(dp->records, tag);
	return d;
}

/* The owner hears of another address once, not with each record. */
static void note_heard(struct dest *d, const struct udp_rx *rx, bool relayed)
{
	d->heard = clock_now(d->dp->h);
	d->unanswered = 0;
	if (relayed || addr_equal(&rx->from, &d->heard_at))
		return;
	d->heard_at = rx->from;
	dest_raise(d, DEST_MOVED);
}

void inbound_record(struct datapath *dp, uint8_t *data, size_t len, const struct udp_rx *rx,
		    const struct dest *relay)
{
	struct dest *d = dest_of_tag(dp, record_tag(data, len));
	struct span inner = { .len = 0 };
	enum overlay_drop drop;

	if (!d || (relay && d != relay)) {
		drop_count(dp, DROP_in_unknown);
		return;
	}
	drop = record_open(d->records, data, len, &inner);
	if (drop != DROP_NONE) {
		drop_count(dp, drop);
		return;
	}
	note_heard(d, rx, relay != NULL);
	if (!carry_congestion(data + RECORD_HEADER + 1, inner.len - 1, rx->ecn)) {
		drop_count(dp, DROP_in_congested);
		return;
	}
	inbound_packet(d, inner.data, inner.len);
}

void inbound_flush(struct datapath *dp)
{
	coalesce_flush(&dp->coalescer);
}

void inbound_stream(struct datapath *dp, struct dest *d, struct quic_conn *c, int64_t stream)
{
	bool fin;
	struct span in = quic_stream_peek(c, stream, &fin);

	if (in.len > 1 + PACKET_MAX) {
		drop_count(dp, DROP_in_too_big);
		quic_stream_reset(c, stream, PEER_CLOSE_MALFORMED);
		return;
	}
	if (!fin)
		return;
	if (d)
		inbound_packet(d, in.data, in.len);
	else
		drop_count(dp, DROP_in_early);
	coalesce_flush(&dp->coalescer);
	quic_stream_consume(c, stream, in.len);
}
