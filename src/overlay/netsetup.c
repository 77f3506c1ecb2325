/* SPDX-License-Identifier: MIT */
/* Address, routes and backstop of the overlay's device. */
#include "overlay/netsetup.h"

#include <stdio.h>

#define COVER_BITS_MAX 24
#define WHAT_MAX 64	/* of netconf.h */

/* The smallest prefix that covers every member's address, /24 at least, within the subnet. */
static struct prefix4 cover_of(const struct mlog *log)
{
	struct prefix4 subnet = mlog_genesis(log)->subnet;
	struct prefix4 p = { .bits = MAX(COVER_BITS_MAX, subnet.bits) };

	for (size_t i = 0; i < mlog_member_count(log); i++) {
		ip4 a = mlog_member_at(log, i)->address;

		if (i == 0)
			p.net = a & prefix4_mask(p);
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

/* 1/0/negative. What an address must not be that we take or route. */
static int address_taken(const struct netsetup *n, ip4 ip, char what[WHAT_MAX])
{
	if (is_signal(n, ip)) {
		snprintf(what, WHAT_MAX, "the signal server's");
		return 1;
	}
	return netconf_address_used(n->h, ip, n->ifindex, ip == n->self, what);
}

/* Two clusters of different servers may have handed out the same address. */
static int check_self(const struct netsetup *n, const char *cluster, struct err *err)
{
	char what[WHAT_MAX], text[IP4_TEXT_MAX];
	int rc = address_taken(n, n->self, what);

	if (rc < 0)
		return err_set(err, rc, "can not tell which addresses this host uses itself");
	if (rc > 0)
		return err_set(err, -EADDRINUSE,
			       "the overlay address %s is %s already. Disconnect the cluster that "
			       "has it, or start over with another range: remove "
			       "~/.config/mlsh/clusters/%s.* here, then `mlsh setup %s --subnet` "
			       "with a new token (`mlsh-signal token` on the server)",
			       ip4_format(n->self, text), what, cluster, cluster);
	return 0;
}

/*
 * Fenced is what is ours or routed to our device. An address that the host uses itself is not: its
 * packets rightly come in elsewhere.
 */
static int fence_member(struct netsetup *n, ip4 ip, bool fenced, struct err *err)
{
	int rc = fence_address(n->fence, ip, fenced);

	return rc < 0 ? err_set(err, rc, "no memory for the fence") : 0;
}

int netsetup_start(struct netsetup *n, struct host *h, unsigned ifindex, struct fence *fence,
		   const struct mlog *log, ip4 self, struct err *err)
{
	struct addr literal;
	int rc;

	*n = (struct netsetup){ .h = h, .ifindex = ifindex, .fence = fence, .self = self };
	if (addr_parse_ip(mlog_genesis(log)->signal_host, &literal) == 0)
		signal_add(n, &literal);
	rc = check_self(n, mlog_genesis(log)->name, err);
	if (rc == 0)
		rc = fence_member(n, self, true, err);
	if (rc == 0)
		rc = netconf_addr_add(h, ifindex, self, 32, err);
	return rc < 0 ? rc : netconf_link_up(h, ifindex, err);
}

int netsetup_route(struct netsetup *n, ip4 member, struct err *err)
{
	struct prefix4 p = { .net = member, .bits = 32 };
	char what[WHAT_MAX], text[IP4_TEXT_MAX];
	int rc = address_taken(n, member, what);

	if (rc < 0)
		return err_set(err, rc, "can not tell which addresses this host uses itself");
	if (rc == 0)
		rc = fence_member(n, member, true, err);
	if (rc == 0)
		rc = netconf_route_add(n->h, n->ifindex, p, n->self, err);
	else if (rc > 0)
		rc = err_set(err, -EADDRINUSE, "%s is %s, too, which keeps it",
			     ip4_format(member, text), what);
	if (rc < 0)
		(void)!fence_member(n, member, false, NULL);
	return rc;
}

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
	return false;
}

void netsetup_signal(struct netsetup *n, const struct addr *addrs, size_t n_addrs)
{
	for (size_t i = 0; i < n_addrs; i++)
		signal_add(n, &addrs[i]);
	if (n->backstop.bits && covers_signal(n, n->backstop))
		backstop_remove(n);
}

int netsetup_backstop(struct netsetup *n, const struct mlog *log, char *ret_warning, size_t cap,
		      struct err *err)
{
	struct prefix4 p = cover_of(log);
	char what[WHAT_MAX] = "", text[PREFIX4_TEXT_MAX];
	int rc;

	ret_warning[0] = '\0';
	if (prefix_equal(p, n->backstop) || prefix_equal(p, n->conflict))
		return 0;
	rc = covers_signal(n, p);
	if (rc)
		snprintf(what, sizeof(what), "the signal server's address");
	else
		rc = netconf_conflict(n->h, p, n->ifindex, what);
	if (rc < 0)
		return err_set(err, rc, "can not tell which networks this host uses itself");
	if (rc > 0) {
		backstop_remove(n);
		n->conflict = p;
		snprintf(ret_warning, cap,
			 "the overlay's %s overlaps what this host uses itself (%s): only the "
			 "members' own addresses are routed",
			 prefix4_format(p, text), what);
		return 0;
	}
	rc = netconf_route_add(n->h, 0, p, 0, err);
	if (rc < 0)
		return rc;
	backstop_remove(n);
	n->backstop = p;
	return 0;
}

/* Another cluster may need the same backstop: it goes if no living device has an address in it. */
void netsetup_stop(struct netsetup *n)
{
	if (n->h && n->backstop.bits)
		(void)!netconf_cleanup(n->h, NULL);
	n->backstop = (struct prefix4){ 0 };
}
