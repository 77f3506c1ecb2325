/* SPDX-License-Identifier: MIT */
/* Making and undoing a cluster's overlay, and what its owner tells it. */
#include "overlay/internal.h"
#include "overlay/peering/link.h"
#include "overlay/peering/path.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"
#include "overlay/peering/relay.h"
#include "overlay/peering/effects.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNS_MAX 4096
#define SOCKET_BUFFER_BYTES (4u << 20)
#define FOLLOW_AGAIN (5 * NS_PER_S) /* after memory was short */

static const struct quic_profile *const serve[] = { &peer_profile, NULL };

/* --- the socket's questions ------------------------------------------------------------------ */

static struct peer *peer_of_key(const struct overlay *o, const uint8_t key_sha256[HASH_LEN])
{
	const struct member *m = roster_by_key_sha256(mlog_roster(o->peering.log), key_sha256,
						      ROSTER_CURRENT);

	return m && m != o->peering.self ? peer_of_address(&o->peering, m->address) : NULL;
}

static bool on_key_allowed(void *ctx, const struct quic_profile *profile,
			   const uint8_t key_sha256[HASH_LEN])
{
	const struct overlay *o = ctx;

	(void)profile;
	return peer_of_key(o, key_sha256) || log_link_allowed(&o->peering, key_sha256);
}

static bool on_accepted(void *ctx, struct quic_conn *c, const struct quic_profile *profile,
			const struct quic_conn_ops **ret_ops, void **ret_ctx)
{
	struct overlay *o = ctx;
	struct peer *p = peer_of_key(o, quic_conn_peer_key_sha256(c));

	(void)profile;
	return p ? peer_accept(p, c, ret_ops, ret_ctx)
		 : log_link_accept(&o->peering, c, ret_ops, ret_ctx);
}

static void on_writable(void *ctx)
{
	struct overlay *o = ctx;

	outbound_pump(&o->peering.dp);
}

static int open_socket(struct overlay *o, const struct overlay_config *cfg, struct err *err)
{
	struct quic_socket_config qc = {
		.identity = cfg->identity,
		.udp = { .bind = cfg->bind,
			 .rcvbuf_bytes = SOCKET_BUFFER_BYTES,
			 .sndbuf_bytes = SOCKET_BUFFER_BYTES / 4 },
		.serve = serve,
		.max_conns = CONNS_MAX,
		.key_allowed = on_key_allowed,
		.accepted = on_accepted,
		.router = &o->peering.router,
		.others = demux_others,
		.writable = on_writable,
		.ctx = o,
	};

	struct err taken = { 0 };
	int rc;

	/* Peers, NATs and firewalls know it, and what peers still send gets an answer. */
	qc.udp.bind.port = cfg->fixed_port ? cfg->fixed_port : cfg->port;
	if (cfg->fixed_port)
		return quic_socket_open(o->peering.h, &qc, err, &o->peering.socket);
	if (cfg->port && quic_socket_open(o->peering.h, &qc, &taken, &o->peering.socket) == 0)
		return 0;
	qc.udp.bind.port = cfg->bind.port;
	rc = quic_socket_open(o->peering.h, &qc, err, &o->peering.socket);
	if (rc == 0 && cfg->port)
		log_info(host_log(o->peering.h), "UDP port %u instead of the one used before: %s",
			 (unsigned)quic_socket_local(o->peering.socket).port, taken.text);
	return rc;
}

/* --- peers ----------------------------------------------------------------------------------- */

/* Calls `tell` for each connection over which messages of the log may go. */
static void each_log_link(struct overlay *o, void (*tell)(struct link *l))
{
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		for (size_t i = 0; i < PEER_LINKS_MAX; i++) {
			struct link *l = &p->links[i];

			if (l->conn && l->hello_got && (l == p->active || l->log_only))
				tell(l);
		}
	}
}

void overlay_log_grew(struct overlay *o)
{
	struct err err = { 0 };

	if (members_follow(o, &err) < 0) {
		log_error(host_log(o->peering.h), "cannot follow the members, will try again: %s",
			  err.text);
		timer_set_in(o->follow, FOLLOW_AGAIN);
	}
	members_bar(o);
	repair_look(o);
	each_log_link(o, control_push);
}

void overlay_removal(struct overlay *o)
{
	each_log_link(o, control_removals);
}

void overlay_beacon(struct overlay *o)
{
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->conn)
			control_beacons(p->active);
	}
}

size_t overlay_ask_log(struct overlay *o)
{
	size_t n = 0;

	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (!p->active || !p->active->conn)
			continue;
		control_ask_log(p->active);
		n++;
	}
	return n;
}

void overlay_denials_changed(struct overlay *o)
{
	members_bar(o);
	repair_look(o);
}

static void log_learnt(struct peering *g)
{
	struct overlay *o = container_of(g, struct overlay, peering);

	overlay_log_grew(o);
	o->peering.ops->log_grew(o->peering.ctx);
}

