/* SPDX-License-Identifier: MIT */
/* Reports about ways: `mlsh why`, `mlsh netcheck`, `mlsh ping`. */
#include <stdlib.h>

#include "client/refuse.h"
#include "os/netconf.h"
#include "overlay/reach/candidate.h"
#include "tund/report_put.h"
#include "proto/names.h"
#include "tund/why.h"

#define PATHS_SHOWN_MAX 16
#define HEARD_LATELY NS_PER_S /* the server was heard since a person could have noticed */

static struct json_object *advice_of(const struct why *w)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < WHY_ADVICE_MAX && w->advice[i][0]; i++)
		json_object_array_add(list, json_object_new_string(w->advice[i]));
	return list;
}

static struct json_object *nat_of(struct nat_kind k)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "mapping", nat_mapping_name(k.mapping));
	put_str(o, "filtering", nat_filtering_name(k.filtering));
	return o;
}

static const char *kind_of(enum peer_path_kind k)
{
	static const char *const names[] = { "lan", "ip6", "public", "relay" };

	return names[k];
}

static bool has_ip4(const struct wire_candidates *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n; i++)
		any |= addr_is_v4(&c->item[i]);
	return any;
}

static bool has_ip6(const struct wire_candidates *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n; i++)
		any |= !addr_is_v4(&c->item[i]) && !addr_is_private(&c->item[i]);
	return any;
}

static bool has_public(const struct wire_candidates *c)
{
	bool any = false;

	for (size_t i = 0; i < c->n; i++)
		any |= !addr_is_private(&c->item[i]);
	return any;
}

struct json_object *report_conflicts(const struct tunnel *t)
{
	struct json_object *list = json_object_new_array();
	const char *line;

	for (size_t i = 0; (line = overlay_conflict(tunnel_overlay(t), i)) != NULL; i++)
		json_object_array_add(list, json_object_new_string(line));
	return list;
}

/* --- why ------------------------------------------------------------------------------------- */

static struct json_object *path_of(const struct peer_path_status *p, uint64_t now)
{
	struct json_object *o = json_object_new_object();

	put_str(o, "kind", kind_of(p->kind));
	put_addr(o, "endpoint", &p->to);
	put_str(o, "named_by", p->kind == PEER_PATH_SERVER ? "server" : p->named ? "peer" : "seen");
	put_bool(o, "in_use", p->in_use);
	put_int(o, "pings", p->pings);
	put_int(o, "pongs", p->pongs);
	put_int(o, "heard", p->heard);
	put_ms(o, "rtt_ms", p->rtt_ns);
	put_int(o, "mtu_bytes", p->mtu_bytes);
	put_bool(o, "proven", p->proven);
	put_bool(o, "proven_by_peer", p->proven_by_them);
	put_age(o, "last_answer_s", now, p->last_echo);
	put_str(o, "verdict", why_verdict(p));
	return o;
}

static void gather(const struct tunnel *t, const struct member *m, uint64_t now,
		   struct peer_path_status *paths, struct why_facts *ret)
{
	struct overlay *o = tunnel_overlay(t);
	struct peer_status p = { 0 };
	struct session_status s;
	struct overlay_nat nat;
	struct wire_candidates own;

	(void)overlay_peer_status(o, m, &p);
	session_status_get(tunnel_session(t), &s);
	overlay_nat_get(o, &nat);
	overlay_candidates_get(o, &own);
	*ret = (struct why_facts){
		.peer = m->name,
		.cluster = tunnel_cluster(t)->cluster,
		.tried = p.detail[0] != '\0',
		.state = p.state,
		.path = p.path,
		.now = now,
		.up_since = p.up_since,
		.session_up = s.state == SESSION_UP,
		.foretold = nat.in_turn || overlay_peer_guessed_ports(o, m) > 0,
		.session_spare = s.spare,
		.online = p.online,
		.have_ip6 = has_ip6(&own),
		.no_ip4 = own.n > 0 && !has_ip4(&own),
		.hidden = own.n > 0 && !has_public(&own),
		.observed = s.observed,
		.rewritten = nat.rewritten,
		.ours = nat.told,
		.paths = paths,
		.n_paths = overlay_peer_paths(o, m, paths, PATHS_SHOWN_MAX),
	};
	(void)overlay_peer_nat(o, m, &ret->theirs);
}

/* Why there is no session, and where the server has sent this node. */
static struct json_object *session_of(const struct tunnel *t)
{
	struct json_object *o = json_object_new_object();
	struct session_status s;
	char moved[PLACE_TEXT_MAX];

