/* SPDX-License-Identifier: MIT */
/* Status as JSON: always what is true now, with the age of what was last verified, never a
 * remembered "connected". */
#include <stdio.h>
#include <stdlib.h>

#include "base/version.h"
#include "membership/deny.h"
#include "os/fence.h"
#include "tund/dated.h"
#include "tund/fresh.h"
#include "tund/report_put.h"

static struct json_object *report_peer(uint64_t now, const struct peer_status *p)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "name", p->member->name);
	put_ip4(o, "address", p->member->address);
	put_str(o, "state", peer_state_name(p->state));
	put_bool(o, "online", p->online || p->state == PEER_UP);
	put_str(o, "path", report_path_name(p->path));
	put_addr(o, "endpoint", &p->endpoint);
	put_ms(o, "rtt_ms", p->rtt_ns);
	put_age(o, "last_heard_s", now, p->last_heard);
	put_age(o, "uptime_s", now, p->up_since);
	put_int(o, "rx_bytes", p->rx_bytes);
	put_int(o, "tx_bytes", p->tx_bytes);
	put_int(o, "rx_packets", p->rx_packets);
	put_int(o, "tx_packets", p->tx_packets);
	put_str(o, "key_exchange", p->group[0] ? p->group : NULL);
	put_str(o, "detail", p->detail);
	return o;
}

static struct json_object *report_signal(uint64_t now, const struct tunnel *t)
{
	static const char *const names[] = { "connecting", "connected", "reconnecting", "stopped" };
	const struct cluster_file *f = tunnel_cluster(t);
	struct json_object *o = json_object_new_object();
	struct session_status s;
	struct place home = place_of(f->signal_host, f->signal_port);
	char text[PLACE_TEXT_MAX];
	bool failed;

	session_status_get(tunnel_session(t), &s);
	failed = s.state != SESSION_UP && s.last_err.code;
	put_str(o, "host", place_format(&home, text));
	put_str(o, "moved_to", s.moved.host[0] ? place_format(&s.moved, text) : NULL);
	put_str(o, "state", names[s.state]);
	put_addr(o, "endpoint", &s.server);
	put_age(o, "since_s", now, s.since);
	put_age(o, "last_verified_s", now, s.last_verified);
	put_ms(o, "rtt_ms", s.rtt_ns);
	put_addr(o, "observed", &s.observed);
	put_str(o, "key_exchange", s.group[0] ? s.group : NULL);
	put_bits(o, "features", s.state == SESSION_UP, s.features);
	put_str(o, "error", failed ? s.last_err.text : NULL);
	put_str(o, "reason", failed && s.last_err.reason ? refusal_name(s.last_err.reason) : NULL);
	return o;
}

static struct json_object *report_fence(const struct tunnel *t)
{
	static const char *const names[] = { "up", "unavailable", "refused" };
	struct fence *f = overlay_fence(tunnel_overlay(t));
	struct json_object *o = json_object_new_object();

	put_str(o, "state", names[fence_state_get(f)]);
	put_str(o, "detail", fence_detail(f));
	put_int(o, "dropped", fence_dropped(f));
	return o;
}

/* The newest beacon, and the record that one names and this node lacks. */
static void put_news(struct json_object *o, struct host *h, const struct tunnel *t)
{
	struct json_object *unseen = NULL;
	struct fresh_status f;
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(h), 0);

	tunnel_fresh(t, &f);
	put_str(o, "news_by", f.by ? f.by->name : NULL);
	if (f.by)
		put_int(o, "news_s", now_s > f.time_s ? now_s - f.time_s : 0);
	else
		put_str(o, "news_s", NULL);
	if (f.unseen_by) {
		unseen = json_object_new_object();
		put_int(unseen, "record", f.unseen_seq);
		put_str(unseen, "by", f.unseen_by->name);
		put_age(unseen, "since_s", clock_now(h), f.unseen_since);
	}
	json_object_object_add(o, "unseen", unseen);
}

