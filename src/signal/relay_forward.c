/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Frames from one session to another: checked, given the other end's channel and MAC where they
 * lie, and sent on as the runs that they came in.
 */
#include "signal/caller.h"
#include "signal/relay_internal.h"

/* Runs to be sent, in the buffers of those received. */
struct outbox {
	struct quic_socket *socket;
	struct udp_tx run[UDP_BATCH_MAX];
	size_t n;
	size_t datagrams, bytes;
};

static void outbox_flush(struct relay *r, struct outbox *o)
{
	size_t sent;

	if (o->n == 0)
		return;
	sent = quic_socket_send_runs(o->socket, o->run, o->n);
	r->stats.forwarded += sent;
	r->stats.dropped_full += o->datagrams - sent;
	o->n = o->datagrams = 0;
}

/* A sender whose frames are looked at: the last one is the next one, mostly. */
struct sender {
	struct channel_end *end;	/* NULL: none yet */
	struct quic_route to;		/* where its other end is */
	struct udp_tx *run;		/* the run that a next frame may join */
};

/* May this source use the channel that the frame names? */
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
	if (!quic_conn_remote_route(end_other(from->end)->caller->quic, &from->to)) {
		from->end = NULL;
		r->stats.dropped_full++;
		return false;
	}
	return true;
}

/* How many members of the cluster send now: at least as many as in the last whole second. */
static unsigned count_senders(struct caller *c, uint64_t now)
{
	struct cluster *all = c->cluster;
	uint64_t second = 1 + now / NS_PER_S;

	if (all->relay_second != second) {
		bool next = all->relay_second + 1 == second;

		all->relay_senders_before = next ? all->relay_senders : 0;
		all->relay_senders = 0;
		all->relay_second = second;
	}
	if (c->relay_second != second) {
		c->relay_second = second;
		all->relay_senders++;
	}
	return MAX(all->relay_senders, all->relay_senders_before);
}

/*
 * The cluster's rate is for whoever comes first as long as half of its burst is left, then for each
 * sender in equal parts: a loud one does not silence the others.
 */
static bool cluster_allows(const struct relay *r, struct caller *c, size_t bytes, uint64_t now)
{
	struct bucket *all = &c->cluster->relay_rate;
	bool in_share;

	c->relay_share.rate_per_s = r->cluster_rate / count_senders(c, now);
	in_share = bucket_take(&c->relay_share, bytes, now);
	return (in_share || all->level_x1e9 / NS_PER_S >= all->burst / 2) &&
	       bucket_take(all, bytes, now);
}

/* May it go on? Then it is the other end's frame already. */
static bool frame_pass(struct relay *r, struct channel_end *e, uint8_t *data, struct span frame,
		       uint64_t now)
{
	int code = relay_pass_frame(&e->end, &e->window, &end_other(e)->end, data, frame.len);

	if (code == -EALREADY)
		r->stats.dropped_replay++;
	else if (code < 0)
		r->stats.dropped_mac++;
	else if (!bucket_take(&e->caller->relay_rate, frame.len, now))
		r->stats.dropped_node_rate++;
	else if (!cluster_allows(r, e->caller, frame.len, now))
		r->stats.dropped_cluster_rate++;
	else
		return true;
	return false;
}

static bool run_can_grow(const struct udp_tx *run, struct span frame)
{
	return run && run->data + run->len == frame.data && frame.len <= run->segment &&
	       run->len % run->segment == 0 && run->len + frame.len <= UDP_GSO_BYTES_MAX &&
	       run->len / run->segment < UDP_GSO_SEGMENTS_MAX;
}

static void send_on(struct relay *r, struct outbox *o, struct sender *from,
		    const struct udp_rx *rx, struct span frame)
{
	if (run_can_grow(from->run, frame)) {
		from->run->len += frame.len;
	} else {
		if (o->n == ARRAY_LEN(o->run))
			outbox_flush(r, o);
		from->run = &o->run[o->n++];
		*from->run = (struct udp_tx){ .data = frame.data, .len = frame.len,
					      .segment = frame.len, .to = from->to.to,
					      .local = from->to.local, .ecn = rx->ecn };
	}
	o->datagrams++;
	r->stats.forwarded_bytes += frame.len;
}

static void forward_run(struct relay *r, struct outbox *o, const struct udp_rx *rx, uint64_t now)
{
	struct sender from = { .end = NULL };

	for (size_t at = 0; at < rx->len; at += rx->segment) {
		struct span frame = span_of(rx->data + at, MIN(rx->segment, rx->len - at));

		if (sender_find(r, &from, rx, frame) &&
		    frame_pass(r, from.end, rx->data + at, frame, now))
			send_on(r, o, &from, rx, frame);
	}
}

void relay_forward(struct relay *r, struct quic_socket *socket, struct udp_rx *runs, size_t n,
		   uint64_t now)
{
	struct outbox o = { .socket = socket };

	for (size_t i = 0; i < n; i++)
		forward_run(r, &o, &runs[i], now);
	outbox_flush(r, &o);
}
