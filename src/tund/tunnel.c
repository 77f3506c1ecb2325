/* SPDX-License-Identifier: MIT */
/* One cluster's tunnel: wires overlay, session, DNS and resolver together and keeps the state that
 * people are shown. */
#include "tund/tunnel.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/follow.h"
#include "tund/ping.h"
#include "tund/tunnel_internal.h"

void tunnel_changed(struct tunnel *t)
{
	if (t->ops->changed)
		t->ops->changed(t->ctx, t);
}

static void follow_roster(struct tunnel *t)
{
	struct roster_change c;

	while (roster_next_change(mlog_roster(t->parts.log), &t->roster, &c)) {
		if (c.kind == ROSTER_LEFT)
			pings_end_member(&t->pings, c.member);
		if (!let_back_note(&t->let_back, t->parts.log, &t->parts.cluster.node_id, &c,
				   t->roster))
			continue;
		if (t->let_back.line[0])
			log_warn(host_log(t->host), "%s: %s", t->parts.cluster.cluster,
				 t->let_back.line);
		if (t->ops->let_back_changed)
			t->ops->let_back_changed(t->ctx, t);
	}
}

static void on_waiting(void *ctx)
{
	struct tunnel *t = ctx;

	if (t->ops->denials_changed)
		t->ops->denials_changed(t->ctx, t);
	tunnel_changed(t);
}

void tunnel_log_grew(struct tunnel *t)
{
	(void)follow_log(&t->parts.cluster, t->parts.log);
	follow_roster(t);
	tunnel_fork_log_grew(t);
	waiting_log_grew(&t->waiting);
	submits_log_grew(&t->submits);
	fresh_log_grew(&t->fresh);
	dated_log_grew(&t->dated, t->session && session_is_current(t->session),
		       t->session ? session_now_s(t->session) : 0);
	open_invites_log_grew(t->invites);
	if (t->ops->log_grew)
		t->ops->log_grew(t->ctx, t);
	tunnel_changed(t);
}

void tunnel_fail(struct tunnel *t, const struct err *err)
{
	if (t->failed)
		return; /* the first reason is the one */
	t->failed = true;
	snprintf(t->failure, sizeof(t->failure), "%s", err->text);
	log_error(host_log(t->host), "%s: stopped: %s", t->parts.cluster.cluster, err->text);
	tunnel_changed(t);
}

/* --- events of the overlay --- */

static void on_overlay_log(void *ctx)
{
	struct tunnel *t = ctx;

	if (t->session)
		session_log_grew(t->session);
	tunnel_log_grew(t);
}

/* Without a session, as the tunnel ends, nothing is taken. */
static uint64_t on_overlay_latest(void *ctx)
{
	struct tunnel *t = ctx;

	return t->session ? session_now_s(t->session) + CLOCK_AHEAD_MAX_S : 0;
}

static void on_overlay_held(void *ctx, const struct mlog_held *held, const struct member *from)
{
	struct tunnel *t = ctx;

	if (t->session)
		dated_held(&t->dated, held, from, session_now_s(t->session));
}

static void on_overlay_fork(void *ctx, const struct log_proof *proof, const struct member *from)
{
	tunnel_report_fork(ctx, proof, from->name);
}

static void on_overlay_candidates(void *ctx, const struct wire_candidates *c)
{
	struct tunnel *t = ctx;

	if (t->session)
		session_set_candidates(t->session, c);
}

static const struct addr *on_overlay_relay_server(void *ctx)
{
	return session_server(((struct tunnel *)ctx)->session);
}

static bool on_overlay_relay_wanted(void *ctx, const struct member *m)
{
	struct tunnel *t = ctx;
	int rc = t->session ? session_relay_open(t->session, m) : -ENOTCONN;

	if (rc < 0 && rc != -ENOTCONN)
		log_limited(host_log(t->host), &t->relay_limit, clock_now(t->host), LOG_LEVEL_WARN,
			    "%s: no relay to %s: there is no memory, or too many relays are open",
			    t->parts.cluster.cluster, m->name);
	return rc == 0;
}

static void on_overlay_echo_wanted(void *ctx)
{
	struct tunnel *t = ctx;

	if (t->session)
		session_echo(t->session);
}

static void on_overlay_peer(void *ctx, const struct member *m)
{
	struct tunnel *t = ctx;

	pings_path_changed(&t->pings, m);
	tunnel_changed(t);
}

static void on_overlay_pong(void *ctx, const struct member *m, uint64_t nonce, enum peer_path path,
			    const struct addr *from)
{
	pings_answered(&((struct tunnel *)ctx)->pings, m, nonce, path, from);
}

static void on_overlay_network(void *ctx)
{
	struct tunnel *t = ctx;

	if (t->session)
		session_kick(t->session);
}

