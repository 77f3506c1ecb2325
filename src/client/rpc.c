/* SPDX-License-Identifier: MIT */
/* A connection to the signal server: hello, requests and replies, the stream of events. */
#include "client/rpc.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/version.h"
#include "client/refuse.h"
#include "client/rpc_end.h"
#include "proto/names.h"
#include "proto/probe.h"

#define NO_STREAM (-1)

/* A request whose reply has not come; in the order of sending, which is that of the deadlines. */
struct waiting {
	struct list link;
	enum signal_request_type type;
	int64_t stream;
	uint64_t deadline;
	rpc_reply_fn fn;
	void *ctx;
};

struct rpc {
	struct host *host;
	struct dial *dial;	   /* NULL once connected */
	struct dial_params params; /* of the dial; its host is in `hops` */
	struct hops hops;	   /* where it was dialled */
	struct hops_day *day;
	char zone[LABEL_MAX + 1];
	struct quic_conn *conn; /* NULL before and after */
	char server_name[HOST_TEXT_MAX + 1];
	uint8_t cluster_id[HASH_LEN];
	struct addr server;
	struct quic_conn_info last_info; /* of the connection when it ended */
	bool ready;
	struct deferred *give_up; /* with this: */
	struct rpc_end given_up;
	struct list waiting;
	size_t n_waiting;
	struct timer *deadline;
	int64_t events;			/* the server's stream */
	struct wire_presence *presence; /* room for decoding events */
	bool *gone;			/* while the owner is being called: did it free us? */
	const struct rpc_ops *ops;
	void *ctx;
};

static void on_conn(void *ctx, struct quic_conn *c, const struct quic_event *ev);

static const struct quic_conn_ops conn_ops = { .event = on_conn };

/* --- the end ---------------------------------------------------------------------------------- */

static void forget_waiting(struct rpc *r)
{
	while (!list_empty(&r->waiting)) {
		struct waiting *w = list_entry(r->waiting.next, struct waiting, link);

		list_remove(&w->link);
		free(w);
	}
	r->n_waiting = 0;
}

/* Tells the owner. Nothing of r may be touched afterwards. */
static void rpc_end(struct rpc *r, const struct rpc_end *end)
{
	dial_free(r->dial);
	r->dial = NULL;
	rpc_conn_info(r, &r->last_info);
	quic_conn_free(r->conn);
	r->conn = NULL;
	r->ready = false;
	forget_waiting(r);
	timer_set(r->deadline, TIME_NEVER);
	r->ops->ended(r->ctx, end);
}

static void on_give_up(void *ctx)
{
	struct rpc *r = ctx;
	struct rpc_end end = r->given_up;

	rpc_end(r, &end);
}

void rpc_give_up(struct rpc *r, const struct err *err, uint64_t wait)
{
	if (!r->ready)
		return;
	r->ready = false;
	timer_set(r->deadline, TIME_NEVER);
	r->given_up = (struct rpc_end){ .err = *err, .given_up = true, .wait = wait };
	deferred_call(r->give_up);
}

bool rpc_is_open(const struct rpc *r)
{
	return r->ready;
}

/* Ends it because of what the server sent, which it is told. */
static void rpc_malformed(struct rpc *r, const char *what)
{
	struct rpc_end end = { .closed_by_server = false };

	refuse(&end.err, 0, REFUSAL_MALFORMED,
	       "the signal server %s sent %s that this version of mlsh cannot read", r->server_name,
	       what);
	quic_conn_close(r->conn, SIGNAL_CLOSE_MALFORMED, what);
	rpc_end(r, &end);
}

static void on_closed(struct rpc *r, const struct quic_event *ev)
{
	struct rpc_end end = rpc_end_of(ev, r->server_name);

	rpc_end(r, &end);
}

static void on_deadline(void *ctx)
{
	struct rpc *r = ctx;
	struct rpc_end end = { .closed_by_server = false };

	refuse(&end.err, 0, REFUSAL_TIMEOUT,
	       "the signal server %s did not answer a request within %llu s", r->server_name,
	       (unsigned long long)(REQUEST_TIMEOUT / NS_PER_S));
	rpc_end(r, &end);
}

/* --- requests --------------------------------------------------------------------------------- */

