/* SPDX-License-Identifier: MIT */
/* The host's interfaces and their addresses, all of them. */
#include "os/linux/inventory.h"

#include <linux/if.h>
#include <stdlib.h>

#include "os/linux/defaults.h"
#include "os/linux/netlink.h"

#define DUMP_TRIES 5 /* a dump that a change interrupted begins again */
#define ADDRS_MAX 8192

struct load {
	struct inventory *to;
	const struct defaults *defaults;
	size_t cap;
};

static uint32_t address_flags(const struct ifaddrmsg *m, const struct nlattr *flags)
{
	return flags ? netlink_u32(flags) : m->ifa_flags;
}

/* Returns false if the entry holds no address of an internet family. */
static bool address_of_entry(const struct ifaddrmsg *m, const struct nlattr **a,
			     const struct links *links, const struct link *link,
			     struct netif_addr *ret)
{
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	const struct nlattr *ip = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	uint32_t flags = address_flags(m, a[IFA_FLAGS]);
	bool pending = (flags & IFA_F_TENTATIVE) && !(flags & IFA_F_OPTIMISTIC);

	*ret = (struct netif_addr){
		.ifindex = link->index,
		.kind = links_kind(links, link),
		.prefix_bits = m->ifa_prefixlen,
		.up = (link->flags & IFF_UP) && (link->flags & IFF_RUNNING),
		/* For IPv4 this bit means "secondary". */
		.temporary = m->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY),
		.deprecated = (flags & (IFA_F_DEPRECATED | IFA_F_DADFAILED)) || pending,
	};
	memcpy(ret->ifname, link->name, sizeof(ret->ifname));
	if (ip && m->ifa_family == AF_INET && mnl_attr_get_payload_len(ip) == 4) {
		ret->addr = addr_v4(load_be32(mnl_attr_get_payload(ip)), 0);
		return true;
	}
	if (!ip || m->ifa_family != AF_INET6 || mnl_attr_get_payload_len(ip) != 16)
		return false;
	ret->addr = addr_v6(mnl_attr_get_payload(ip), 0);
	if (m->ifa_scope == RT_SCOPE_LINK)
		ret->addr.scope = link->index;
	return true;
}

static int on_address(void *ctx, const struct nlmsghdr *entry)
{
	struct load *l = ctx;
	struct inventory *to = l->to;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFA_FLAGS + 1];
	const struct link *link = links_find(&to->links, m->ifa_index);
	struct netif_addr one;
	if (entry->nlmsg_type != RTM_NEWADDR || !link || to->n_addrs == ADDRS_MAX)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	if (!address_of_entry(m, a, &to->links, link, &one))
		return 0;
	one.uplink = defaults_lead_through(l->defaults, one.ifindex);
	if (to->n_addrs == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct netif_addr *more = reallocarray(to->addrs, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		to->addrs = more;
		l->cap = cap;
	}
	to->addrs[to->n_addrs++] = one;
	return 0;
}

int inventory_load(struct inventory *ret)
{
	struct defaults defaults;
	struct load l = { .to = ret, .defaults = &defaults };
	int r = -EINTR;
	*ret = (struct inventory){ 0 };
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		ret->n_addrs = 0;
		links_fini(&ret->links);
		r = links_load(&ret->links);
		if (r == 0)
			r = defaults_load(&ret->links, &defaults);
		if (r == 0)
			r = netlink_dump(RTM_GETADDR, AF_UNSPEC, on_address, &l);
	}
	return r;
}

void inventory_fini(struct inventory *i)
{
	links_fini(&i->links);
	free(i->addrs);
	*i = (struct inventory){ 0 };
}

int netif_list(struct host *h, struct netif_addr *out, size_t max)
{
	struct inventory i;
	int r = inventory_load(&i);
	(void)h;
	if (r == 0 && i.n_addrs > max)
		netif_order(i.addrs, i.n_addrs);
	if (r == 0) {
		r = (int)MIN(i.n_addrs, max);
		if (r > 0)
			memcpy(out, i.addrs, (size_t)r * sizeof(*out));
	}
	inventory_fini(&i);
	return r;
}