static void on_overlay_network_state(void *ctx)
{
	tunnel_changed(ctx);
}

static void on_overlay_device(void *ctx)
{
	struct tunnel *t = ctx;

	zone_device_changed(&t->zone);
	tunnel_changed(t);
}

/* --- removals without order --- */

static bool on_denied(void *ctx, const struct member *m)
{
	return waiting_denies(&((struct tunnel *)ctx)->waiting, m);
}

int tunnel_deny(struct tunnel *t, struct span entry, struct err *err)
{
	return waiting_take(&t->waiting, entry, err);
}

static enum removal_shown on_overlay_removal(void *ctx, const struct member *from,
					     struct span entry)
{
	return waiting_shown(&((struct tunnel *)ctx)->waiting, from, entry);
}

static struct span on_overlay_removal_next(void *ctx, uint64_t *serial)
{
	return denials_next(((struct tunnel *)ctx)->waiting.held, serial);
}

/* --- beacons --- */

static void on_overlay_beacon(void *ctx, const struct member *from, struct span beacon)
{
	fresh_shown(&((struct tunnel *)ctx)->fresh, from, beacon);
}

static struct span on_overlay_beacon_next(void *ctx, uint64_t *serial)
{
	return beacons_next(((struct tunnel *)ctx)->fresh.held, serial);
}

static void on_fresh(void *ctx)
{
	tunnel_changed(ctx);
}

/* --- this node's own membership --- */

static void note_left(struct tunnel *t)
{
	char text[MEMBER_LEFT_TEXT_MAX];
	struct err err = { 0 };

	t->left = true;
	err_set(&err, -EACCES, "this node is not in the cluster any more: %s",
		member_left_text(mlog_roster(t->parts.log), t->self, text));
	tunnel_fail(t, &err);
}

/* Only the log says so, never the server. The overlay gives the host back what it had. */
static void on_overlay_membership(void *ctx, bool in)
{
	struct tunnel *t = ctx;

	if (in) {
		log_info(host_log(t->host), "%s: a recovery made this node a member again",
			 t->parts.cluster.cluster);
		t->failed = t->left = false;
		t->failure[0] = '\0';
		zone_start(&t->zone);
		tunnel_changed(t);
		return;
	}
	pings_end(&t->pings);
	zone_stop(&t->zone);
	note_left(t);
}

static void on_overlay_fence(void *ctx)
{
	struct tunnel *t = ctx;

	zone_fence_changed(&t->zone);
	tunnel_changed(t);
}

static bool on_overlay_senior(void *ctx, ip4 ip, char *what)
{
	struct tunnel *t = ctx;

	return t->ops->senior && t->ops->senior(t->ctx, ip, what);
}

static void on_overlay_claim(void *ctx, ip4 ip)
{
	struct tunnel *t = ctx;

	if (t->ops->claim)
		t->ops->claim(t->ctx, ip);
}

static const struct overlay_ops overlay_ops = {
	.log_grew = on_overlay_log,
	.latest_s = on_overlay_latest,
	.held = on_overlay_held,
	.fork = on_overlay_fork,
	.candidates = on_overlay_candidates,
	.relay_wanted = on_overlay_relay_wanted,
	.echo_wanted = on_overlay_echo_wanted,
	.relay_server = on_overlay_relay_server,
	.peer_changed = on_overlay_peer,
	.fence_changed = on_overlay_fence,
	.membership = on_overlay_membership,
	.denied = on_denied,
	.senior = on_overlay_senior,
	.claim = on_overlay_claim,
	.removal = on_overlay_removal,
	.removal_next = on_overlay_removal_next,
	.beacon = on_overlay_beacon,
	.beacon_next = on_overlay_beacon_next,
	.pong = on_overlay_pong,
	.network_changed = on_overlay_network,
	.network_state = on_overlay_network_state,
	.device_changed = on_overlay_device,
};

/* --- host events --- */

static void on_invites_change(void *ctx)
{
	struct tunnel *t = ctx;

	if (t->ops->invites_changed)
		t->ops->invites_changed(t->ctx, t);
}

int tunnel_invite_made(struct tunnel *t, const struct invite_note *n)
{
	return open_invites_add(t->invites, n);
}

int tunnel_submit(struct host *h, struct tunnel *t, struct span entry,
		  const struct submit_config *cfg, struct err *err, struct submit **ret)
{
	struct submit_config c = *cfg;

	c.log = t->parts.log;
	c.session = &t->session;
	c.waiting = &t->waiting;
	return submit_new(h, &c, entry, &t->submits, err, ret);
}

/* --- making and ending --- */

static void on_zone(void *ctx)
{
	tunnel_changed(ctx);
}

