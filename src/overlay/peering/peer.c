/* SPDX-License-Identifier: MIT */
/*
 * What happens to a peer, as events of its lifecycle (peer_fsm.h): what others ask for, what comes
 * of its connections, what the time brings. Presence never ends a tunnel.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/attempts.h"
#include "overlay/peering/effects.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"
#include "overlay/peering/relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

#define REMOVALS_PER_S 1 /* of one peer that are refused: each may cost a signature */
#define REMOVALS_BURST DENIALS_MAX
#define UNUSED_AFTER (600 * NS_PER_S) /* a tunnel in a large cluster is closed */

static uint64_t now_of(const struct peer *p)
{
	return clock_now(p->g->h);
}

/* --- what others ask for ---------------------------------------------------------------------- */

void peer_want(struct peer *p)
{
	uint64_t now = now_of(p);

	if (p->wanted && now < p->asked_at + NS_PER_S)
		return; /* packets may come by the thousand */
	p->asked_at = now;
	peer_step(p, PEER_EV_WANT, NULL);
}

void peer_kick(struct peer *p)
{
	if (p->wanted)
		peer_step(p, PEER_EV_KICK, NULL);
}

void peer_remembered(struct peer *p)
{
	if (p->wanted)
		peer_step(p, PEER_EV_REMEMBERED, NULL);
}

/* --- connections ------------------------------------------------------------------------------ */

/* The peer has restarted and does not know our tunnel any more. */
static void give_up_silent(struct peer *p)
{
	p->silent_at = TIME_NEVER;
	if (!peer_is_up(p) || !p->active)
		return;
	link_close(p->active, PEER_CLOSE_REPLACED, "no answer");
	peer_lost(p, "it was restarted", p->initiator ? PEER_LOST_ALIVE : PEER_LOST_SILENT);
}

void peer_link_chosen(struct link *l)
{
	peer_step(l->peer, PEER_EV_CHOSEN, &(struct peer_occasion){ .link = l });
}

static void met_at(struct peer *p, const struct addr *at)
{
	p->last_good = p->was_at = *at;
}

void peer_link_up(struct link *l)
{
	struct peer *p = l->peer;
	struct quic_conn_info info;

	l->deadline = TIME_NEVER;
	quic_conn_info_get(l->conn, &info);
	snprintf(p->group, sizeof(p->group), "%s", info.group);
	p->last_heard = MAX(info.last_heard, 1);
	if (!quic_conn_is_server(l->conn) && !l->relayed)
		met_at(p, &l->to);
	p->waiting_until = TIME_NEVER;
	p->detail[0] = '\0';
	peer_step(p, PEER_EV_HELLO, &(struct peer_occasion){ .link = l });
}

void peer_lost(struct peer *p, const char *why, enum peer_loss loss)
{
	bool at_once = loss == PEER_LOST_ALIVE ||
		       (loss == PEER_LOST_SILENT && peer_tunnel_was_useful(p));

	peer_step(p, at_once ? PEER_EV_LOST : PEER_EV_FAULT, &(struct peer_occasion){ .why = why });
}

/* A connection without the control stream ended; no other one takes its place. */
static void attempt_failed(struct peer *p, const char *why)
{
	if (attempts_running(p) == 0)
		peer_step(p, PEER_EV_FAILED, &(struct peer_occasion){ .why = why });
	else
		peer_schedule(p);
}

void link_malformed(struct link *l, const char *what)
{
	struct peer *p = l->peer;
	bool was_active = p->active == l;

	log_limited(host_log(p->g->h), &p->log_limit, clock_now(p->g->h), LOG_LEVEL_WARN,
		    "%s broke the peer protocol: %s", p->member->name, what);
	link_close(l, PEER_CLOSE_MALFORMED, what);
	if (was_active)
		peer_lost(p, what, PEER_LOST_FAULT);
	else if (!l->log_only)
		attempt_failed(p, what);
	else
		peer_schedule(p);
}

