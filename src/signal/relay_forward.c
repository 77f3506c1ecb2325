/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Forwards frames from one session to another: checks them, writes the other end's channel and MAC
 * in place, and sends them in the runs that they came in.
 */
#include "signal/caller.h"
#include "signal/relay_internal.h"

/* Runs to be sent, in the buffers of those received. */
struct outbox {
	struct quic_socket *socket;
	struct udp_tx run[UDP_BATCH_MAX];
	size_t n;
	size_t datagrams, bytes;
	struct relay_batch batch; /* `bytes`: that the socket took, more or less */
};

/* Returns how many of the runs from `first` on there is room for. */
static size_t outbox_fit(const struct relay *r, const struct outbox *o, size_t first)
{
	size_t room = relay_rate_room(r, o->batch.queued), n;

	for (n = 0; first + n < o->n && room > 0; n++)
		room -= MIN(room, o->run[first + n].len);
	return n;
}

/* Sends as much as may wait in the socket, and more if that has left already. */
static size_t outbox_send(struct relay *r, struct outbox *o)
{
	size_t sent = 0, fit;

	for (size_t at = 0; at < o->n; at += fit) {
		if (at > 0)
			o->batch.queued = quic_socket_queued(o->socket);
		fit = outbox_fit(r, o, at);
		if (fit == 0)
			break;
		sent += quic_socket_send_runs(o->socket, &o->run[at], fit);
	}
	return sent;
}

static void outbox_flush(struct relay *r, struct outbox *o)
{
	size_t sent, bytes;

	if (o->n == 0)
		return;
	sent = outbox_send(r, o);
	bytes = (uint64_t)o->bytes * sent / o->datagrams;
	r->stats.forwarded += sent;
	r->stats.dropped_full += o->datagrams - sent;
	o->batch.bytes += bytes;
	o->batch.queued += bytes;
	o->batch.blocked = o->batch.blocked || sent < o->datagrams;
	o->n = o->datagrams = o->bytes = 0;
}

/* The sender of the frame at hand, which is mostly that of the next one, too. */
struct sender {
	struct channel_end *end; /* NULL before the first frame */
	struct quic_endpoint to; /* the address of its other end */
	struct udp_tx *run;	 /* the run that the next frame may join */
};

/* Returns true if this source may use the channel that the frame names. */
static bool sender_find(struct relay *r, struct sender *from, const struct udp_rx *rx,
			struct span frame)
{
	const uint8_t *channel = relay_channel(frame);
	struct addr proven;

	if (!channel) {
		r->stats.dropped_malformed++;
		return false;
	}
	if (from->end && memcmp(from->end->end.channel, channel, RELAY_CHANNEL_LEN) == 0)
		return true;
	*from = (struct sender){ .end = map_get(r->ends, channel) };
	if (!from->end) {
		r->stats.dropped_unknown++;
		return false;
	}
	if (!quic_conn_remote_addr(from->end->caller->quic, &proven) ||
	    !addr_equal(&proven, &rx->from)) {
		from->end = NULL;
		r->stats.dropped_source++;
		return false;
	}
	if (!quic_conn_remote_endpoint(end_other(from->end)->caller->quic, &from->to)) {
		from->end = NULL;
		r->stats.dropped_full++;
		return false;
	}
	return true;
}

/* Returns true if the frame may go on. It is then rewritten for the other end. */
static bool frame_pass(struct relay *r, struct channel_end *e, uint8_t *data, struct span frame,
		       uint64_t now)
{
	int code = relay_pass_frame(&e->end, &e->window, &end_other(e)->end, data, frame.len);

	if (code == -EALREADY)
		r->stats.dropped_replay++;
	else if (code < 0)
		r->stats.dropped_mac++;
	if (code < 0)
		return false;
	switch (relay_rate_verdict(r, e->caller, frame.len, now)) {
	case RELAY_PASSES:
		return true;
	case RELAY_OVER_NODE:
		r->stats.dropped_node_rate++;
		break;
	case RELAY_OVER_CLUSTER:
		r->stats.dropped_cluster_rate++;
		break;
	case RELAY_OVER_SHARE:
		r->stats.dropped_share++;
		break;
	}
	return false;
}

static bool run_can_grow(const struct udp_tx *run, struct span frame)
{
	return run && run->data + run->len == frame.data && frame.len <= run->segment &&
	       run->len % run->segment == 0 && run->len + frame.len <= UDP_GSO_BYTES_MAX &&
	       run->len / run->segment < UDP_GSO_SEGMENTS_MAX;
}

static void send_on(struct relay *r, struct outbox *o, struct sender *from, const struct udp_rx *rx,
		    struct span frame)
{
	if (run_can_grow(from->run, frame)) {
		from->run->len += frame.len;
	} else {
		if (o->n == ARRAY_LEN(o->run))
			outbox_flush(r, o);
		from->run = &o->run[o->n++];
		*from->run = (struct udp_tx){ .data = frame.data,
					      .len = frame.len,
					      .segment = frame.len,
					      .to = from->to.to,
					      .local = from->to.local,
					      .ecn = rx->ecn };
	}
	o->datagrams++;
	o->bytes += frame.len;
	r->stats.forwarded_bytes += frame.len;
}

static void forward_run(struct relay *r, struct outbox *o, const struct udp_rx *rx, uint64_t now)
{
	struct sender from = { .end = NULL };
	const struct channel_end *counted = NULL;

	for (size_t at = 0; at < rx->len; at += rx->segment) {
		struct span frame = span_of(rx->data + at, MIN(rx->segment, rx->len - at));

		if (!sender_find(r, &from, rx, frame))
			continue;
		if (counted != from.end)
			relay_rate_count(r, from.end->caller, rx->len - at, now);
		counted = from.end;
		if (frame_pass(r, from.end, rx->data + at, frame, now))
			send_on(r, o, &from, rx, frame);
	}
	o->batch.known += counted != NULL;
	if (from.end)
		relay_rate_tell(r, o->socket, from.end, now);
}

void relay_forward(struct relay *r, struct quic_socket *socket, struct udp_rx *runs, size_t n,
		   uint64_t now)
{
	struct outbox o = { .socket = socket, .batch.queued = quic_socket_queued(socket) };

	for (size_t i = 0; i < n; i++)
		forward_run(r, &o, &runs[i], now);
	outbox_flush(r, &o);
	relay_rate_batch(r, &o.batch, now);
}
