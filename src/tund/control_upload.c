/* SPDX-License-Identifier: MIT */
/*
 * A connect request is followed by the contents of the caller's files: one such upload at a time
 * for each user, the next one waits. What came is verified in slices. Then the cluster is
 * connected.
 */
#include <stdio.h>

#include "tund/control_internal.h"

#define UPLOAD_SIGN_GAP (5 * NS_PER_S)

/* One upload at a time for each user; of large ones no more than fit, except root's. */
static bool upload_may_start(struct control_conn *c)
{
	struct user user = local_conn_user(c->conn);
	uint64_t large = upload_total(&c->upload);

	if (daemon_is_restoring(c->control->daemon))
		return false;
	if (large <= UPLOAD_LARGE)
		large = 0;
	list_for_each(it, &c->control->conns) {
		struct control_conn *o = list_entry(it, struct control_conn, link);

		if (o->upload_state != UPLOAD_RUNS && o->upload_state != UPLOAD_JUDGED)
			continue;
		if (user_equal(local_conn_user(o->conn), user))
			return false;
		if (large && upload_total(&o->upload) > UPLOAD_LARGE &&
		    !user_is_admin(local_conn_user(o->conn)))
			large += upload_total(&o->upload);
	}
	return user_is_admin(user) || large <= UPLOAD_LARGE_BYTES_MAX;
}

static void upload_ack(struct control_conn *c)
{
	uint8_t ack[CONTROL_ACK_LEN];

	control_ack_encode(c->upload.received, ack);
	/* A caller that does not take it sends nothing more, and its time runs out. */
	if (local_send(c->conn, ack, sizeof(ack)) < 0)
		c->stuck = true;
}

static void upload_wait(struct control_conn *c)
{
	uint64_t idle = clock_now(daemon_host(c->control->daemon)) + UPLOAD_IDLE_MAX;

	timer_set(c->upload_timer, MIN(idle, c->upload_deadline));
}

void upload_drop(struct control_conn *c)
{
	if (c->intake)
		upload_charge(&c->control->debts, c->upload_user, intake_verified(c->intake),
			      c->upload.received, clock_now(daemon_host(c->control->daemon)));
	slices_remove(&c->slice);
	intake_free(c->intake);
	c->intake = NULL;
	timer_free(c->upload_timer);
	c->upload_timer = NULL;
	upload_end(&c->upload);
	c->upload_state = UPLOAD_NONE;
}

static void upload_fail(struct control_conn *c, const struct err *err)
{
	upload_drop(c);
	c->deaf = true;
	control_reply_result(c, err->code, err);
}

static void on_upload_late(void *ctx)
{
	struct control_conn *c = ctx;
	struct control *ctl = c->control;
	struct err err = { 0 };

	(void)err_set(&err, -ETIMEDOUT,
		      "the files of cluster %s did not arrive in time; run `mlsh connect %s` again",
		      c->uploading, c->uploading);
	upload_fail(c, &err);
	uploads_start(ctl);
}

static int upload_check_debt(struct control_conn *c, struct err *err)
{
	uint64_t now = clock_now(daemon_host(c->control->daemon));
	uint64_t wait = upload_debt_wait(&c->control->debts, local_conn_user(c->conn), now);

	return !wait ? 0
		     : err_set(err, -EBUSY,
			       "you have handed over so many long membership logs that "
			       "mlshtund does little but verify them: try again in %llu s",
			       (unsigned long long)(wait / NS_PER_S + 1));
}

static void upload_start(struct control_conn *c)
{
	struct host *h = daemon_host(c->control->daemon);
	struct err err = { 0 };
	int rc = upload_check_debt(c, &err);

	if (rc == 0)
		rc = upload_begin(&c->upload, &err);
	c->upload_timer = timer_new(h, on_upload_late, c);
	if (rc == 0 && !c->upload_timer)
		rc = err_set(&err, -ENOMEM, "the daemon is out of memory");
	if (rc < 0) {
		upload_fail(c, &err);
		return;
	}
	c->upload_state = UPLOAD_RUNS;
	c->upload_deadline = clock_now(h) + UPLOAD_TIME_MAX;
	upload_wait(c);
	upload_ack(c);
}