static void arm_deadline(struct rpc *r)
{
	if (list_empty(&r->waiting))
		timer_set(r->deadline, TIME_NEVER);
	else
		timer_set(r->deadline, list_entry(r->waiting.next, struct waiting, link)->deadline);
}

static int send_request(struct rpc *r, const struct signal_request *m, rpc_reply_fn fn, void *ctx)
{
	struct waiting *w;
	uint8_t *bytes;
	ptrdiff_t len;
	int code;

	if (r->n_waiting >= RPC_REQUESTS_MAX)
		return -EAGAIN;
	w = calloc(1, sizeof(*w));
	bytes = malloc(FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX);
	code = w && bytes ? 0 : -ENOMEM;
	len = code == 0 ? signal_request_encode(m, bytes, FRAME_PREFIX_LEN + SIGNAL_MESSAGE_MAX)
			: code;
	if (len < 0)
		code = len == -ENOSPC ? -EMSGSIZE : (int)len;
	if (code == 0)
		code = quic_stream_open(r->conn, true, &w->stream);
	if (code == 0) {
		code = quic_stream_write(r->conn, w->stream, bytes, (size_t)len, true);
		if (code < 0)
			quic_stream_reset(r->conn, w->stream, SIGNAL_CLOSE_BYE);
	}
	if (bytes && len > 0)
		secret_wipe(bytes, (size_t)len); /* codes and tokens */
	free(bytes);
	if (code < 0) {
		free(w);
		return code;
	}
	log_trace(host_log(r->host), "%s: -> %s, %td bytes", r->server_name,
		  signal_request_name(m->type), len);
	w->type = m->type;
	w->fn = fn;
	w->ctx = ctx;
	w->deadline = clock_now(r->host) + REQUEST_TIMEOUT;
	list_append(&r->waiting, &w->link);
	r->n_waiting++;
	arm_deadline(r);
	return 0;
}

int rpc_request(struct rpc *r, const struct signal_request *m, rpc_reply_fn fn, void *ctx)
{
	return r->ready ? send_request(r, m, fn, ctx) : -ENOTCONN;
}

static struct waiting *find_waiting(const struct rpc *r, int64_t stream)
{
	list_for_each(it, &r->waiting) {
		struct waiting *w = list_entry(it, struct waiting, link);

		if (w->stream == stream)
			return w;
	}
	return NULL;
}

static void on_reply(struct rpc *r, struct waiting *w)
{
	int64_t stream = w->stream;
	enum signal_request_type type = w->type;
	rpc_reply_fn fn = w->fn;
	void *ctx = w->ctx;
	struct signal_reply *reply;
	struct span message;
	bool fin = false, gone = false, *outer = r->gone;
	struct span in = quic_stream_peek(r->conn, stream, &fin);
	size_t used;
	int n = frame_next(in, SIGNAL_MESSAGE_MAX, &message, &used);

	if (n == 0 && !fin)
		return; /* the rest is under way */
	reply = calloc(1, sizeof(*reply));
	if (n <= 0 || used != in.len || !reply || signal_reply_decode(type, message, reply) < 0) {
		free(reply);
		rpc_malformed(r, "a reply");
		return;
	}
	log_trace(host_log(r->host), "%s: <- reply to %s, %zu bytes: %s", r->server_name,
		  signal_request_name(type), message.len,
		  reply->refusal ? refusal_name((int)reply->refusal) : "accepted");
	list_remove(&w->link);
	free(w);
	r->n_waiting--;
	arm_deadline(r);
	r->gone = &gone;
	fn(ctx, reply);
	free(reply);
	if (gone) {
		if (outer)
			*outer = true;
		return;
	}
	r->gone = outer;
	if (!r->conn)
		return;
	if (fin)
		quic_stream_consume(r->conn, stream, used);
	else
		quic_stream_reset(r->conn, stream, SIGNAL_CLOSE_BYE);
}

/* --- hello ------------------------------------------------------------------------------------ */

static void on_dialled(void *ctx, const struct err *err, struct quic_conn *conn,
		       const struct addr *to);

/* Dials the last of the hops. */
static int dial_place(struct rpc *r, struct err *err)
{
	const struct place *to = hops_last(&r->hops);

	snprintf(r->server_name, sizeof(r->server_name), "%s", to->host);
	r->params.host = to->host;
	r->params.port = to->port;
	if (r->hops.n > 1) { /* the address is that of the place before */
		r->params.last_good = (struct addr){ 0 };
		r->params.named_by_server = true;
	}
	return dial_start(r->host, &r->params, on_dialled, r, err, &r->dial);
}

