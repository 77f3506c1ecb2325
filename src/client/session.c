/* SPDX-License-Identifier: MIT */
/*
 * The session's connection: attempts, waiting times, life signs, state. Phases run in the order of
 * enum session_phase; whatever goes wrong leads back to PHASE_WAIT through session_lost.
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/backoff.h"
#include "client/follow.h"
#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

#define DNS_TIMEOUT (3 * NS_PER_S)
#define DIAL_TIMEOUT (5 * NS_PER_S) /* a server that returns is found within the next attempt */
#define DIAL_TIMEOUT_SLOW (10 * NS_PER_S) /* every third: for paths with a round trip of seconds */
#define TICK NS_PER_S
#define SILENCE_MAX (3 * NS_PER_S)	     /* something was sent and nothing came back */
#define SILENCE_IMPATIENT (1500 * NS_PER_MS) /* just after the network changed */
#define IMPATIENT_TIME (5 * NS_PER_S)
#define ASK_GAP (5 * NS_PER_S)		    /* between attempts that a person's command causes */
#define USEFUL_AFTER (10 * NS_PER_S)	    /* a session that lasted this long was worth it */
#define USEFUL_AFTER_RESTART (3 * NS_PER_S) /* the same, when the server is there again already */
#define RETURNS_PER_S 250    /* sessions that come to another server, of a large cluster */
#define SPARE_SOCKET_AFTER 3 /* failures */
#define HOMING_FAILURES 4    /* an even number: one attempt on the node's socket */

static void session_dial(struct session *s);

/* --- state ------------------------------------------------------------------------------------ */

static const char *const state_names[] = {
	[SESSION_CONNECTING] = "connecting",
	[SESSION_UP] = "connected",
	[SESSION_RECONNECTING] = "reconnecting",
	[SESSION_STOPPED] = "stopped",
};

static void on_notify(void *ctx)
{
	struct session *s = ctx;
	bool stopped = s->notify_stopped;

	if (s->notify_state) {
		s->notify_state = false;
		if (stopped) /* only after the other call, in which s may be freed */
			deferred_call(s->notify);
		s->ops->state(s->ctx);
		return;
	}
	s->notify_stopped = false;
	if (stopped)
		s->ops->stopped(s->ctx, &s->end_err);
}

static void tell_state(struct session *s)
{
	s->notify_state = true;
	deferred_call(s->notify);
}

static void set_state(struct session *s, enum session_state state)
{
	if (s->state == state)
		return;
	log_info(host_log(s->host), "%s: signal session: %s -> %s", s->cluster.cluster,
		 state_names[s->state], state_names[state]);
	s->state = state;
	s->since = clock_now(s->host);
	tell_state(s);
}

void session_set_err(struct session *s, const struct err *err)
{
	if (s->last_err.code == err->code && strcmp(s->last_err.text, err->text) == 0)
		return;
	s->last_err = *err;
	if (err->code)
		log_limited(host_log(s->host), &s->log_limit, clock_now(s->host), LOG_LEVEL_WARN,
			    "%s: %s", s->cluster.cluster, err->text);
	tell_state(s);
}

/* --- the end of a connection ------------------------------------------------------------------ */

static void note_heard(struct session *s)
{
	struct quic_conn_info info;

	if (!s->rpc || s->phase < PHASE_PUSH || s->phase > PHASE_UP)
		return;
	rpc_conn_info(s->rpc, &info);
	s->last_verified = MAX(s->last_verified, info.last_heard);
}

/* Was it up for long enough to begin again with short waits? */
static void note_useful(struct session *s, uint64_t after)
{
	if (s->phase == PHASE_UP && clock_now(s->host) - s->since >= after)
		s->failures = 0;
}

static void drop_connection(struct session *s)
{
	note_heard(s);
	note_useful(s, USEFUL_AFTER);
	rpc_free(s->rpc);
	s->rpc = NULL;
	if (s->spare) { /* we may be within a call of its own */
		s->spent = s->spare;
		s->spare = NULL;
		deferred_call(s->reap);
	}
	timer_set(s->tick, TIME_NEVER);
}