/* Records of which the dates do not fit: what is held back, and what came late. */
static void put_dated(struct json_object *o, const struct tunnel *t)
{
	struct json_object *held = NULL, *late = NULL;
	uint64_t now_s = session_now_s(tunnel_session(t));
	struct dated_status d;

	tunnel_dated(t, &d);
	if (d.held.seq > 0) {
		held = json_object_new_object();
		put_int(held, "record", d.held.seq);
		put_str(held, "by", d.by ? d.by->name : NULL);
		put_int(held, "dated", d.held.time_s);
		put_int(held, "ahead_s", d.held.time_s - MIN(now_s, d.held.time_s));
	}
	if (d.late_seq > 0) {
		late = json_object_new_object();
		put_int(late, "record", d.late_seq);
		put_int(late, "dated", d.late_time_s);
		put_int(late, "came", d.late_at_s);
	}
	json_object_object_add(o, "held", held);
	json_object_object_add(o, "late", late);
}

/* Null if it is "". */
static void put_line(struct json_object *o, const char *name, const char *line)
{
	put_str(o, name, line[0] ? line : NULL);
}

/* What proofs are kept of, those from before a recovery included. */
static struct json_object *report_proofs(const struct proofs *p)
{
	static const char *const names[PROOF_KINDS] = { "server", "recovery-code" };
	struct json_object *list = json_object_new_array();

	for (int kind = 0; kind < PROOF_KINDS; kind++)
		if (p->of[kind].kept)
			json_object_array_add(list, json_object_new_string(names[kind]));
	return list;
}

static struct json_object *report_log(struct host *h, const struct tunnel *t,
				      const struct proofs *proofs)
{
	struct json_object *o = json_object_new_object();
	struct head head = mlog_head(tunnel_log(t));
	char hex[2 * HASH_LEN + 1];

	hex_encode(mlog_cluster_id(tunnel_log(t)), HASH_LEN, hex);
	put_str(o, "cluster_id", hex);
	put_int(o, "entries", mlog_count(tunnel_log(t)));
	put_int(o, "generation", mlog_generation(tunnel_log(t)));
	hex_encode(head.hash, HASH_LEN, hex);
	put_str(o, "head", hex);
	put_line(o, "fork", tunnel_fork(t, PROOF_SERVER));
	put_line(o, "code_misused", tunnel_fork(t, PROOF_CODE));
	put_line(o, "let_back", tunnel_let_back(t)->line);
	json_object_object_add(o, "proofs", report_proofs(proofs));
	put_news(o, h, t);
	put_dated(o, t);
	return o;
}

/* Nodes that joined with an invite of ours for an admin, and were never made one. */
static struct json_object *report_promotions(const struct tunnel *t)
{
	const struct roster *roster = mlog_roster(tunnel_log(t));
	const struct member *self = tunnel_self(t), *m;
	struct json_object *list = json_object_new_array();

	for (m = NULL; (m = roster_next(roster, m, ROSTER_CURRENT));)
		if (self->role == ROLE_ADMIN && node_id_equal(&m->sponsor, &self->id) &&
		    member_awaits_promotion(m))
			json_object_array_add(list, json_object_new_string(m->name));
	return list;
}

static struct json_object *report_repairs(uint64_t now, const struct tunnel *t)
{
	struct json_object *o = json_object_new_object();
	struct overlay_repairs r;

	overlay_repairs_get(tunnel_overlay(t), &r);
	put_int(o, "count", r.count);
	put_age(o, "last_s", now, r.last);
	put_str(o, "what", r.what[0] ? r.what : NULL);
	put_str(o, "missing", r.missing[0] ? r.missing : NULL);
	put_str(o, "error", r.failure[0] ? r.failure : NULL);
	if (r.broken)
		put_seconds(o, "next_s", r.next_ns);
	else
		put_str(o, "next_s", NULL);
	return o;
}

/* Removals that no server has ordered: this node denies their targets all the same. */
static struct json_object *report_waiting(const struct tunnel *t)
{
	const struct denials *d = tunnel_denials(t);
	const struct roster *r = mlog_roster(tunnel_log(t));
	struct json_object *list = json_object_new_array();
	const struct member *m, *author;
	struct node_id by;
	uint64_t since_s;