	session_status_get(tunnel_session(t), &s);
	put_str(o, "moved_to", s.moved.host[0] ? place_format(&s.moved, moved) : NULL);
	put_str(o, "error", s.state != SESSION_UP && s.last_err.code ? s.last_err.text : NULL);
	return o;
}

char *report_why(struct host *h, const struct tunnel *t, const struct member *m)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct peer_path_status paths[PATHS_SHOWN_MAX];
	struct peer_status p = { 0 };
	struct overlay_nat nat;
	struct why_facts f;
	struct why w;

	gather(t, m, clock_now(h), paths, &f);
	why_explain(&f, &w);
	(void)overlay_peer_status(tunnel_overlay(t), m, &p);
	overlay_nat_get(tunnel_overlay(t), &nat);
	put_int(o, "schema", 1);
	put_str(o, "cluster", tunnel_cluster(t)->cluster);
	put_str(o, "node", m->name);
	put_ip4(o, "address", m->address);
	put_bool(o, "online", p.online || p.state == PEER_UP);
	put_str(o, "path", report_path_name(p.path));
	put_addr(o, "endpoint", &p.endpoint);
	put_ms(o, "rtt_ms", p.rtt_ns);
	put_age(o, "uptime_s", f.now, p.up_since);
	put_str(o, "reason", why_reason_name(w.reason));
	put_str(o, "text", w.text);
	put_str(o, "detail", p.detail);
	json_object_object_add(o, "signal", session_of(t));
	put_bool(o, "routed", overlay_routes_to(tunnel_overlay(t), m));
	json_object_object_add(o, "conflicts", report_conflicts(t));
	json_object_object_add(o, "advice", advice_of(&w));
	json_object_object_add(o, "nat", nat_of(f.ours));
	json_object_object_add(o, "nat_found",
			       f.ours.mapping == MAPPING_ASKED ? nat_of(nat.kind) : NULL);
	json_object_object_add(o, "peer_nat", nat_of(f.theirs));
	for (size_t i = 0; i < f.n_paths; i++)
		json_object_array_add(list, path_of(&paths[i], f.now));
	json_object_object_add(o, "paths", list);
	put_int(o, "guessed_ports", overlay_peer_guessed_ports(tunnel_overlay(t), m));
	return report_text(o);
}

/* --- netcheck -------------------------------------------------------------------------------- */

static struct json_object *server_of(const struct tunnel *t, const struct session_status *s,
				     bool up, bool rewrites)
{
	struct json_object *o = json_object_new_object();
	const struct cluster_file *f = tunnel_cluster(t);
	char moved[PLACE_TEXT_MAX];

	put_str(o, "host", f->signal_host);
	put_int(o, "port", f->signal_port);
	put_bool(o, "reachable", up);
	put_addr(o, "endpoint", &s->server);
	put_ms(o, "rtt_ms", up ? s->rtt_ns : 0);
	put_bool(o, "own_port", !s->spare);
	put_bool(o, "rewrites", up && rewrites);
	put_str(o, "moved_to", s->moved.host[0] ? place_format(&s->moved, moved) : NULL);
	put_str(o, "error", !up && s->last_err.code ? s->last_err.text : NULL);
	return o;
}

struct json_object *report_mapping(const struct tunnel *t)
{
	struct json_object *o = json_object_new_object();
	struct mapper_status s;
	bool mapped;

	overlay_mapping_status(tunnel_overlay(t), &s);
	mapped = s.state == MAPPER_MAPPED;
	put_str(o, "state", mapper_state_name(s.state));
	put_str(o, "method", mapped ? mapper_method_name(s.method) : NULL);
	put_addr(o, "external", &s.external);
	if (s.gateway)
		put_ip4(o, "gateway", s.gateway);
	else
		put_str(o, "gateway", NULL);
	if (mapped)
		put_seconds(o, "expires_s", s.left_ns);
	else
		json_object_object_add(o, "expires_s", NULL);
	put_str(o, "detail", s.detail);
	return o;
}

static const char *candidate_kind(const struct addr *a, const struct addr *observed,
				  const struct addr *mapped)
{
	if (addr_same_ip(a, mapped) && a->port == mapped->port)
		return "mapped";
	if (addr_same_ip(a, observed) && a->port == observed->port)
		return "observed";
	if (addr_is_private(a))
		return "lan";
	return addr_is_v4(a) ? "public" : "ip6";
}