static void on_reap(void *ctx)
{
	struct session *s = ctx;

	quic_socket_close(s->spent);
	s->spent = NULL;
}

static void wait_until(struct session *s, uint64_t at)
{
	s->phase = PHASE_WAIT;
	set_state(s, s->was_up ? SESSION_RECONNECTING : SESSION_CONNECTING);
	timer_set(s->retry, MAX(at, s->hold_until));
}

void session_lost(struct session *s, const struct err *err)
{
	if (s->phase == PHASE_STOPPED)
		return;
	session_set_err(s, err);
	if (s->spare) /* another port is no better: it is the server, or the way there */
		s->next_homing = s->homing_gap = 0;
	drop_connection(s);
	relays_lost(s, err);
	s->failures++;
	place_lost(s, (enum refusal)err->reason);
	wait_until(s, clock_now(s->host) + backoff_delay(s->failures, random_u64(s->host)));
}

void session_lost_for(struct session *s, const struct err *err, uint64_t wait)
{
	if (s->phase == PHASE_STOPPED)
		return;
	s->hold_until = clock_now(s->host) + backoff_asked(wait, random_u64(s->host));
	session_lost(s, err);
}

static void session_stop(struct session *s, const struct err *err)
{
	if (s->phase == PHASE_STOPPED)
		return;
	drop_connection(s);
	timer_set(s->retry, TIME_NEVER);
	s->phase = PHASE_STOPPED;
	s->end_err = *err;
	session_set_err(s, err);
	set_state(s, SESSION_STOPPED);
	relays_lost(s, err);
	s->notify_stopped = true;
	deferred_call(s->notify);
	sync_stopped(s, err);
}

void session_go_home(struct session *s)
{
	uint64_t next = s->next_homing, gap = s->homing_gap;
	struct err err = { 0 };

	err_set(&err, -EADDRNOTAVAIL, "the session goes back to the node's own port");
	session_lost(s, &err);
	s->next_homing = next;
	s->homing_gap = gap;
	s->failures = HOMING_FAILURES;
	timer_set(s->retry, MAX(clock_now(s->host), s->hold_until));
}

void session_elsewhere(struct session *s, const struct err *err, uint64_t wait)
{
	session_set_err(s, err);
	drop_connection(s);
	relays_lost(s, err);
	s->failures = 0;
	memset(s->epoch, 0, sizeof(s->epoch)); /* of the other server */
	s->cursor = s->hold_until = 0;
	wait_until(s, clock_now(s->host) + wait);
}

void session_left(struct session *s)
{
	struct err err = { 0 };

	refuse_set(&err, REFUSAL_NOT_MEMBER, "this node is no member of %s any more, by its log",
		   s->cluster.cluster);
	session_stop(s, &err);
}

static void session_next(struct session *s, enum session_next next, uint64_t wait,
			 const struct err *err)
{
	if (next == SESSION_NEXT_WAIT)
		session_lost_for(s, err, wait);
	else
		session_lost(s, err);
}

void session_refused(struct session *s, const struct signal_reply *reply)
{
	struct err err = { 0 };
	uint64_t wait;
	enum session_next next = session_after_refusal(reply->refusal, reply->retry_after_s, &wait);

	rpc_refusal(s->rpc, reply, &err);
	session_next(s, next, wait, &err);
}

bool session_request(struct session *s, const struct signal_request *m, rpc_reply_fn fn)
{
	struct err err = { 0 };
	int r = rpc_request(s->rpc, m, fn, s);

	if (r == 0)
		return true;
	err_set(&err, r, "cannot send to the signal server %s: %s", s->cluster.signal_host,
		strerror(-r));
	session_lost(s, &err);
	return false;
}

/* --- phases ----------------------------------------------------------------------------------- */

static void on_subscribed_up(struct session *s)
{
	static const struct err none;

	s->phase = PHASE_UP;
	s->was_up = true;
	set_state(s, SESSION_UP);
	if (!s->forked)
		session_set_err(s, &none);
	events_publish(s);
	session_echo(s);
	/* What came between our last fetch and the subscription. */
	s->fetch_wanted = true;
	sync_pump(s);
}

