/* SPDX-License-Identifier: MIT */
/* Between reach, which decides, and those who are told. */
#include "overlay/peering/effects.h"

#include "overlay/peering/peering.h"
#include "overlay/peering/control.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/relay.h"
#include "overlay/reach/reach.h"

#define LOOK_FRESH (2 * NS_PER_S)
#define RESTART_TEST_GAP NS_PER_S /* between tests of a tunnel for hints of a restart */

/* --- the surroundings ------------------------------------------------------------------------ */

void effects_refresh(struct peering *o)
{
	if (!surroundings_look(&o->around))
		return;
	o->ops->candidates(o->ctx, &o->around.own);
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_candidates(p->active);
	}
}

static void tell_nat(struct peering *o)
{
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_nat(p->active);
	}
}

static void tell_ports(struct peering *o)
{
	uint64_t now = clock_now(o->h);

	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->reach && predict_learnt(p->reach, now))
			control_ports(p->active);
	}
}

void effects_around(struct peering *o, unsigned effects)
{
	if (effects & REACH_REFRESH)
		effects_refresh(o);
	if (effects & REACH_TELL_NAT)
		tell_nat(o);
	if (effects & REACH_PORT_LEARNT)
		tell_ports(o);
}

void effects_observed_by(struct peer *p, const struct addr *a)
{
	if (surroundings_observed_by(&p->o->around, p, &p->reported, a))
		effects_refresh(p->o);
}

static void on_updates(void *peering)
{
	effects_refresh(peering);
}

static void on_nat(void *peering)
{
	struct peering *o = peering;

	effects_around(o, nat_run(&o->around));
}

static void send_direct(void *peering, const struct addr *to, const uint8_t *data, size_t len,
			uint8_t hops)
{
	struct peering *o = peering;
	struct udp_tx run = { .data = data, .len = len, .segment = len, .to = *to, .hops = hops };

	if (hops)
		(void)quic_socket_send_runs(o->socket, &run, 1);
	else
		quic_socket_send_other(o->socket, to, data, len);
}

int effects_begin(struct peering *o)
{
	struct surroundings *s = &o->around;

	s->port = quic_socket_local(o->socket).port;
	s->way = (struct probe_way){ .direct = send_direct, .ctx = o };
	s->last_label = &o->labels.last;
	s->nat.check.timer = timer_new(o->h, on_nat, o);
	s->news_later = timer_new(o->h, on_updates, o);
	return s->nat.check.timer && s->news_later ? 0 : -ENOMEM;
}

/* --- a tunnel -------------------------------------------------------------------------------- */

static void want_echo(struct peer *p)
{
	struct peering *o = p->o;

	if (o->ops->echo_wanted) {
		o->ops->echo_wanted(o->ctx);
		return;
	}
	predict_say(p->reach, clock_now(o->h));
	control_ports(p->active);
}

/* After a hint of a restart, silence means that the peer knows our tunnel no more. */
static void note_silence(struct peer *p)
{
	uint64_t now = clock_now(p->o->h);

	if (p->restart_hint_at && now - p->restart_hint_at < PEER_KNOCK_TRUST)
		p->silent_at = now;
	peer_schedule(p);
}

/* QUIC has to learn it, too, if nothing takes over: the peer must answer what is said. */
static void path_is_dead(struct peer *p)
{
	struct peering *o = p->o;

	note_silence(p);
	control_observed(p->active);
	/* The session may be behind the NAT that forgot us: the relay knows us by its address. */
	if (o->ops->relay_wanted)
		(void)o->ops->relay_wanted(o->ctx, p->member);
}

static void migrate(struct peer *p, const struct reach_effects *e)
{
	struct link *l = p->active;

	if (quic_conn_migrate(l->conn, e->label, e->at_once) < 0 || !e->at_once)
		return;
	reach_moved(p->reach, e->label, clock_now(p->o->h));
	control_observed(l); /* the server role follows packets that say something */
}

