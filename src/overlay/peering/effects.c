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

void effects_refresh(struct peering *g)
{
	if (!surroundings_look(&g->around))
		return;
	g->ops->candidates(g->ctx, &g->around.own);
	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_candidates(p->active);
	}
}

static void tell_nat(struct peering *g)
{
	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_nat(p->active);
	}
}

static void tell_ports(struct peering *g)
{
	uint64_t now = clock_now(g->h);

	list_for_each(it, &g->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->reach && predict_learnt(p->reach, now))
			control_ports(p->active);
	}
}

void effects_around(struct peering *g, unsigned effects)
{
	if (effects & REACH_REFRESH)
		effects_refresh(g);
	if (effects & REACH_TELL_NAT)
		tell_nat(g);
	if (effects & REACH_PORT_LEARNT)
		tell_ports(g);
}

void effects_observed_by(struct peer *p, const struct addr *a)
{
	if (surroundings_observed_by(&p->g->around, p, &p->reported, a))
		effects_refresh(p->g);
}

static void on_updates(void *peering)
{
	effects_refresh(peering);
}

static void on_nat(void *peering)
{
	struct peering *g = peering;

	effects_around(g, nat_run(&g->around));
}

static void send_direct(void *peering, const struct addr *to, const uint8_t *data, size_t len,
			uint8_t hops)
{
	struct peering *g = peering;
	struct udp_tx run = { .data = data, .len = len, .segment = len, .to = *to, .hops = hops };

	if (hops)
		(void)quic_socket_send_runs(g->socket, &run, 1);
	else
		quic_socket_send_other(g->socket, to, data, len);
}

int effects_begin(struct peering *g)
{
	struct surroundings *s = &g->around;

	s->port = quic_socket_local(g->socket).port;
	s->way = (struct probe_way){ .direct = send_direct, .ctx = g };
	s->last_label = &g->labels.last;
	s->nat.check.timer = timer_new(g->h, on_nat, g);
	s->news_later = timer_new(g->h, on_updates, g);
	return s->nat.check.timer && s->news_later ? 0 : -ENOMEM;
}

/* --- a tunnel -------------------------------------------------------------------------------- */

static void want_echo(struct peer *p)
{
	struct peering *g = p->g;

	if (g->ops->echo_wanted) {
		g->ops->echo_wanted(g->ctx);
		return;
	}
	predict_say(p->reach, clock_now(g->h));
	control_ports(p->active);
}

/* After a hint of a restart, silence means that the peer knows our tunnel no more. */
static void note_silence(struct peer *p)
{
	uint64_t now = clock_now(p->g->h);

	if (p->restart_hint_at && now - p->restart_hint_at < PEER_KNOCK_TRUST)
		p->silent_at = now;
	peer_schedule(p);
}

/* QUIC has to learn it, too, if nothing takes over: the peer must answer what is said. */
static void path_is_dead(struct peer *p)
{
	struct peering *g = p->g;

	note_silence(p);
	control_observed(p->active);
	/* The session may be behind the NAT that forgot us: the relay knows us by its address. */
	if (g->ops->relay_wanted)
		(void)g->ops->relay_wanted(g->ctx, p->member);
}

static void migrate(struct peer *p, const struct reach_effects *e)
{
	struct link *l = p->active;

	if (quic_conn_migrate(l->conn, e->label, e->at_once) < 0 || !e->at_once)
		return;
	reach_moved(p->reach, e->label, clock_now(p->g->h));
	control_observed(l); /* the server role follows packets that say something */
}

static void tell_pong(struct peer *p, const struct reach_effects *e)
{
	struct peering *g = p->g;

	if (g->ops->pong)
		g->ops->pong(g->ctx, p->member, e->pong.nonce,
			     e->pong.relay ? PEER_PATH_RELAY : PEER_PATH_DIRECT, &e->pong.to);
}

/* The answers and what follows from them. */
static void carry_out_answers(struct peer *p, const struct reach_effects *e)
{
	effects_around(p->g, e->bits);
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
		reach_said_opened(r, control_opened(p->active), clock_now(p->g->h));
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
	return clock_now(p->g->h);
}

/* Behind each call into reach: carries out what that has left, then what is due. */
static void run(struct peer *p)
{
	struct reach *r = p->reach;

	carry_out(p);
	reach_look(r, refresh(p));
	carry_out(p);
	reach_work(r, refresh(p));
	carry_out(p);
	peer_push(p);
	reach_arm(r, clock_now(p->g->h));
}

static void on_timer(void *peer)
{
	run(peer);
}

void peer_reach_received(struct peering *g, struct span frame, const struct udp_rx *rx,
			 struct peer *relay)
{
	struct probe_via via = { .relay = relay != NULL, .from = rx->from, .local = rx->local };
	struct probe f;
	struct peer *p = probe_decode(frame, &f) == 0 ? map_get(g->tags, f.tag) : NULL;

	if (!p || !p->reach || (relay && relay != p) ||
	    !reach_received(p->reach, frame, &f, &via, refresh(p)))
		return;
	run(p);
}

void peer_reach_wake(struct peer *p)
{
	reach_wake(p->reach, clock_now(p->g->h));
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
	run(p);
}

void peer_reach_punched(struct peer *p, uint8_t hops)
{
	if (!p->reach)
		return;
	reach_punched(p->reach, hops, refresh(p));
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
	if (!p->active || p->up_since > p->restart_hint_at)
		return; /* the tunnel is newer than the hint */
	p->restart_hint_at = p->restart_tested_at = clock_now(p->g->h);
	control_observed(p->active);
	if (p->reach)
		test_path(p);
}

void peer_maybe_restarted(struct peer *p)
{
	uint64_t now = clock_now(p->g->h);

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
	reach_path_failed(p->reach, label, clock_now(p->g->h));
	peer_push(p);
}

/* --- life ------------------------------------------------------------------------------------ */

static int make(struct peer *p, struct reach **ret)
{
	struct peering *g = p->g;
	struct quic_conn *c = p->active->conn;
	struct probe_keys keys = { 0 };
	struct reach_config cfg = { .around = &g->around,
				    .dest = &p->dest,
				    .budgets = &p->budgets,
				    .from_peer = &p->from_peer,
				    .from_server = &p->from_server,
				    .was_at = &p->was_at,
				    .name = p->member->name,
				    .client = !quic_conn_is_server(c),
				    .keys = &keys,
				    .timer = timer_new(g->h, on_timer, p) };
	int rc = cfg.timer ? probe_keys_export(quic_conn_exporter, c,
					       span_of(mlog_cluster_id(g->log), HASH_LEN), &keys)
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
	rc = map_put(p->g->tags, r->tag, p);
	if (rc < 0) {
		reach_free(r);
		return rc;
	}
	p->reach = r;
	reach_begin(r, &first, refresh(p));
	run(p);
	return 0;
}

void peer_reach_end(struct peer *p)
{
	if (!p->reach)
		return;
	map_remove(p->g->tags, p->reach->tag);
	reach_free(p->reach);
	p->reach = NULL;
	p->dest.idle = false;
	peer_push(p);
}
