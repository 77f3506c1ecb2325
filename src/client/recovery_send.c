/* SPDX-License-Identifier: MIT */
/* Hands a recovery over: hello, push what the server lacks, recover. */
#include "client/recovery_send.h"

#include <stdlib.h>

#include "client/visit.h"

struct recovery_send {
	struct visit *visit;
	uint8_t node_token[HASH_LEN];
	const struct mlog *log;
	struct entry_bytes entry;
	struct entry decoded; /* of `entry` */
	uint64_t pushed;      /* records up to here were pushed */
	recovery_send_fn fn;
	recovery_progress_fn progress;
	void *ctx;
};

static void on_progress(void *ctx, const char *line)
{
	struct recovery_send *s = ctx;

	if (s->progress)
		s->progress(s->ctx, line);
}

/* --- the recovery ----------------------------------------------------------------------------- */

static void on_recover(void *ctx, const struct signal_reply *reply)
{
	struct recovery_send *s = ctx;

	if (!visit_refused(s->visit, reply))
		visit_end(s->visit, NULL);
}

static void send_recover(struct recovery_send *s)
{
	struct signal_request m = { .type = SIGNAL_RECOVER,
				    .entry = span_of(s->entry.data, s->entry.len) };

	on_progress(s, "waiting for the signal server's receipt");
	visit_ask(s->visit, &m, on_recover);
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
		memcpy(m->node_token, s->node_token, HASH_LEN);
		mlog_page(s->log, s->pushed + 1, &m->entries);
	}
	if (m && m->entries.n > 0) {
		s->pushed += m->entries.n;
		visit_ask(s->visit, m, on_push);
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

/* --- the whole -------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct err *err)
{
	struct recovery_send *s = ctx;

	s->fn(s->ctx, err);
}

static const struct visit_ops ops = { .ready = on_ready, .done = on_done, .progress = on_progress };

static int connect_to(struct recovery_send *s, const struct cluster_file *f, struct err *err)
{
	struct visit_to to = { .zone = f->cluster,
			       .cluster_id = f->cluster_id,
			       .host = f->signal_host,
			       .port = f->signal_port,
			       .cert = f->signal_cert,
			       .key = f->signal_key };

	return visit_connect(s->visit, &to, err);
}

int recovery_send_start(struct host *h, const struct recovery_send_params *p, recovery_send_fn fn,
			recovery_progress_fn progress, void *ctx, struct err *err,
			struct recovery_send **ret)
{
	struct recovery_send *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->log = p->log;
	s->fn = fn;
	s->progress = progress;
	s->ctx = ctx;
	memcpy(s->node_token, p->cluster->node_token, HASH_LEN);
	memcpy(s->entry.data, p->entry.data, p->entry.len);
	s->entry.len = p->entry.len;
	r = entry_decode(span_of(s->entry.data, s->entry.len), &s->decoded, err);
	if (r == 0)
		r = visit_new(h, p->identity, &ops, s, err, &s->visit);
	if (r == 0)
		r = connect_to(s, p->cluster, err);
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
	visit_free(s->visit);
	secret_wipe(s, sizeof(*s));
	free(s);
}
