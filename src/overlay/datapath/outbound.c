/* SPDX-License-Identifier: MIT */
/*
 * From the TUN to a peer: route, checks, segmentation, sealing, all in the socket's buffer. On this
 * path nothing allocates, logs or asks the time. The TUN is read as fast as packets come, since its
 * own queue knows no flows; ours does (flowq.h).
 */
#include "overlay/internal.h"
#include "overlay/datapath/segment.h"

#define INNER_MAX (1 + OVERLAY_MTU)
/* What one read of the TUN may become: the payload, and headers for each of its segments. */
#define READ_BYTES_MAX (TUN_PACKET_MAX + TUN_PACKET_MAX / 4)
#define READ_RUNS_MAX 4
/* A turn: what is read from the TUN, then what is sent. */
#define READ_PACKETS 64
#define READ_BYTES (4096u << 10)
#define PUMP_BYTES (256u << 10)

static void count_sent(struct peer *p, size_t len)
{
	p->tx_packets++;
	p->tx_bytes += len;
	p->o->count.tx_packets++;
	p->o->count.tx_bytes += len;
}

/* --- without a tunnel ------------------------------------------------------------------------ */

/* The sender's stack learns that nobody is there, instead of waiting for its timeout. */
static void tell_unreachable(struct overlay *o, const uint8_t *packet, size_t len)
{
	uint8_t buf[TUN_HEADROOM + ICMP_ERROR_MAX];
	struct tun_packet p = { .data = buf + TUN_HEADROOM };

	p.len = packet_unreachable(packet, len, p.data);
	if (p.len && bucket_take(&o->icmp, 1, clock_now(o->h)))
		inbound_write(o, &p);
}

void outbound_give_up(struct peer *p)
{
	while (!queue_empty(&p->queue)) {
		struct span s = queue_head(&p->queue);

		drop_count(p->o, DROP_out_no_tunnel);
		tell_unreachable(p->o, s.data + 1, s.len - 1);
		queue_pop(&p->queue);
	}
	queue_fini(&p->queue);
}

/* A few packets wait for the tunnel, for a moment. */
static void put_waiting(struct peer *p, struct segmenter *s, const struct tun_packet *t)
{
	size_t len;

	if (queue_init(&p->queue) < 0 || p->queue.n >= PEER_WAITING_PACKETS) {
		drop_count(p->o, DROP_out_no_tunnel);
		tell_unreachable(p->o, t->data, t->len);
		return;
	}
	while ((len = segment_next_len(s)) > 0) {
		uint8_t *at = queue_reserve(&p->queue, len);

		if (!at) {
			/* Of a super-packet the rest is of no use either. */
			p->o->count.drops[DROP_out_no_tunnel] += segment_left(s);
			break;
		}
		segment_next(s, at);
		queue_commit(&p->queue, len);
	}
	if (p->waiting_until == TIME_NEVER)
		p->waiting_until = clock_now(p->o->h) + PEER_WAITING_TIME;
	peer_want(p);
	peer_schedule(p);
}

/* --- with one -------------------------------------------------------------------------------- */

/* A packet that fits no record on the path as it is known goes over a stream of its own. */
static void send_stream(struct peer *p, struct span inner)
{
	struct quic_conn *c = p->active->conn;
	int64_t stream;
	int rc = quic_stream_open(c, false, &stream);

	if (rc == 0)
		rc = quic_stream_write(c, stream, inner.data, inner.len, true);
	if (rc == 0)
		count_sent(p, inner.len - 1);
	else
		drop_count(p->o, DROP_out_too_big);
}

/* Where the packet goes, behind room for the headers; NULL: the socket is full. */
static uint8_t *reserve(struct peer *p, const struct quic_route *route, size_t len)
{
	return quic_socket_reserve(p->o->socket, route->overhead + RECORD_OVERHEAD + len);
}

/* What lies at `at`, behind room for the route's and the record's headers. */
static void send_record(struct peer *p, const struct quic_route *route, uint8_t *at, size_t len)
{
	uint8_t ecn = at[route->overhead + RECORD_HEADER + 2] & 3; /* of the IP header */
	size_t n = record_seal(p->active->records, at + route->overhead, len);

	if (route->overhead)
		relay_frame(p, at, n);
	quic_socket_commit(p->o->socket, route->overhead + n, route, ecn);
	count_sent(p, len - 1);
}

static void note_sent(struct peer *p)
{
	if (p->record_unanswered == 0)
		p->record_unanswered = clock_now(p->o->h);
	prober_traffic(p);
}

static size_t record_max(const struct peer *p)
{
	size_t payload = prober_path_mtu(p);

	return payload > RECORD_OVERHEAD ? payload - RECORD_OVERHEAD : 0;
}

