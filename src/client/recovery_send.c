/* SPDX-License-Identifier: MIT */
/* Hands a recovery over: hello, push what the server lacks, recover; then session and log. */
#include "client/recovery_send.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/refuse.h"

#define DNS_TIMEOUT (5 * NS_PER_S)
#define DIAL_TIMEOUT (10 * NS_PER_S)
#define DIAL_AGAIN (2 * NS_PER_S)

struct recovery_send {
	struct host *host;
	struct cluster_file cluster;
	struct quic_socket *socket;
	struct rpc *rpc;
	struct mlog *log;
	struct entry_bytes entry;
	struct entry decoded; /* of `entry` */
	bool fetch;
	uint64_t pushed; /* records up to here were pushed */
	bool ended;
	struct err err;
	struct deferred *finish;
	recovery_send_fn fn;
	recovery_progress_fn progress;
	void *ctx;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void on_finish(void *ctx)
{
	struct recovery_send *s = ctx;

	s->fn(s->ctx, s->err.code ? &s->err : NULL);
}

static void send_end(struct recovery_send *s, const struct err *err)
{
	if (s->ended)
		return;
	s->ended = true;
	if (err)
		s->err = *err;
	rpc_free(s->rpc);
	s->rpc = NULL;
	deferred_call(s->finish);
}

static void refused(struct recovery_send *s, const struct signal_reply *reply)
{
	struct err err = { 0 };

	rpc_refusal(s->rpc, reply, &err);
	send_end(s, &err);
}

static void ask(struct recovery_send *s, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };
	int r = rpc_request(s->rpc, m, fn, s);

	if (r == 0)
		return;
	err_set(&err, r, "cannot send to the signal server: %s", strerror(-r));
	send_end(s, &err);
}

static void say(struct recovery_send *s, const char *line)
{
	if (s->progress)
		s->progress(s->ctx, line);
}

/* --- what follows from it --------------------------------------------------------------------- */

static void on_log(void *ctx, const struct signal_reply *reply);

static void fetch(struct recovery_send *s)
{
	struct signal_request m = { .type = SIGNAL_LOG,
				    .generation = mlog_generation(s->log),
				    .from = mlog_count(s->log) };

	ask(s, &m, on_log);
}

static void on_log(void *ctx, const struct signal_reply *reply)
{
	struct recovery_send *s = ctx;
	struct mlog_take take = { .result = TAKEN };
	struct err err = { 0 };

	if (reply->refusal != REFUSAL_NONE) {
		refused(s, reply);
		return;
	}
	mlog_take(s->log, reply->entries.item, reply->entries.n, &take);
	mlog_commit(s->log);
	if (mlog_find(s->log, s->decoded.payload_hash) != 0 && reply->entries.n == 0) {
		send_end(s, NULL);
	} else if (take.added > 0 || take.reorganised) {
		fetch(s);
	} else {
		refuse_set(&err, REFUSAL_BAD_ENTRY,
			   "the signal server accepted the recovery and does not show it in the "
			   "log%s%s",
			   take.why.text[0] ? ": " : "", take.why.text);
		send_end(s, &err);
	}
}

static void on_session(void *ctx, const struct signal_reply *reply)
{
	struct recovery_send *s = ctx;

	if (reply->refusal != REFUSAL_NONE)
		refused(s, reply);
	else
		fetch(s);
}

static void open_session(struct recovery_send *s)
{
	struct head head = mlog_head(s->log);
	struct signal_request m = { .type = SIGNAL_SESSION };

	memcpy(m.node_token, s->cluster.node_token, HASH_LEN);
	m.head.generation = mlog_generation(s->log);
	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	ask(s, &m, on_session);
	secret_wipe(m.node_token, HASH_LEN);
}

/* --- the recovery ----------------------------------------------------------------------------- */

static void on_recover(void *ctx, const struct signal_reply *reply)
{
	struct recovery_send *s = ctx;

	if (reply->refusal != REFUSAL_NONE)
		refused(s, reply);
	else if (s->fetch)
		open_session(s);
	else
		send_end(s, NULL);
}

