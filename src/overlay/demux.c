/* SPDX-License-Identifier: MIT */
/*
 * Hands out the datagrams of the socket that are not QUIC's: records, probes and frames of the
 * relay. The relay's header is taken off here and nowhere else; behind it is a record, a probe or a
 * QUIC packet.
 */
#include <errno.h>

#include "overlay/internal.h"
#include "overlay/peering/effects.h"
#include "proto/probe.h"

static bool is_from_server(const struct overlay *o, const struct udp_rx *rx)
{
	const struct addr *server = overlay_relay_server(o);

	return server && addr_equal(server, &rx->from);
}

/*
 * The other side may send as soon as the server has told it, which is when the server tells us.
 * Frames from other addresses do not push that frame out.
 */
static void keep_early(struct overlay *o, const struct udp_rx *rx)
{
	struct early_frame *f = &o->early[o->next_early % EARLY_FRAMES];

	if (rx->len > sizeof(f->data) || !is_from_server(o, rx)) {
		drop_count(&o->peering.dp, DROP_in_relay_unknown);
		return;
	}
	if (f->len > 0)
		drop_count(&o->peering.dp, DROP_in_relay_unknown);
	o->next_early++;
	f->from = rx->from;
	f->len = rx->len;
	memcpy(f->data, rx->data, rx->len);
}

/* The server's word on how fast we may send. */
static void rate_received(struct overlay *o, struct span frame)
{
	struct peer *p = map_get(o->peering.channels, relay_rate_channel(frame));
	uint64_t bytes_per_s;
	int rc = p ? relay_rate_get(&p->relay.end, frame, &p->relay.next_rate, &bytes_per_s)
		   : -ENOENT;

	if (rc == 0)
		pace_told(&o->peering.dp, bytes_per_s);
	else
		drop_count(&o->peering.dp, rc == -ENOENT     ? DROP_in_relay_unknown
					   : rc == -EALREADY ? DROP_in_relay_replay
							     : DROP_in_relay_forged);
}

/* A frame of a relay channel: true if there is a packet in it that may be looked at. */
static bool unwrap(struct overlay *o, const struct udp_rx *rx, struct udp_rx *ret,
		   struct peer **ret_peer)
{
	struct span frame = span_of(rx->data, rx->len), packet;
	const uint8_t *channel = relay_channel(frame);
	struct peer *p = channel ? map_get(o->peering.channels, channel) : NULL;
	int rc;

	if (!channel) {
		if (relay_rate_channel(frame))
			rate_received(o, frame);
		else
			drop_count(&o->peering.dp, DROP_in_relay_malformed);
		return false;
	}
	if (!p) {
		keep_early(o, rx);
		return false;
	}
	rc = relay_open_frame(&p->relay.end, RELAY_FROM_SERVER, &p->relay.window, frame, &packet);
	if (rc < 0) {
		drop_count(&o->peering.dp,
			   rc == -EALREADY ? DROP_in_relay_replay : DROP_in_relay_forged);
		return false;
	}
	*ret = *rx;
	ret->data += packet.data - frame.data;
	ret->len = ret->segment = packet.len;
	*ret_peer = p;
	return true;
}

static void take_record(struct overlay *o, const struct udp_rx *rx, const struct peer *relay)
{
	inbound_record(&o->peering.dp, rx->data, rx->len, rx, relay ? &relay->dest : NULL);
}

static void take_probe(struct overlay *o, const struct udp_rx *rx, struct peer *relay)
{
	struct span frame = span_of(rx->data, rx->len);

	if (relay || !nat_received(&o->peering.around, frame, &rx->from))
		peer_reach_received(&o->peering, frame, rx, relay);
}

static void take_wrapped(struct overlay *o, const struct udp_rx *rx)
{
	struct udp_rx inner;
	struct peer *p;

	if (!unwrap(o, rx, &inner, &p))
		return;
	if (record_tag(inner.data, inner.len))
		take_record(o, &inner, p);
	else if (probe_is(inner.data, inner.len))
		take_probe(o, &inner, p);
	else
		quic_socket_receive(o->peering.socket, &inner, p->relay.label);
}

static void take(struct overlay *o, const struct udp_rx *rx)
{
	if (record_tag(rx->data, rx->len))
		take_record(o, rx, NULL);
	else if (probe_is(rx->data, rx->len))
		take_probe(o, rx, NULL);
	else
		take_wrapped(o, rx);
}

void demux_others(void *overlay, struct udp_rx *runs, size_t n)
{
	struct overlay *o = overlay;

	for (size_t i = 0; i < n; i++) {
		struct udp_rx one = runs[i];

		for (size_t at = 0; at < runs[i].len; at += one.len) {
			one.data = runs[i].data + at;
			one.len = one.segment = MIN(runs[i].segment, runs[i].len - at);
			take(o, &one);
		}
	}
	inbound_flush(&o->peering.dp);
}

void demux_early(struct overlay *o)
{
	for (size_t i = 0; i < EARLY_FRAMES; i++) {
		struct early_frame *f = &o->early[i];
		struct udp_rx rx = {
			.data = f->data, .len = f->len, .segment = f->len, .from = f->from
		};

		if (f->len == 0 ||
		    !map_get(o->peering.channels, relay_channel(span_of(f->data, f->len))))
			continue;
		f->len = 0;
		take_wrapped(o, &rx);
	}
	inbound_flush(&o->peering.dp);
}