	if (denials_count(d) == 0)
		return list;
	for (m = NULL; (m = roster_next(r, m, ROSTER_CURRENT));) {
		struct json_object *one;

		if (!denials_author(d, &m->id, &by, &since_s))
			continue;
		author = roster_by_id(r, &by, ROSTER_ALL);
		one = json_object_new_object();
		put_str(one, "name", m->name);
		put_str(one, "by", author ? author->name : NULL);
		put_int(one, "since", since_s);
		put_str(one, "detail", *tunnel_waiting(t) ? tunnel_waiting(t) : NULL);
		json_object_array_add(list, one);
	}
	return list;
}

static struct json_object *report_tunnel(struct host *h, const struct tunnel *t,
					 const struct proofs *proofs)
{
	uint64_t now = clock_now(h);
	const struct cluster_file *f = tunnel_cluster(t);
	struct json_object *o = json_object_new_object(), *peers = json_object_new_array(),
			   *drops = json_object_new_object(), *dns = json_object_new_object();
	const struct roster *roster = mlog_roster(tunnel_log(t));
	const struct member *m;
	struct overlay_status os;
	struct zone_status zone = tunnel_zone(t);
	char subnet[PREFIX4_TEXT_MAX];

	overlay_status_get(tunnel_overlay(t), &os);
	put_str(o, "name", f->cluster);
	put_str(o, "state", tunnel_state_name(tunnel_state_get(t)));
	put_str(o, "node", tunnel_self(t)->name);
	put_ip4(o, "address", f->address);
	put_str(o, "subnet", prefix4_format(f->subnet, subnet));
	put_str(o, "interface", overlay_ifname(tunnel_overlay(t)));
	put_age(o, "uptime_s", now, tunnel_started(t));
	put_int(o, "rx_bytes", os.rx_bytes);
	put_int(o, "tx_bytes", os.tx_bytes);
	put_int(o, "rx_packets", os.rx_packets);
	put_int(o, "tx_packets", os.tx_packets);
	for (int d = 0; d < DROP_COUNT; d++)
		if (os.drops[d])
			put_int(drops, overlay_drop_name(d), os.drops[d]);
	json_object_object_add(o, "drops", drops);
	json_object_object_add(o, "signal", report_signal(now, t));
	json_object_object_add(o, "mapping", report_mapping(t));
	put_str(dns, "state", zone.state);
	put_str(dns, "detail", zone.detail);
	put_str(dns, "server", zone.server);
	put_str(dns, "server_detail", zone.server_detail);
	json_object_object_add(o, "dns", dns);
	json_object_object_add(o, "fence", report_fence(t));
	json_object_object_add(o, "log", report_log(h, t, proofs));
	json_object_object_add(o, "promotions", report_promotions(t));
	put_line(o, "warning", tunnel_warning(t));
	json_object_object_add(o, "conflicts", report_conflicts(t));
	json_object_object_add(o, "repairs", report_repairs(now, t));
	json_object_object_add(o, "removals_waiting", report_waiting(t));
	put_line(o, "error", tunnel_failure(t));
	for (m = NULL; (m = roster_next(roster, m, ROSTER_CURRENT));) {
		struct peer_status p;

		if (overlay_peer_status(tunnel_overlay(t), m, &p))
			json_object_array_add(peers, report_peer(now, &p));
	}
	json_object_object_add(o, "peers", peers);
	return o;
}

static struct json_object *report_stopped(const char *cluster, const char *error)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "name", cluster);
	put_str(o, "state", "stopped");
	put_str(o, "address", NULL);
	put_str(o, "error", error[0] ? error : NULL);
	return o;
}

