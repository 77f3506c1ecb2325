/* SPDX-License-Identifier: MIT */
/* Requests over the local socket that one tunnel answers. */
#include <stdlib.h>

#include "tund/control_internal.h"
#include "tund/report.h"

void control_nodes(struct control_conn *c, struct daemon_cluster *cl,
		   const struct control_request *r)
{
	(void)r;
	control_reply_json(c, report_nodes(cl->tunnel));
}

void control_invite_made(struct control_conn *c, struct daemon_cluster *cl,
			 const struct control_request *r)
{
	struct invite_note note = { .expiry_s = r->expiry_s, .promote = r->promote };
	struct err err = { 0 };
	int rc;

	memcpy(note.nonce, r->nonce, NONCE_LEN);
	rc = tunnel_invite_made(cl->tunnel, &note);
	if (rc < 0)
		(void)err_set(&err, rc, "too many open invites (%d); let some run out first",
			      INVITES_MAX);
	control_reply_result(c, rc, &err);
}

static void on_ping(void *ctx, const struct ping_event *ev)
{
	control_reply_json(ctx, report_ping(ev));
}

/* One at a time on a connection: another one takes its place. */
void control_ping(struct control_conn *c, struct daemon_cluster *cl,
		  const struct control_request *r)
{
	struct ping_config cfg = {
		.count = r->count,
		.interval_ns = r->interval_ms * NS_PER_MS,
		.until_direct = r->until_direct,
		.event = on_ping,
		.ctx = c,
	};
	struct err err = { 0 };
	int rc;

	ping_free(c->ping);
	c->ping = NULL;
	rc = tunnel_ping(daemon_host(c->control->daemon), cl->tunnel, r->node, &cfg, &err,
			 &c->ping);
	if (rc < 0)
		control_reply_result(c, rc, &err);
}

void control_netcheck(struct control_conn *c, struct daemon_cluster *cl,
		      const struct control_request *r)
{
	(void)r;
	control_reply_json(c, report_netcheck(daemon_host(c->control->daemon), cl->tunnel));
}

void control_why(struct control_conn *c, struct daemon_cluster *cl, const struct control_request *r)
{
	const struct member *node;
	struct err err = { 0 };
	int rc = tunnel_find_node(cl->tunnel, r->node, &err, &node);

	if (rc < 0)
		control_reply_result(c, rc, &err);
	else
		control_reply_json(c,
				   report_why(daemon_host(c->control->daemon), cl->tunnel, node));
}

static void on_submitted(void *ctx, const struct err *err, const struct submit_outcome *o)
{
	struct control_conn *c = ctx;

	c->submit = NULL;
	if (err)
		control_reply_result(c, err->code, err);
	else
		control_reply_json(c, report_submit(o));
}

void control_submit(struct control_conn *c, struct daemon_cluster *cl,
		    const struct control_request *r)
{
	struct submit_config cfg = { .done = on_submitted, .ctx = c };
	struct err err = { 0 };
	int rc;

	if (c->submit)
		rc = err_set(&err, -EBUSY, "one entry at a time is submitted on a connection");
	else
		rc = tunnel_submit(daemon_host(c->control->daemon), cl->tunnel, r->entry, &cfg,
				   &err, &c->submit);
	if (rc < 0)
		control_reply_result(c, rc, &err);
}