static const char *why_closed(const struct peer *p, const struct quic_event *ev, char *buf,
			      size_t cap)
{
	static const char *const said[] = {
		[PEER_CLOSE_BYE] = "it said goodbye",
		[PEER_CLOSE_MALFORMED] = "it found our messages malformed",
		[PEER_CLOSE_REPLACED] = "it has a newer connection with this node's key",
		[PEER_CLOSE_NOT_MEMBER] = "it does not know this node as a member",
		[PEER_CLOSE_NO_CONTROL] = "it waited in vain for the control stream",
		[PEER_CLOSE_WRONG_CLUSTER] = "it belongs to another cluster",
		[PEER_CLOSE_SHUTDOWN] = "it shut down",
		[PEER_CLOSE_VERSION] = PEER_OTHER_VERSION,
	};

	switch (ev->reason) {
	case QUIC_CLOSE_REMOTE_APP:
		if (ev->error < ARRAY_LEN(said))
			return said[ev->error];
		break;
	case QUIC_CLOSE_TIMEOUT:
	case QUIC_CLOSE_HANDSHAKE_TIMEOUT:
		return "no answer";
	case QUIC_CLOSE_REMOTE:
		if (!p->initiator)
			return "it was asked to connect";
		break;
	case QUIC_CLOSE_PIN:
		return "another machine answers at its address";
	case QUIC_CLOSE_RESET:
		return "it was restarted";
	case QUIC_CLOSE_LOCAL:
	case QUIC_CLOSE_TLS:
	case QUIC_CLOSE_PROTOCOL:
	case QUIC_CLOSE_INTERNAL:
		break;
	}
	snprintf(buf, cap, "connection closed: %.80s",
		 ev->detail[0] ? ev->detail : "no reason given");
	return buf;
}

static enum peer_loss loss_of(const struct quic_event *ev)
{
	switch (ev->reason) {
	case QUIC_CLOSE_RESET: /* only the peer can make one, and only without the connection */
		return PEER_LOST_ALIVE;
	case QUIC_CLOSE_TIMEOUT:
		return PEER_LOST_SILENT;
	case QUIC_CLOSE_REMOTE_APP:
		return ev->error == PEER_CLOSE_BYE ? PEER_LOST_SILENT : PEER_LOST_FAULT;
	case QUIC_CLOSE_REMOTE:
	case QUIC_CLOSE_HANDSHAKE_TIMEOUT:
	case QUIC_CLOSE_PIN:
	case QUIC_CLOSE_LOCAL:
	case QUIC_CLOSE_TLS:
	case QUIC_CLOSE_PROTOCOL:
	case QUIC_CLOSE_INTERNAL:
		return PEER_LOST_FAULT;
	}
	UNREACHABLE();
}

void peer_link_gone(struct peer *p, struct link *l, const struct quic_event *ev)
{
	char buf[128];
	struct peer_occasion by = { .why = why_closed(p, ev, buf, sizeof(buf)) };

	if (l->log_only) {
		peer_schedule(p);
		return;
	}
	if (p->active == l) {
		p->active = NULL;
		peer_reach_end(p);
		if (ev->reason == QUIC_CLOSE_REMOTE_APP && ev->error == PEER_CLOSE_SHUTDOWN)
			peer_step(p, PEER_EV_SHUTDOWN, &by);
		else
			peer_lost(p, by.why, loss_of(ev));
	} else if (!p->initiator && l->connected && ev->reason == QUIC_CLOSE_REMOTE) {
		peer_step(p, PEER_EV_KNOCK_HEARD, &by);
	} else {
		peer_step(p, PEER_EV_ENDED, &by);
	}
}

/*
 * Its key changed. The tunnel stays: both ends proved their keys when it was made. A connection
 * that is not up yet pins the old key, or has proved it: it begins again with the new one.
 */