char *report_status(struct host *h, const struct report_cluster *c, size_t n,
		    uint64_t daemon_started)
{
	uint64_t now = clock_now(h);
	struct json_object *o = json_object_new_object(), *daemon = json_object_new_object(),
			   *list = json_object_new_array();

	put_int(o, "schema", 1);
	put_str(daemon, "version", MLSH_VERSION);
	put_age(daemon, "uptime_s", now, daemon_started);
	json_object_object_add(o, "daemon", daemon);
	for (size_t i = 0; i < n; i++) {
		struct json_object *one;

		if (c[i].tunnel && !tunnel_left(c[i].tunnel))
			one = report_tunnel(h, c[i].tunnel, c[i].proofs);
		else
			one = report_stopped(c[i].name, c[i].tunnel ? tunnel_failure(c[i].tunnel)
								    : c[i].error);
		put_int(one, "owner_uid", user_number(c[i].owner));
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "clusters", list);
	return report_text(o);
}

static struct json_object *report_node(const struct tunnel *t, const struct member *m)
{
	struct json_object *o = json_object_new_object();
	const struct member *sponsor = roster_by_id(mlog_roster(tunnel_log(t)), &m->sponsor,
						    ROSTER_ALL);
	bool self = m == tunnel_self(t);
	struct peer_status p = { 0 };
	char id[NODE_ID_TEXT_MAX];

	if (!self)
		(void)overlay_peer_status(tunnel_overlay(t), m, &p);
	put_str(o, "name", m->name);
	put_ip4(o, "address", m->address);
	put_str(o, "node_id", node_id_format(&m->id, id));
	put_str(o, "role", m->role == ROLE_ADMIN ? "admin" : "node");
	put_bool(o, "promotion_pending", member_awaits_promotion(m));
	put_str(o, "sponsor", sponsor && sponsor != m ? sponsor->name : NULL);
	put_int(o, "joined", m->joined_s);
	put_bool(o, "self", self);
	put_bool(o, "online", self || p.online || p.state == PEER_UP);
	put_str(o, "path", self ? "self" : report_path_name(p.path));
	put_bool(o, "denied", denials_denied(tunnel_denials(t), &m->id));
	put_bits(o, "features", self || p.greeted, self ? PEER_FEATURES : p.features);
	return o;
}

char *report_nodes(const struct tunnel *t)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	const struct roster *roster = mlog_roster(tunnel_log(t));
	const struct member *m;

	put_int(o, "schema", 1);
	put_str(o, "cluster", tunnel_cluster(t)->cluster);
	for (m = NULL; (m = roster_next(roster, m, ROSTER_CURRENT));)
		json_object_array_add(list, report_node(t, m));
	json_object_object_add(o, "nodes", list);
	return report_text(o);
}

char *report_names(const struct report_cluster *c, size_t n, bool members)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_new_object(),
				   *nodes = json_object_new_array();
		const struct roster *r = c[i].tunnel ? mlog_roster(tunnel_log(c[i].tunnel)) : NULL;
		const struct member *m = NULL;

		while (members && r && (m = roster_next(r, m, ROSTER_CURRENT)))
			json_object_array_add(nodes, json_object_new_string(m->name));
		put_str(one, "name", c[i].name);
		json_object_object_add(one, "nodes", nodes);
		json_object_array_add(list, one);
	}
	json_object_object_add(o, "clusters", list);
	return report_text(o);
}

char *report_submit(const struct submit_outcome *o)
{
	struct json_object *j = json_object_new_object();

	put_bool(j, "ok", true);
	put_bool(j, "ordered", o->ordered);
	json_object_object_add(j, "seq", o->ordered ? json_object_new_uint64(o->seq) : NULL);
	put_str(j, "why", o->why);
	return report_text(j);
}

char *report_ok(void)
{
	return strdup("{\"ok\":true}");
}

char *report_error(const struct err *err)
{
	struct json_object *o = json_object_new_object();

	put_bool(o, "ok", false);
	put_str(o, "error", err->text);
	json_object_object_add(o, "code", json_object_new_int(err->code));
	if (err->reason)
		json_object_object_add(o, "reason", json_object_new_int(err->reason));
	return report_text(o);
}
