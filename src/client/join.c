/* SPDX-License-Identifier: MIT */
/* The part of joining that setup and adopt have in common. */
#include <stdio.h>
#include <stdlib.h>

#include "client/backoff.h"
#include "client/join_internal.h"
#include "client/refuse.h"
#include "identity/identity.h"

/* --- the end ---------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct err *err)
{
	struct join *j = ctx;

	j->fn(j->ctx, err, &j->result);
}

/* `err` NULL: success. */
static void join_end(struct join *j, const struct err *err)
{
	j->ended = true;
	timer_set(j->retry, TIME_NEVER);
	timer_set(j->deadline, TIME_NEVER);
	visit_end(j->visit, err);
}

static bool ends_sentence(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && strchr(".?!)", text[len - 1]) != NULL;
}

/* Removes the pending request; -errno when it cannot be. */
static int drop_pending(struct join *j)
{
	int r = store_remove_pending(j->host, &j->store, j->cluster_name);

	if (r < 0)
		return r;
	pending_wipe(&j->pending);
	j->has_pending = j->old_pending = j->sent = j->resent = false;
	return 0;
}

static void drop_pending_or_warn(struct join *j)
{
	if (drop_pending(j) < 0)
		log_warn(host_log(j->host), "%s%s could not be removed", j->cluster_name,
			 STORE_PENDING);
}

void join_fail(struct join *j, const struct err *err)
{
	struct err whole = *err;

	if (j->ended)
		return;
	if (j->has_pending && !j->sent && !j->old_pending)
		drop_pending_or_warn(j);
	j->result.pending = j->has_pending;
	if (j->has_pending)
		err_set(&whole, err->code,
			"%.300s%s The request may have been carried out all the same: run the same "
			"command again, it completes what was begun.",
			err->text, ends_sentence(err->text) ? "" : ".");
	whole.reason = err->reason;
	join_end(j, &whole);
}

void join_refused(struct join *j, const struct signal_reply *reply)
{
	struct err err = { 0 };

	rpc_refusal(visit_rpc(j->visit), reply, &err);
	join_fail(j, &err);
}

static void on_deadline(void *ctx)
{
	struct join *j = ctx;
	struct err err = j->busy;

	if (err.reason == REFUSAL_NONE)
		refuse(&err, 0, REFUSAL_TIMEOUT, "joining %s through %s took longer than %llu s",
		       j->cluster_name, j->server, (unsigned long long)(JOIN_DEADLINE / NS_PER_S));
	join_fail(j, &err);
}

/* --- the connection --------------------------------------------------------------------------- */

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct join *j = ctx;

	j->server_time_s = hello->time_s;
	j->kind->ready(j);
}

/*
 * A server that is busy, or that many machines behind one address call at once, is waited for as
 * long as there is time. Returns false if no time is left.
 */
static bool wait_for_busy(struct join *j, const struct err *why, uint32_t retry_after_s)
{
	uint64_t now = clock_now(j->host);
	uint64_t wait = backoff_asked(MAX(retry_after_s, 1u) * NS_PER_S, random_u64(j->host));

	if (wait >= j->deadline_at - now)
		return false;
	j->busy = *why;
	visit_hang_up(j->visit);
	timer_set_in(j->retry, wait);
	join_progress(j, "%s is busy: asking again in %llu s", j->server,
		      (unsigned long long)(wait / NS_PER_S));
	return true;
}

static bool asks_to_wait(enum refusal reason)
{
	return reason == REFUSAL_BUSY || reason == REFUSAL_RATE;
}

bool join_wait_asked(struct join *j, const struct signal_reply *reply)
{
	struct err err = { 0 };

	if (!asks_to_wait(reply->refusal))
		return false;
	rpc_refusal(visit_rpc(j->visit), reply, &err);
	return wait_for_busy(j, &err, reply->retry_after_s);
}

static bool on_lost(void *ctx, const struct rpc_end *end)
{
	struct join *j = ctx;
	struct err err = end->err; /* goes with the connection */
	bool wait = end->refused ? asks_to_wait((enum refusal)err.reason)
				 : end->closed_by_server && end->app_error == SIGNAL_CLOSE_LIMIT;

	if (!wait || !wait_for_busy(j, &err, end->retry_after_s))
		join_fail(j, &err);
	return true;
}

static void on_progress(void *ctx, const char *line)
{
	join_progress(ctx, "%s", line);
}