static void on_subscribe(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;

	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	if (memcmp(s->epoch, reply->epoch, EPOCH_LEN) != 0) {
		memcpy(s->epoch, reply->epoch, EPOCH_LEN);
		s->cursor = 0;
	}
	on_subscribed_up(s);
}

void session_fetched(struct session *s)
{
	if (s->former) {
		former_end(s);
		return;
	}

	struct signal_request m = { .type = SIGNAL_SUBSCRIBE, .cursor = s->cursor };

	memcpy(m.epoch, s->epoch, EPOCH_LEN);
	s->phase = PHASE_SUBSCRIBE;
	session_request(s, &m, on_subscribe);
}

static void on_session(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;

	if (reply->refusal == REFUSAL_NOT_MEMBER || reply->refusal == REFUSAL_MOVED_AWAY) {
		former_begin(s, reply);
		return;
	}
	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	s->last_good = *rpc_server(s->rpc);
	place_token(s, reply->node_token);
	sync_head(s, &reply->head);
	s->phase = PHASE_FETCH;
	s->fetch_wanted = true;
	sync_pump(s);
}

void session_in_session(struct session *s)
{
	struct signal_request m = { .type = SIGNAL_SESSION, .candidates = s->candidates };
	struct head head = mlog_head(s->log);

	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	memcpy(m.node_token, s->cluster.node_token, HASH_LEN);
	s->phase = PHASE_SESSION;
	s->candidates_dirty = false;
	s->candidates_sent = clock_now(s->host);
	session_request(s, &m, on_session);
	secret_wipe(m.node_token, HASH_LEN);
}

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	struct session *s = ctx;

	s->phase = PHASE_PUSH;
	s->former = false;
	s->features = hello->features;
	log_clock_hear(&s->clock, s->host, hello->time_s);
	place_reached(s, rpc_place(s->rpc));
	s->last_tick = clock_now(s->host);
	timer_set_in(s->tick, TICK);
	sync_reset(s);
	s->candidates_busy = false;
	if (hello->has_head)
		sync_head(s, &hello->head);
	/* What the server sees of another socket than the node's is of no use to its peers. */
	if (!s->spare) {
		s->next_homing = s->homing_gap = 0; /* the own port works */
		s->observed = hello->observed;
		s->ops->observed(s->ctx, &s->observed, rpc_server(s->rpc));
	}
	sync_greeted(s);
}

static void on_event(void *ctx, const struct signal_event *ev)
{
	events_handle(ctx, ev);
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct session *s = ctx;
	struct err err = end->err; /* goes with the connection */
	uint64_t wait;
	enum session_next next = session_after_end(end, &wait);

	if (end->restarted)
		note_useful(s, USEFUL_AFTER_RESTART);
	session_next(s, next, wait, &err);
}

static const struct rpc_ops rpc_ops = { .ready = on_ready, .event = on_event, .ended = on_ended };

/* --- attempts --------------------------------------------------------------------------------- */

/*
 * The node's socket, or one of our own: a NAT or firewall may hold on to a dead mapping of the
 * node's port for as long as something is sent through it.
 */
static struct quic_socket *choose_socket(struct session *s)
{
	struct quic_socket_config cfg = { .identity = s->identity, .udp.icmp = true };

	if (s->failures < SPARE_SOCKET_AFTER || s->failures % 2 == 0 || s->spent)
		return s->socket;
	if (quic_socket_open(s->host, &cfg, NULL, &s->spare) < 0)
		return s->socket;
	return s->spare;
}

static void on_server_resolved(void *ctx, const struct addr *addrs, size_t n)
{
	struct session *s = ctx;

	if (s->ops->server)
		s->ops->server(s->ctx, addrs, n);
}

/* With jitter: those that began together do not begin again together. */
static uint64_t dial_timeout(struct session *s)
{
	uint64_t whole = s->failures % 3 == 2 ? DIAL_TIMEOUT_SLOW : DIAL_TIMEOUT;

	return whole - random_below(s->host, whole / 4);
}

