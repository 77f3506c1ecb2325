/* SPDX-License-Identifier: MIT */
/* Asks a server for a log: hello, session (which may be refused), then page after page. */
#include "client/fetch.h"

#include <stdlib.h>

#include "client/refuse.h"
#include "client/visit.h"

struct fetch {
	struct visit *visit;
	struct mlog *log;
	uint8_t node_token[HASH_LEN];
	fetch_fn fn;
	void *ctx;
};

/* --- the log ---------------------------------------------------------------------------------- */

static void ask_page(struct fetch *f);

static void on_page(void *ctx, const struct signal_reply *reply)
{
	struct fetch *f = ctx;
	struct err err = { 0 };
	struct mlog_take take;

	if (visit_refused(f->visit, reply))
		return;
	if (reply->entries.n == 0) {
		visit_end(f->visit, NULL);
		return;
	}
	if (!visit_take(f->visit, f->log, &reply->entries, &take))
		return;
	if (take.result == TAKEN && (take.added > 0 || take.reorganised)) {
		ask_page(f);
		return;
	}
	refuse(&err, 0, take.why.reason ? (enum refusal)take.why.reason : REFUSAL_BAD_ENTRY,
	       "the log that this server shows does not go on from this node's: %s",
	       take.why.text[0] ? take.why.text : "it shows nothing new");
	visit_end(f->visit, &err);
}

static void ask_page(struct fetch *f)
{
	struct signal_request m = { .type = SIGNAL_LOG,
				    .generation = mlog_generation(f->log),
				    .from = mlog_count(f->log) };

	visit_ask(f->visit, &m, on_page);
}

/* A former member, or one of a cluster that has moved on, may read the log as well. */
static void on_session(void *ctx, const struct signal_reply *reply)
{
	struct fetch *f = ctx;

	if (reply->refusal == REFUSAL_NOT_MEMBER || reply->refusal == REFUSAL_MOVED_AWAY ||
	    !visit_refused(f->visit, reply))
		ask_page(f);
}

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct fetch *f = ctx;
	struct signal_request m = { .type = SIGNAL_SESSION, .head = mlog_wire_head(f->log) };

	(void)hello;
	memcpy(m.node_token, f->node_token, HASH_LEN);
	visit_ask(f->visit, &m, on_session);
	secret_wipe(m.node_token, HASH_LEN);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct err *err)
{
	struct fetch *f = ctx;

	f->fn(f->ctx, err);
}

static const struct visit_ops ops = { .ready = on_ready, .done = on_done };

int fetch_start(struct host *h, const struct fetch_params *p, fetch_fn fn, void *ctx,
		struct err *err, struct fetch **ret)
{
	struct visit_to to = { .zone = mlog_genesis(p->log)->name,
			       .cluster_id = mlog_cluster_id(p->log),
			       .host = p->host,
			       .port = p->port,
			       .cert = p->cert,
			       .key = p->key };
	struct fetch *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	f->log = p->log;
	if (p->node_token)
		memcpy(f->node_token, p->node_token, HASH_LEN);
	f->fn = fn;
	f->ctx = ctx;
	r = visit_new(h, p->identity, &ops, f, err, &f->visit);
	if (r == 0)
		r = visit_connect(f->visit, &to, err);
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
	visit_free(f->visit);
	secret_wipe(f, sizeof(*f));
	free(f);
}
