/* SPDX-License-Identifier: MIT */
/*
 * The write loop: control frames and streams become packets, one behind the other in the socket's
 * tx, as long as congestion control and pacing let them go.
 */
#include "quic/socket.h"

#define STREAM_VECS 16
#define SEND_PACKETS_MAX 256 /* in one call, since the loop must come back to reading */

static bool endpoint_use(struct quic_conn *c, path_label label)
{
	struct quic_endpoint endpoint = { .overhead = 0 };

	if (label == c->endpoint_label)
		return true;
	if (!router_endpoint(c->s, c, label, &endpoint) || endpoint.overhead > QUIC_OVERHEAD_MAX)
		return false;
	c->endpoint = endpoint;
	c->endpoint_label = label;
	return true;
}

size_t conn_headroom(struct quic_conn *c)
{
	c->endpoint_label = 0; /* the router may name another endpoint than the last time */
	return endpoint_use(c, label_of(ngtcp2_conn_get_path(c->qc))) ? c->endpoint.overhead : 0;
}

size_t conn_payload_max(const struct quic_conn *c)
{
	if (!c->routed)
		return ngtcp2_conn_get_path_max_tx_udp_payload_size(c->qc);
	return c->endpoint_label ? MAX(c->endpoint.payload_max, QUIC_PAYLOAD_MIN)
				 : QUIC_PAYLOAD_MIN;
}

static bool admitted(struct quic_conn *c, size_t len)
{
	const struct quic_router *r = c->routed ? c->s->cfg.router : NULL;

	/* The router knows nothing of a connection that the built-in router has. */
	return !c->routed || !r || !r->admit || r->admit(r->ctx, c, len);
}

void conn_put(struct quic_conn *c, path_label label, uint8_t *at, size_t headroom, size_t len,
	      uint8_t ecn)
{
	struct quic_socket *s = c->s;
	size_t overhead;

	if (!endpoint_use(c, label) || !admitted(c, len))
		return; /* no endpoint: as if the packet were lost */
	overhead = c->endpoint.overhead;
	if (overhead != headroom)
		memmove(at + overhead, at + headroom, len);
	if (overhead > 0)
		s->cfg.router->wrap(s->cfg.router->ctx, c, label, at, overhead + len);
	tx_commit(&s->tx, overhead + len, &c->endpoint.to, &c->endpoint.local, ecn);
}

/* --- what goes into the next packet -------------------------------------------------------------
 */

struct packet {
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	uint8_t *dest;
	size_t cap;
	uint64_t now;
};

/* Writes a packet with data of a stream, and whatever else is due. */
static ngtcp2_ssize write_stream(struct quic_conn *c, struct quic_stream *st, struct packet *p)
{
	ngtcp2_vec vec[STREAM_VECS];
	ngtcp2_ssize taken = -1, n;
	uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_NONE;
	bool fin;
	size_t n_vec = stream_tx_vec(st, vec, ARRAY_LEN(vec), &fin);

	if (fin)
		flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
	n = ngtcp2_conn_writev_stream(c->qc, &p->ps.path, &p->pi, p->dest, p->cap, &taken, flags,
				      st->id, vec, n_vec, p->now);
	if (taken >= 0)
		stream_sent(st, (size_t)taken, fin);
	return n;
}

/*
 * Writes the next packet: data of the stream whose turn it is, or what else is due. A stream that
 * flow control stops leaves the queue.
 */
static ngtcp2_ssize write_packet(struct quic_conn *c, struct packet *p)
{
	struct quic_stream *st;

	while ((st = stream_next_tx(c)) != NULL) {
		ngtcp2_ssize n = write_stream(c, st, p);

		if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
			if (ngtcp2_conn_get_max_data_left(c->qc) == 0)
				break; /* all are blocked: tried again after a read */
			st->tx_blocked = true;
		} else if (n == NGTCP2_ERR_STREAM_NOT_FOUND || n == NGTCP2_ERR_STREAM_SHUT_WR) {
			st->tx_done = true;
		} else {
			return n;
		}
		list_remove(&st->tx_link);
	}
	return ngtcp2_conn_write_pkt(c->qc, &p->ps.path, &p->pi, p->dest, p->cap, p->now);
}

/* --- the loop ------------------------------------------------------------------------------------
 */

/*
 * Ends at the send quantum, too: ngtcp2_conn_update_pkt_tx_time then sets the time at which the
 * connection's timer goes on. Returns 0 or an error of ngtcp2.
 */
static int send_loop(struct quic_conn *c, uint64_t now)
{
	size_t quantum = ngtcp2_conn_get_send_quantum(c->qc);
	size_t headroom = conn_headroom(c);
	struct packet p = { .now = now, .cap = c->routed ? conn_payload_max(c) : UDP_PAYLOAD_MAX };
	size_t sent = 0;

	ngtcp2_path_storage_zero(&p.ps);
	for (int i = 0; i < SEND_PACKETS_MAX && sent < quantum; i++) {
		uint8_t *at = tx_reserve(&c->s->tx, QUIC_OVERHEAD_MAX + UDP_PAYLOAD_MAX);
		ngtcp2_ssize n;

		if (!at) {
			conn_mark_dirty(c); /* when the socket is writable again */
			return 0;
		}
		p.dest = at + headroom;
		n = write_packet(c, &p);
		if (n <= 0)
			return (int)n;
		conn_put(c, label_of(&p.ps.path), at, headroom, (size_t)n, p.pi.ecn);
		sent += (size_t)n;
	}
	return 0;
}

static uint64_t in_flight(const struct quic_conn *c)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(c->qc, &info);
	return info.bytes_in_flight;
}

int conn_send(struct quic_conn *c)
{
	uint64_t now, before;
	int r;

	if (!c->alive)
		return 0;
	now = clock_now(c->s->h);
	before = in_flight(c);
	r = send_loop(c, now);
	if (r < 0)
		return r;
	ngtcp2_conn_update_pkt_tx_time(c->qc, now);
	if (c->unanswered_since == 0 && in_flight(c) > before)
		c->unanswered_since = now;
	return 0;
}