static void send_recover(struct recovery_send *s)
{
	struct signal_request m = { .type = SIGNAL_RECOVER,
				    .entry = span_of(s->entry.data, s->entry.len) };

	say(s, "waiting for the signal server's receipt");
	ask(s, &m, on_recover);
}

static void push(struct recovery_send *s);

/* A server that refuses them may know the base all the same: it says so when it is asked. */
static void on_push(void *ctx, const struct signal_reply *reply)
{
	struct recovery_send *s = ctx;

	if (reply->refusal == REFUSAL_NONE)
		push(s);
	else
		send_recover(s);
}

/* Up to the base: what comes behind it is dropped. */
static void push(struct recovery_send *s)
{
	struct signal_request *m = NULL;

	if (s->pushed < s->decoded.base.seq)
		m = calloc(1, sizeof(*m));
	if (m) {
		m->type = SIGNAL_PUSH;
		memcpy(m->node_token, s->cluster.node_token, HASH_LEN);
		mlog_page(s->log, s->pushed + 1, &m->entries);
	}
	if (m && m->entries.n > 0) {
		s->pushed += m->entries.n;
		ask(s, m, on_push);
	} else {
		send_recover(s);
	}
	if (m)
		secret_wipe(m->node_token, HASH_LEN);
	free(m);
}

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct recovery_send *s = ctx;
	bool ours = hello->has_head && hello->head.generation <= mlog_generation(s->log);

	s->pushed = ours ? hello->head.seq : UINT64_MAX;
	push(s);
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_event(void *ctx, const struct signal_event *ev)
{
	(void)ctx, (void)ev; /* not asked for */
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct err err = end->err; /* goes with the connection */

	send_end(ctx, &err);
}

static const struct rpc_ops ops = { .ready = on_ready, .event = on_event, .ended = on_ended };

static void on_dial_progress(void *ctx, const char *line)
{
	say(ctx, line);
}

static int connect_to(struct recovery_send *s, struct err *err)
{
	struct rpc_params p = {
		.zone = s->cluster.cluster,
		.dial = {
			.socket = s->socket,
			.host = s->cluster.signal_host,
			.port = s->cluster.signal_port,
			.pin = { .by_cert = true, .by_key = true },
			.dns_timeout = DNS_TIMEOUT,
			.timeout = DIAL_TIMEOUT,
			.again = DIAL_AGAIN,
			.progress = on_dial_progress,
			.progress_ctx = s,
		},
	};

	memcpy(p.dial.pin.cert_sha256, s->cluster.signal_cert, HASH_LEN);
	memcpy(p.dial.pin.key_sha256, s->cluster.signal_key, HASH_LEN);
	memcpy(p.cluster_id, s->cluster.cluster_id, HASH_LEN);
	return rpc_open(s->host, &p, &ops, s, err, &s->rpc);
}

int recovery_send_start(struct host *h, const struct recovery_send_params *p, recovery_send_fn fn,
			recovery_progress_fn progress, void *ctx, struct err *err,
			struct recovery_send **ret)
{
	struct quic_socket_config cfg = { .identity = p->identity, .udp.icmp = true };
	struct recovery_send *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->host = h;
	s->cluster = *p->cluster;
	s->log = p->log;
	s->fetch = p->fetch;
	s->fn = fn;
	s->progress = progress;
	s->ctx = ctx;
	memcpy(s->entry.data, p->entry.data, p->entry.len);
	s->entry.len = p->entry.len;
	s->finish = deferred_new(h, on_finish, s);
	r = s->finish ? entry_decode(span_of(s->entry.data, s->entry.len), &s->decoded, err)
		      : err_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = quic_socket_open(h, &cfg, err, &s->socket);
	if (r == 0)
		r = connect_to(s, err);
	if (r < 0) {
		recovery_send_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void recovery_send_free(struct recovery_send *s)
{
	if (!s)
		return;
	rpc_free(s->rpc);
	quic_socket_close(s->socket);
	deferred_free(s->finish);
	secret_wipe(s, sizeof(*s));
	free(s);
}
