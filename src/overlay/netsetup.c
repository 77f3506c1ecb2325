/* SPDX-License-Identifier: MIT */
/* Sets up device, address, routes, guard and backstop, and puts back what is missing. */
#include "overlay/netsetup.h"

#include <stdio.h>
#include <stdlib.h>

#define COVER_BITS_MAX 24

/* One run of netsetup_sync. */
struct sync {
	struct netsetup *n;
	const struct netuses *uses;
	const struct netown *own;
	bool restore;
	struct netsetup_report *report;
};

/*
 * The smallest prefix that covers every member's address, /24 at least, within the subnet. Those of
 * former members too: what a program still sends there must not leave by the default route.
 */
static struct prefix4 cover_of(const struct mlog *log)
{
	struct prefix4 subnet = mlog_genesis(log)->subnet;
	struct prefix4 p = { .bits = MAX(COVER_BITS_MAX, subnet.bits) };
	const struct member *m;
	bool first = true;

	for (m = NULL; (m = roster_next(mlog_roster(log), m, ROSTER_ALL));) {
		ip4 a = m->address;

		if (first)
			p.net = a & prefix4_mask(p);
		first = false;
		while (!prefix4_contains(p, a) && p.bits > subnet.bits) {
			p.bits--;
			p.net &= prefix4_mask(p);
		}
	}
	return p;
}

static bool is_signal(const struct netsetup *n, ip4 ip)
{
	for (size_t i = 0; i < n->n_signal; i++)
		if (n->signal[i] == ip)
			return true;
	return false;
}

static void signal_add(struct netsetup *n, const struct addr *a)
{
	if (!addr_is_v4(a) || is_signal(n, addr_ip4(a)))
		return;
	/* Of more than fit, the oldest go. */
	n->signal[n->signal_at++ % NETSETUP_SIGNAL_MAX] = addr_ip4(a);
	n->n_signal = MIN(n->signal_at, NETSETUP_SIGNAL_MAX);
}

void netsetup_signal(struct netsetup *n, const struct addr *addrs, size_t n_addrs)
{
	for (size_t i = 0; i < n_addrs; i++)
		signal_add(n, &addrs[i]);
}

void netsetup_signal_proven(struct netsetup *n, const struct addr *a)
{
	if (addr_is_v4(a))
		n->proven = addr_ip4(a);
}

/* --- starting -------------------------------------------------------------------------------- */

/* Two clusters of different servers may have handed out the same address. */
static int check_self(const struct netsetup *n, const char *cluster, struct err *err)
{
	char what[NETUSE_WHAT_MAX] = "the signal server's", text[IP4_TEXT_MAX];
	const struct netuses *uses;
	const struct netown *own;
	int rc = netwatch_look(n->watch, &uses, &own);

	if (rc < 0)
		return err_set(err, rc, "cannot tell which addresses this host uses itself: %s",
			       strerror(-rc));
	if (is_signal(n, n->self) || (n->senior && n->senior(n->ctx, n->self, what)) ||
	    netuses_address(uses, n->self, n->device.ifindex, true, what))
		return err_set(err, -EEXIST,
			       "the overlay address %s is %s already. Disconnect the cluster that "
			       "has it, or start over with another range: `mlsh forget %s`, then "
			       "`mlsh setup %s --subnet` "
			       "with a new token (`mlsh-signal token` on the server)",
			       ip4_format(n->self, text), what, cluster, cluster);
	return 0;
}

int netsetup_replace(struct netsetup *n, const struct netsetup_device *device)
{
	n->device = *device;
	n->self_fenced = false;
	for (size_t i = 0; i < n->n_members; i++)
		n->members[i].fenced = false;
	return netwatch_own(n->watch, device->ifindex, n->self);
}

int netsetup_start(struct netsetup *n, struct host *h, struct netwatch *watch,
		   const struct netsetup_device *device, const struct mlog *log, ip4 self,
		   struct err *err)
{
	struct addr literal;
	int rc;

	n->h = h;
	n->watch = watch;
	n->self = self;
	n->subnet = mlog_genesis(log)->subnet;
	if (addr_parse_ip(mlog_server(log)->host, &literal) == 0) {
		signal_add(n, &literal);
		netsetup_signal_proven(n, &literal); /* it is signed */
	}
	rc = netsetup_replace(n, device);
	if (rc < 0)
		return err_set(err, rc, "cannot look at this host's network: %s", strerror(-rc));
	return check_self(n, mlog_genesis(log)->name, err);
}