static void send_segments(struct peer *p, struct segmenter *s)
{
	bool fits = segment_fit(s, record_max(p));
	struct quic_route route;
	uint8_t inner[INNER_MAX];
	size_t len;

	if (!router_now(p->active, &route)) {
		p->o->count.drops[DROP_out_no_path] += segment_left(s);
		return;
	}
	while ((len = segment_next_len(s)) > 0) {
		if (fits) {
			uint8_t *at = reserve(p, &route, len);

			if (!at) {
				p->o->count.drops[DROP_out_socket_full] += segment_left(s);
				return;
			}
			segment_next(s, at + route.overhead + RECORD_HEADER);
			send_record(p, &route, at, len);
		} else {
			segment_next(s, inner);
			send_stream(p, span_of(inner, len));
		}
	}
	note_sent(p);
}

void outbound_up(struct peer *p)
{
	for (; !queue_empty(&p->queue); queue_pop(&p->queue)) {
		struct span inner = queue_head(&p->queue);
		struct quic_route route;
		uint8_t *at;

		if (inner.len > record_max(p)) {
			send_stream(p, inner);
		} else if (router_now(p->active, &route) &&
			   (at = reserve(p, &route, inner.len)) != NULL) {
			memcpy(at + route.overhead + RECORD_HEADER, inner.data, inner.len);
			send_record(p, &route, at, inner.len);
			note_sent(p);
		} else {
			drop_count(p->o, DROP_out_no_path);
		}
	}
	queue_fini(&p->queue);
}

/* --- from the TUN ---------------------------------------------------------------------------- */

/* Checks, and puts it where it waits its turn: a moment, or for a tunnel. */
static void outbound_packet(struct overlay *o, const struct tun_packet *t, uint64_t now)
{
	struct packet4 h;
	struct segmenter s;
	enum overlay_drop d;
	struct peer *p;

	if (t->len < 1 || t->data[0] >> 4 != 4) {
		drop_count(o, DROP_out_not_ip4);
		return;
	}
	if (packet_parse(t->data, t->len, &h) != DROP_NONE) {
		drop_count(o, DROP_out_header);
		return;
	}
	if (h.src != o->self->address) {
		drop_count(o, DROP_out_source);
		return;
	}
	if (h.dst >> 28 == 0xe) { /* multicast: 224.0.0.0/4 */
		drop_count(o, DROP_out_multicast);
		return;
	}
	p = route_lookup(&o->routes, h.dst);
	if (!p) {
		drop_count(o, DROP_out_no_member);
		tell_unreachable(o, t->data, t->len);
		return;
	}
	if (p->state == PEER_UP) {
		if (o->pacer.rate > 0 && pace_holds(p))
			pace_put(o, t, &h, now);
		else
			flowq_put(&o->flows, t, &h, now);
		return;
	}
	d = segment_begin(&s, t, &h);
	if (d == DROP_NONE)
		put_waiting(p, &s, t);
	else
		drop_count(o, d);
}

static void send_item(struct overlay *o, const struct flowq_item *i)
{
	struct peer *p = route_lookup(&o->routes, i->header.dst);
	struct segmenter s;
	enum overlay_drop d = segment_begin(&s, &i->packet, &i->header);

	if (d != DROP_NONE)
		drop_count(o, d);
	else if (p && p->state == PEER_UP)
		send_segments(p, &s);
	else if (p)
		put_waiting(p, &s, &i->packet);
	else
		drop_count(o, DROP_out_no_member); /* it left since */
}

bool outbound_has_room(const struct overlay *o)
{
	return quic_socket_room(o->socket, READ_BYTES_MAX, READ_RUNS_MAX);
}

size_t outbound_item(struct overlay *o, const struct flowq_item *i)
{
	uint64_t bytes = o->count.tx_bytes, packets = o->count.tx_packets;

	send_item(o, i);
	packets = o->count.tx_packets - packets;
	return o->count.tx_bytes - bytes + packets * (RELAY_OVERHEAD + RECORD_OVERHEAD + 1);
}

void outbound_pump(void *overlay)
{
	struct overlay *o = overlay;
	uint64_t now = clock_now(o->h);
	const struct flowq_item *i = NULL;
	size_t sent = 0;

	while (sent < PUMP_BYTES && !o->closing && outbound_has_room(o) &&
	       (i = flowq_next(&o->flows, now)) != NULL) {
		sent += i->packet.len;
		send_item(o, i);
	}
	quic_socket_flush(o->socket);
	o->count.drops[DROP_out_queue] = o->flows.dropped + o->pacer.flows.dropped;
	if (sent >= PUMP_BYTES)
		deferred_call(o->pump); /* what has come in meanwhile is first */
}

void outbound_readable(void *overlay)
{
	struct overlay *o = overlay;
	uint64_t now = clock_now(o->h);
	struct tun_packet t;
	size_t bytes = 0;

	for (int i = 0; i < READ_PACKETS && bytes < READ_BYTES; i++) {
		int rc = tun_read(o->tun, flowq_buffer(&o->flows), &t);

		if (rc < 0) {
			repair_device_gone(o);
			return;
		}
		if (rc == 0)
			break;
		bytes += t.len;
		outbound_packet(o, &t, now);
	}
	outbound_pump(o);
	if (!flowq_empty(&o->pacer.flows))
		pace_pump(o);
}
