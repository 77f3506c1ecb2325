/* SPDX-License-Identifier: MIT */
/* The session as its owner sees it, and the signs of life of its connection. */
#include <stdlib.h>

#include "client/follow.h"
#include "client/refuse.h"
#include "client/session_internal.h"

#define SILENCE_MAX (3 * NS_PER_S)	     /* something was sent and nothing came back */
#define SILENCE_IMPATIENT (1500 * NS_PER_MS) /* just after the network changed */
#define ASK_GAP (5 * NS_PER_S)		     /* between attempts that a person's command causes */

/* --- life signs ------------------------------------------------------------------------------- */

/* True when the connection was given up. */
static bool check_silence(struct session *s, uint64_t now)
{
	struct quic_conn_info info;
	struct err err = { 0 };
	uint64_t limit = now < s->impatient_until ? SILENCE_IMPATIENT : SILENCE_MAX;

	rpc_conn_info(s->rpc, &info);
	if (info.unanswered_since == 0 || now - info.unanswered_since < limit)
		return false;
	refuse(&err, 0, REFUSAL_TIMEOUT, "the signal server %s does not answer any more",
	       s->cluster.signal_host);
	session_lost(s, &err);
	return true;
}

static void session_housekeeping(struct session *s)
{
	sync_heartbeat(s);
	session_go_on(s);
	if (s->phase == PHASE_UP)
		session_events_publish(s);
	relays_pump(s);
}

static void on_tick(void *ctx)
{
	struct session *s = ctx;
	uint64_t now = clock_now(s->host);
	/* The timer is late by as long as the machine was suspended. */
	uint64_t slept = now - s->last_tick;
	struct err err = { 0 };

	s->last_tick = now;
	session_note_heard(s);
	if (s->phase == PHASE_UP)
		session_note_useful(s);
	timer_set_in(s->tick, SESSION_TICK);
	if (slept >= SIGNAL_IDLE_TIMEOUT) {
		s->failures = 0;
		err_set(&err, -ETIMEDOUT, "this machine was asleep");
		session_lost(s, &err);
	} else if (slept > 5 * SESSION_TICK) {
		session_kick(s);
	} else if (!check_silence(s, now) && s->phase == PHASE_UP) {
		session_housekeeping(s);
	}
}

static void on_retry(void *ctx)
{
	session_happens(ctx, SESSION_EV_RETRY, &(struct occasion){ .err = NULL });
}

static void on_reap(void *ctx)
{
	struct session *s = ctx;

	quic_socket_close(s->spent);
	s->spent = NULL;
}

void session_kick(struct session *s)
{
	session_happens(s, SESSION_EV_KICK, &(struct occasion){ .err = NULL });
}

void session_ask(struct session *s)
{
	uint64_t now = clock_now(s->host);

	if (now < s->ask_next) {
		session_kick(s);
		return;
	}
	if (timer_is_set(s->retry))
		s->ask_next = now + ASK_GAP;
	session_happens(s, SESSION_EV_ASK, &(struct occasion){ .err = NULL });
}

void session_log_grew(struct session *s)
{
	(void)take_follow(s);
	session_go_on(s);
}

/* --- the whole -------------------------------------------------------------------------------- */

int session_new(struct host *h, struct quic_socket *socket, const struct cluster_file *cluster,
		const struct identity *id, struct mlog *log, const struct session_ops *ops,
		void *ctx, struct err *err, struct session **ret)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->host = h;
	s->socket = socket;
	s->cluster = *cluster;
	s->identity = id;
	s->log = log;
	s->roster = roster_now(mlog_roster(log));
	s->ops = ops;
	s->ctx = ctx;
	(void)follow_log(&s->cluster, log);
	s->since = clock_now(h);
	bucket_init(&s->removals, 1, DENIALS_MAX, clock_now(h));
	list_init(&s->appends);
	s->retry = timer_new(h, on_retry, s);
	s->tick = timer_new(h, on_tick, s);
	s->reap = deferred_new(h, on_reap, s);
	s->decide = deferred_new(h, session_decide, s);
	s->stash = calloc(SESSION_STASH_MAX, sizeof(*s->stash));
	if (tell_init(s) < 0 || !s->retry || !s->tick || !s->reap || !s->decide || !s->stash ||
	    relays_init(s) < 0) {
		session_free(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	timer_set_in(s->retry, 0);
	*ret = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	rpc_free(s->rpc);
	quic_socket_close(s->spare);
	quic_socket_close(s->spent);
	deferred_free(s->reap);
	deferred_free(s->decide);
	timer_free(s->retry);
	timer_free(s->tick);
	deferred_free(s->notify);
	append_free(s);
	relays_fini(s);
	free(s->stash);
	secret_wipe(s, sizeof(*s));
	free(s);
}

const struct addr *session_server(const struct session *s)
{
	return s && phase_is_greeted(s->phase) ? rpc_server(s->rpc) : NULL;
}

void session_status_get(const struct session *s, struct session_status *ret)
{
	*ret = (struct session_status){
		.state = s->state,
		.since = s->since,
		.last_verified = s->last_verified,
		.observed = s->observed,
		.last_err = s->last_err,
		.moved = s->moved,
		.features = s->features,
		.spare = s->spare != NULL,
	};
	if (session_server(s)) {
		struct quic_conn_info info;

		rpc_conn_info(s->rpc, &info);
		ret->server = *session_server(s);
		ret->rtt_ns = info.srtt_ns;
		ret->last_verified = MAX(ret->last_verified, info.last_heard);
		memcpy(ret->group, info.group, sizeof(ret->group));
	}
}
