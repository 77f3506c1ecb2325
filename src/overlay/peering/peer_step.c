/* SPDX-License-Identifier: MIT */
/* Runs the table of peer_fsm.c: steps a peer, and carries out the effects. */
#include "overlay/peering/peering.h"
#include "overlay/peering/attempts.h"
#include "overlay/peering/control.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"
#include "overlay/peering/relay.h"

#include <stdio.h>

#define LEFT_FAILURES 3u /* a peer that said goodbye is tried as after so many */

static uint64_t now_of(const struct peer *p)
{
	return clock_now(p->g->h);
}

/* --- effects: connections --------------------------------------------------------------------- */

/* In the server role the newest connection with a control stream replaces what there is. */
static void do_choose(struct peer *p, const struct peer_occasion *by)
{
	bool server = quic_conn_is_server(by->link->conn);

	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *other = &p->links[i];

		if (other == by->link || !other->conn || other->log_only ||
		    (other != p->active && server && quic_conn_is_server(other->conn)))
			continue;
		link_close(other, server ? PEER_CLOSE_REPLACED : PEER_CLOSE_BYE,
			   server ? "replaced by a newer connection" : "another path was faster");
	}
	p->active = by->link;
	peer_push(p);
}

static void do_take_out(struct peer *p, const struct peer_occasion *by)
{
	peer_take_out(p, by->why);
}

static void do_end_knocks(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_end_knocks(p);
}

/* --- effects: what is wanted ------------------------------------------------------------------ */

static void do_review(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	if (!queue_empty(&p->dest.waiting))
		p->waiting_until = now_of(p) + PEER_WAITING_TIME;
	else if (!peering_is_eager(p->g))
		p->wanted = false; /* until the next packet */
}

static void do_want(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->wanted = true;
}

/* --- effects: failures ------------------------------------------------------------------------ */

static void do_reward(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	if (peer_tunnel_was_useful(p))
		p->failures = 0;
}

static void do_forgive(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->failures = 0;
}

static void do_count(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->failures++;
}

static void do_rest(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->failures = MAX(p->failures, LEFT_FAILURES);
}

static void do_back_off(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_back_off(p);
}

static void do_explain(struct peer *p, const struct peer_occasion *by)
{
	snprintf(p->detail, sizeof(p->detail), "%s", by->why);
}

/* --- effects: up and down --------------------------------------------------------------------- */

static void do_mark_up(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->up_since = now_of(p);
	peer_push(p);
	peer_tell(p);
}

static void do_mark_down(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->up_since = 0;
	peer_push(p);
	peer_tell(p);
}

/* --- effects: the next attempt ---------------------------------------------------------------- */

static void do_at_once(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_at_once(p);
}

static void do_ask_relay(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	relay_want(p);
}

static void do_sooner(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_sooner(p);
}

static void do_soon(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_soon(p);
}

/* --- effects: the race ------------------------------------------------------------------------ */

static void do_join(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_join(p);
}

static void do_call_back(struct peer *p, const struct peer_occasion *by)
{
	if (by->from)
		attempts_call_back(p, by->from);
	else if (by->by_relay)
		(void)attempts_try_relay(p);
}

static void do_try_relay(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	(void)attempts_try_relay(p);
}

static void do_begin(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_begin(p);
}

static void do_lead(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	attempts_lead(p);
}

static void do_next(struct peer *p, const struct peer_occasion *by)
{
	const char *why = attempts_next(p, by->why);

	if (why)
		peer_step(p, PEER_EV_FAILED, &(struct peer_occasion){ .why = why });
}

/* --- effects: the tunnel ---------------------------------------------------------------------- */

static void do_check(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	p->suspect_since = now_of(p);
	if (!p->active->hello_got)
		return;
	control_candidates(p->active); /* it has to answer */
	peer_reach_network_changed(p);
}

static void do_test(struct peer *p, const struct peer_occasion *by)
{
	(void)by;
	peer_maybe_restarted(p);
}

/* What the other side should know at once. */
static void say_all(struct link *l)
{
	struct addr seen;

	if (path_remote(l->peer->g, l->conn, &seen))
		control_observed(l);
	control_candidates(l);
	control_nat(l);
	control_push(l);
	control_beacons(l);
}

static void do_open(struct peer *p, const struct peer_occasion *by)
{
	struct link *l = by->link;

	if (!timer_is_set(p->g->watch))
		timer_set_in(p->g->watch, WATCH_PERIOD);
	liveness_begin(&p->dest);
	inbound_early(&p->dest);
	say_all(l);
	send_waiting(&p->dest);
	if (l->conn && peer_reach_start(l) < 0)
		log_warn(host_log(p->g->h),
			 "%s: no memory to look for better paths, will try again", p->member->name);
	if (p->reach && l->conn && l->hello_sent)
		quic_conn_drop_tls(l->conn); /* all keys have been exported */
}

static void (*const carry_out[N_PEER_EFFECTS])(struct peer *, const struct peer_occasion *) = {
	[PEER_DO_CHOOSE] = do_choose,
	[PEER_DO_TAKE_OUT] = do_take_out,
	[PEER_DO_END_KNOCKS] = do_end_knocks,
	[PEER_DO_REVIEW] = do_review,
	[PEER_DO_WANT] = do_want,
	[PEER_DO_REWARD] = do_reward,
	[PEER_DO_FORGIVE] = do_forgive,
	[PEER_DO_COUNT] = do_count,
	[PEER_DO_REST] = do_rest,
	[PEER_DO_BACK_OFF] = do_back_off,
	[PEER_DO_EXPLAIN] = do_explain,
	[PEER_DO_MARK_UP] = do_mark_up,
	[PEER_DO_MARK_DOWN] = do_mark_down,
	[PEER_DO_AT_ONCE] = do_at_once,
	[PEER_DO_ASK_RELAY] = do_ask_relay,
	[PEER_DO_SOONER] = do_sooner,
	[PEER_DO_SOON] = do_soon,
	[PEER_DO_JOIN] = do_join,
	[PEER_DO_CALL_BACK] = do_call_back,
	[PEER_DO_TRY_RELAY] = do_try_relay,
	[PEER_DO_BEGIN] = do_begin,
	[PEER_DO_LEAD] = do_lead,
	[PEER_DO_NEXT] = do_next,
	[PEER_DO_CHECK] = do_check,
	[PEER_DO_TEST] = do_test,
	[PEER_DO_OPEN] = do_open,
};

/* --- steps ------------------------------------------------------------------------------------ */

/* Deadlines belong to phases: those of others do not hold any more. */
static void enter(struct peer *p, enum peer_phase to)
{
	p->phase = to;
	if (to != PEERING_RACING)
		p->next_at = TIME_NEVER;
	if (!peering_waits(to))
		p->retry_at = TIME_NEVER;
	if (!peering_is_up(to))
		p->silent_at = TIME_NEVER;
	if (!peering_is_up(to) && to != PEERING_CHOSEN)
		p->restart_test_at = TIME_NEVER;
}

void peer_step(struct peer *p, enum peer_event ev, const struct peer_occasion *by)
{
	static const struct peer_occasion none = { .why = "no reason given" };
	struct fsm_cell c = fsm_at(&peer_fsm, p->phase, ev);

	fsm_log(&peer_fsm, host_log(p->g->h), LOG_LEVEL_DEBUG, p->member->name, p->phase, c.next,
		ev);
	enter(p, c.next);
	for (unsigned i = 0; i < N_PEER_EFFECTS; i++)
		if (c.effects & 1u << i)
			carry_out[i](p, by ? by : &none);
	peer_schedule(p);
}
