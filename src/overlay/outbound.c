/* SPDX-License-Identifier: MIT */
/*
 * From the TUN to a peer: route, checks, segmentation, the peer's queue. QUIC takes packets out of
 * the queue as fast as the path allows. On this path nothing allocates (but a peer's queue, once),
 * logs or asks the time.
 */
#include "overlay/internal.h"
#include "overlay/segment.h"

#define PAUSE_MAX (10 * NS_PER_MS)	/* how long one full queue may hold up the others */
#define OVERSIZE_BURST 64		/* packets that go over streams in one turn */

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
}

static void put(struct peer *p, struct segmenter *s)
{
	uint64_t now = clock_now(p->o->h);
	size_t len;

	while ((len = segment_next_len(s)) > 0) {
		uint8_t *at = queue_reserve(&p->queue, len);

		if (!at) {
			/* Of a super-packet the rest is of no use either. */
			p->o->count.drops[DROP_out_queue_full] += segment_left(s);
			return;
		}
		segment_next(s, at);
		queue_commit(&p->queue, len, now);
	}
}

/* No tunnel: a few packets wait for it, for a moment. */
static void put_waiting(struct peer *p, struct segmenter *s, const struct tun_packet *t)
{
	if (p->queue.n >= PEER_WAITING_PACKETS) {
		drop_count(p->o, DROP_out_no_tunnel);
		tell_unreachable(p->o, t->data, t->len);
		return;
	}
	put(p, s);
	if (p->waiting_until == TIME_NEVER)
		p->waiting_until = clock_now(p->o->h) + PEER_WAITING_TIME;
	peer_want(p);
	peer_schedule(p);
}

/* The peer whose queue it went to, or NULL. */
static struct peer *outbound_packet(struct overlay *o, const struct tun_packet *t)
{
	struct packet4 h;
	struct segmenter s;
	enum overlay_drop d;

	if (t->len < 1 || t->data[0] >> 4 != 4) {
		drop_count(o, DROP_out_not_ip4);
		return NULL;
	}
	if (packet_parse(t->data, t->len, &h) != DROP_NONE) {
		drop_count(o, DROP_out_header);
		return NULL;
	}
	if (h.src != o->self->address) {
		drop_count(o, DROP_out_source);
		return NULL;
	}
	struct peer *p = route_lookup(&o->routes, h.dst);
	if (!p) {
		drop_count(o, DROP_out_no_member);
		tell_unreachable(o, t->data, t->len);
		return NULL;
	}
	d = segment_begin(&s, t, &h);
	if (d == DROP_NONE && queue_init(&p->queue) < 0)
		d = DROP_out_queue_full;
	if (d != DROP_NONE) {
		drop_count(o, d);
		return NULL;
	}
	if (p->state == PEER_UP)
		put(p, &s);
	else
		put_waiting(p, &s, t);
	return p;
}

static bool holds_up(const struct peer *p)
{
	return p->state == PEER_UP && !p->slow && queue_is_high(&p->queue);
}

static void pause_reading(struct overlay *o)
{
	o->paused = true;
	tun_pause(o->tun, true);
	timer_set_in(o->resume, PAUSE_MAX);
}

static void resume_reading(struct overlay *o)
{
	o->paused = false;
	timer_set(o->resume, TIME_NEVER);
	tun_pause(o->tun, false);
}

/* The pause is over: queues that are still full drop from now on. */
void outbound_resume(void *overlay)
{
	struct overlay *o = overlay;

	list_for_each (it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (holds_up(p))
			p->slow = true;
	}
	resume_reading(o);
}

void outbound_readable(void *overlay)
{
	struct overlay *o = overlay;
	struct tun_packet t;

	if (o->full && holds_up(o->full)) {
		pause_reading(o);
		return;
	}
	o->full = NULL;
	for (int i = 0; i < TUN_BATCH_MAX && !o->failed; i++) {
		int rc = tun_read(o->tun, &t);

		if (rc < 0) {
			struct err err;

			err_set(&err, rc, "the interface %s is gone", tun_name(o->tun));
			overlay_fail(o, &err);
			return;
		}
		if (rc == 0)
			return;
		struct peer *p = outbound_packet(o, &t);
		if (!p)
			continue;
		if (p->state == PEER_UP) {
			quic_conn_wake(p->active->conn);
			prober_traffic(p);
		}
		if (holds_up(p)) {
			o->full = p; /* sending comes first; then it is looked at again */
			return;
		}
	}
}

/* --- what QUIC takes ------------------------------------------------------------------------- */

bool outbound_next_datagram(void *link, struct quic_conn *c, struct quic_datagram *ret)
{
	struct link *l = link;
	struct peer *p = l->peer;
	struct overlay *o = p->o;

	if (p->active != l || p->state != PEER_UP || p->oversize)
		return false;
	o->count.drops[DROP_out_queue_late] += queue_drop_late(&p->queue, clock_now(o->h));
	struct span head = queue_head(&p->queue);
	if (head.len == 0)
		return false;
	if (head.len > quic_conn_datagram_max(c)) {
		p->oversize = true;
		deferred_call(o->oversize);
		return false;
	}
	*ret = (struct quic_datagram){ .piece = { head } };
	return true;
}

static void count_sent(struct peer *p, size_t len)
{
	p->tx_packets++;
	p->tx_bytes += len;
	p->o->count.tx_packets++;
	p->o->count.tx_bytes += len;
}

void outbound_datagram_taken(void *link, struct quic_conn *c)
{
	struct link *l = link;
	struct peer *p = l->peer;

	(void)c;
	count_sent(p, queue_head(&p->queue).len - 1);
	queue_pop(&p->queue);
	if (queue_is_low(&p->queue)) {
		p->slow = false;
		if (p->o->full == p) {
			p->o->full = NULL;
			if (p->o->paused)
				resume_reading(p->o);
		}
	}
}

/* Packets larger than what the path is known to take: a stream each, until the next that fits. */
static void send_oversize(struct peer *p)
{
	struct quic_conn *c = p->active ? p->active->conn : NULL;

	p->oversize = false;
	if (!c || p->state != PEER_UP)
		return;
	for (int i = 0; i < OVERSIZE_BURST && !queue_empty(&p->queue); i++) {
		struct span head = queue_head(&p->queue);
		int64_t stream;

		if (head.len <= quic_conn_datagram_max(c))
			break;
		int rc = quic_stream_open(c, false, &stream);
		if (rc == 0)
			rc = quic_stream_write(c, stream, head.data, head.len, true);
		if (rc == 0)
			count_sent(p, head.len - 1);
		else
			drop_count(p->o, DROP_out_too_big);
		queue_pop(&p->queue);
	}
	quic_conn_wake(c);
}

void outbound_oversize(void *overlay)
{
	struct overlay *o = overlay;

	list_for_each (it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->oversize)
			send_oversize(p);
	}
}