void peer_rekeyed(struct peer *p)
{
	bool any = false;

	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		struct link *l = &p->links[i];

		if (!l->conn || (p->active == l && l->hello_got))
			continue;
		link_close(l, PEER_CLOSE_REPLACED, "its key changed");
		any = true;
	}
	if (any && !p->active)
		peer_step(p, PEER_EV_REKEYED, &(struct peer_occasion){ .why = "its key changed" });
}

/* --- time ------------------------------------------------------------------------------------ */

static void on_deadline(struct link *l)
{
	struct peer *p = l->peer;
	bool was_active = p->active == l;

	if (l->log_only) {
		link_close(l, PEER_CLOSE_BYE, "long enough for the log");
		return;
	}
	link_close(l, PEER_CLOSE_NO_CONTROL, "no control stream or hello in time");
	if (was_active)
		peer_lost(p, "it did not say hello", PEER_LOST_FAULT);
	else
		attempt_failed(p, "it was asked to connect and did not");
}

/* The wait is over. */
static void on_retry(struct peer *p)
{
	static const enum peer_event events[] = {
		[ATTEMPT_NOTHING] = PEER_EV_NOTHING,
		[ATTEMPT_DIRECT] = PEER_EV_BEGIN,
		[ATTEMPT_RELAY] = PEER_EV_BEGIN_RELAY,
	};
	struct peer_occasion by = { .why = "no address of it is known yet" };

	p->retry_at = TIME_NEVER;
	if (p->wanted)
		peer_step(p, events[attempts_prepare(p)], &by);
	else
		peer_step(p, PEER_EV_UNWANTED, NULL);
}

static void peer_on_timer(void *ctx)
{
	struct peer *p = ctx;
	uint64_t now = now_of(p);

	if (now >= p->waiting_until) {
		p->waiting_until = TIME_NEVER;
		send_give_up(&p->dest);
	}
	for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
		if (p->links[i].conn && now >= p->links[i].deadline)
			on_deadline(&p->links[i]);
	}
	if (now >= p->restart_test_at)
		peer_test_restart(p);
	if (now >= p->silent_at)
		give_up_silent(p);
	if (now >= p->next_at)
		peer_step(p, PEER_EV_TURN, NULL);
	if (now >= p->retry_at)
		on_retry(p);
	peer_schedule(p);
}

/* In large clusters tunnels that carry nothing are not kept. */
static bool is_unused(struct peer *p, uint64_t now)
{
	uint64_t packets = p->dest.rx_packets + p->dest.tx_packets;

	if (packets != p->packets_seen || peering_is_eager(p->g)) {
		p->packets_seen = packets;
		p->used_at = now;
	}
	return now - MAX(p->used_at, p->up_since) >= UNUSED_AFTER;
}

/*
 * Memory was short when the tunnel came up: then better paths are looked for from now on. A
 * connection that replaced a tunnel still needs its TLS for the hello.
 */
static void look_again(struct peer *p)
{
	struct link *l = p->active;

	if (l->conn && l->hello_got && !p->reach && peer_reach_start(l) == 0 && l->hello_sent)
		quic_conn_drop_tls(l->conn);
}

/* Death is what is sent and never answered (06-paths.md), not silence. */
void peer_watch(struct peer *p, uint64_t now)
{
	struct quic_conn_info info;
	struct liveness life;
	struct addr at;
	bool dead;

	if (!peer_is_up(p) || !p->active)
		return;
	ASSERT(peer_is_pushed(p));
	control_removals(p->active);
	if (path_of(p->active, &at) == PEER_PATH_DIRECT)
		met_at(p, &at);
	look_again(p);
	if (is_unused(p, now)) {
		link_close(p->active, PEER_CLOSE_BYE, "not used");
		peer_lost(p, "not used", PEER_LOST_SILENT);
		return;
	}
	quic_conn_info_get(p->active->conn, &info);
	life = (struct liveness){ info.srtt_ns, info.last_heard, info.unanswered_since };
	p->last_heard = MAX(liveness_heard(&life, &p->dest), 1);
	if (p->dest.records->forged > RECORD_FORGED_MAX) {
		link_close(p->active, PEER_CLOSE_BYE, "new keys");
		peer_lost(p, "too many forged records", PEER_LOST_SILENT);
		return;
	}
	dead = liveness_tunnel_is_dead(&life, &p->dest,
				       p->phase == PEERING_SUSPECT ? p->suspect_since : 0, now);
	if (p->phase == PEERING_SUSPECT && info.last_heard > p->suspect_since)
		peer_step(p, PEER_EV_HEARD, NULL);
	if (!dead)
		return;
	link_close(p->active, PEER_CLOSE_BYE, "no answer");
	peer_lost(p, "no answer", PEER_LOST_SILENT);
}

