/* SPDX-License-Identifier: MIT */
/*
 * Runs the table of session_fsm.c: what happens on the connection becomes an event, and each effect
 * is carried out here. Whatever goes wrong on a connection comes back as its end.
 */
#include "client/backoff.h"
#include "client/refuse.h"
#include "client/session_internal.h"
#include "client/session_rules.h"

#define IMPATIENT_TIME (5 * NS_PER_S)
#define REDIAL_AFTER (500 * NS_PER_MS)
#define USEFUL_AFTER (10 * NS_PER_S)	    /* a session that lasted this long was worth it */
#define USEFUL_AFTER_RESTART (3 * NS_PER_S) /* the same, when the server is there again already */
#define RETURNS_PER_S 250 /* sessions that come to another server, of a large cluster */
#define REBIND_FAILURES 4 /* an even number: one attempt on the node's socket */

/* --- notes ------------------------------------------------------------------------------------ */

void session_note_heard(struct session *s)
{
	struct quic_conn_info info;

	rpc_conn_info(s->rpc, &info);
	s->last_verified = MAX(s->last_verified, info.last_heard);
}

/* Was it up for long enough to begin again with short waits? */
static void note_useful(struct session *s, uint64_t after)
{
	if (clock_now(s->host) - s->up_since >= after)
		s->failures = 0;
}

void session_note_useful(struct session *s)
{
	note_useful(s, USEFUL_AFTER);
}

/* --- effects: the end of a connection --------------------------------------------------------- */

static void do_hear(struct session *s, const struct occasion *o)
{
	(void)o;
	session_note_heard(s);
}

static void do_reward(struct session *s, const struct occasion *o)
{
	note_useful(s, o->restarted ? USEFUL_AFTER_RESTART : USEFUL_AFTER);
}

static void do_explain(struct session *s, const struct occasion *o)
{
	session_set_err(s, o->err);
}

static void do_remember(struct session *s, const struct occasion *o)
{
	rpc_refusal(s->rpc, o->reply, &s->former_err);
}

static void do_count(struct session *s, const struct occasion *o)
{
	if (s->spare) /* another port is no better: it is the server, or the way there */
		s->next_rebind = s->rebind_gap = 0;
	s->failures++;
	place_lost(s, (enum refusal)o->err->reason);
}

static void drop_connection(struct session *s)
{
	rpc_free(s->rpc);
	s->rpc = NULL;
	if (s->spare) { /* we may be within a call of its own */
		s->spent = s->spare;
		s->spare = NULL;
		deferred_call(s->reap);
	}
	timer_set(s->tick, TIME_NEVER);
}

static void do_hang_up(struct session *s, const struct occasion *o)
{
	drop_connection(s);
	relays_lost(s, o->err);
}

/* --- effects: waiting ------------------------------------------------------------------------- */

static void do_forgive(struct session *s, const struct occasion *o)
{
	(void)o;
	s->failures = 0;
}

static void do_release(struct session *s, const struct occasion *o)
{
	(void)o;
	s->hold_until = 0;
}

static void do_change_server(struct session *s, const struct occasion *o)
{
	(void)o;
	place_changed(s);
	memset(s->epoch, 0, sizeof(s->epoch)); /* of the other server */
	s->cursor = 0;
}

static void do_rebind(struct session *s, const struct occasion *o)
{
	(void)o;
	s->failures = REBIND_FAILURES;
}

static void do_hold(struct session *s, const struct occasion *o)
{
	s->hold_until = clock_now(s->host) + backoff_asked(o->wait, random_u64(s->host));
}

static void do_back_off(struct session *s, const struct occasion *o)
{
	uint64_t delay = backoff_delay(s->failures, random_u64(s->host));

	(void)o;
	timer_set(s->retry, MAX(clock_now(s->host) + delay, s->hold_until));
}