static void tell_pong(struct peer *p, const struct reach_effects *e)
{
	struct peering *o = p->o;

	if (o->ops->pong)
		o->ops->pong(o->ctx, p->member, e->pong.nonce,
			     e->pong.relay ? PEER_PATH_RELAY : PEER_PATH_DIRECT, &e->pong.to);
}

/* The answers and what follows from them. */
static void carry_out_answers(struct peer *p, const struct reach_effects *e)
{
	effects_around(p->o, e->bits);
	if (e->bits & REACH_PONG)
		tell_pong(p, e);
	if (e->bits & REACH_SEEN_AT)
		effects_observed_by(p, &e->seen);
}

static void carry_out(struct peer *p)
{
	struct reach *r = p->reach;
	struct reach_effects e = reach_effects_take(r);

	carry_out_answers(p, &e);
	if (e.bits & REACH_WANT_RELAY)
		relay_want(p);
	if (e.bits & REACH_WANT_ECHO)
		want_echo(p);
	if (e.bits & REACH_TELL_PORT)
		control_ports(p->active);
	if (e.bits & REACH_ASK_PUNCH)
		control_punch(p->active, e.hops);
	if (e.bits & REACH_SAY_OPENED)
		reach_said_opened(r, control_opened(p->active), clock_now(p->o->h));
	if (e.bits & REACH_DEAD)
		path_is_dead(p);
	if (e.bits & REACH_TELL_MOVED)
		peer_tell(p);
	if (e.bits & REACH_MIGRATE)
		migrate(p, &e);
}

/* What QUIC knows of the connection. Returns the time. */
static uint64_t refresh(struct peer *p)
{
	struct quic_conn_info info;

	quic_conn_info_get(p->active->conn, &info);
	p->reach->conn = (struct liveness){ info.srtt_ns, info.last_heard, info.unanswered_since };
	p->reach->candidates_heard = p->active->candidates_heard;
	return clock_now(p->o->h);
}

static void run(struct peer *p)
{
	struct reach *r = p->reach;

	reach_look(r, refresh(p));
	carry_out(p);
	reach_work(r, refresh(p));
	carry_out(p);
	peer_push(p);
	reach_arm(r, clock_now(p->o->h));
}

static void on_timer(void *peer)
{
	run(peer);
}

void peer_reach_received(struct peering *o, struct span frame, const struct udp_rx *rx,
			 struct peer *relay)
{
	struct probe_via via = { .relay = relay != NULL, .from = rx->from, .local = rx->local };
	struct probe f;
	struct peer *p = probe_decode(frame, &f) == 0 ? map_get(o->tags, f.tag) : NULL;

	if (!p || !p->reach || (relay && relay != p) ||
	    !reach_received(p->reach, frame, &f, &via, refresh(p)))
		return;
	carry_out(p);
	run(p);
}

void peer_reach_wake(struct peer *p)
{
	reach_wake(p->reach, clock_now(p->o->h));
}

void peer_reach_candidates(struct peer *p)
{
	struct reach *r = p->reach;
	uint64_t now;
	bool changed;

	if (!r)
		return;
	now = refresh(p);
	changed = reach_candidates(r);
	if (reach_channel_is_new(r))
		peer_maybe_restarted(p);
	changed |= reach_relay(r, now);
	if (changed)
		reach_round(r, now);
	carry_out(p);
	run(p);
}

void peer_reach_punched(struct peer *p, uint8_t hops)
{
	if (!p->reach)
		return;
	reach_punched(p->reach, hops, refresh(p));
	carry_out(p);
	run(p);
}

void peer_reach_opened(struct peer *p, uint32_t heard)
{
	if (!p->reach || heard != p->active->candidates_sent)
		return; /* it knows some of our ports only: its next word follows */
	reach_opened(p->reach, refresh(p));
	run(p);
}

void peer_reach_told_port(struct peer *p, const struct addr *last)
{
	if (p->reach && predict_told(p->reach, last))
		run(p);
}

