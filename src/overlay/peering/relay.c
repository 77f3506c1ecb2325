/* SPDX-License-Identifier: MIT */
/* Relay channels: frames in and out, and what the owner says of channels. */
#include <errno.h>

#include "overlay/internal.h"
#include "proto/probe.h"

static bool is_from_server(const struct overlay *o, const struct udp_rx *rx)
{
	const struct addr *server = o->ops->relay_server ? o->ops->relay_server(o->ctx) : NULL;

	return server && addr_equal(server, &rx->from);
}

/*
 * The other side may send as soon as the server has told it, which is when the server tells us.
 * What others send does not push that out.
 */
static void keep_early(struct overlay *o, const struct udp_rx *rx)
{
	struct early_frame *f = &o->early[o->next_early % EARLY_FRAMES];

	if (rx->len > sizeof(f->data) || !is_from_server(o, rx)) {
		drop_count(&o->dp, DROP_in_relay_unknown);
		return;
	}
	if (f->len > 0)
		drop_count(&o->dp, DROP_in_relay_unknown);
	o->next_early++;
	f->from = rx->from;
	f->len = rx->len;
	memcpy(f->data, rx->data, rx->len);
}

/* The server's word on how fast we may send. */
static void rate_received(struct overlay *o, struct span frame)
{
	struct peer *p = map_get(o->channels, relay_rate_channel(frame));
	uint64_t bytes_per_s;
	int rc = p ? relay_rate_get(&p->relay.end, frame, &p->relay.next_rate, &bytes_per_s)
		   : -ENOENT;

	if (rc == 0)
		pace_told(&o->dp, bytes_per_s);
	else
		drop_count(&o->dp, rc == -ENOENT     ? DROP_in_relay_unknown
				   : rc == -EALREADY ? DROP_in_relay_replay
						     : DROP_in_relay_forged);
}

void relay_received(struct overlay *o, const struct udp_rx *rx)
{
	struct span frame = span_of(rx->data, rx->len), packet;
	const uint8_t *channel = relay_channel(frame);
	struct peer *p = channel ? map_get(o->channels, channel) : NULL;
	struct udp_rx inner = *rx;
	int rc;

	if (!channel && relay_rate_channel(frame)) {
		rate_received(o, frame);
		return;
	}
	if (!channel) {
		drop_count(&o->dp, DROP_in_relay_malformed);
		return;
	}
	if (!p) {
		keep_early(o, rx);
		return;
	}
	rc = relay_open_frame(&p->relay.end, RELAY_FROM_SERVER, &p->relay.window, frame, &packet);
	if (rc < 0) {
		drop_count(&o->dp, rc == -EALREADY ? DROP_in_relay_replay : DROP_in_relay_forged);
		return;
	}
	inner.data += packet.data - frame.data;
	inner.len = inner.segment = packet.len;
	if (record_tag(packet.data, packet.len))
		inbound_record(&o->dp, inner.data, inner.len, &inner, &p->dest);
	else if (probe_is(packet.data, packet.len))
		prober_received(o, packet, rx, p);
	else
		quic_socket_receive(o->socket, &inner, p->relay.label);
}

static void take_early(struct overlay *o)
{
	for (size_t i = 0; i < EARLY_FRAMES; i++) {
		struct early_frame *f = &o->early[i];
		struct udp_rx rx = {
			.data = f->data, .len = f->len, .segment = f->len, .from = f->from
		};

		if (f->len == 0 || !map_get(o->channels, relay_channel(span_of(f->data, f->len))))
			continue;
		f->len = 0;
		relay_received(o, &rx);
	}
	inbound_flush(&o->dp);
}

/* Channels whose counters run out are replaced by the server when they are asked for again. */
void relay_work(void *overlay)
{
	struct overlay *o = overlay;

	take_early(o);
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->relay.on && p->relay.counter >= RELAY_RENEW_AT && o->ops->relay_wanted)
			(void)o->ops->relay_wanted(o->ctx, p->member);
	}
}

void relay_want(struct peer *p)
{
	struct overlay *o = p->o;
	uint64_t now = clock_now(o->h);

	if (p->relay.on || !o->ops->relay_wanted ||
	    (p->relay.asked_at && now - p->relay.asked_at < PEER_RELAY_ASK_GAP))
		return;
	if (o->ops->relay_wanted(o->ctx, p->member))
		p->relay.asked_at = now;
}

void relay_forget(struct peer *p)
{
	if (!p->relay.on)
		return;
	map_remove(p->o->channels, p->relay.end.channel);
	secret_wipe(&p->relay.end, sizeof(p->relay.end));
	p->relay.on = false;
	peer_push(p);
}

static bool same_end(const struct relay_path *r, const struct relay_end *end)
{
	return r->on && memcmp(r->end.channel, end->channel, sizeof(end->channel)) == 0 &&
	       secret_equal(r->end.key, end->key, sizeof(end->key));
}

void overlay_relay(struct overlay *o, const struct member *m, const struct relay_end *end,
		   const struct addr *server)
{
	struct peer *p = peer_of_address(o, m->address);

	if (!p || p->member != m)
		return;
	if (!server)
		end = NULL;
	if (end && same_end(&p->relay, end)) {
		p->relay.server = *server;
		peer_push(p);
		return;
	}
	relay_forget(p);
	if (end && map_put(o->channels, end->channel, p) == 0) {
		p->relay.on = true;
		p->relay.end = *end;
		p->relay.server = *server;
		p->relay.counter = 0;
		p->relay.next_rate = 0;
		p->relay.window = (struct relay_window){ .begun = false };
		peer_push(p);
		peer_relay(p);
		deferred_call(o->relay_work);
	}
	prober_candidates(p);
}

void overlay_relay_possible(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		p->relay.asked_at = 0;
		if (p->wanted || p->active)
			relay_want(p);
	}
}

void overlay_relay_reset(struct overlay *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		relay_forget(p);
		p->relay.asked_at = 0;
		prober_candidates(p);
	}
}