/* All nodes hear of it at once: they spread over as much time as the server needs for them. */
static void do_spread(struct session *s, const struct occasion *o)
{
	size_t members = roster_count(mlog_roster(s->log), ROSTER_CURRENT);

	(void)o;
	timer_set_in(s->retry, random_below(s->host, (1 + members) * NS_PER_S / RETURNS_PER_S));
}

static void do_soon(struct session *s, const struct occasion *o)
{
	(void)o;
	timer_set(s->retry, MAX(clock_now(s->host), s->hold_until));
}

/* --- what next -------------------------------------------------------------------------------- */

static void left(struct session *s)
{
	struct err err = { 0 };

	refuse(&err, 0, REFUSAL_NOT_MEMBER, "this node is not a member of %s any more, by its log",
	       s->cluster.cluster);
	session_happens(s, SESSION_EV_LEFT, &(struct occasion){ .err = &err });
}

/* All that the server shows was read. */
static void fetched(struct session *s)
{
	struct occasion o = { .wait = SESSION_SLOW_RETRY };
	struct err err = { 0 };

	if (phase_is_former(s->phase)) {
		if (!former_is_member(s)) {
			left(s);
			return;
		}
		former_explain(s, &err);
		o.err = &err;
	}
	session_happens(s, SESSION_EV_FETCHED, &o);
}

static void on_sync_reply(void *ctx, const struct signal_reply *reply)
{
	sync_reply(ctx, reply);
	session_go_on(ctx);
}

/* Asks for whatever is to be done about the log next, one request at a time. */
static void pump(struct session *s)
{
	struct signal_request m;

	if (!session_is_linked(s) || sync_is_busy(s))
		return;
	if (sync_next(s, &m)) {
		(void)session_request(s, &m, on_sync_reply); /* or the connection is given up */
		secret_wipe(m.node_token, HASH_LEN);
	} else if (s->phase == PHASE_PUSHING) {
		session_happens(s, SESSION_EV_PUSHED, &(struct occasion){ .err = NULL });
	} else if (s->phase == PHASE_FETCHING || phase_is_former(s->phase)) {
		fetched(s);
	}
}

void session_go_on(struct session *s)
{
	if (s->out)
		left(s);
	else
		pump(s);
}

static void on_moved(struct session *s)
{
	struct err err = { 0 };

	err_set(&err, -EREMCHG, "by its log the cluster has moved to the signal server %s, port %u",
		s->cluster.signal_host, (unsigned)s->cluster.signal_port);
	session_happens(s, SESSION_EV_MOVED, &(struct occasion){ .err = &err });
	append_ordered(s);
}

static void on_rebind(struct session *s)
{
	struct err err = { 0 };

	err_set(&err, -EADDRNOTAVAIL, "the session goes back to the node's own port");
	session_happens(s, SESSION_EV_REBIND, &(struct occasion){ .err = &err });
}

void session_decide(void *ctx)
{
	struct session *s = ctx;
	bool moved = s->server_moved, rebind = s->rebind;

	s->server_moved = s->rebind = false;
	if (moved)
		on_moved(s);
	if (rebind && s->spare)
		on_rebind(s);
}

/* --- effects: an attempt ---------------------------------------------------------------------- */

static void on_ready(void *ctx, const struct signal_reply *hello)
{
	session_happens(ctx, SESSION_EV_READY, &(struct occasion){ .reply = hello });
}

static void on_event(void *ctx, const struct signal_event *ev)
{
	struct session *s = ctx;

	switch (ev->type) {
	case SIGNAL_EV_LOG:
		sync_event(s, ev);
		break;
	case SIGNAL_EV_PRESENCE:
		session_events_presence(s, ev);
		break;
	case SIGNAL_EV_OBSERVED:
		session_events_observed(s, &ev->observed);
		break;
	case SIGNAL_EV_SHUTDOWN:
		session_events_shutdown(s, ev->retry_after_s);
		break;
	case SIGNAL_EV_RELAY:
		relays_event(s, ev);
		break;
	case SIGNAL_EV_RELAY_CLOSED:
		relays_closed_event(s, ev);
		break;
	case SIGNAL_EV_REMOVAL:
		take_shown_removal(s, ev->removal);
		break;
	case SIGNAL_EV_BEACON:
		if (s->ops->beacon)
			s->ops->beacon(s->ctx, ev->beacon);
		break;
	}
	session_go_on(s);
}

