/* SPDX-License-Identifier: AGPL-3.0-only */
/* Accepts, reads and closes connections. request.c handles what they say. */
#include <stdlib.h>

#include "signal/caller.h"
#include "signal/may_order.h"
#include "signal/places.h"
#include "signal/writes.h"

#define TICK NS_PER_S
#define STOP_EVENTS_TIME (300 * NS_PER_MS) /* for goodbyes to arrive */
#define STOP_CLOSE_TIME (1500 * NS_PER_MS) /* for closing, behind that */
#define RETURNS_PER_S 250 /* sessions that are asked to come back in the same second */

/* --- ending a connection ---------------------------------------------------------------------- */

static void caller_free(struct caller *c)
{
	struct signal_server *s = c->server;

	if (!c->closing || c->in_closed.next)
		caller_end_session(c);
	list_remove(&c->in_closed);
	writes_forget(c);
	import_drop(c);
	caller_unlist(c);
	quic_conn_free(c->quic);
	free(c);
	if (s->stopping && s->n_strangers + s->n_sessions == 0)
		deferred_call(s->stopped);
}

/* Ends what closed callers had as sessions. Not done in caller_close, since it tells others. */
static void end_closed(void *ctx)
{
	struct signal_server *s = ctx;

	while (!list_empty(&s->closed)) {
		struct caller *c = list_entry(s->closed.next, struct caller, in_closed);

		list_remove(&c->in_closed);
		caller_end_session(c);
	}
}

/* --- reading requests ------------------------------------------------------------------------- */

static struct open_request *open_find(struct caller *c, int64_t stream)
{
	for (size_t i = 0; i < REQUESTS_OPEN_MAX; i++) {
		if (c->open[i].since != 0 && c->open[i].stream == stream)
			return &c->open[i];
	}
	return NULL;
}

static void open_remove(struct caller *c, int64_t stream)
{
	struct open_request *o = open_find(c, stream);

	if (o)
		o->since = 0;
}

/* Notes the time since which a request is incomplete. */
static void open_add(struct caller *c, int64_t stream)
{
	if (open_find(c, stream))
		return;
	for (size_t i = 0; i < REQUESTS_OPEN_MAX; i++) {
		if (c->open[i].since == 0) {
			c->open[i] = (struct open_request){ stream, clock_now(c->server->host) };
			return;
		}
	}
	caller_close(c, SIGNAL_CLOSE_LIMIT, "too many requests at once");
}

/* Reads a request once it is complete: one message, and the end of the stream right behind it. */
static void stream_read(struct caller *c, int64_t stream)
{
	struct span message = { 0 }, in;
	size_t used = 0;
	bool fin = false;
	int r;

	in = quic_stream_peek(c->quic, stream, &fin);
	r = frame_next(in, SIGNAL_MESSAGE_MAX, &message, &used);
	if (r < 0 || (r == 0 && fin) || (r > 0 && used != in.len)) {
		c->server->stats.malformed++;
		caller_close(c, SIGNAL_CLOSE_MALFORMED, "malformed frame");
		return;
	}
	if (!fin) {
		open_add(c, stream);
		return;
	}
	open_remove(c, stream);
	request_handle(c, stream, message);
	if (!c->closing)
		quic_stream_consume(c->quic, stream, used);
}

static void path_changed(struct caller *c)
{
	struct addr now;

	if (!quic_conn_remote_addr(c->quic, &now) || addr_equal(&now, &c->remote))
		return;
	c->remote = now;
	if (c->phase == CALLER_SESSION)
		recall_changed(c->server->recall);
	events_observed(c);
}

static void caller_event(void *ctx, struct quic_conn *quic, const struct quic_event *ev)
{
	struct caller *c = ctx;

	if (ev->type == QUIC_CLOSED) {
		caller_free(c);
		return;
	}
	if (c->closing)
		return;
	switch (ev->type) {
	case QUIC_CONNECTED:
		c->connected = true;
		memcpy(c->key, quic_conn_peer_ed25519(quic), sizeof(c->key));
		key_spki_sha256(c->key, c->key_sha256);
		c->node = c->key_node = key_node_id(c->key);
		break;
	case QUIC_STREAM_READABLE:
		stream_read(c, ev->stream);
		break;
	case QUIC_STREAM_RESET:
		open_remove(c, ev->stream);
		if (ev->stream == c->events)
			caller_close(c, SIGNAL_CLOSE_SLOW, "the stream of events was given up");
		else
			quic_stream_reset(quic, ev->stream, SIGNAL_CLOSE_BYE);
		break;
	case QUIC_PATH_CHANGED:
		path_changed(c);
		break;
	case QUIC_STREAM_WRITABLE:
	case QUIC_PATH_FAILED:
	case QUIC_CLOSED:
		break;
	}
}

static const struct quic_conn_ops caller_ops = { .event = caller_event };

/* --- accepting -------------------------------------------------------------------------------- */

/*
 * Returns true if `a` is evicted rather than `b`: it is closing already, not a member's, of a
 * source with more connections, or has said nothing yet.
 */