/* The server has moved: the connection there is given up for one at the place that it names. */
static void on_moved(struct rpc *r, const struct signal_reply *reply)
{
	struct rpc_end end = { .refused = true };
	char from[PLACE_TEXT_MAX], to[PLACE_TEXT_MAX];

	place_format(hops_last(&r->hops), from);
	if (hops_follow(&r->hops, reply->moved_host, reply->moved_port, r->zone, r->day,
			clock_now(r->host), &end.err) < 0) {
		rpc_end(r, &end);
		return;
	}
	log_info(host_log(r->host), "%s: the signal server %s says that it has moved to %s",
		 r->zone, from, place_format(hops_last(&r->hops), to));
	quic_conn_free(r->conn);
	r->conn = NULL;
	if (dial_place(r, &end.err) < 0)
		rpc_end(r, &end);
}

static void on_busy(struct rpc *r, uint32_t retry_after_s)
{
	struct rpc_end end = { .refused = true, .retry_after_s = retry_after_s };

	refuse(&end.err, 0, REFUSAL_BUSY,
	       "the signal server %s is busy, and asks this node to "
	       "come again in %u s",
	       r->server_name, (unsigned)retry_after_s);
	rpc_end(r, &end);
}

static void on_hello(void *ctx, const struct signal_reply *reply)
{
	struct rpc *r = ctx;
	struct rpc_end end = { .refused = true, .retry_after_s = reply->retry_after_s };

	if (reply->moved_host.len > 0) {
		on_moved(r, reply);
		return;
	}
	if (reply->busy) {
		on_busy(r, reply->retry_after_s);
		return;
	}
	if (reply->refusal != REFUSAL_NONE) {
		rpc_refusal(r, reply, &end.err);
		rpc_end(r, &end);
		return;
	}
	r->ready = true;
	r->ops->ready(r->ctx, reply);
}

static void on_dialled(void *ctx, const struct err *err, struct quic_conn *conn,
		       const struct addr *to)
{
	struct rpc *r = ctx;
	struct rpc_end end = { .closed_by_server = false };
	struct signal_request hello = {
		.type = SIGNAL_HELLO,
		.agent = span_str("mlsh " MLSH_VERSION),
		.features = SIGNAL_FEATURES,
	};
	int code;

	if (err) {
		end.err = *err;
		if (r->hops.n > 1)
			err_prefix(&end.err, "the signal server %.120s has sent this node on",
				   r->hops.at[0].host);
		rpc_end(r, &end);
		return;
	}
	dial_free(r->dial);
	r->dial = NULL;
	r->conn = conn;
	r->server = *to;
	quic_conn_set_owner(conn, &conn_ops, r);
	memcpy(hello.cluster_id, r->cluster_id, HASH_LEN);
	code = send_request(r, &hello, on_hello, r);
	if (code < 0) {
		err_set(&end.err, code, "cannot send to the signal server %s: %s", r->server_name,
			strerror(-code));
		rpc_end(r, &end);
	}
}

/* --- events ----------------------------------------------------------------------------------- */

/* Returns false if r has ended or was freed. */
static bool handle_event(struct rpc *r, struct span message)
{
	struct signal_event *ev = calloc(1, sizeof(*ev));
	bool gone = false, *outer = r->gone;
	int code = -ENOMEM;

	if (ev) {
		ev->presence = r->presence;
		code = signal_event_decode(message, ev);
	}
	if (code == -ENOSYS) { /* of a later version: it means nothing here */
		free(ev);
		return true;
	}
	if (code < 0) {
		free(ev);
		rpc_malformed(r, "an event");
		return false;
	}
	log_trace(host_log(r->host), "%s: <- event %s, %zu bytes", r->server_name,
		  signal_event_name(ev->type), message.len);
	r->gone = &gone;
	r->ops->event(r->ctx, ev);
	free(ev);
	if (gone) {
		if (outer)
			*outer = true;
		return false;
	}
	r->gone = outer;
	return r->ready;
}

