/* SPDX-License-Identifier: MIT */
/*
 * Sends packets of the TUN to a peer: segmentation, sealing and the relay's header, all in the
 * socket's buffer. Nothing here allocates or logs, but for packets that wait for a tunnel; the time
 * is the loop's own (clock_now).
 */
#include "overlay/datapath/dest.h"
#include "overlay/datapath/segment.h"

#define INNER_MAX (1 + OVERLAY_MTU)
/* What one read of the TUN may become: the payload, and headers for each of its segments. */
#define READ_BYTES_MAX (TUN_PACKET_MAX + TUN_PACKET_MAX / 4)
#define READ_RUNS_MAX 4

static void count_sent(struct dest *d, size_t len)
{
	d->tx_packets++;
	d->tx_bytes += len;
	d->dp->count.tx_packets++;
	d->dp->count.tx_bytes += len;
}

/* --- without a tunnel ------------------------------------------------------------------------ */

void send_unreachable(struct datapath *dp, const uint8_t *packet, size_t len)
{
	uint8_t buf[TUN_HEADROOM + ICMP_ERROR_MAX];
	struct tun_packet p = { .data = buf + TUN_HEADROOM };

	p.len = packet_unreachable(packet, len, p.data);
	if (p.len && bucket_take(&dp->icmp, 1, clock_now(dp->h)))
		inbound_write(dp, &p);
}

void send_give_up(struct dest *d)
{
	while (!queue_empty(&d->waiting)) {
		struct span s = queue_head(&d->waiting);

		drop_count(d->dp, DROP_out_no_tunnel);
		send_unreachable(d->dp, s.data + 1, s.len - 1);
		queue_pop(&d->waiting);
	}
	queue_fini(&d->waiting);
}

/* A few packets wait for the tunnel. */
static void put_waiting(struct dest *d, struct segmenter *s, const struct tun_packet *t)
{
	struct queue *q = &d->waiting;
	size_t len;

	if (queue_init(q) < 0 || q->n >= DEST_WAITING_PACKETS) {
		drop_count(d->dp, DROP_out_no_tunnel);
		send_unreachable(d->dp, t->data, t->len);
		return;
	}
	while ((len = segment_next_len(s)) > 0) {
		uint8_t *at = queue_reserve(q, len);

		if (!at) {
			/* Of a super-packet the rest is of no use either. */
			d->dp->count.drops[DROP_out_no_tunnel] += segment_left(s);
			break;
		}
		segment_next(s, at);
		queue_commit(q, len);
	}
	dest_raise(d, DEST_WANTED);
}

void send_later(struct dest *d, const struct tun_packet *t, const struct packet4 *h)
{
	struct segmenter s;
	enum overlay_drop drop = segment_begin(&s, t, h);

	if (drop == DROP_NONE)
		put_waiting(d, &s, t);
	else
		drop_count(d->dp, drop);
}

/* --- with one -------------------------------------------------------------------------------- */

/* A packet that fits no record on the path as it is known goes over a stream of its own. */
static void send_stream(struct dest *d, struct span inner)
{
	int64_t stream;
	int rc = quic_stream_open(d->conn, false, &stream);

	if (rc == 0)
		rc = quic_stream_write(d->conn, stream, inner.data, inner.len, true);
	if (rc == 0)
		count_sent(d, inner.len - 1);
	else
		drop_count(d->dp, DROP_out_too_big);
}

/* Returns room for the headers and the packet behind them; NULL if the socket is full. */
static uint8_t *reserve(struct dest *d, size_t len)
{
	return quic_socket_reserve(d->dp->socket, d->endpoint.overhead + RECORD_OVERHEAD + len);
}

/* What lies at `at`, behind room for the relay's and the record's headers. */
static void send_record(struct dest *d, uint8_t *at, size_t len)
{
	size_t overhead = d->endpoint.overhead;
	uint8_t ecn = at[overhead + RECORD_HEADER + 2] & 3; /* of the IP header */
	size_t n = record_seal(d->records, at + overhead, len);

	if (overhead)
		relay_path_wrap(d->relay, at, n);
	quic_socket_commit(d->dp->socket, overhead + n, &d->endpoint, ecn);
	count_sent(d, len - 1);
}

static void note_sent(struct dest *d)
{
	if (d->unanswered == 0)
		d->unanswered = clock_now(d->dp->h);
	if (!d->idle)
		return;
	d->idle = false;
	dest_raise(d, DEST_TRAFFIC);
}

static void send_segments(struct dest *d, struct segmenter *s)
{
	bool fits = segment_fit(s, d->record_max);
	uint8_t inner[INNER_MAX];
	size_t len;

	if (!d->reachable) {
		d->dp->count.drops[DROP_out_no_path] += segment_left(s);
		return;
	}
	while ((len = segment_next_len(s)) > 0) {
		if (fits) {
			uint8_t *at = reserve(d, len);

			if (!at) {
				d->dp->count.drops[DROP_out_socket_full] += segment_left(s);
				return;
			}
			segment_next(s, at + d->endpoint.overhead + RECORD_HEADER);
			send_record(d, at, len);
		} else {
			segment_next(s, inner);
			send_stream(d, span_of(inner, len));
		}
	}
	note_sent(d);
}

void send_waiting(struct dest *d)
{
	for (; !queue_empty(&d->waiting); queue_pop(&d->waiting)) {
		struct span inner = queue_head(&d->waiting);
		uint8_t *at;

		if (inner.len > d->record_max) {
			send_stream(d, inner);
		} else if (d->reachable && (at = reserve(d, inner.len)) != NULL) {
			memcpy(at + d->endpoint.overhead + RECORD_HEADER, inner.data, inner.len);
			send_record(d, at, inner.len);
			note_sent(d);
		} else {
			drop_count(d->dp, DROP_out_no_path);
		}
	}
	queue_fini(&d->waiting);
}

/* --- from a flow queue ----------------------------------------------------------------------- */

bool send_has_room(const struct datapath *dp)
{
	return quic_socket_room(dp->socket, READ_BYTES_MAX, READ_RUNS_MAX);
}

size_t send_item(struct datapath *dp, const struct flowq_item *i)
{
	uint64_t bytes = dp->count.tx_bytes, packets = dp->count.tx_packets;
	struct dest *d = fib_lookup(&dp->fib, i->header.dst);
	struct segmenter s;
	enum overlay_drop drop = segment_begin(&s, &i->packet, &i->header);

	if (drop != DROP_NONE)
		drop_count(dp, drop);
	else if (d && d->up)
		send_segments(d, &s);
	else if (d)
		put_waiting(d, &s, &i->packet);
	else
		drop_count(dp, DROP_out_no_member); /* it left since */
	packets = dp->count.tx_packets - packets;
	return dp->count.tx_bytes - bytes + packets * (RELAY_OVERHEAD + RECORD_OVERHEAD + 1);
}