static void on_ended(void *ctx, const struct rpc_end *end)
{
	struct err err = end->err; /* goes with the connection */
	struct occasion o = { .err = &err, .restarted = end->restarted };

	if (session_after_end(end, &o.wait) == SESSION_NEXT_WAIT)
		session_happens(ctx, SESSION_EV_HOLD, &o);
	else
		session_happens(ctx, SESSION_EV_LOST, &o);
}

static void do_dial(struct session *s, const struct occasion *o)
{
	static const struct rpc_ops ops = { .ready = on_ready,
					    .event = on_event,
					    .ended = on_ended };
	struct err err = { 0 };

	(void)o;
	if (session_dial(s, &ops, &err) < 0)
		session_happens(s, SESSION_EV_LOST, &(struct occasion){ .err = &err });
}

static void do_redial(struct session *s, const struct occasion *o)
{
	if (clock_now(s->host) - s->dial_began < REDIAL_AFTER)
		return;
	drop_connection(s);
	do_dial(s, o);
}

/* --- effects: a session ----------------------------------------------------------------------- */

static void do_greet(struct session *s, const struct occasion *o)
{
	s->features = o->reply->features;
	log_clock_hear(&s->clock, s->host, o->reply->time_s);
	place_reached(s, rpc_place(s->rpc));
	s->last_tick = clock_now(s->host);
	timer_set_in(s->tick, SESSION_TICK);
	sync_reset(s);
	s->candidates_busy = false;
	if (o->reply->has_head)
		sync_head(s, &o->reply->head);
	/* What the server sees of another socket than the node's is of no use to its peers. */
	if (s->spare)
		return;
	s->next_rebind = s->rebind_gap = 0; /* the own port works */
	s->observed = o->reply->observed;
	s->ops->observed(s->ctx, &s->observed, rpc_server(s->rpc));
}

static void do_push(struct session *s, const struct occasion *o)
{
	(void)o;
	pump(s);
}

static void on_session(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	struct occasion o = { .reply = reply };

	if (reply->refusal == REFUSAL_NOT_MEMBER || reply->refusal == REFUSAL_MOVED_AWAY)
		session_happens(s,
				former_is_member(s) ? SESSION_EV_DENIED : SESSION_EV_DENIED_BY_BOTH,
				&o);
	else if (reply->refusal != REFUSAL_NONE)
		session_refused(s, reply);
	else
		session_happens(s, SESSION_EV_ACCEPTED, &o);
}

static void do_open(struct session *s, const struct occasion *o)
{
	struct signal_request m = { .type = SIGNAL_SESSION, .candidates = s->candidates };
	struct head head = mlog_head(s->log);

	(void)o;
	m.head.seq = head.seq;
	memcpy(m.head.hash, head.hash, HASH_LEN);
	memcpy(m.node_token, s->cluster.node_token, HASH_LEN);
	s->candidates_dirty = false;
	s->candidates_sent = clock_now(s->host);
	session_request(s, &m, on_session);
	secret_wipe(m.node_token, HASH_LEN);
}

static void do_admit(struct session *s, const struct occasion *o)
{
	s->last_good = *rpc_server(s->rpc);
	place_token(s, o->reply->node_token);
	sync_head(s, &o->reply->head);
}

static void do_fetch(struct session *s, const struct occasion *o)
{
	(void)o;
	s->fetch_wanted = true;
	pump(s);
}