static void on_event_stream(struct rpc *r, int64_t stream)
{
	if (r->events == NO_STREAM && r->ready)
		r->events = stream;
	if (stream != r->events) {
		rpc_malformed(r, "a stream");
		return;
	}
	for (;;) {
		struct span message;
		size_t used;
		bool fin = false;
		struct span in = quic_stream_peek(r->conn, stream, &fin);
		int n = frame_next(in, SIGNAL_MESSAGE_MAX, &message, &used);

		if (n == 0 && !fin)
			return;
		if (n == 0 && in.len == 0) {
			/* It has no more to say; the end of the connection follows. */
			quic_stream_consume(r->conn, stream, 0);
			return;
		}
		if (n <= 0) {
			rpc_malformed(r, "an event");
			return;
		}
		if (!handle_event(r, message))
			return;
		quic_stream_consume(r->conn, stream, used);
	}
}

static void on_conn(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct rpc *r = ctx;
	struct waiting *w;

	(void)c;
	if (r->given_up.given_up)
		return;
	switch (ev->type) {
	case QUIC_CLOSED:
		on_closed(r, ev);
		return;
	case QUIC_STREAM_READABLE:
		w = find_waiting(r, ev->stream);
		if (w)
			on_reply(r, w);
		else if (!quic_stream_is_bidi(ev->stream))
			on_event_stream(r, ev->stream);
		return;
	case QUIC_STREAM_RESET:
		if (find_waiting(r, ev->stream) || ev->stream == r->events)
			rpc_malformed(r, "half of an answer");
		return;
	case QUIC_CONNECTED:
	case QUIC_STREAM_WRITABLE:
	case QUIC_PATH_CHANGED:
	case QUIC_PATH_FAILED:
		return;
	}
}

/* --- the whole -------------------------------------------------------------------------------- */

int rpc_open(struct host *h, const struct rpc_params *p, const struct rpc_ops *ops, void *ctx,
	     struct err *err, struct rpc **ret)
{
	struct rpc *r = calloc(1, sizeof(*r));
	struct place first = place_of(p->dial.host, p->dial.port);
	int code;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->host = h;
	r->ops = ops;
	r->ctx = ctx;
	r->events = NO_STREAM;
	list_init(&r->waiting);
	r->params = p->dial;
	r->day = p->day;
	hops_begin(&r->hops, &first);
	snprintf(r->zone, sizeof(r->zone), "%s", p->zone);
	memcpy(r->cluster_id, p->cluster_id, HASH_LEN);
	r->presence = calloc(PRESENCE_PER_EVENT_MAX, sizeof(*r->presence));
	r->deadline = timer_new(h, on_deadline, r);
	r->give_up = deferred_new(h, on_give_up, r);
	if (!r->presence || !r->deadline || !r->give_up) {
		code = err_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	code = dial_place(r, err);
	if (code < 0)
		goto fail;
	*ret = r;
	return 0;
fail:
	rpc_free(r);
	return code;
}

void rpc_free(struct rpc *r)
{
	if (!r)
		return;
	if (r->gone)
		*r->gone = true;
	dial_free(r->dial);
	quic_conn_free(r->conn);
	forget_waiting(r);
	timer_free(r->deadline);
	deferred_free(r->give_up);
	free(r->presence);
	free(r);
}

int rpc_refusal(const struct rpc *r, const struct signal_reply *reply, struct err *err)
{
	char server[HOST_TEXT_MAX + 32];

	snprintf(server, sizeof(server), "the signal server %s", r->server_name);
	return refuse_by_server(err, reply->refusal, server, reply->text, reply->retry_after_s);
}

const struct place *rpc_place(const struct rpc *r)
{
	return hops_last(&r->hops);
}

const struct addr *rpc_server(const struct rpc *r)
{
	return &r->server;
}

const uint8_t *rpc_server_key_sha256(const struct rpc *r)
{
	return quic_conn_peer_key_sha256(r->conn);
}

const uint8_t *rpc_server_cert_sha256(const struct rpc *r)
{
	return quic_conn_peer_cert_sha256(r->conn);
}

int rpc_export_probe_keys(struct rpc *r, struct span cluster_id, struct probe_keys *ret)
{
	return r->conn ? probe_keys_export(quic_conn_exporter, r->conn, cluster_id, ret)
		       : -ENOTCONN;
}

void rpc_conn_info(const struct rpc *r, struct quic_conn_info *ret)
{
	if (r->conn)
		quic_conn_info_get(r->conn, ret);
	else
		*ret = r->last_info;
}