static void session_dial(struct session *s)
{
	struct place at = place_to_dial(s);
	struct rpc_params p = {
		.zone = s->cluster.cluster,
		.day = &s->hops_day,
		.dial = {
			.socket = choose_socket(s),
			.host = at.host,
			.port = at.port,
			.named_by_server = s->moved.host[0] != '\0',
			.pin = { .by_cert = true, .by_key = true },
			.last_good = s->last_good,
			.dns_timeout = DNS_TIMEOUT,
			.resolved = on_server_resolved,
			.resolved_ctx = s,
			.timeout = dial_timeout(s),
		},
	};
	struct err err = { 0 };

	memcpy(p.dial.pin.cert_sha256, s->cluster.signal_cert, HASH_LEN);
	memcpy(p.dial.pin.key_sha256, s->cluster.signal_key, HASH_LEN);
	memcpy(p.cluster_id, s->cluster.cluster_id, HASH_LEN);
	s->phase = PHASE_DIAL;
	s->dial_began = clock_now(s->host);
	if (rpc_open(s->host, &p, &rpc_ops, s, &err, &s->rpc) < 0)
		session_lost(s, &err);
}

static void on_retry(void *ctx)
{
	session_dial(ctx);
}

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
	refuse_set(&err, REFUSAL_TIMEOUT, "the signal server %s does not answer any more",
		   s->cluster.signal_host);
	session_lost(s, &err);
	return true;
}

static void session_housekeeping(struct session *s)
{
	sync_heartbeat(s);
	sync_pump(s);
	if (s->phase == PHASE_UP)
		events_publish(s);
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
	note_heard(s);
	note_useful(s, USEFUL_AFTER);
	timer_set_in(s->tick, TICK);
	if (slept >= SIGNAL_IDLE_TIMEOUT) {
		s->failures = 0;
		err_set(&err, -ETIMEDOUT, "this machine was asleep");
		session_lost(s, &err);
	} else if (slept > 5 * TICK) {
		session_kick(s);
	} else if (!check_silence(s, now) && s->phase == PHASE_UP) {
		session_housekeeping(s);
	}
}

void session_ask(struct session *s)
{
	uint64_t now = clock_now(s->host);

	if (s->phase == PHASE_WAIT && now >= s->ask_next) {
		s->ask_next = now + ASK_GAP;
		s->hold_until = 0;
	}
	session_kick(s);
}

void session_kick(struct session *s)
{
	uint64_t now = clock_now(s->host);

	if (s->phase == PHASE_STOPPED)
		return;
	s->failures = 0;
	if (s->phase == PHASE_WAIT) {
		timer_set(s->retry, MAX(now, s->hold_until));
		return;
	}
	if (s->phase == PHASE_DIAL) {
		if (now - s->dial_began < 500 * NS_PER_MS)
			return;
		drop_connection(s);
		session_dial(s);
		return;
	}
	/* Something to be answered: soon, or the connection is given up. */
	s->impatient_until = now + IMPATIENT_TIME;
	s->fetch_wanted = true;
	session_echo(s);
	sync_pump(s);
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
	s->notify = deferred_new(h, on_notify, s);
	s->reap = deferred_new(h, on_reap, s);
	s->follow = deferred_new(h, place_dial_other, s);
	s->stash = calloc(SESSION_STASH_MAX, sizeof(*s->stash));
	if (!s->retry || !s->tick || !s->notify || !s->reap || !s->follow || !s->stash ||
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
	deferred_free(s->follow);
	timer_free(s->retry);
	timer_free(s->tick);
	deferred_free(s->notify);
	sync_free(s);
	relays_fini(s);
	free(s->stash);
	secret_wipe(s, sizeof(*s));
	free(s);
}

const struct addr *session_server(const struct session *s)
{
	return s && s->rpc && s->phase >= PHASE_PUSH && s->phase <= PHASE_UP ? rpc_server(s->rpc)
									     : NULL;
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