static void on_subscribe(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;
	struct err err = { 0 };

	if (reply->refusal == REFUSAL_NOT_ALLOWED) {
		/* The server ended the session in the meantime. The next one is told why. */
		rpc_refusal(s->rpc, reply, &err);
		session_lost(s, &err);
		return;
	}
	if (reply->refusal != REFUSAL_NONE) {
		session_refused(s, reply);
		return;
	}
	if (memcmp(s->epoch, reply->epoch, EPOCH_LEN) != 0) {
		memcpy(s->epoch, reply->epoch, EPOCH_LEN);
		s->cursor = 0;
	}
	session_happens(s, SESSION_EV_SUBSCRIBED, &(struct occasion){ .reply = reply });
}

static void do_subscribe(struct session *s, const struct occasion *o)
{
	struct signal_request m = { .type = SIGNAL_SUBSCRIBE, .cursor = s->cursor };

	(void)o;
	memcpy(m.epoch, s->epoch, EPOCH_LEN);
	session_request(s, &m, on_subscribe);
}

static void do_enter(struct session *s, const struct occasion *o)
{
	static const struct err none;

	s->up_since = clock_now(s->host);
	if (!s->forked)
		session_set_err(s, &none);
	session_events_publish(s);
	session_echo(s);
	do_fetch(s, o); /* what came between our last fetch and the subscription */
}

/* Something to be answered: soon, or the connection is given up. */
static void do_probe(struct session *s, const struct occasion *o)
{
	s->impatient_until = clock_now(s->host) + IMPATIENT_TIME;
	session_echo(s);
	do_fetch(s, o);
}

static void do_finish(struct session *s, const struct occasion *o)
{
	timer_set(s->retry, TIME_NEVER);
	tell_stopped(s, o->err);
	append_stopped(s, o->err);
}

/* --- the table -------------------------------------------------------------------------------- */

static void (*const carry_out[N_SESSION_EFFECTS])(struct session *, const struct occasion *) = {
	[SESSION_DO_HEAR] = do_hear,
	[SESSION_DO_REWARD] = do_reward,
	[SESSION_DO_EXPLAIN] = do_explain,
	[SESSION_DO_REMEMBER] = do_remember,
	[SESSION_DO_COUNT] = do_count,
	[SESSION_DO_HANG_UP] = do_hang_up,
	[SESSION_DO_FORGIVE] = do_forgive,
	[SESSION_DO_RELEASE] = do_release,
	[SESSION_DO_CHANGE_SERVER] = do_change_server,
	[SESSION_DO_REBIND] = do_rebind,
	[SESSION_DO_HOLD] = do_hold,
	[SESSION_DO_BACK_OFF] = do_back_off,
	[SESSION_DO_SPREAD] = do_spread,
	[SESSION_DO_SOON] = do_soon,
	[SESSION_DO_DIAL] = do_dial,
	[SESSION_DO_REDIAL] = do_redial,
	[SESSION_DO_GREET] = do_greet,
	[SESSION_DO_PUSH] = do_push,
	[SESSION_DO_OPEN] = do_open,
	[SESSION_DO_ADMIT] = do_admit,
	[SESSION_DO_FETCH] = do_fetch,
	[SESSION_DO_SUBSCRIBE] = do_subscribe,
	[SESSION_DO_ENTER] = do_enter,
	[SESSION_DO_PROBE] = do_probe,
	[SESSION_DO_FINISH] = do_finish,
};

/* An effect may make something happen in turn: then it is the last one of its cell. */
void session_happens(struct session *s, enum session_event event, const struct occasion *o)
{
	struct fsm_cell cell = fsm_at(&session_fsm, s->phase, event);
	enum session_phase from = s->phase;

	s->phase = (enum session_phase)cell.next;
	tell_phase(s, from, event);
	for (unsigned i = 0; i < N_SESSION_EFFECTS; i++)
		if (cell.effects & 1u << i)
			carry_out[i](s, o);
}