static bool goes_before(const struct caller *a, const struct caller *b)
{
	if (a->closing != b->closing)
		return a->closing;
	if (a->known != b->known)
		return b->known;
	if (a->same_source != b->same_source)
		return a->same_source > b->same_source;
	return a->phase == CALLER_NEW && b->phase != CALLER_NEW;
}

/*
 * The limit on connections of strangers is reached: evicts the oldest one of the source that holds
 * most. A member that returns needs only two round trips, and a caller that was admitted is not
 * evicted. Returns false if there is nothing to evict.
 */
static bool make_room(struct signal_server *s)
{
	struct caller *worst = NULL;

	list_for_each(it, &s->strangers) {
		struct caller *c = list_entry(it, struct caller, in_server);

		if (c->connected && c->phase < CALLER_ADMITTED && (!worst || goes_before(c, worst)))
			worst = c;
	}
	if (!worst)
		return false;
	caller_close(worst, SIGNAL_CLOSE_UNAUTHENTICATED, "too many strangers");
	caller_free(worst);
	return true;
}

/*
 * Returns true if there is room for a caller from this address. Others at its address do not keep a
 * member out.
 */
static bool may_come(struct signal_server *s, const struct addr *from, bool known)
{
	if (s->stopping || (!known && strangers_of(s, from) >= SIGNAL_CONNS_PER_SOURCE_MAX))
		return false;
	return s->n_strangers < SIGNAL_CONNS_UNAUTHENTICATED_MAX || make_room(s);
}

static bool caller_accepted(void *ctx, struct quic_conn *quic, const struct quic_profile *profile,
			    const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct signal_server *s = ctx;
	uint64_t now = clock_now(s->host);
	uint8_t key_sha256[HASH_LEN];
	struct addr from;
	struct caller *c;
	bool known;

	(void)profile;
	key_spki_sha256(quic_conn_peer_ed25519(quic), key_sha256);
	known = registry_is_known(s->registry, key_sha256);
	if (!quic_conn_remote_addr(quic, &from) || !may_come(s, &from, known))
		return false;
	c = calloc(1, sizeof(*c));
	if (!c)
		return false;
	c->server = s;
	c->quic = quic;
	c->known = known;
	c->remote = c->source = from;
	c->events = NO_STREAM;
	c->deadline = now + SIGNAL_UNAUTHENTICATED_LIFETIME;
	c->close_as = SIGNAL_CLOSE_UNAUTHENTICATED;
	c->close_phrase = "unauthenticated for too long";
	bucket_init(&c->rate, SIGNAL_SESSION_REQUESTS_PER_S, SIGNAL_SESSION_REQUESTS_BURST, now);
	caller_is_stranger(c);
	if (!timer_is_set(s->tick))
		timer_set_in(s->tick, TICK);
	*ret_ops = &caller_ops;
	*ret_ctx = c;
	return true;
}

/* --- time ------------------------------------------------------------------------------------- */

/* When strangers take half of their places, they get less time: an honest caller needs a second. */
static bool is_over(const struct caller *c, uint64_t now)
{
	bool crowded = c->server->n_strangers > SIGNAL_CONNS_UNAUTHENTICATED_MAX / 2;

	if (crowded && c->phase < CALLER_ADMITTED)
		now += SIGNAL_UNAUTHENTICATED_LIFETIME - SIGNAL_UNAUTHENTICATED_LIFETIME_CROWDED;
	return c->deadline <= now;
}

static void check_times(struct signal_server *s, struct list *conns)
{
	uint64_t now = clock_now(s->host);

	list_for_each(it, conns) {
		struct caller *c = list_entry(it, struct caller, in_server);

		if (is_over(c, now))
			caller_close(c, c->close_as, c->close_phrase);
		for (size_t i = 0; i < REQUESTS_OPEN_MAX; i++) {
			if (c->open[i].since != 0 && now - c->open[i].since >= REQUEST_TIMEOUT)
				caller_close(c, SIGNAL_CLOSE_LIMIT, "a request took too long");
		}
	}
}

