/* SPDX-License-Identifier: MIT */
/*
 * From a peer to the TUN: the checks of docs/protocol/04-peer.md, then what can be joined is
 * joined. A peer may only ever send as itself and to us; everything else is dropped and counted by
 * reason.
 */
#include "overlay/internal.h"

#define ECN_MASK 3
#define ECN_CE 3

void inbound_write(void *overlay, const struct tun_packet *p)
{
	struct overlay *o = overlay;
	int rc = o->tun ? tun_write(o->tun, p) : -ENOBUFS; /* it is being made again */

	if (rc == 0)
		return;
	drop_count(o, DROP_in_tun);
	if (rc == -ENODEV)
		repair_device_gone(o);
}

/*
 * A record overtakes the hello that was sent before it when both come in one batch. A few wait
 * for it, so that the first packet through a new tunnel is not lost.
 */
static void keep_early(struct link *l, const uint8_t *data, size_t len)
{
	struct queue *q = &l->peer->early;
	uint8_t *at = NULL;

	if (l->peer->active == l && q->n < PEER_WAITING_PACKETS && len > 0 && queue_init(q) == 0)
		at = queue_reserve(q, len);
	if (!at) {
		drop_count(l->peer->o, DROP_in_early);
		return;
	}
	memcpy(at, data, len);
	queue_commit(q, len);
}

static void inbound_packet(struct link *l, const uint8_t *data, size_t len)
{
	struct peer *p = l->peer;
	struct overlay *o = p->o;
	struct packet4 h;
	enum overlay_drop d;

	if (p->active != l || !l->hello_got) {
		keep_early(l, data, len);
		return;
	}
	d = packet_check_inbound(data, len, p->address, o->self->address, &h);
	if (d != DROP_NONE) {
		drop_count(o, d);
		return;
	}
	p->rx_packets++;
	p->rx_bytes += len - 1;
	o->count.rx_packets++;
	o->count.rx_bytes += len - 1;
	coalesce_add(&o->coalescer, data[0], data + 1, len - 1, &h);
}

void inbound_early(struct link *l)
{
	struct queue *q = &l->peer->early;

	for (; !queue_empty(q); queue_pop(q))
		inbound_packet(l, queue_head(q).data, queue_head(q).len);
	coalesce_flush(&l->peer->o->coalescer);
	queue_fini(q);
}

void inbound_forget_early(struct peer *p)
{
	p->o->count.drops[DROP_in_early] += p->early.n;
	queue_fini(&p->early);
}

/* RFC 6040 section 4.2. False: a router said "congested" of a packet that cannot carry it. */
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
static struct link *link_of_tag(struct overlay *o, const uint8_t *tag)
{
	struct link *l = o->record_link;

	if (!l || memcmp(l->records->tag, tag, RECORD_TAG_LEN) != 0)
		l = o->record_link = map_get(o->records, tag);
	return l;
}

void inbound_record(struct overlay *o, uint8_t *data, size_t len, const struct udp_rx *rx,
		    const struct peer *relay)
{
	struct link *l = link_of_tag(o, record_tag(data, len));
	struct span inner = { .len = 0 };
	enum overlay_drop d;

	if (!l || (relay && l->peer != relay)) {
		drop_count(o, DROP_in_unknown);
		return;
	}
	d = record_open(l->records, data, len, &inner);
	if (d != DROP_NONE) {
		drop_count(o, d);
		return;
	}
	l->peer->record_heard = clock_now(o->h);
	l->peer->record_unanswered = 0;
	if (!relay)
		router_heard(l, rx);
	if (!carry_congestion(data + RECORD_HEADER + 1, inner.len - 1, rx->ecn)) {
		drop_count(o, DROP_in_congested);
		return;
	}
	inbound_packet(l, inner.data, inner.len);
}

void inbound_flush(struct overlay *o)
{
	coalesce_flush(&o->coalescer);
}

void inbound_stream(struct link *l, int64_t stream)
{
	bool fin;
	struct span in = quic_stream_peek(l->conn, stream, &fin);

	if (in.len > 1 + PACKET_MAX) {
		drop_count(l->peer->o, DROP_in_too_big);
		quic_stream_reset(l->conn, stream, PEER_CLOSE_MALFORMED);
		return;
	}
	if (!fin)
		return;
	inbound_packet(l, in.data, in.len);
	coalesce_flush(&l->peer->o->coalescer);
	quic_stream_consume(l->conn, stream, in.len);
}
