/* SPDX-License-Identifier: MIT */
/* Hands a cluster's log to another server: hello, then page after page, then the end. */
#include "client/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/refuse.h"
#include "client/visit.h"
#include "identity/codes.h"

struct import {
	struct visit *visit;
	const struct mlog *log;
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct log_server server;
	struct wire_head head; /* of the server's log */
	uint64_t next;	       /* record that is shown next; UINT64_MAX: the end was */
	import_fn fn;
	import_progress_fn progress;
	void (*lost)(void *ctx, const struct err *err);
	void *ctx;
};

/* --- the pages -------------------------------------------------------------------------------- */

static void send_page(struct import *im);

static void on_import(void *ctx, const struct signal_reply *reply)
{
	struct import *im = ctx;

	if (visit_refused(im->visit, reply))
		return;
	memcpy(im->server.order_key, reply->order_key, KEY_LEN);
	im->head = reply->head;
	if (im->next == UINT64_MAX) {
		visit_end(im->visit, NULL);
		return;
	}
	if (im->next >= mlog_count(im->log))
		im->next = UINT64_MAX;
	send_page(im);
}

/* Fills in the page from im->next on, or after the last one the empty one. */
static int make_page(struct import *im, struct signal_request *m, struct err *err)
{
	m->type = SIGNAL_IMPORT;
	m->code = span_str(im->code);
	if (im->next == UINT64_MAX)
		return 0;
	mlog_page(im->log, im->next, &m->entries);
	im->next += m->entries.n;
	if (m->entries.n > 0)
		return 0;
	return err_set(err, -EBADMSG,
		       "cannot hand the membership log to the signal server %s: no receipt "
		       "vouches for its end",
		       im->server.host);
}

static void send_page(struct import *im)
{
	struct signal_request *m = calloc(1, sizeof(*m));
	struct err err = { 0 };
	int r = m ? make_page(im, m, &err) : err_set(&err, -ENOMEM, "out of memory");

	if (r == 0)
		visit_ask(im->visit, m, on_import);
	else
		visit_end(im->visit, &err);
	free(m);
}

static void on_progress(void *ctx, const char *line)
{
	struct import *im = ctx;

	if (im->progress)
		im->progress(im->ctx, line);
}

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct import *im = ctx;
	const struct rpc *rpc = visit_rpc(im->visit);

	(void)hello;
	memcpy(im->server.cert, rpc_server_cert_sha256(rpc), HASH_LEN);
	memcpy(im->server.key, rpc_server_key_sha256(rpc), HASH_LEN);
	on_progress(im, "handing the membership log over");
	send_page(im);
}

/* --- the whole -------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct err *err)
{
	struct import *im = ctx;

	im->fn(im->ctx, err, err ? NULL : &im->server, err ? NULL : &im->head);
}

static void on_closed(void *ctx, const struct err *err)
{
	struct import *im = ctx;

	if (im->lost)
		im->lost(im->ctx, err);
}

static const struct visit_ops ops = {
	.ready = on_ready, .done = on_done, .closed = on_closed, .progress = on_progress
};

int import_start(struct host *h, const struct import_params *p, import_fn fn,
		 import_progress_fn progress, void *ctx, struct err *err, struct import **ret)
{
	struct visit_to to = { .zone = mlog_genesis(p->log)->name,
			       .host = p->host,
			       .port = p->port,
			       .cert = p->cert };
	struct import *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_set(err, -ENOMEM, "out of memory");
	im->log = p->log;
	im->fn = fn;
	im->progress = progress;
	im->ctx = ctx;
	snprintf(im->server.host, sizeof(im->server.host), "%s", p->host);
	im->server.port = p->port;
	snprintf(im->code, sizeof(im->code), "%s", p->code);
	r = visit_new(h, p->identity, &ops, im, err, &im->visit);
	if (r == 0)
		r = visit_connect(im->visit, &to, err);
	if (r < 0) {
		import_free(im);
		return r;
	}
	*ret = im;
	return 0;
}

struct rpc *import_rpc(struct import *im, void (*lost)(void *ctx, const struct err *err))
{
	im->lost = lost;
	return visit_rpc(im->visit);
}

void import_free(struct import *im)
{
	if (!im)
		return;
	visit_free(im->visit);
	secret_wipe(im, sizeof(*im));
	free(im);
}