static struct json_object *candidates_of(const struct wire_candidates *c,
					 const struct addr *observed, const struct addr *mapped)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < c->n; i++) {
		struct json_object *o = json_object_new_object();

		put_addr(o, "address", &c->item[i]);
		put_str(o, "kind", candidate_kind(&c->item[i], observed, mapped));
		json_object_array_add(list, o);
	}
	return list;
}

/* Other than our own devices. */
static bool has_network(struct host *h)
{
	struct netif_addr *list = calloc(NETIFS_MAX, sizeof(*list));
	int n = list ? netif_list(h, list, NETIFS_MAX) : -ENOMEM;
	bool any = n < 0; /* not known: nothing is said */

	for (int i = 0; i < n; i++) {
		struct addr a = list[i].addr;

		a.port = 1; /* to be judged as one that packets are sent to */
		any |= list[i].up && list[i].kind != NETIF_LOOPBACK && addr_is_candidate_ok(&a) &&
		       strncmp(list[i].ifname, NETCONF_DEVICE, strlen(NETCONF_DEVICE)) != 0;
	}
	free(list);
	return any;
}

/*
 * Is it known that the server is there? A session that was not heard lately is asked now, and the
 * answer counts at the next look.
 */
static bool is_server_sure(struct host *h, const struct tunnel *t, const struct session_status *s)
{
	if (s->state != SESSION_UP || clock_now(h) - s->last_verified < HEARD_LATELY)
		return true;
	session_ask(tunnel_session(t));
	return false;
}

char *report_netcheck(struct host *h, const struct tunnel *t)
{
	struct json_object *o = json_object_new_object(), *nat;
	struct wire_candidates own;
	struct session_status s;
	struct mapper_status m;
	struct overlay_nat n;
	struct why w;

	session_status_get(tunnel_session(t), &s);
	overlay_nat_get(tunnel_overlay(t), &n);
	overlay_candidates_get(tunnel_overlay(t), &own);
	overlay_mapping_status(tunnel_overlay(t), &m);
	struct netcheck_facts f = {
		.network = has_network(h),
		.cluster = tunnel_cluster(t)->cluster,
		.session_up = s.state == SESSION_UP,
		.err_reason = s.last_err.reason,
		.err_local = refuse_is_local(&s.last_err),
		.server_known = tunnel_server_known(t),
		.mapped = m.state == MAPPER_MAPPED,
		.nat = n.kind,
		.in_turn = n.in_turn,
		.rewritten = n.rewritten,
		.observed = s.observed,
	};
	if (!f.network) { /* the session may not have noticed yet */
		f.session_up = false;
		own.n = 0;
	}
	if (!f.session_up)
		s.observed = (struct addr){ 0 }; /* it was so then */
	netcheck_explain(&f, &w);
	put_int(o, "schema", 1);
	put_str(o, "cluster", tunnel_cluster(t)->cluster);
	json_object_object_add(o, "server", server_of(t, &s, f.session_up, n.rewritten));
	put_addr(o, "observed", &s.observed);
	put_int(o, "port", quic_socket_local(overlay_socket(tunnel_overlay(t))).port);
	put_bool(o, "ip4", has_ip4(&own));
	put_bool(o, "ip6", has_ip6(&own));
	nat = nat_of(n.kind);
	put_int(nat, "observers", n.observers);
	put_bool(nat, "checking", n.checking || !is_server_sure(h, t, &s));
	put_bool(nat, "in_turn", n.in_turn);
	json_object_object_add(o, "nat", nat);
	json_object_object_add(o, "mapping", report_mapping(t));
	json_object_object_add(o, "candidates", candidates_of(&own, &s.observed, &m.external));
	json_object_object_add(o, "conflicts", report_conflicts(t));
	put_str(o, "text", w.text);
	json_object_object_add(o, "advice", advice_of(&w));
	return report_text(o);
}

/* --- ping ------------------------------------------------------------------------------------ */

char *report_ping(const struct ping_event *ev)
{
	static const char *const names[] = { "answer", "silence", "path", "end" };
	struct json_object *o = json_object_new_object();

	put_str(o, "event", names[ev->type]);
	put_int(o, "seq", ev->seq);
	put_str(o, "path", report_path_name(ev->path));
	put_addr(o, "endpoint", &ev->endpoint);
	put_ms(o, "rtt_ms", ev->rtt_ns);
	put_int(o, "sent", ev->sent);
	put_int(o, "answered", ev->answered);
	return report_text(o);
}