static const struct visit_ops ops = {
	.ready = on_ready, .lost = on_lost, .done = on_done, .progress = on_progress
};

int join_connect(struct join *j, struct err *err)
{
	bool by_cert = j->kind->pending == PENDING_SETUP;
	struct visit_to to = { .zone = j->cluster_name,
			       .cluster_id = j->cluster_id,
			       .host = j->server,
			       .port = j->port,
			       .cert = by_cert ? j->signal_pin : NULL,
			       .key = by_cert ? NULL : j->signal_pin };
	int r = j->visit ? 0 : visit_new(j->host, j->identity, &ops, j, err, &j->visit);

	return r < 0 ? r : visit_connect(j->visit, &to, err);
}

static void on_retry(void *ctx)
{
	struct join *j = ctx;
	struct err err = { 0 };

	if (join_connect(j, &err) < 0)
		join_fail(j, &err);
}

void join_progress(struct join *j, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!j->progress)
		return;
	va_start(ap, fmt);
	if (vsnprintf(line, sizeof(line), fmt, ap) >= 0)
		j->progress(j->ctx, line);
	va_end(ap);
}

uint64_t join_time_s(const struct join *j)
{
	uint64_t ours = (uint64_t)MAX(clock_wall_s(j->host), 0);

	return MIN(ours, j->server_time_s);
}

void join_request(struct join *j, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };

	if (visit_request(j->visit, m, fn, &err) < 0)
		join_fail(j, &err);
}

/* --- the pending request ---------------------------------------------------------------------- */

void join_succeed(struct join *j)
{
	struct err err = { 0 };

	int r = store_save_identity(j->host, &j->store, j->cluster_name, j->identity, &err);

	if (r == 0)
		r = store_save_cluster(j->host, &j->store, &j->cluster_file, j->log, &err);
	if (r < 0) {
		join_fail(j, &err); /* it stays pending: the next run fetches the answer again */
		return;
	}
	j->result.cluster = j->cluster_file;
	j->result.completed_pending = j->old_pending;
	if (drop_pending(j) < 0)
		log_warn(host_log(j->host), "%s%s could not be removed; it does no harm",
			 j->cluster_name, STORE_PENDING);
	join_end(j, NULL);
}

static void pending_refused(struct join *j, const struct signal_reply *reply)
{
	enum join_verdict verdict = join_verdict(reply->refusal, j->old_pending || j->resent);
	bool go_on = j->old_pending && j->kind->go_on(j);
	struct err err = { 0 };
	int r;

	rpc_refusal(visit_rpc(j->visit), reply, &err);
	if (verdict == JOIN_KEEP) {
		join_fail(j, &err);
		return;
	}
	r = drop_pending(j);
	if (r < 0)
		err_set(&err, r, "cannot remove the request that was refused: %s", strerror(-r));
	if (r == 0 && go_on)
		j->kind->ready(j); /* with what this run was asked for */
	else
		join_fail(j, &err);
}

static void on_pending_reply(void *ctx, const struct signal_reply *reply)
{
	struct join *j = ctx;

	if (join_wait_asked(j, reply))
		return;
	if (reply->refusal != REFUSAL_NONE) {
		pending_refused(j, reply);
		return;
	}
	memcpy(j->cluster_file.node_token, reply->node_token, HASH_LEN);
	j->head = reply->head;
	j->kind->accepted(j);
}

void join_send_pending(struct join *j)
{
	bool setup = j->pending.kind == PENDING_SETUP;
	struct signal_request m = {
		.type = setup ? SIGNAL_SETUP : SIGNAL_ADMIT,
		.code = span_str(j->pending.code),
		.entry = span_of(j->pending.entry.data, j->pending.entry.len),
	};
	struct err err = { 0 };

	if (visit_request(j->visit, &m, on_pending_reply, &err) < 0) {
		join_fail(j, &err);
		return;
	}
	j->resent = j->sent;
	j->sent = true;
	join_progress(j, "waiting for the reply of %s", j->server);
}

void join_send_new(struct join *j)
{
	struct err err = { 0 };
	int r;

	memcpy(j->pending.seed, j->seed, SIGN_SEED_LEN);
	r = store_save_pending(j->host, &j->store, &j->pending, &err);
	if (r < 0) {
		pending_wipe(&j->pending);
		join_fail(j, &err);
		return;
	}
	j->has_pending = true;
	join_send_pending(j);
}

