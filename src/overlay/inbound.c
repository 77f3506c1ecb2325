/* SPDX-License-Identifier: MIT */
/*
 * From a peer to the TUN: the checks of docs/protocol/04-peer.md, then what can be joined is
 * joined. A peer may only ever send as itself and to us; everything else is dropped and counted by
 * reason.
 */
#include "overlay/internal.h"

void inbound_write(void *overlay, const struct tun_packet *p)
{
	struct overlay *o = overlay;
	int rc = tun_write(o->tun, p);

	if (rc == 0)
		return;
	drop_count(o, DROP_in_tun);
	if (rc == -ENODEV || rc == -EBADF) {
		struct err err;

		err_set(&err, rc, "the interface %s is gone", tun_name(o->tun));
		overlay_fail(o, &err);
	}
}

/*
 * A datagram overtakes the hello that was sent before it when both come in one batch. A few wait
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
	queue_commit(q, len, clock_now(l->peer->o->h));
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
	d = packet_check_inbound(data, len, p->member->address, o->self->address, &h);
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

void inbound_datagram(void *link, struct quic_conn *c, const uint8_t *data, size_t len)
{
	(void)c;
	inbound_packet(link, data, len);
}

void inbound_batch_end(void *link, struct quic_conn *c)
{
	struct link *l = link;

	(void)c;
	coalesce_flush(&l->peer->o->coalescer);
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
