/* SPDX-License-Identifier: MIT */
/* Asks a server for a log: hello, session (which may be refused), then page after page. */
#include "client/fetch.h"

#include <stdlib.h>

#include "client/refuse.h"

#define DNS_TIMEOUT (5 * NS_PER_S)
#define DIAL_TIMEOUT (10 * NS_PER_S)
#define DIAL_AGAIN (2 * NS_PER_S)

struct fetch {
	struct host *host;
	struct quic_socket *socket;
	struct rpc *rpc; /* NULL before and after */
	struct mlog *log;
	bool ended; /* fn was called, or will be */
	struct err err;
	struct deferred *finish;
	fetch_fn fn;
	void *ctx;
};

static void on_finish(void *ctx)
{
	struct fetch *f = ctx;

	f->fn(f->ctx, f->err.code ? &f->err : NULL);
}

static void fetch_end(struct fetch *f, const struct err *err)
{
	if (f->ended)
		return;
	f->ended = true;
	if (err)
		f->err = *err;
	deferred_call(f->finish);
}

static void ask(struct fetch *f, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };
	int r = rpc_request(f->rpc, m, fn, f);

	if (r == 0)
		return;
	err_set(&err, r, "cannot send to the signal server: %s", strerror(-r));
	fetch_end(f, &err);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void ask_page(struct fetch *f);

static void on_page(void *ctx, const struct signal_reply *reply)
{
	struct fetch *f = ctx;
	struct err err = { 0 };
	struct mlog_take take;

	if (reply->refusal != REFUSAL_NONE) {
		rpc_refusal(f->rpc, reply, &err);
		fetch_end(f, &err);
		return;
	}
	if (reply->entries.n == 0) {
		fetch_end(f, NULL);
		return;
	}
	mlog_take(f->log, reply->entries.item, reply->entries.n, &take);
	mlog_commit(f->log);
	if (take.result == TAKEN && (take.added > 0 || take.reorganised)) {
		ask_page(f);
		return;
	}
	refuse_set(&err, take.why.reason ? (enum refusal)take.why.reason : REFUSAL_BAD_ENTRY,
		   "the log that this server shows does not go on from this node's: %s",
		   take.why.text[0] ? take.why.text : "it shows nothing new");
	fetch_end(f, &err);
}

static void ask_page(struct fetch *f)
{
	struct signal_request m = { .type = SIGNAL_LOG,
				    .generation = mlog_generation(f->log),
				    .from = mlog_count(f->log) };

	ask(f, &m, on_page);
}

/* A former member, or one of a cluster that has moved on, may read the log as well. */
static void on_session(void *ctx, const struct signal_reply *reply)
{
	struct fetch *f = ctx;
	struct err err = { 0 };

	if (reply->refusal == REFUSAL_NONE || reply->refusal == REFUSAL_NOT_MEMBER ||
	    reply->refusal == REFUSAL_MOVED_AWAY) {
		ask_page(f);
		return;
	}
	rpc_refusal(f->rpc, reply, &err);
	fetch_end(f, &err);
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct signal_request m = { .type = SIGNAL_SESSION };
	struct fetch *f = ctx;
	struct head head = mlog_head(f->log);

	(void)hello;
	m.head.generation = mlog_generation(f->log);
	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	ask(f, &m, on_session);
}

static void on_event(void *ctx, const struct signal_event *ev)
{
	(void)ctx, (void)ev; /* none without a subscription */
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct err err = end->err; /* goes with the connection */

	fetch_end(ctx, &err);
}

static const struct rpc_ops ops = { .ready = on_ready, .event = on_event, .ended = on_ended };

static int fetch_connect(struct fetch *f, const struct fetch_params *p, struct err *err)
{
	struct rpc_params rp = {
		.zone = mlog_genesis(p->log)->name,
		.dial = {
			.socket = f->socket,
			.host = p->host,
			.port = p->port,
			.pin.by_cert = true,
			.dns_timeout = DNS_TIMEOUT,
			.timeout = DIAL_TIMEOUT,
			.again = DIAL_AGAIN,
		},
	};

	memcpy(rp.dial.pin.cert_sha256, p->cert, HASH_LEN);
	memcpy(rp.cluster_id, mlog_cluster_id(p->log), HASH_LEN);
	return rpc_open(f->host, &rp, &ops, f, err, &f->rpc);
}

int fetch_start(struct host *h, const struct fetch_params *p, fetch_fn fn, void *ctx,
		struct err *err, struct fetch **ret)
{
	struct quic_socket_config cfg = { .identity = p->identity, .udp.icmp = true };
	struct fetch *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->host = h;
	f->log = p->log;
	f->fn = fn;
	f->ctx = ctx;
	f->finish = deferred_new(h, on_finish, f);
	r = f->finish ? quic_socket_open(h, &cfg, err, &f->socket)
		      : err_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = fetch_connect(f, p, err);
	if (r < 0) {
		fetch_free(f);
		return r;
	}
	*ret = f;
	return 0;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	rpc_free(f->rpc);
	quic_socket_close(f->socket);
	deferred_free(f->finish);
	free(f);
}