void uploads_start(struct control *ctl)
{
	list_for_each(it, &ctl->conns) {
		struct control_conn *c = list_entry(it, struct control_conn, link);

		if (c->upload_state == UPLOAD_WAITS && upload_may_start(c))
			upload_start(c);
	}
}

void control_connect(struct control_conn *c, struct daemon_cluster *cl,
		     const struct control_request *r)
{
	struct err err = { 0 };
	int rc = daemon_may_connect(c->control->daemon, r->cluster, local_conn_user(c->conn),
				    control_may_create(c), &err);

	(void)cl;
	if (rc == 0)
		rc = upload_check(r->size, &err);
	if (rc < 0) {
		control_reply_result(c, rc, &err);
		return;
	}
	memcpy(c->upload.size, r->size, sizeof(c->upload.size));
	snprintf(c->uploading, sizeof(c->uploading), "%s", r->cluster);
	c->upload_state = UPLOAD_WAITS;
	uploads_start(c->control);
}

/* The caller, who gives up on a daemon that is silent, hears that it has all and goes on. */
static void upload_sign(struct control_conn *c)
{
	uint64_t now = clock_now(daemon_host(c->control->daemon));

	if (now < c->sign_at || c->stuck)
		return;
	c->sign_at = now + UPLOAD_SIGN_GAP;
	upload_ack(c);
}

static void on_upload_slice(void *ctx)
{
	struct control_conn *c = ctx;
	struct control *ctl = c->control;
	struct err err = { 0 };
	int rc = intake_step(c->intake, &err);

	if (rc == 0) {
		slices_add(daemon_slices(ctl->daemon), &c->slice);
		upload_sign(c);
		return;
	}
	if (rc > 0)
		rc = daemon_connect(ctl->daemon, intake_given(c->intake), intake_own(c->intake),
				    local_conn_user(c->conn), control_may_create(c), &err);
	upload_drop(c);
	control_reply_result(c, rc, &err);
	uploads_start(ctl);
}

/* The files are here, whole. To verify a long log takes seconds: it is done in slices. */
static void upload_judge(struct control_conn *c)
{
	struct daemon *d = c->control->daemon;
	struct err err = { 0 };

	if (intake_new(d, c->uploading, c->upload.file, &err, &c->intake) < 0) {
		upload_fail(c, &err);
		uploads_start(c->control);
		return;
	}
	timer_set(c->upload_timer, TIME_NEVER);
	c->upload_state = UPLOAD_JUDGED;
	c->upload_user = local_conn_user(c->conn);
	c->slice = (struct slice_job){ .fn = on_upload_slice, .ctx = c };
	c->sign_at = clock_now(daemon_host(d)) + UPLOAD_SIGN_GAP;
	on_upload_slice(c);
}

void upload_message(struct control_conn *c, struct span piece)
{
	struct control *ctl = c->control;
	struct err err = { 0 };
	int rc = c->upload_state == UPLOAD_RUNS	    ? upload_add(&c->upload, piece)
		 : c->upload_state == UPLOAD_JUDGED ? -EMSGSIZE
						    : -EPROTO;

	if (rc > 0) {
		upload_judge(c);
		return;
	}
	if (rc == 0) {
		upload_wait(c);
		if (upload_owes_ack(&c->upload))
			upload_ack(c);
		return;
	}
	(void)err_set(&err, rc,
		      rc == -EPROTO ? "files came before they were asked for"
				    : "more came of the files than was named");
	upload_fail(c, &err);
	uploads_start(ctl);
}

void control_restored(struct control *c)
{
	if (c)
		uploads_start(c);
}
