/* SPDX-License-Identifier: MIT */
/*
 * The membership log as an answer. A long one is encoded in slices: a user who asks for it on all
 * of their connections would stop the loop for a second otherwise.
 */
#include <stdio.h>

#include "tund/control_internal.h"

#define AT_ONCE 256 /* records */

/* NULL: the tunnel is gone, or its log is another one. What was sent is the beginning of a log. */
static const struct mlog *log_of(const struct control_conn *c)
{
	const struct daemon_cluster *cl = daemon_find(c->control->daemon, c->log.cluster);
	const struct mlog *l = cl && cl->edition == c->log.edition && cl->tunnel
				       ? tunnel_log(cl->tunnel)
				       : NULL;

	return l && mlog_generation(l) == c->log.generation ? l : NULL;
}

static void on_slice(void *ctx)
{
	struct control_conn *c = ctx;
	const struct mlog *l = c->stuck ? NULL : log_of(c);
	uint64_t until = l ? MIN(mlog_count(l), c->log.next + AT_ONCE) : 0;
	struct buf b = { 0 };

	if (!l || log_file_encode_part(l, c->log.next, until, &b) < 0) {
		c->log.runs = false;
		control_reply(c, NULL, 0);
	} else {
		c->log.next = until;
		c->log.runs = until < mlog_count(l);
		control_reply_part(c, b.data, b.len, !c->log.runs);
	}
	buf_free(&b);
	if (c->log.runs)
		slices_add(daemon_slices(c->control->daemon), &c->log.slice);
	else
		slices_remove(&c->log.slice);
}

void control_log(struct control_conn *c, struct daemon_cluster *cl, const struct control_request *r)
{
	(void)r;
	snprintf(c->log.cluster, sizeof(c->log.cluster), "%s", cl->state.cluster);
	c->log.edition = cl->edition;
	c->log.generation = mlog_generation(tunnel_log(cl->tunnel));
	c->log.next = 0;
	c->log.slice = (struct slice_job){ .fn = on_slice, .ctx = c };
	on_slice(c);
}