static void tick(void *ctx)
{
	struct signal_server *s = ctx;

	check_times(s, &s->strangers);
	check_times(s, &s->sessions);
	relay_report(s->relay, host_log(s->host), clock_now(s->host));
	may_order_tick(s);
	if (s->n_strangers + s->n_sessions > 0 || registry_has_notes(s->registry))
		timer_set_in(s->tick, TICK);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void close_all(struct list *conns)
{
	list_for_each(it, conns)
		caller_close(list_entry(it, struct caller, in_server), SIGNAL_CLOSE_SHUTDOWN,
			     "the server is shutting down");
}

static void stop_finished(void *ctx)
{
	struct signal_server *s = ctx;
	loop_fn done = s->stop_done;

	timer_set(s->stop_timer, TIME_NEVER);
	s->stop_done = NULL;
	if (done)
		done(s->stop_ctx);
}

static void stop_waited(void *ctx)
{
	struct signal_server *s = ctx;

	timer_free(s->stop_timer);
	s->stop_timer = timer_new(s->host, stop_finished, s);
	close_all(&s->strangers);
	close_all(&s->sessions);
	if (s->stop_timer)
		timer_set_in(s->stop_timer, STOP_CLOSE_TIME);
	else
		deferred_call(s->stopped);
}

/*
 * Spreads the returns of the nodes over time: if they all came back at once, most would be refused.
 */
static void say_shutdown(struct signal_server *s)
{
	uint64_t spread_s = 1 + s->n_sessions / RETURNS_PER_S;

	list_for_each(it, &s->sessions)
		events_shutdown(list_entry(it, struct caller, in_server),
				1 + (uint32_t)random_below(s->host, spread_s));
}

void signal_server_stop(struct signal_server *s, loop_fn done, void *ctx)
{
	if (s->stopping)
		return;
	s->stopping = true;
	s->stop_done = done;
	s->stop_ctx = ctx;
	recall_stop(s->recall);
	manager_stopping(s->manager);
	if (s->n_strangers + s->n_sessions == 0) {
		deferred_call(s->stopped);
		return;
	}
	say_shutdown(s);
	timer_set_in(s->stop_timer, STOP_EVENTS_TIME);
}

static void free_all(struct list *conns)
{
	list_for_each(it, conns) {
		struct caller *c = list_entry(it, struct caller, in_server);

		list_remove(&c->in_server);
		list_remove(&c->in_cluster);
		list_remove(&c->in_closed);
		import_drop(c);
		quic_conn_free(c->quic);
		secret_wipe(&c->echo_keys, sizeof(c->echo_keys));
		free(c);
	}
}

void server_socket_close(struct signal_server *s)
{
	/* skips lists that were never initialised */
	if (s->strangers.next)
		free_all(&s->strangers);
	if (s->sessions.next)
		free_all(&s->sessions);
	quic_socket_close(s->socket);
	batch_close(s);
	deferred_free(s->end_closed);
	deferred_free(s->flush);
	timer_free(s->gather);
	deferred_free(s->stopped);
	timer_free(s->stop_timer);
	timer_free(s->tick);
}

static void flush(void *ctx)
{
	events_flush(ctx);
}

/* --- the socket ------------------------------------------------------------------------------- */

#define FRAME_BYTES_MAX (FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)
#define SOCKET_BUFFER_BYTES (2u << 20)

/* A stranger may make us hold less than a server may make a node hold. */
static const struct quic_profile served_profile = {
	.alpn = SIGNAL_ALPN,
	.max_remote_bidi = REQUESTS_OPEN_MAX,
	.max_remote_uni = 0,
	.stream_window_bytes = FRAME_BYTES_MAX,
	.conn_window_bytes = 2 * FRAME_BYTES_MAX,
	.stream_send_bytes = SIGNAL_EVENT_BACKLOG_BYTES,
	.handshake_timeout = HANDSHAKE_TIMEOUT,
	.idle_timeout = SIGNAL_IDLE_TIMEOUT,
	.keep_alive = SIGNAL_KEEP_ALIVE,
};

static void others(void *ctx, struct udp_rx *runs, size_t n)
{
	struct signal_server *s = ctx;

	relay_forward(s->relay, s->socket, runs, n, clock_now(s->host));
}

static const struct quic_profile *const served[] = { &served_profile, NULL };

int server_socket_open(struct signal_server *s, const struct signal_config *c, struct err *err)
{
	struct quic_socket_config cfg = {
		.identity = s->identity,
		.udp = { .bind = c->bind,
			 .rcvbuf_bytes = SOCKET_BUFFER_BYTES,
			 .sndbuf_bytes = SOCKET_BUFFER_BYTES,
			 .address_may_come = true },
		.serve = served,
		.max_conns = SIGNAL_CONNS_MAX,
		.max_half_open = SIGNAL_CONNS_UNAUTHENTICATED_MAX,
		.max_half_open_per_source = SIGNAL_CONNS_PER_SOURCE_MAX,
		.retry_above = SIGNAL_CONNS_RETRY_ABOVE,
		.accepted = caller_accepted,
		.others = others,
		.ctx = s,
	};
	struct err why = { 0 };
	int r;

	list_init(&s->strangers);
	list_init(&s->sessions);
	list_init(&s->closed);
	list_init(&s->dirty);
	s->tick = timer_new(s->host, tick, s);
	s->stop_timer = timer_new(s->host, stop_waited, s);
	s->end_closed = deferred_new(s->host, end_closed, s);
	s->flush = deferred_new(s->host, flush, s);
	s->gather = timer_new(s->host, flush, s);
	s->stopped = deferred_new(s->host, stop_finished, s);
	if (batch_open(s) < 0 || !s->tick || !s->stop_timer || !s->end_closed || !s->flush ||
	    !s->gather || !s->stopped)
		return err_set(err, -ENOMEM, "out of memory.");
	r = quic_socket_open(s->host, &cfg, err, &s->socket);
	if (r == 0 && !c->no_second_port &&
	    echo_open(s->host, &c->bind, c->second_port, &why, &s->echo) < 0)
		log_warn(host_log(s->host), "nodes cannot learn what their NATs do: %s", why.text);
	return r;
}