/* --- what came of it ------------------------------------------------------------------------- */

static void say_conflict(struct sync *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say_conflict(struct sync *s, const char *fmt, ...)
{
	struct netsetup_report *r = s->report;
	va_list args;

	if (r->n_conflicts == NETSETUP_CONFLICTS_MAX) {
		r->n_more++;
		return;
	}
	va_start(args, fmt);
	vsnprintf(r->conflicts[r->n_conflicts++], NETSETUP_LINE_MAX, fmt, args);
	va_end(args);
}

/* A part was missing and `rc` came of putting it there. */
static bool part_done(struct sync *s, unsigned part, int rc, const struct err *err)
{
	if (rc < 0) {
		s->report->missing |= part;
		if (!s->report->failure[0])
			snprintf(s->report->failure, NETSETUP_LINE_MAX, "%.200s", err->text);
		return false;
	}
	if (s->n->had & part)
		s->report->restored |= part;
	s->n->had |= part;
	return true;
}

/* May a missing part be put there? One that was there before only if things are put back. */
static bool part_may(struct sync *s, unsigned part)
{
	if (s->restore || !(s->n->had & part))
		return true;
	s->report->missing |= part;
	return false;
}

/*
 * Fenced is what is ours or routed to our device. An address that the host uses itself is not: its
 * packets rightly come in elsewhere.
 */
static void fence_one(struct sync *s, ip4 ip, bool fenced, bool *is_fenced)
{
	if (*is_fenced == fenced)
		return;
	if (fence_address(s->n->device.fence, ip, fenced) == 0) {
		*is_fenced = fenced;
		return;
	}
	s->report->missing |= NETSETUP_RULES;
	snprintf(s->report->failure, NETSETUP_LINE_MAX, "no memory for the fence");
}

/* --- the device ------------------------------------------------------------------------------ */

static void sync_device(struct sync *s)
{
	struct netsetup *n = s->n;
	const struct netown *own = s->own;
	const struct netsetup_device *d = &n->device;
	struct err err = { 0 };

	n->had |= NETSETUP_NAME | NETSETUP_MTU;
	if (strcmp(own->ifname, d->ifname) != 0 && part_may(s, NETSETUP_NAME))
		part_done(s, NETSETUP_NAME, netconf_link_rename(n->h, d->ifindex, d->ifname, &err),
			  &err);
	if (own->mtu_bytes != d->mtu_bytes && part_may(s, NETSETUP_MTU))
		part_done(s, NETSETUP_MTU, netconf_link_mtu(n->h, d->ifindex, d->mtu_bytes, &err),
			  &err);
	if (!own->address && part_may(s, NETSETUP_ADDRESS))
		part_done(s, NETSETUP_ADDRESS,
			  netconf_addr_add(n->h, d->ifindex, n->self, 32, &err), &err);
	if (!own->up && part_may(s, NETSETUP_UP))
		part_done(s, NETSETUP_UP, netconf_link_up(n->h, d->ifindex, &err), &err);
	if (!own->rules && part_may(s, NETSETUP_RULES))
		part_done(s, NETSETUP_RULES, netconf_rules_add(n->h, n->subnet, &err), &err);
}

/* --- members --------------------------------------------------------------------------------- */

/* Is it routed to, if the host does not use its address? */
static bool is_wanted(const struct netsetup *n, const struct netsetup_member *m)
{
	return m->member && m->ip != n->self && (!n->denied || !n->denied(n->ctx, m->member));
}

static bool is_taken(struct sync *s, const struct netsetup_member *m, char what[NETUSE_WHAT_MAX])
{
	if (!m->routed && s->n->proven == m->ip) {
		snprintf(what, NETUSE_WHAT_MAX, "the signal server's");
		return true;
	}
	if (s->n->senior && s->n->senior(s->n->ctx, m->ip, what))
		return true;
	return netuses_address(s->uses, m->ip, s->n->device.ifindex, false, what);
}

static void member_remove(struct sync *s, struct netsetup_member *m)
{
	struct prefix4 p = { m->ip, 32 };

	if (netown_has(s->own, NETROUTE_MEMBER, p))
		(void)!netconf_route_del(s->n->h, s->n->device.ifindex, p);
	if (netown_has(s->own, NETROUTE_GUARD, p) && m->routed)
		(void)!netconf_guard_del(s->n->h, m->ip);
	fence_one(s, m->ip, false, &m->fenced);
	m->routed = false;
}

/* The member that has the address now takes the route over: it is not missing for a moment. */
static void member_left(struct sync *s, const struct roster *r, struct netsetup_member *m)
{
	const struct member *heir;

	if (!m->member)
		return;
	heir = roster_by_address(r, m->ip, ROSTER_CURRENT);
	if (heir == m->member)
		return; /* it left and joined again */
	if (heir && !s->n->members[heir->index].member) {
		s->n->members[heir->index] = *m;
		s->n->members[heir->index].member = heir;
	} else {
		member_remove(s, m);
	}
	*m = (struct netsetup_member){ 0 };
}

static int members_grow(struct netsetup *n, size_t count)
{
	struct netsetup_member *more;

	if (count == n->n_members)
		return 0;
	more = reallocarray(n->members, count, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + n->n_members, 0, (count - n->n_members) * sizeof(*more));
	n->members = more;
	n->n_members = count;
	return 0;
}

static int members_follow(struct sync *s, const struct roster *r)
{
	struct netsetup *n = s->n;
	struct roster_change c;
	int rc = members_grow(n, roster_count(r, ROSTER_ALL));

	while (rc == 0 && roster_next_change(r, &n->roster, &c)) {
		struct netsetup_member *m = &n->members[c.member->index];

		if (c.kind == ROSTER_LEFT)
			member_left(s, r, m);
		else if (c.kind == ROSTER_JOINED && !m->member && member_is_current(c.member))
			*m = (struct netsetup_member){ .member = c.member,
						       .ip = c.member->address };
	}
	return rc;
}

static void member_add(struct sync *s, struct netsetup_member *m, const char *name)
{
	struct prefix4 p = { m->ip, 32 };
	struct err err = { 0 };
	int rc = 0;

	if (m->routed && !s->restore) {
		s->report->missing |= NETSETUP_ROUTES;
		return;
	}
	if (!netown_has(s->own, NETROUTE_MEMBER, p))
		rc = netconf_route_add(s->n->h, s->n->device.ifindex, p, s->n->self, &err);
	if (rc == -EEXIST) {
		say_conflict(s, "%s cannot be reached from here: %.180s", name, err.text);
		member_remove(s, m);
		return;
	}
	if (rc == 0 && !netown_has(s->own, NETROUTE_GUARD, p))
		rc = netconf_guard_add(s->n->h, m->ip, &err);
	if (m->routed)
		s->n->had |= NETSETUP_ROUTES;
	else
		s->n->had &= ~(unsigned)NETSETUP_ROUTES;
	if (part_done(s, NETSETUP_ROUTES, rc, &err))
		m->routed = true;
}

static void sync_member(struct sync *s, struct netsetup_member *m, const char *name)
{
	struct prefix4 p = { m->ip, 32 };
	char what[NETUSE_WHAT_MAX], text[IP4_TEXT_MAX];

	if (is_taken(s, m, what)) {
		member_remove(s, m);
		say_conflict(s, "%s cannot be reached from here: %s is %s, too, which keeps it",
			     name, ip4_format(m->ip, text), what);
	} else if (!m->routed || !m->fenced || !netown_has(s->own, NETROUTE_MEMBER, p) ||
		   !netown_has(s->own, NETROUTE_GUARD, p)) {
		member_add(s, m, name);
	}
}

/* Comes before the address or the route, which no other machine may reach even for a moment. */
static void sync_fence(struct sync *s)
{
	struct netsetup *n = s->n;
	char what[NETUSE_WHAT_MAX];

	fence_one(s, n->self, true, &n->self_fenced);
	for (size_t i = 0; i < n->n_members; i++) {
		struct netsetup_member *m = &n->members[i];

		if (!is_wanted(n, m) || m->fenced || is_taken(s, m, what))
			continue;
		if (n->claim)
			n->claim(n->ctx, m->ip);
		fence_one(s, m->ip, true, &m->fenced);
	}
	fence_flush(n->device.fence);
}

bool netsetup_yield(struct netsetup *n, ip4 ip)
{
	bool had = false;

	for (size_t i = 0; i < n->n_members; i++) {
		struct netsetup_member *m = &n->members[i];

		if (!m->member || m->ip != ip || (!m->routed && !m->fenced))
			continue;
		had = true;
		if (m->routed)
			(void)!netconf_route_del(n->h, n->device.ifindex,
						 (struct prefix4){ ip, 32 });
		if (m->fenced)
			(void)!fence_address(n->device.fence, ip, false);
		m->routed = m->fenced = false;
	}
	if (had)
		fence_flush(n->device.fence);
	return had;
}

bool netsetup_routes(const struct netsetup *n, const struct member *m)
{
	return m->index < n->n_members && n->members[m->index].member == m &&
	       n->members[m->index].routed;
}

/* --- the backstop ---------------------------------------------------------------------------- */

static bool prefix_equal(struct prefix4 a, struct prefix4 b)
{
	return a.net == b.net && a.bits == b.bits;
}

static void backstop_remove(struct netsetup *n)
{
	if (n->backstop.bits)
		(void)!netconf_route_del(n->h, 0, n->backstop);
	n->backstop = (struct prefix4){ 0 };
}

/* An unreachable route would cut the server off. */
static bool covers_signal(const struct netsetup *n, struct prefix4 p)
{
	for (size_t i = 0; i < n->n_signal; i++)
		if (prefix4_contains(p, n->signal[i]))
			return true;
	return n->proven && prefix4_contains(p, n->proven);
}

static void sync_backstop(struct sync *s, struct prefix4 p)
{
	struct netsetup *n = s->n;
	char what[NETUSE_WHAT_MAX] = "the signal server's address", text[PREFIX4_TEXT_MAX];
	struct err err = { 0 };
	bool same = prefix_equal(p, n->backstop);

	if (covers_signal(n, p) || netuses_conflict(s->uses, p, what)) {
		backstop_remove(n);
		say_conflict(s,
			     "the overlay's %s overlaps what this host uses itself (%s): only "
			     "the members' own addresses are routed",
			     prefix4_format(p, text), what);
		return;
	}
	if (same && netown_has(s->own, NETROUTE_BACKSTOP, p))
		return;
	n->had = same ? n->had | NETSETUP_ROUTES : n->had & ~(unsigned)NETSETUP_ROUTES;
	if (!part_may(s, NETSETUP_ROUTES) ||
	    !part_done(s, NETSETUP_ROUTES, netconf_route_add(n->h, 0, p, 0, &err), &err) || same)
		return;
	backstop_remove(n);
	n->backstop = p;
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Another device got our own address meanwhile: from a carrier's DHCP, say. */
static void check_own(struct sync *s)
{
	char what[NETUSE_WHAT_MAX], text[IP4_TEXT_MAX];

	if (netuses_address(s->uses, s->n->self, s->n->device.ifindex, true, what))
		say_conflict(s,
			     "this node's own overlay address %s is %s, too: members may not "
			     "reach it",
			     ip4_format(s->n->self, text), what);
}

static void check_claim(struct sync *s)
{
	char who[NETUSE_WHAT_MAX], text[PREFIX4_TEXT_MAX];

	if (netuses_claimed(s->uses, s->n->subnet, who))
		say_conflict(s,
			     "%s on this host claims 100.64.0.0/10, which overlaps the "
			     "overlay's %s: its software (Tailscale?) may drop what members send",
			     who, prefix4_format(s->n->subnet, text));
}

int netsetup_sync(struct netsetup *n, const struct mlog *log, bool restore,
		  struct netsetup_report *ret)
{
	struct sync s = { .n = n, .restore = restore, .report = ret };
	int rc = netwatch_look(n->watch, &s.uses, &s.own);

	*ret = (struct netsetup_report){ 0 };
	if (rc == 0 && !s.own->link)
		rc = -ENODEV;
	if (rc == 0)
		rc = members_follow(&s, mlog_roster(log));
	if (rc < 0)
		return rc;
	sync_fence(&s);
	sync_device(&s);
	check_own(&s);
	check_claim(&s);
	for (size_t i = 0; i < n->n_members; i++) {
		struct netsetup_member *m = &n->members[i];

		if (is_wanted(n, m))
			sync_member(&s, m, m->member->name);
		else if (m->routed || m->fenced)
			member_remove(&s, m);
	}
	sync_backstop(&s, cover_of(log));
	return 0;
}

/* Another cluster may need the same backstop: it goes if no living device has an address in it. */
void netsetup_stop(struct netsetup *n)
{
	for (size_t i = 0; n->h && i < n->n_members; i++)
		if (n->members[i].routed)
			(void)!netconf_guard_del(n->h, n->members[i].ip);
	if (n->h)
		(void)!netconf_cleanup(n->h, NULL);
	free(n->members);
	n->members = NULL;
	n->n_members = 0;
	n->roster = (struct roster_cursor){ 0 };
	n->backstop = (struct prefix4){ 0 };
	n->device = (struct netsetup_device){ 0 };
	n->had = 0;
	n->h = NULL;
}
