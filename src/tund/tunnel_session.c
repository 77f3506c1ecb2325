/* SPDX-License-Identifier: MIT */
/* A tunnel's session with the signal server: what it tells, and when another one is tried. */
#include "tund/tunnel_internal.h"

#define ASK_AGAIN (86400 * NS_PER_S) /* whether a recovery made this node a member again */

static void on_session_state(void *ctx)
{
	struct tunnel *t = ctx;
	struct session_status s;

	session_status_get(t->session, &s);
	if (s.state == SESSION_UP)
		open_invites_session(t->invites, t->session);
	if (s.state == SESSION_UP && !t->session_up)
		overlay_relay_possible(t->overlay);
	if (t->session_up != (s.state == SESSION_UP))
		zone_session_changed(&t->zone, s.state == SESSION_UP);
	t->session_up = s.state == SESSION_UP;
	waiting_session(&t->waiting, t->session_up ? t->session : NULL);
	fresh_session(&t->fresh, t->session_up ? t->session : NULL);
	tunnel_changed(t);
}

static void on_session_log(void *ctx)
{
	struct tunnel *t = ctx;

	overlay_log_grew(t->overlay);
	tunnel_log_grew(t);
}

static void on_session_held(void *ctx, const struct mlog_held *held)
{
	struct tunnel *t = ctx;

	dated_held(&t->dated, held, NULL, session_now_s(t->session));
}

static void on_session_fork(void *ctx, const struct log_proof *proof)
{
	tunnel_report_fork(ctx, proof, NULL);
}

static enum removal_shown on_session_removal(void *ctx, struct span entry)
{
	return waiting_shown(&((struct tunnel *)ctx)->waiting, NULL, entry);
}

static void on_session_beacon(void *ctx, struct span beacon)
{
	fresh_shown(&((struct tunnel *)ctx)->fresh, NULL, beacon);
}

static void on_session_presence(void *ctx, const struct member *m, bool online,
				const struct wire_candidates *c)
{
	struct tunnel *t = ctx;

	if (m)
		overlay_presence(t->overlay, m, online, c);
	else
		overlay_presence_reset(t->overlay);
}

static void on_session_observed(void *ctx, const struct addr *a, const struct addr *server)
{
	overlay_observed(((struct tunnel *)ctx)->overlay, a, server);
}

static void on_session_relay(void *ctx, const struct member *m, const struct relay_end *end,
			     const struct err *why)
{
	struct tunnel *t = ctx;

	if (!end && why)
		log_debug(host_log(t->host), "%s: no relay to %s: %s", t->parts.cluster.cluster,
			  m ? m->name : "anybody", why->text);
	if (!m) {
		overlay_relay_reset(t->overlay);
		return;
	}
	overlay_relay(t->overlay, m, end, session_server(t->session));
}

static void on_session_server(void *ctx, const struct addr *addrs, size_t n)
{
	struct tunnel *t = ctx;

	t->server_known = n > 0;
	overlay_signal_addrs(t->overlay, addrs, n);
}

static void on_session_echo(void *ctx, const struct probe_keys *keys, const struct addr *server,
			    uint16_t port)
{
	overlay_echo(((struct tunnel *)ctx)->overlay, keys, server, port);
}

/* By the log this node left. A recovery may make it a member again: it asks seldom, and forever. */
static void on_session_stopped(void *ctx, const struct err *err)
{
	struct tunnel *t = ctx;

	tunnel_fail(t, err);
	timer_set_in(t->ask_again, ASK_AGAIN - random_below(t->host, ASK_AGAIN / 8));
}

static const struct session_ops session_ops = {
	.state = on_session_state,
	.log_grew = on_session_log,
	.removal = on_session_removal,
	.beacon = on_session_beacon,
	.held = on_session_held,
	.fork = on_session_fork,
	.presence = on_session_presence,
	.observed = on_session_observed,
	.relay = on_session_relay,
	.server = on_session_server,
	.echo = on_session_echo,
	.stopped = on_session_stopped,
};

/* --- making --- */

int tunnel_session_start(struct tunnel *t, struct err *err)
{
	struct wire_candidates own;
	int rc = session_new(t->host, overlay_socket(t->overlay), &t->parts.cluster,
			     t->parts.identity, t->parts.log, &session_ops, t, err, &t->session);

	if (rc < 0)
		return rc;
	overlay_candidates_get(t->overlay, &own);
	session_set_candidates(t->session, &own);
	return 0;
}

void tunnel_session_again(void *tunnel)
{
	struct tunnel *t = tunnel;
	struct session *old = t->session;
	struct err err = { 0 };

	if (tunnel_session_start(t, &err) < 0) {
		t->session = old;
		log_error(host_log(t->host), "%s: %s", t->parts.cluster.cluster, err.text);
		timer_set_in(t->ask_again, ASK_AGAIN);
		return;
	}
	waiting_forget_session(&t->waiting);
	fresh_session(&t->fresh, NULL);
	open_invites_session(t->invites, NULL); /* until the new one is up */
	session_free(old);
}
