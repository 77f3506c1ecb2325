/* SPDX-License-Identifier: MIT */
/* The addresses at which this node can be reached, and which of them it tells to others. */
#include "overlay/internal.h"

void overlay_refresh_candidates(struct overlay *o)
{
	struct netif_addr ifs[NETIFS_MAX];
	/* The mapped one first: of a public address others keep two. */
	struct addr seen[4] = { [1] = o->around.observed,
				o->around.observed_by_peer[0],
				o->around.observed_by_peer[1] };
	int n = netif_list(o->h, ifs, NETIFS_MAX);
	struct wire_candidates now;

	if (n < 0) {
		log_debug(host_log(o->h), "the host's addresses cannot be listed: %d", n);
		n = 0;
	}
	o->around.at_home = false;
	for (int i = 0; i < n; i++)
		o->around.at_home |= addr_same_ip(&ifs[i].addr, &o->around.observed);
	candidates_own(ifs, (size_t)n, quic_socket_local(o->socket).port,
		       mlog_genesis(o->log)->subnet, NULL, 0, &o->around.home);
	if (!o->around.mapper || !mapper_external(o->around.mapper, &seen[0]))
		seen[0] = nat_by_hand(o);
	candidates_own(ifs, (size_t)n, quic_socket_local(o->socket).port,
		       mlog_genesis(o->log)->subnet, seen, ARRAY_LEN(seen), &now);
	if (wire_candidates_equal(&now, &o->around.own))
		return;
	if (!bucket_take(&o->around.news, 1, clock_now(o->h))) {
		timer_set_in(o->around.news_later, NS_PER_S); /* with what holds by then */
		return;
	}
	o->around.own = now;
	o->ops->candidates(o->ctx, &o->around.own);
	list_for_each(it, &o->peers) {
		struct peer *p = list_entry(it, struct peer, in_overlay);

		if (p->active && p->active->hello_got)
			control_candidates(p->active);
	}
}

static bool is_own(struct overlay *o, const struct addr *a)
{
	struct netif_addr ifs[NETIFS_MAX];
	int n = netif_list(o->h, ifs, NETIFS_MAX);
	bool own = false;

	for (int i = 0; i < n; i++)
		own |= addr_same_ip(&ifs[i].addr, a);
	return own;
}

void overlay_observed(struct overlay *o, const struct addr *a, const struct addr *server)
{
	static const struct addr none;
	bool rewritten = server && nat_is_rewritten(a, server) && !is_own(o, a);
	bool same;

	if (server)
		netsetup_signal_proven(&o->net, server);
	if (rewritten && !o->around.rewritten)
		log_warn(host_log(o->h),
			 "the signal server sees this machine at a private address "
			 "of its own network: something in front of it rewrites addresses");
	o->around.rewritten = rewritten;
	a = rewritten ? &none : a;
	same = addr_equal(&o->around.observed, a);
	if (o->around.mapper && !same && !addr_is_unset(&o->around.observed))
		mapper_doubt(o->around.mapper);
	o->around.observed = *a;
	overlay_refresh_candidates(o);
	if (!same)
		nat_reset(o);
}

/*
 * The two last ones that differ, one of each member: whoever changes its word all the time only
 * takes back what it said itself.
 */
void overlay_observed_by(struct peer *p, const struct addr *a)
{
	struct overlay *o = p->o;
	struct addr *s = o->around.observed_by_peer;

	if (!candidate_ok(a, mlog_genesis(o->log)->subnet) || addr_equal(a, &o->around.observed) ||
	    addr_equal(a, &s[0]) || addr_equal(a, &s[1]))
		return;
	for (size_t i = 0; i < o->around.own.n; i++) {
		if (addr_same_ip(a, &o->around.own.item[i]) &&
		    a->port == o->around.own.item[i].port)
			return;
	}
	if (!bucket_take(&p->hearsay, 1, clock_now(o->h)))
		return;
	if (o->around.observed_from[0] != p) {
		s[1] = s[0];
		o->around.observed_from[1] = o->around.observed_from[0];
	}
	s[0] = *a;
	o->around.observed_from[0] = p;
	overlay_refresh_candidates(o);
}

void overlay_candidates_get(const struct overlay *o, struct wire_candidates *ret)
{
	*ret = o->around.own;
}
