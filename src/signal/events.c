/* SPDX-License-Identifier: AGPL-3.0-only */
/* Events to subscribed sessions. A session that does not read them loses its connection. */
#include "signal/caller.h"

#include "proto/names.h"

#define RELAY_MESSAGE_BYTES 64 /* at least as many as an event with a relay's key has */
#define CROWD_SESSIONS 100
#define CROWD_GATHER_TIME (100 * NS_PER_MS)

/*
 * Encodes the event and sends it. A subscriber that cannot be written to is closed; its session
 * ends later (caller_close), so that callers may walk the list of subscribers.
 */
static void send_event(struct caller *c, const struct signal_event *ev)
{
	struct signal_server *s = c->server;
	ptrdiff_t len;

	if (c->closing || c->events == NO_STREAM)
		return;
	len = signal_event_encode(ev, s->message, sizeof(s->message));
	caller_trace(c, "->", "event", signal_event_name(ev->type));
	if (len < 0)
		caller_close(c, SIGNAL_CLOSE_LIMIT, "an event is too long");
	else if (quic_stream_write(c->quic, c->events, s->message, (size_t)len, false) < 0)
		caller_close(c, SIGNAL_CLOSE_SLOW, "events are not fetched");
}

static void log_page(const struct mlog *log, uint64_t first, struct signal_event *ret)
{
	ret->type = SIGNAL_EV_LOG;
	ret->first = first;
	mlog_page(log, first, &ret->entries);
}

void events_log(struct cluster *c, uint64_t first)
{
	struct signal_event ev = { 0 };

	while (c->log && first < mlog_count(c->log)) {
		log_page(c->log, first, &ev);
		if (ev.entries.n == 0)
			return; /* no receipt: no valid log ends so */
		first += ev.entries.n;
		list_for_each(it, &c->subscribers)
			send_event(list_entry(it, struct caller, in_cluster), &ev);
	}
}

/*
 * Sends what has changed since c->told or, with `reset`, who is online, without the node itself.
 * Each event carries the cursor that it reaches, so that a session that ends in between resumes
 * there.
 */
static void tell_presence(struct caller *c, bool reset, bool even_if_empty)
{
	const struct presence *p = c->cluster->presence;
	struct wire_presence *out = c->server->presence;
	struct signal_event ev = { .type = SIGNAL_EV_PRESENCE, .reset = reset, .presence = out };

	for (const struct presence_item *item = presence_after(p, reset ? 0 : c->told); item;
	     item = presence_next(p, item)) {
		if (node_id_equal(&item->id, &c->node) || (reset && !presence_online(item)))
			continue;
		if (ev.n_presence == PRESENCE_PER_EVENT_MAX) {
			send_event(c, &ev);
			ev.reset = false;
			even_if_empty = false;
			ev.n_presence = 0;
		}
		memcpy(out[ev.n_presence].node_id, item->id.bytes, NODE_ID_LEN);
		out[ev.n_presence].online = presence_online(item);
		out[ev.n_presence].candidates = item->candidates;
		ev.cursor = item->changed;
		ev.n_presence++;
	}
	c->told = presence_cursor(p);
	ev.cursor = c->told;
	if (ev.n_presence > 0 || even_if_empty)
		send_event(c, &ev);
}

void events_catch_up(struct caller *c, bool reset)
{
	struct signal_event ev = { 0 };
	struct mlog *log = c->cluster->log;

	if (log && mlog_count(log) > 0) {
		log_page(log, mlog_count(log) - 1, &ev);
		send_event(c, &ev);
	}
	tell_presence(c, reset, true);
}

/*
 * When a thousand nodes come back after a restart, all others are told of each arrival. So a
 * crowd's changes are gathered for a moment, in place of a million events.
 */
void events_presence_changed(struct signal_server *s, struct cluster *c)
{
	if (list_empty(&c->dirty))
		list_append(&s->dirty, &c->dirty);
	if (s->n_sessions < CROWD_SESSIONS)
		deferred_call(s->flush);
	else if (!timer_is_set(s->gather))
		timer_set_in(s->gather, CROWD_GATHER_TIME);
}

void events_flush(struct signal_server *s)
{
	list_for_each(it, &s->dirty) {
		struct cluster *c = list_entry(it, struct cluster, dirty);

		list_remove(&c->dirty);
		list_for_each(sub, &c->subscribers) {
			struct caller *conn = list_entry(sub, struct caller, in_cluster);

			if (conn->told != presence_cursor(c->presence))
				tell_presence(conn, false, false);
		}
	}
}

void events_observed(struct caller *c)
{
	struct signal_event ev = { .type = SIGNAL_EV_OBSERVED, .observed = c->remote };

	send_event(c, &ev);
}

void events_relay(struct caller *c, const struct node_id *node, const struct relay_end *end)
{
	struct signal_event ev = { .type = SIGNAL_EV_RELAY, .relay = *end };

	memcpy(ev.node_id, node->bytes, NODE_ID_LEN);
	send_event(c, &ev);
	secret_wipe(&ev.relay, sizeof(ev.relay));
	secret_wipe(c->server->message, RELAY_MESSAGE_BYTES);
}

void events_relay_closed(struct caller *c, const struct node_id *node,
			 const uint8_t channel[RELAY_CHANNEL_LEN])
{
	struct signal_event ev = { .type = SIGNAL_EV_RELAY_CLOSED };

	memcpy(ev.node_id, node->bytes, NODE_ID_LEN);
	memcpy(ev.relay.channel, channel, RELAY_CHANNEL_LEN);
	send_event(c, &ev);
}

void events_beacon(struct caller *c, struct span beacon)
{
	struct signal_event ev = { .type = SIGNAL_EV_BEACON, .beacon = beacon };

	send_event(c, &ev);
}

void events_removal(struct caller *c, struct span entry)
{
	struct signal_event ev = { .type = SIGNAL_EV_REMOVAL, .removal = entry };

	send_event(c, &ev);
}

void events_shutdown(struct caller *c, uint32_t retry_after_s)
{
	struct signal_event ev = { .type = SIGNAL_EV_SHUTDOWN, .retry_after_s = retry_after_s };

	send_event(c, &ev);
}
