/* SPDX-License-Identifier: MIT */
/* Hands a cluster's log to another server: hello, then page after page, then the end. */
#include "client/import.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/refuse.h"

#define DNS_TIMEOUT (5 * NS_PER_S)
#define DIAL_TIMEOUT (10 * NS_PER_S)
#define DIAL_AGAIN (2 * NS_PER_S)

struct import {
	struct host *host;
	struct quic_socket *socket;
	struct rpc *rpc; /* NULL before and after */
	const struct mlog *log;
	char cluster[LABEL_MAX + 1];
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	struct log_server server;
	struct wire_head head; /* of the server's log */
	uint64_t next;	       /* record that is shown next */
	bool ended;	       /* fn was called */
	struct err err;
	struct deferred *finish;
	import_fn fn;
	import_progress_fn progress;
	void (*lost)(void *ctx, const struct err *err);
	void *ctx;
};

/* --- the end ---------------------------------------------------------------------------------- */

static void on_finish(void *ctx)
{
	struct import *im = ctx;

	if (im->err.code)
		im->fn(im->ctx, &im->err, NULL, NULL);
	else
		im->fn(im->ctx, NULL, &im->server, &im->head);
}

static void import_end(struct import *im, const struct err *err)
{
	if (im->ended)
		return;
	im->ended = true;
	if (err)
		im->err = *err;
	deferred_call(im->finish);
}

/* --- the pages -------------------------------------------------------------------------------- */

static void send_page(struct import *im);

static void on_import(void *ctx, const struct signal_reply *reply)
{
	struct import *im = ctx;
	struct err err = { 0 };

	if (reply->refusal != REFUSAL_NONE) {
		rpc_refusal(im->rpc, reply, &err);
		import_end(im, &err);
		return;
	}
	memcpy(im->server.order_key, reply->order_key, KEY_LEN);
	im->head = reply->head;
	if (im->next < mlog_count(im->log)) {
		send_page(im);
		return;
	}
	if (im->next == UINT64_MAX) {
		import_end(im, NULL);
		return;
	}
	im->next = UINT64_MAX;
	send_page(im);
}

/* The page from im->next on, or after the last one the empty one. */
static void send_page(struct import *im)
{
	struct signal_request *m = calloc(1, sizeof(*m));
	struct err err = { 0 };
	int r = -ENOMEM;

	if (m) {
		m->type = SIGNAL_IMPORT;
		m->code = span_str(im->code);
		if (im->next < mlog_count(im->log)) {
			mlog_page(im->log, im->next, &m->entries);
			im->next += m->entries.n;
		}
		r = im->next < UINT64_MAX && m->entries.n == 0
			    ? -EBADMSG
			    : rpc_request(im->rpc, m, on_import, im);
		free(m);
	}
	if (r == 0)
		return;
	err_set(&err, r, "cannot hand the membership log to the signal server %s: %s",
		im->server.host, r == -EBADMSG ? "no receipt vouches for its end" : strerror(-r));
	import_end(im, &err);
}

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct import *im = ctx;

	(void)hello;
	memcpy(im->server.cert, rpc_server_cert_sha256(im->rpc), HASH_LEN);
	memcpy(im->server.key, rpc_server_key_sha256(im->rpc), HASH_LEN);
	if (im->progress)
		im->progress(im->ctx, "handing the membership log over");
	send_page(im);
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_event(void *ctx, const struct signal_event *ev)
{
	(void)ctx, (void)ev; /* none before a session */
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct import *im = ctx;
	struct err err = end->err; /* goes with the connection */
	bool before = im->ended;

	import_end(im, &err);
	if (before && im->lost)
		im->lost(im->ctx, &err);
}

static const struct rpc_ops ops = { .ready = on_ready, .event = on_event, .ended = on_ended };

static void on_dial_progress(void *ctx, const char *line)
{
	struct import *im = ctx;

	if (im->progress)
		im->progress(im->ctx, line);
}

static int import_connect(struct import *im, const uint8_t cert[HASH_LEN], struct err *err)
{
	struct rpc_params p = {
		.zone = im->cluster,
		.dial = {
			.socket = im->socket,
			.host = im->server.host,
			.port = im->server.port,
			.pin.by_cert = true,
			.dns_timeout = DNS_TIMEOUT,
			.timeout = DIAL_TIMEOUT,
			.again = DIAL_AGAIN,
			.progress = on_dial_progress,
			.progress_ctx = im,
		},
	};

	memcpy(p.dial.pin.cert_sha256, cert, HASH_LEN);
	return rpc_open(im->host, &p, &ops, im, err, &im->rpc);
}

int import_start(struct host *h, const struct import_params *p, import_fn fn,
		 import_progress_fn progress, void *ctx, struct err *err, struct import **ret)
{
	struct quic_socket_config cfg = { .identity = p->identity, .udp.icmp = true };
	struct import *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_set(err, -ENOMEM, "out of memory");
	im->host = h;
	im->log = p->log;
	im->fn = fn;
	im->progress = progress;
	im->ctx = ctx;
	snprintf(im->cluster, sizeof(im->cluster), "%s", mlog_genesis(p->log)->name);
	snprintf(im->server.host, sizeof(im->server.host), "%s", p->host);
	im->server.port = p->port;
	snprintf(im->code, sizeof(im->code), "%s", p->code);
	im->finish = deferred_new(h, on_finish, im);
	r = im->finish ? quic_socket_open(h, &cfg, err, &im->socket)
		       : err_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = import_connect(im, p->cert, err);
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
	return im->rpc;
}

void import_free(struct import *im)
{
	if (!im)
		return;
	rpc_free(im->rpc);
	quic_socket_close(im->socket);
	deferred_free(im->finish);
	secret_wipe(im, sizeof(*im));
	free(im);
}
