/* SPDX-License-Identifier: MIT */
/* From a command into the membership log. */
#include "cli/governing.h"

#include <stdio.h>

#include "cli/table.h"
#include "cli/waiting.h"
#include "client/order.h"
#include "client/refuse.h"
#include "identity/identity.h"
#include "os/loop.h"

int governing_open(struct cli *c, const char *cluster, struct governing *ret, struct err *err)
{
	int rc;

	*ret = (struct governing){ .cli = c };
	rc = copy_open(c, cluster, &ret->copy, err);
	if (rc == 0)
		rc = store_identity(c->host, &c->store, ret->copy.cluster, &ret->identity, err);
	return rc;
}

void governing_close(struct governing *g)
{
	identity_free(g->identity);
	copy_free(&g->copy);
	*g = (struct governing){ .cli = NULL };
}

struct govern governing_author(const struct governing *g)
{
	return (struct govern){
		.log = g->copy.log,
		.identity = g->identity,
		.now_s = (uint64_t)MAX(clock_wall_s(g->cli->host), 0),
	};
}

/* --- through the daemon ----------------------------------------------------------------------- */

static int read_reply(const struct daemon_reply *reply, struct governed *ret, struct err *err)
{
	struct json_object *o;
	const char *why;
	int rc = daemon_reply_check(reply, err);

	if (rc < 0)
		return rc;
	o = json_tokener_parse((const char *)reply->data);
	why = json_object_get_string(json_object_object_get(o, "why"));
	ret->ordered = json_object_get_boolean(json_object_object_get(o, "ordered"));
	ret->seq = json_object_get_uint64(json_object_object_get(o, "seq"));
	snprintf(ret->why, sizeof(ret->why), "%s", why ? why : "");
	json_object_put(o);
	return 0;
}

static int submit_to_daemon(struct governing *g, const struct entry_bytes *b, struct governed *ret,
			    struct err *err)
{
	struct control_request r = { .verb = CONTROL_SUBMIT, .entry = span_of(b->data, b->len) };
	struct daemon_reply reply = { 0 };
	int rc;

	snprintf(r.cluster, sizeof(r.cluster), "%s", g->copy.cluster);
	rc = daemon_call(g->cli, &r, err, &reply);
	if (rc == 0)
		rc = read_reply(&reply, ret, err);
	daemon_reply_free(&reply);
	return rc;
}

/* --- without it ------------------------------------------------------------------------------- */

struct alone {
	struct governing *governing;
	governing_make make;
	void *make_ctx;
	struct entry_bytes entry; /* the last that was made */
	bool so_already, done;
	int code; /* why it failed; 0 for an entry that is in the log */
	struct err *err;
};

static int make_alone(void *ctx, const struct head *head, struct entry_bytes *ret, struct err *err)
{
	struct alone *a = ctx;
	struct govern author = governing_author(a->governing);
	int rc = a->make(a->make_ctx, &author, ret, err);

	(void)head;
	a->so_already = rc == GOVERN_DONE;
	if (a->so_already)
		return err_set(err, -EALREADY, "there is nothing to change");
	if (rc == 0)
		a->entry = *ret;
	return rc;
}

static void on_alone_done(void *ctx, const struct err *err)
{
	struct alone *a = ctx;

	a->done = true;
	a->code = err ? err->code : 0;
	if (err && a->err)
		*a->err = *err;
	loop_stop(a->governing->cli->host);
}

static void save_log(const struct governing *g)
{
	struct cli *c = g->cli;
	struct err err = { 0 };

	if (store_save_log(c->host, &c->store, &g->copy.file, g->copy.log, &err) < 0)
		log_warn(host_log(c->host), "the newer membership log was not saved: %s", err.text);
}

static int run_alone(struct alone *a, struct err *err)
{
	struct governing *g = a->governing;
	struct order_params p = { .cluster = &g->copy.file,
				  .identity = g->identity,
				  .log = g->copy.log,
				  .make = make_alone,
				  .done = on_alone_done,
				  .ctx = a };
	struct host *h = g->cli->host;
	enum log_level level = host_log(h)->level;
	struct ordered *o = NULL;
	int rc = order_start(h, &p, err, &o);

	if (rc < 0)
		return rc;
	host_log(h)->level = LOG_LEVEL_ERROR; /* what the session warns of is in its error */
	progress_show("asking %s ...", g->copy.file.signal_host);
	rc = loop_run(h);
	progress_clear();
	order_free(o);
	host_log(h)->level = level;
	if (rc == 0)
		rc = a->done ? a->code : err_set(err, -EINTR, "interrupted");
	return rc;
}