void peer_reach_network_changed(struct peer *p)
{
	if (!p->reach)
		return;
	reach_network_changed(p->reach, refresh(p));
	carry_out(p);
	run(p);
}

/* There is reason to doubt that the path in use is alive. */
static void test_path(struct peer *p)
{
	reach_doubt(p->reach, false, refresh(p));
	run(p);
}

/* The peer has to answer, or it knows no such connection and resets it. */
void peer_test_restart(struct peer *p)
{
	p->restart_test_at = TIME_NEVER;
	if (!p->active || !p->reach || p->up_since > p->restart_hint_at)
		return; /* the tunnel is newer than the hint */
	p->restart_hint_at = p->restart_tested_at = clock_now(p->o->h);
	control_observed(p->active);
	test_path(p);
}

void peer_maybe_restarted(struct peer *p)
{
	uint64_t now = clock_now(p->o->h);

	p->restart_hint_at = now;
	if (now - p->restart_tested_at >= RESTART_TEST_GAP)
		peer_test_restart(p);
	else /* the test that was made may be older than the restart */
		p->restart_test_at = p->restart_tested_at + RESTART_TEST_GAP;
	peer_schedule(p);
}

bool peer_reach_look(struct peer *p)
{
	struct reach *r = p->reach;
	uint64_t now;

	if (!r || reach_is_dead(r))
		return true;
	now = refresh(p);
	if (now - MAX(r->conn.last_heard, reach_last_echo(r)) < LOOK_FRESH)
		return true;
	if (r->set.doubt.since == 0)
		test_path(p);
	return false;
}

void peer_reach_path_changed(struct peer *p)
{
	struct reach *r = p->reach;
	path_label label = r ? quic_conn_label(p->active->conn) : 0;

	if (!r || label == r->set.current)
		return;
	reach_moved(r, label, refresh(p));
	if (r->client)
		control_observed(p->active);
	run(p);
}

void peer_reach_path_failed(struct peer *p, path_label label)
{
	if (!p->reach)
		return;
	reach_path_failed(p->reach, label, clock_now(p->o->h));
	peer_push(p);
}

/* --- life ------------------------------------------------------------------------------------ */

static int make(struct peer *p, struct reach **ret)
{
	struct peering *o = p->o;
	struct quic_conn *c = p->active->conn;
	struct probe_keys keys = { 0 };
	struct reach_config cfg = { .around = &o->around,
				    .dest = &p->dest,
				    .budgets = &p->budgets,
				    .from_peer = &p->from_peer,
				    .from_server = &p->from_server,
				    .name = p->member->name,
				    .client = !quic_conn_is_server(c),
				    .keys = &keys,
				    .timer = timer_new(o->h, on_timer, p) };
	int rc = cfg.timer ? probe_keys_export(quic_conn_exporter, c,
					       span_of(mlog_cluster_id(o->log), HASH_LEN), &keys)
			   : -ENOMEM;

	if (rc == 0)
		rc = reach_new(&cfg, ret);
	secret_wipe(&keys, sizeof(keys));
	if (rc < 0)
		timer_free(cfg.timer);
	return rc;
}

int peer_reach_start(struct link *l)
{
	struct peer *p = l->peer;
	struct reach_first first = {
		.label = l->label, .relayed = l->relayed, .to = l->to, .local = l->local
	};
	struct reach *r;
	int rc;

	peer_reach_end(p);
	rc = make(p, &r);
	if (rc < 0)
		return rc;
	rc = map_put(p->o->tags, r->tag, p);
	if (rc < 0) {
		reach_free(r);
		return rc;
	}
	p->reach = r;
	reach_begin(r, &first, refresh(p));
	carry_out(p);
	run(p);
	return 0;
}

void peer_reach_end(struct peer *p)
{
	if (!p->reach)
		return;
	map_remove(p->o->tags, p->reach->tag);
	reach_free(p->reach);
	p->reach = NULL;
	p->dest.idle = false;
	peer_push(p);
}