void overlay_signal_addrs(struct overlay *o, const struct addr *addrs, size_t n)
{
	netsetup_signal(&o->net, addrs, n);
	repair_look(o);
}

/* --- what the owner says --------------------------------------------------------------------- */

void overlay_presence(struct overlay *o, const struct member *m, bool online,
		      const struct wire_candidates *c)
{
	struct peer *p = peer_of_member(&o->peering, m);

	if (!p)
		return;
	if (p->phase == PEERING_BARRED) { /* for when it is not any more */
		p->online = online;
		if (c && c->n > 0)
			p->from_server = *c;
		return;
	}
	if (online)
		p->relay.asked_at = 0;
	if (online && !p->online)
		peer_step(p, PEER_EV_ONLINE, NULL);
	bool news = c && c->n > 0 && !wire_candidates_equal(c, &p->from_server);

	p->online = online;
	if (news)
		p->from_server = *c;
	peer_reach_candidates(p);
	if (online || news)
		peer_kick(p);
}

void overlay_presence_reset(struct overlay *o)
{
	list_for_each(it, &o->peering.peers)
		list_entry(it, struct peer, in_overlay)->online = false;
}

void overlay_network_changed(struct overlay *o)
{
	effects_around(&o->peering, surroundings_moved(&o->peering.around));
	path_budgets_renew(&o->peering);
	if (o->fence)
		fence_network_changed(o->fence);
	if (o->peering.around.mapper)
		mapper_network_changed(o->peering.around.mapper);
	effects_refresh(&o->peering);
	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		peer_step(p, PEER_EV_MOVED, NULL);
		peer_kick(p);
	}
}

/* --- life ------------------------------------------------------------------------------------ */

static void on_watch(void *ctx)
{
	struct overlay *o = ctx;
	uint64_t now = clock_now(o->peering.h);
	bool again = false;

	list_for_each(it, &o->peering.peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		peer_watch(p, now);
		peer_tell_log(p);
		again |= peer_is_up(p);
	}
	if (again)
		timer_set_in(o->peering.watch, WATCH_PERIOD);
}

static int make_tables(struct overlay *o, struct err *err)
{
	uint8_t seed[2][16];

	random_fill(o->peering.h, seed, sizeof(seed));
	o->peering.channels = map_new(seed[0], RELAY_CHANNEL_LEN, MEMBERS_MAX);
	o->peering.tags = map_new(seed[1], PROBE_TAG_LEN, MEMBERS_MAX);
	if (!o->peering.channels || !o->peering.tags)
		return err_set(err, -ENOMEM, "no memory for an overlay");
	return 0;
}

/* --- what the packet path notices ------------------------------------------------------------ */

static void packet_waits(struct peer *p)
{
	if (p->waiting_until == TIME_NEVER)
		p->waiting_until = clock_now(p->g->h) + PEER_WAITING_TIME;
	peer_want(p);
	peer_schedule(p);
}

static void on_events(void *ctx)
{
	struct overlay *o = ctx;
	struct dest *d;
	unsigned events;

	while ((d = datapath_event(&o->peering.dp, &events)) != NULL) {
		struct peer *p = container_of(d, struct peer, dest);

		if (events & DEST_WANTED)
			packet_waits(p);
		if ((events & DEST_TRAFFIC) && p->reach)
			peer_reach_wake(p);
		if (events & DEST_MOVED)
			peer_heard_at(p, &d->heard_at);
	}
	if (o->peering.dp.tun_gone)
		repair_device_gone(o);
	o->peering.dp.tun_gone = false;
}

static int make_packet_path(struct overlay *o, struct err *err)
{
	int rc = datapath_init(&o->peering.dp, o->peering.h, on_events, o);

	return rc < 0 ? err_set(err, rc, "no memory for the packet path") : 0;
}

/* --- the host's network ---------------------------------------------------------------------- */

static void on_network(void *ctx)
{
	struct overlay *o = ctx;

	overlay_network_changed(o);
	if (o->peering.ops->network_changed)
		o->peering.ops->network_changed(o->peering.ctx);
}

static size_t put_destinations(const struct wire_candidates *c, struct addr *out, size_t n,
			       size_t max)
{
	for (size_t i = 0; i < c->n && n < max; i++)
		out[n++] = c->item[i];
	return n;
}

/* Where packets go: routes to these concern us. The server and the paths in use come first. */
static size_t destinations(void *ctx, struct addr *out, size_t max)
{
	const struct overlay *o = ctx;
	const struct addr *server = overlay_relay_server(o);
	size_t n = 0;

	if (server)
		out[n++] = *server;
	for (size_t i = 0; i < o->net.n_signal; i++)
		out[n++] = addr_v4(o->net.signal[i], 0);
	list_for_each(it, &o->peering.peers) {
		const struct peer *p = list_entry(it, struct peer, in_overlay);

		if (n < max && !addr_is_unset(&p->last_good))
			out[n++] = p->last_good;
	}
	list_for_each(it, &o->peering.peers) {
		const struct peer *p = list_entry(it, struct peer, in_overlay);

		n = put_destinations(&p->from_peer, out, n, max);
		n = put_destinations(&p->from_server, out, n, max);
	}
	return n;
}