/* The server's log comes first: this machine's may be old. */
static int submit_alone(struct governing *g, governing_make make, void *ctx, struct governed *ret,
			struct err *err)
{
	struct alone a = { .governing = g, .make = make, .make_ctx = ctx, .err = err };
	struct head before = mlog_head(g->copy.log), after;
	struct entry e;
	int rc = run_alone(&a, err);

	after = mlog_head(g->copy.log);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		save_log(g);
	*ret = (struct governed){ .changed = rc == 0, .ordered = true };
	if (a.so_already)
		return 0;
	if (rc == 0)
		rc = entry_decode(span_of(a.entry.data, a.entry.len), &e, err);
	if (rc == 0)
		ret->seq = mlog_find(g->copy.log, e.payload_hash);
	return rc;
}

/* --- both ------------------------------------------------------------------------------------- */

static int submit_connected(struct governing *g, governing_make make, void *ctx,
			    struct governed *ret, struct err *err)
{
	struct govern author = governing_author(g);
	struct entry_bytes b;
	int rc = make(ctx, &author, &b, err);

	*ret = (struct governed){ .changed = rc == 0, .ordered = true };
	if (rc != 0)
		return MIN(rc, 0);
	return submit_to_daemon(g, &b, ret, err);
}

int governing_submit(struct governing *g, governing_make make, void *ctx, struct governed *ret,
		     struct err *err)
{
	int rc;

	if (!g->copy.connected)
		return submit_alone(g, make, ctx, ret, err);
	rc = submit_connected(g, make, ctx, ret, err);
	if (rc == 0 || err->reason != REFUSAL_STALE)
		return rc;
	copy_refresh(g->cli, &g->copy);
	*err = (struct err){ 0 };
	return submit_connected(g, make, ctx, ret, err);
}

/* An entry that could not be sent in time has REFUSAL_UNREACHABLE. */
bool governed_may_be_ordered(const struct err *err)
{
	return err->reason != REFUSAL_UNREACHABLE &&
	       refuse_answer((enum refusal)err->reason) == REFUSE_UNCLEAR;
}

static int make_nothing(void *ctx, const struct govern *g, struct entry_bytes *ret, struct err *err)
{
	(void)ctx, (void)g, (void)ret, (void)err;
	return GOVERN_DONE;
}

void governing_update(struct governing *g)
{
	struct governed done;
	struct err err = { 0 };

	if (g->copy.connected)
		copy_refresh(g->cli, &g->copy);
	else if (submit_alone(g, make_nothing, NULL, &done, &err) < 0)
		log_debug(host_log(g->cli->host), "%s", err.text);
}

/* --- words ------------------------------------------------------------------------------------ */

struct json_object *governed_json(const struct governing *g, const struct governed *r)
{
	struct json_object *o = json_object_new_object();
	bool has_seq = r->changed && r->ordered;

	json_object_object_add(o, "cluster", json_object_new_string(g->copy.cluster));
	json_object_object_add(o, "changed", json_object_new_boolean(r->changed));
	json_object_object_add(o, "ordered", json_object_new_boolean(r->ordered));
	json_object_object_add(o, "seq", has_seq ? json_object_new_uint64(r->seq) : NULL);
	json_object_object_add(o, "why", r->why[0] ? json_object_new_string(r->why) : NULL);
	return o;
}

struct note {
	const struct governing *governing;
	const struct id_list *authors;
};

static void note_waiting(void *ctx, const struct member *removed, const struct member *by)
{
	const struct note *n = ctx;

	if (by && id_list_has(n->authors, &by->id))
		cli_note("The removal of %s by %s waits for the server, and ends with this. To "
			 "keep it: mlsh remove %s.%s",
			 removed->name, by->name, removed->name, n->governing->copy.cluster);
}

void governed_note_waiting(const struct governing *g, const struct id_list *authors)
{
	struct note n = { g, authors };

	waiting_each(g->cli, &g->copy, note_waiting, &n);
}