/* --- the beginning ---------------------------------------------------------------------------- */

static int check_names(const struct store *s, struct host *h, const char *cluster,
		       const char *node_name, struct err *err)
{
	char path[STORE_PATH_MAX];
	int r = cluster_name_check(cluster, err);

	if (r < 0 || (r = label_check("node name", node_name, err)) < 0 ||
	    (r = store_cluster_path(s, cluster, STORE_CLUSTER, path, err)) < 0)
		return r;
	/* With a request that was not forgotten yet, it was killed at its end: completed now. */
	if (store_has_cluster(h, s, cluster) && !store_has_pending(h, s, cluster))
		return err_set(err, -EEXIST,
			       "this machine is in a cluster \"%s\" already (%s). "
			       "Nothing was changed; `mlsh forget %s` makes room for another.",
			       cluster, path, cluster);
	return 0;
}

/* Is the request in `j->pending` whole: does its entry carry the signature of its key? */
static int pending_ok(struct join *j, struct err *err)
{
	struct node_id self = identity_node_id(j->identity);
	struct entry e;
	int r = entry_decode(span_of(j->pending.entry.data, j->pending.entry.len), &e, err);

	if (r == 0 && !node_id_equal(&e.author, &self))
		r = err_set(err, -EINVAL, "its entry was signed with another key");
	return r;
}

/* Takes up an earlier run's request, with its key; it must be of the same kind. */
static int load_pending(struct join *j, struct err *err)
{
	char path[STORE_PATH_MAX];
	int r = store_load_pending(j->host, &j->store, j->cluster_name, &j->pending, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0 ||
	    (r = store_cluster_path(&j->store, j->cluster_name, STORE_PENDING, path, err)) < 0)
		return r;
	if (j->pending.kind != j->kind->pending)
		return err_set(err, -EEXIST,
			       "an earlier 'mlsh %s' for %s is unfinished: run that "
			       "again to complete it, or `mlsh forget %s` to begin again.",
			       j->pending.kind == PENDING_SETUP ? "setup" : "adopt",
			       j->cluster_name, j->cluster_name);
	memcpy(j->seed, j->pending.seed, SIGN_SEED_LEN);
	r = identity_from_seed(j->seed, err, &j->identity);
	if (r == 0)
		r = pending_ok(j, err);
	if (r < 0) {
		err_prefix(err,
			   "the unfinished request in %s cannot be used (`mlsh forget %s` "
			   "removes it)",
			   path, j->cluster_name);
		return r;
	}
	j->has_pending = j->old_pending = true;
	return 0;
}

/* A key for this cluster alone. It is written with the request that it signs, and not before. */
static int new_identity(struct join *j, struct err *err)
{
	if (j->identity)
		return 0;
	random_fill(j->host, j->seed, SIGN_SEED_LEN);
	return identity_from_seed(j->seed, err, &j->identity);
}

int join_new(struct host *h, const struct store *s, const struct join_kind *kind,
	     const char *cluster, const char *node_name, struct err *err, struct join **ret)
{
	int r = check_names(s, h, cluster, node_name, err);
	struct join *j;

	if (r < 0)
		return r;
	j = calloc(1, sizeof(*j));
	if (!j)
		return err_set(err, -ENOMEM, "out of memory");
	j->host = h;
	j->kind = kind;
	j->store = *s;
	snprintf(j->cluster_name, sizeof(j->cluster_name), "%s", cluster);
	snprintf(j->node_name, sizeof(j->node_name), "%s", node_name);
	j->retry = timer_new(h, on_retry, j);
	j->deadline = timer_new(h, on_deadline, j);
	if (!j->retry || !j->deadline) {
		r = err_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	if ((r = load_pending(j, err)) < 0 || (r = new_identity(j, err)) < 0)
		goto fail;
	j->deadline_at = clock_now(h) + JOIN_DEADLINE;
	timer_set(j->deadline, j->deadline_at);
	*ret = j;
	return 0;
fail:
	join_free(j);
	return r;
}

void join_free(struct join *j)
{
	if (!j)
		return;
	visit_free(j->visit);
	timer_free(j->retry);
	timer_free(j->deadline);
	mlog_free(j->log);
	identity_free(j->identity);
	secret_wipe(j, sizeof(*j));
	free(j);
}
