/* SPDX-License-Identifier: MIT */
/* One entry, ordered over a short session. */
#include "client/order.h"

#include <stdlib.h>

#include "client/refuse.h"

struct ordered {
	struct host *host;
	struct order_params p;
	struct quic_socket *socket;
	struct session *session;
	struct timer *deadline;
	bool over;
};

static void finish(struct ordered *o, const struct err *err)
{
	if (o->over)
		return;
	o->over = true;
	timer_set(o->deadline, TIME_NEVER);
	o->p.done(o->p.ctx, err);
}

static int make_entry(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct ordered *o = ctx;

	return o->p.make(o->p.ctx, head, ret, err);
}

static void on_ordered(void *ctx, const struct err *err)
{
	finish(ctx, err);
}

static void on_deadline(void *ctx)
{
	struct ordered *o = ctx;
	bool sent = session_withdraw(o->session, on_ordered, o);
	struct session_status st;
	struct err err = { 0 };

	session_status_get(o->session, &st);
	if (sent)
		refuse(&err, 0, REFUSAL_TIMEOUT,
		       "the signal server was asked and has not answered: look whether it was "
		       "done, then try again. %.300s",
		       st.last_err.text);
	else
		refuse(&err, 0, REFUSAL_UNREACHABLE, "nothing was changed: %.400s",
		       st.last_err.code ? st.last_err.text
					: "the signal server was not reached in time");
	finish(o, &err);
}

/* --- what this short session has no use for --- */

static void on_nothing(void *ctx)
{
	(void)ctx;
}

static void on_fork(void *ctx, const struct log_proof *proof)
{
	(void)ctx, (void)proof; /* the session's last error says it */
}

static void on_presence(void *ctx, const struct member *member, bool online,
			const struct wire_candidates *c)
{
	(void)ctx, (void)member, (void)online, (void)c;
}

static void on_observed(void *ctx, const struct addr *a, const struct addr *server)
{
	(void)ctx, (void)a, (void)server;
}

static void on_stopped(void *ctx, const struct err *err)
{
	finish(ctx, err);
}

static const struct session_ops session_ops = {
	.state = on_nothing,
	.log_grew = on_nothing,
	.fork = on_fork,
	.presence = on_presence,
	.observed = on_observed,
	.stopped = on_stopped,
};

int order_start(struct host *h, const struct order_params *p, struct err *err, struct ordered **ret)
{
	struct quic_socket_config cfg = { .identity = p->identity, .udp.icmp = true };
	struct ordered *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	o->host = h;
	o->p = *p;
	o->deadline = timer_new(h, on_deadline, o);
	r = o->deadline ? quic_socket_open(h, &cfg, err, &o->socket)
			: err_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = session_new(h, o->socket, p->cluster, p->identity, p->log, &session_ops, o, err,
				&o->session);
	if (r == 0)
		r = session_append(o->session, make_entry, on_ordered, o, err);
	if (r < 0) {
		order_free(o);
		return r;
	}
	timer_set_in(o->deadline, ORDER_WAIT);
	*ret = o;
	return 0;
}

void order_free(struct ordered *o)
{
	if (!o)
		return;
	session_free(o->session);
	quic_socket_close(o->socket);
	timer_free(o->deadline);
	free(o);
}