/* Among what changed there may be a bridge of containers, or one that leads elsewhere now. */
static void on_touched(void *ctx)
{
	struct overlay *o = ctx;

	if (o->fence && !o->peering.closing)
		fence_network_changed(o->fence);
	repair_look(o);
}

static int watch_network(struct overlay *o, struct err *err)
{
	struct netwatch_config nc = {
		.subnet = mlog_genesis(o->peering.log)->subnet,
		.changed = on_network,
		.touched = on_touched,
		.destinations = destinations,
		.ctx = o,
	};

	o->netwatch = netwatch_new(o->peering.h, &nc);
	return o->netwatch ? 0 : err_set(err, -EIO, "cannot watch this host's network");
}

static void on_relay_work(void *ctx)
{
	struct overlay *o = ctx;

	demux_early(o);
	relay_renew(&o->peering);
}

static void on_follow(void *ctx)
{
	overlay_log_grew(ctx);
}

static int make_timers(struct overlay *o, struct err *err)
{
	o->follow = timer_new(o->peering.h, on_follow, o);
	o->peering.watch = timer_new(o->peering.h, on_watch, o);
	o->peering.relay_work = deferred_new(o->peering.h, on_relay_work, o);
	o->peering.bury = deferred_new(o->peering.h, expelled_free, &o->peering);
	o->repair.timer = timer_new(o->peering.h, repair_look, o);
	if (!o->peering.watch || !o->peering.relay_work || !o->peering.bury || !o->repair.timer ||
	    !o->follow)
		return err_set(err, -ENOMEM, "no memory for an overlay");
	return 0;
}

int overlay_new(struct host *h, const struct overlay_config *cfg, char *ret_warning,
		struct err *err, struct overlay **ret)
{
	struct overlay *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return err_set(err, -ENOMEM, "no memory for an overlay");
	ret_warning[0] = '\0';
	o->peering.h = h;
	o->peering.log = cfg->log;
	o->peering.self = cfg->self;
	o->left = !member_is_current(o->peering.self);
	o->net.denied = cfg->ops->denied;
	o->net.senior = cfg->ops->senior;
	o->net.claim = cfg->ops->claim;
	o->net.ctx = cfg->ctx;
	o->no_port_mapping = cfg->no_port_mapping;
	o->device = cfg->device;
	o->spare_device = cfg->spare_device;
	o->peering.ops = cfg->ops;
	o->peering.log_learnt = log_learnt;
	o->peering.link_ops = &link_ops;
	o->peering.ctx = cfg->ctx;
	list_init(&o->peering.peers);
	list_init(&o->peering.expelled);
	surroundings_init(&o->peering.around, h, mlog_genesis(o->peering.log)->subnet);
	router_init(&o->peering);
	rc = make_timers(o, err);
	if (rc == 0)
		rc = make_packet_path(o, err);
	if (rc == 0)
		rc = make_tables(o, err);
	if (rc == 0)
		rc = open_socket(o, cfg, err);
	o->peering.dp.socket = o->peering.socket;
	if (rc == 0 && effects_begin(&o->peering) < 0)
		rc = err_set(err, -ENOMEM, "no memory for an overlay");
	if (rc == 0)
		rc = watch_network(o, err);
	if (rc == 0 && !o->left)
		rc = repair_start(o, err);
	if (rc == 0) {
		datapath_offloads(&o->peering.dp);
		rc = members_begin(o, err);
	}
	if (rc == 0) {
		members_bar(o);
		rc = overlay_start_mapper(o, err);
	}
	if (rc < 0) {
		overlay_free(o);
		return rc;
	}
	if (overlay_conflict(o, 0))
		snprintf(ret_warning, OVERLAY_WARNING_MAX, "%s", overlay_conflict(o, 0));
	effects_refresh(&o->peering);
	*ret = o;
	return 0;
}

void overlay_close(struct overlay *o)
{
	if (!o)
		return;
	o->peering.closing = o->peering.dp.closing = true;
	list_for_each(it, &o->peering.peers)
		peer_close(list_entry(it, struct peer, in_overlay));
}

void overlay_free(struct overlay *o)
{
	if (!o)
		return;
	overlay_close(o);
	list_for_each(it, &o->peering.peers)
		peer_free(list_entry(it, struct peer, in_overlay));
	expelled_free(&o->peering);
	mapper_free(o->peering.around.mapper);
	quic_socket_close(o->peering.socket);
	repair_stop(o);
	netwatch_free(o->netwatch);
	datapath_fini(&o->peering.dp);
	timer_free(o->peering.watch);
	timer_free(o->follow);
	timer_free(o->repair.timer);
	surroundings_fini(&o->peering.around);
	deferred_free(o->peering.relay_work);
	deferred_free(o->peering.bury);
	map_free(o->peering.channels);
	map_free(o->peering.tags);
	free(o);
}
