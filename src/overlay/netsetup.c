/* SPDX-License-Identifier: MIT */
/* Address, routes and backstop of the overlay's device. */
#include "overlay/netsetup.h"

#include <stdio.h>

#define COVER_BITS_MAX 24
#define NETSETUP_ADDRS_MAX 128

struct prefix4 netsetup_cover(const struct mlog *log)
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

/* Two clusters of different servers may have handed out the same address. */
static int check_address_free(struct host *h, unsigned ifindex, ip4 self, struct err *err)
{
	struct netif_addr list[NETSETUP_ADDRS_MAX];
	char text[IP4_TEXT_MAX];
	int n = netif_list(h, list, ARRAY_LEN(list));

	for (int i = 0; i < n; i++)
		if (addr_is_v4(&list[i].addr) && addr_ip4(&list[i].addr) == self &&
		    list[i].ifindex != ifindex)
			return err_set(err, -EADDRINUSE,
				       "the overlay address %s is this host's on %s already. "
				       "Disconnect the cluster that has it, or make one of "
				       "them anew with `mlsh setup --subnet`",
				       ip4_format(self, text), list[i].ifname);
	if (netconf_is_gateway(h, self) == 1)
		return err_set(err, -EADDRINUSE,
			       "the overlay address %s is a gateway of this host, which would be "
			       "cut off from its network. Make the cluster anew with another "
			       "range: `mlsh setup --subnet`",
			       ip4_format(self, text));
	return 0;
}

int netsetup_start(struct netsetup *n, struct host *h, unsigned ifindex, ip4 self, struct err *err)
{
	int rc;

	*n = (struct netsetup){ .h = h, .ifindex = ifindex, .self = self };
	rc = check_address_free(h, ifindex, self, err);
	if (rc == 0)
		rc = netconf_addr_add(h, ifindex, self, 32, err);
	return rc < 0 ? rc : netconf_link_up(h, ifindex, err);
}

int netsetup_route(struct netsetup *n, ip4 member, struct err *err)
{
	struct prefix4 p = { .net = member, .bits = 32 };
	char text[IP4_TEXT_MAX];

	if (netconf_is_gateway(n->h, member) == 1) {
		log_warn(host_log(n->h),
			 "%s is the overlay address of a member and a gateway of this host, which "
			 "keeps it: that member can not be reached from here",
			 ip4_format(member, text));
		return 0;
	}
	return netconf_route_add(n->h, n->ifindex, p, n->self, err);
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

/* A server whose address is known to lie within: an unreachable route would cut it off. */
static bool covers_signal(const struct mlog *log, struct prefix4 p)
{
	struct addr a;

	return addr_parse_ip(mlog_genesis(log)->signal_host, &a) == 0 && addr_is_v4(&a) &&
	       prefix4_contains(p, addr_ip4(&a));
}

int netsetup_backstop(struct netsetup *n, const struct mlog *log, char *ret_warning, size_t cap,
		      struct err *err)
{
	struct prefix4 p = netsetup_cover(log);
	char what[64] = "", text[PREFIX4_TEXT_MAX];
	int rc;

	ret_warning[0] = '\0';
	if (prefix_equal(p, n->backstop) || prefix_equal(p, n->conflict))
		return 0;
	rc = covers_signal(log, p);
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