/* --- membership ------------------------------------------------------------------------------- */

void peer_expel(struct peer *p)
{
	struct peering *g = p->g;

	if (p->phase == PEERING_GONE)
		return;
	peer_step(p, PEER_EV_EXPEL, &(struct peer_occasion){ .why = "not a member any more" });
	list_remove(&p->in_overlay);
	list_append(&g->expelled, &p->in_overlay);
	deferred_call(g->bury); /* this may be an event of one of its connections */
}

/* What the server told of it is kept: nobody tells it again when the denial ends. */
void peer_bar(struct peer *p)
{
	struct peer_occasion by = { .why = "a removal that waits for its order denies it" };
	struct wire_candidates from_server = p->from_server;
	bool online = p->online;

	peer_step(p, PEER_EV_BAR, &by);
	p->from_server = from_server;
	p->online = online;
}

void peer_unbar(struct peer *p)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_BYE, "a tunnel may be built again");
	if (fib_add(&p->g->dp.fib, p->dest.address, &p->dest) < 0) {
		log_error(host_log(p->g->h), "%s: no memory for its route", p->member->name);
		return;
	}
	peer_step(p, PEER_EV_UNBAR, NULL);
	if (peering_is_eager(p->g))
		peer_want(p);
}

/* --- life ------------------------------------------------------------------------------------ */

int peer_new(struct peering *g, const struct member *m, struct peer **ret)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->g = g;
	p->member = m;
	p->initiator = g->self->address < m->address;
	p->relay.label = label_new(&g->labels);
	p->relay.renew = g->relay_work;
	dest_init(&p->dest, &g->dp, m->address, &p->relay);
	reach_budgets_init(&p->budgets, clock_now(g->h));
	bucket_init(&p->attempts, PEER_ATTEMPTS_PER_S, PEER_ATTEMPTS_BURST, clock_now(g->h));
	bucket_init(&p->reported, 1, 8, clock_now(g->h));
	bucket_init(&p->removals, REMOVALS_PER_S, REMOVALS_BURST, clock_now(g->h));
	p->next_at = p->retry_at = p->waiting_until = TIME_NEVER;
	p->silent_at = p->restart_test_at = TIME_NEVER;
	p->log_limit = (struct log_limit){ .period_ns = 60 * NS_PER_S, .burst = 3 };
	peer_tell_init(p);
	snprintf(p->detail, sizeof(p->detail), "no address of it is known yet");
	p->timer = timer_new(g->h, peer_on_timer, p);
	if (!p->timer) {
		free(p);
		return -ENOMEM;
	}
	list_append(&g->peers, &p->in_overlay);
	*ret = p;
	return 0;
}

void peer_close(struct peer *p)
{
	for (size_t i = 0; i < PEER_LINKS_MAX; i++)
		link_close(&p->links[i], PEER_CLOSE_SHUTDOWN, "shutting down");
	peer_reach_end(p);
	p->wanted = false;
	timer_set(p->timer, TIME_NEVER);
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	relay_forget(p);
	list_remove(&p->in_overlay);
	timer_free(p->timer);
	dest_fini(&p->dest);
	free(p);
}

void expelled_free(void *peering)
{
	struct peering *g = peering;

	list_for_each(it, &g->expelled)
		peer_free(list_entry(it, struct peer, in_overlay));
}