static int tunnel_start(struct tunnel *t, const struct tunnel_options *options, struct err *err)
{
	struct overlay_config oc = {
		.identity = t->parts.identity,
		.log = t->parts.log,
		.self = t->self,
		.port = options->known ? options->known->port : 0,
		.fixed_port = options->fixed_port,
		.no_port_mapping = options->no_port_mapping,
		.device = options->device,
		.spare_device = options->spare_device,
		.ops = &overlay_ops,
		.ctx = t,
	};
	struct open_invites_config invites = {
		.log = t->parts.log,
		.identity = t->parts.identity,
		.cluster = &t->parts.cluster,
		.list = options->invites,
		.changed = on_invites_change,
		.ctx = t,
	};
	char warning[OVERLAY_WARNING_MAX];
	int rc = overlay_new(t->host, &oc, warning, err, &t->overlay);

	if (rc < 0)
		return rc;
	t->waiting.overlay = t->overlay;
	fresh_begin(&t->fresh, t->overlay);
	t->dated.overlay = t->overlay;
	if (warning[0])
		log_warn(host_log(t->host), "%s: %s", t->parts.cluster.cluster, warning);
	if (open_invites_new(t->host, &invites, &t->invites) < 0)
		return err_set(err, -ENOMEM, "no memory for a tunnel");
	t->ask_again = timer_new(t->host, tunnel_session_again, t);
	if (!t->ask_again)
		return err_set(err, -ENOMEM, "no memory for a tunnel");
	rc = tunnel_session_start(t, err);
	if (rc < 0)
		return rc;
	if (options->known)
		peers_file_give(options->known, t->overlay);
	t->zone = (struct zone){ .host = t->host,
				 .log = t->parts.log,
				 .self = t->self,
				 .denied = on_denied,
				 .overlay = t->overlay,
				 .changed = on_zone,
				 .ctx = t,
				 .signal_host = t->parts.cluster.signal_host };
	if (member_is_current(t->self))
		zone_start(&t->zone);
	else
		note_left(t);
	return 0;
}

int tunnel_new(struct host *h, struct tunnel_parts *p, const struct tunnel_options *options,
	       const struct tunnel_ops *ops, void *ctx, struct err *err, struct tunnel **ret)
{
	struct tunnel *t;
	int rc = tunnel_parts_check(p, err);

	if (rc < 0)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, -ENOMEM, "no memory for a tunnel");
	t->host = h;
	t->parts = *p;
	(void)follow_log(&t->parts.cluster, t->parts.log);
	t->ops = ops;
	t->ctx = ctx;
	t->started = clock_now(h);
	t->relay_limit = (struct log_limit){ .period_ns = 60 * NS_PER_S };
	t->waiting = (struct waiting){ .host = h, .log = p->log, .changed = on_waiting, .ctx = t };
	t->fresh = (struct fresh){ .host = h,
				   .log = p->log,
				   .identity = p->identity,
				   .self = p->cluster.node_id,
				   .changed = on_fresh,
				   .ctx = t };
	t->dated = (struct dated){ .host = h, .log = p->log, .changed = on_fresh, .ctx = t };
	if (waiting_init(&t->waiting) < 0 || fresh_init(&t->fresh) < 0 ||
	    dated_init(&t->dated) < 0) {
		waiting_fini(&t->waiting);
		fresh_fini(&t->fresh);
		free(t);
		return err_set(err, -ENOMEM, "no memory for a tunnel");
	}
	list_init(&t->pings);
	list_init(&t->submits);
	t->roster = roster_now(mlog_roster(p->log));
	if (options->let_back)
		let_back_recall(&t->let_back, p->log, options->let_back);
	t->self = roster_by_id(mlog_roster(p->log), &p->cluster.node_id, ROSTER_ALL);
	rc = tunnel_start(t, options, err);
	if (rc < 0) {
		t->parts.identity = NULL; /* still the caller's */
		t->parts.log = NULL;
		tunnel_free(t);
		return rc;
	}
	secret_wipe(p, sizeof(*p));
	*ret = t;
	return 0;
}

void tunnel_free(struct tunnel *t)
{
	if (!t)
		return;
	pings_end(&t->pings);
	if (t->session)
		submits_end(&t->submits);
	zone_stop(&t->zone);
	overlay_close(t->overlay);
	timer_free(t->ask_again);
	fresh_session(&t->fresh, NULL);
	session_free(t->session);
	t->session = NULL;
	open_invites_free(t->invites);
	t->fresh.overlay = t->dated.overlay = NULL;
	overlay_free(t->overlay);
	waiting_fini(&t->waiting);
	fresh_fini(&t->fresh);
	dated_fini(&t->dated);
	tunnel_parts_free(&t->parts);
	free(t);
}
