/* SPDX-License-Identifier: MIT */
/* A visit to a signal server: socket, connection, requests, one result. */
#include "client/visit.h"

#include <stdlib.h>

#include "client/log_clock.h"
#include "client/refuse.h"

#define DNS_TIMEOUT (5 * NS_PER_S)
#define DIAL_TIMEOUT (10 * NS_PER_S)
#define DIAL_AGAIN (2 * NS_PER_S)

struct visit {
	struct host *host;
	struct quic_socket *socket;
	struct rpc *rpc; /* NULL before and after */
	struct log_clock clock;
	const struct visit_ops *ops;
	void *ctx;
	struct deferred *finish;
	bool ended; /* `done` was called, or will be */
	bool failed;
	struct err err;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void on_finish(void *ctx)
{
	struct visit *v = ctx;

	v->ops->done(v->ctx, v->failed ? &v->err : NULL);
}

void visit_hang_up(struct visit *v)
{
	rpc_free(v->rpc);
	v->rpc = NULL;
}

void visit_end(struct visit *v, const struct err *err)
{
	if (v->ended)
		return;
	v->ended = true;
	if (err) {
		v->failed = true;
		v->err = *err;
	}
	if (err || !v->ops->closed)
		visit_hang_up(v);
	deferred_call(v->finish);
}

/* --- requests --------------------------------------------------------------------------------- */

int visit_request(struct visit *v, const struct signal_request *m, rpc_reply_fn fn, struct err *err)
{
	int r = rpc_request(v->rpc, m, fn, v->ctx);

	return r == 0 ? 0 : err_set(err, r, "cannot send to the signal server: %s", strerror(-r));
}

void visit_ask(struct visit *v, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };

	if (visit_request(v, m, fn, &err) < 0)
		visit_end(v, &err);
}

bool visit_refused(struct visit *v, const struct signal_reply *reply)
{
	struct err err = { 0 };

	if (reply->refusal == REFUSAL_NONE)
		return false;
	rpc_refusal(v->rpc, reply, &err);
	visit_end(v, &err);
	return true;
}

bool visit_take(struct visit *v, struct mlog *log, const struct wire_entries *records,
		struct mlog_take *ret)
{
	uint64_t now_s = log_clock_now_s(&v->clock, v->host, log);
	struct err err = { 0 };

	mlog_take_until(log, records->item, records->n, now_s + CLOCK_AHEAD_MAX_S, ret);
	mlog_commit(log);
	if (ret->held.seq == 0)
		return true;
	(void)log_clock_refuse(&ret->held, now_s, &err);
	visit_end(v, &err);
	return false;
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct visit *v = ctx;

	log_clock_hear(&v->clock, v->host, hello->time_s);
	v->ops->ready(v->ctx, hello);
}

static void on_event(void *ctx, const struct signal_event *ev)
{
	(void)ctx, (void)ev; /* the server sends no events before a subscription */
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct visit *v = ctx;
	struct err err = end->err; /* goes with the connection */

	if (!v->ended && v->ops->lost && v->ops->lost(v->ctx, end))
		return;
	if (!v->ended)
		visit_end(v, &err);
	else
		v->ops->closed(v->ctx, &err);
}

static const struct rpc_ops rpc_ops = { .ready = on_ready, .event = on_event, .ended = on_ended };

static void on_progress(void *ctx, const char *line)
{
	struct visit *v = ctx;

	if (v->ops->progress)
		v->ops->progress(v->ctx, line);
}

int visit_connect(struct visit *v, const struct visit_to *to, struct err *err)
{
	struct rpc_params p = {
		.zone = to->zone,
		.dial = {
			.socket = v->socket,
			.host = to->host,
			.port = to->port,
			.pin = { .by_cert = to->cert != NULL, .by_key = to->key != NULL },
			.dns_timeout = DNS_TIMEOUT,
			.timeout = DIAL_TIMEOUT,
			.again = DIAL_AGAIN,
			.progress = on_progress,
			.progress_ctx = v,
		},
	};

	if (to->cert)
		memcpy(p.dial.pin.cert_sha256, to->cert, HASH_LEN);
	if (to->key)
		memcpy(p.dial.pin.key_sha256, to->key, HASH_LEN);
	if (to->cluster_id)
		memcpy(p.cluster_id, to->cluster_id, HASH_LEN);
	visit_hang_up(v);
	return rpc_open(v->host, &p, &rpc_ops, v, err, &v->rpc);
}

struct rpc *visit_rpc(const struct visit *v)
{
	return v->rpc;
}

/* --- the whole -------------------------------------------------------------------------------- */

int visit_new(struct host *h, const struct identity *id, const struct visit_ops *ops, void *ctx,
	      struct err *err, struct visit **ret)
{
	struct quic_socket_config cfg = { .identity = id, .udp.icmp = true };
	struct visit *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return err_set(err, -ENOMEM, "out of memory");
	v->host = h;
	v->ops = ops;
	v->ctx = ctx;
	v->finish = deferred_new(h, on_finish, v);
	r = v->finish ? quic_socket_open(h, &cfg, err, &v->socket)
		      : err_set(err, -ENOMEM, "out of memory");
	if (r < 0) {
		visit_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

void visit_free(struct visit *v)
{
	if (!v)
		return;
	rpc_free(v->rpc);
	quic_socket_close(v->socket);
	deferred_free(v->finish);
	free(v);
}
