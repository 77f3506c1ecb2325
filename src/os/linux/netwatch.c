/* SPDX-License-Identifier: MIT */
/*
 * Watches the host's network. The kernel also reports much that is no change (renewed leases,
 * router advertisements, wireless statistics), so its messages only cause a look: a digest of
 * links, addresses and routes, without those of TUN devices and our own, is compared with the last
 * one.
 */
#include <linux/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/linux/internal.h"
#include "os/linux/links.h"
#include "os/linux/netlink.h"
#include "os/netconf.h"

#define DEBOUNCE_NS (200 * NS_PER_MS)
#define DUMP_TRIES 5
#define MESSAGES_MAX 64	/* read in one callback */

struct netwatch {
	struct host *host;
	loop_fn fn;
	void *ctx;
	struct mnl_socket *socket;
	struct fd_watch *watch;
	struct timer *timer;
	uint64_t digest;
};

struct digest {
	struct links links;
	uint64_t sum;	/* of the entries' hashes: their order does not count */
};

/* FNV-1a: who could forge a collision can as well change the network without one. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t hash_u32(uint64_t hash, uint32_t v)
{
	return hash_bytes(hash, &v, sizeof(v));
}

static uint64_t hash_attribute(uint64_t hash, const struct nlattr *a)
{
	hash = hash_u32(hash, a ? mnl_attr_get_payload_len(a) : 0);
	return a ? hash_bytes(hash, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a)) : hash;
}

static const uint64_t hash_start = 0xcbf29ce484222325u;

static void add_links(struct digest *d)
{
	for (size_t i = 0; i < d->links.n; i++) {
		const struct link *link = &d->links.at[i];
		if (link_is_tun(link))
			continue;
		uint64_t hash = hash_u32(hash_start, link->index);
		hash = hash_u32(hash, link->master);
		hash = hash_u32(hash, link->flags & (IFF_UP | IFF_RUNNING));
		hash = hash_u32(hash, link->mtu_bytes);
		hash = hash_u32(hash,
				link->carrier_changes); /* down and up again within the debounce */
		d->sum += hash;
	}
}

static int add_address(void *ctx, const struct nlmsghdr *entry)
{
	struct digest *d = ctx;
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[IFA_FLAGS + 1];
	if (entry->nlmsg_type != RTM_NEWADDR || link_is_tun(links_find(&d->links, m->ifa_index)))
		return 0;
	if (m->ifa_family == AF_INET6 && m->ifa_scope == RT_SCOPE_LINK)
		return 0; /* comes with the link, seconds later, and leads nowhere */
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	uint32_t flags = a[IFA_FLAGS] ? netlink_u32(a[IFA_FLAGS]) : m->ifa_flags;
	uint64_t hash = hash_u32(hash_start, m->ifa_index);
	hash = hash_u32(hash, m->ifa_prefixlen);
	hash = hash_u32(hash, flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED));
	hash = hash_attribute(hash, a[IFA_ADDRESS]);
	hash = hash_attribute(hash, a[IFA_LOCAL]);
	d->sum += hash;
	return 0;
}

static int add_route(void *ctx, const struct nlmsghdr *entry)
{
	struct digest *d = ctx;
	const struct rtmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[RTA_TABLE + 1];
	if (entry->nlmsg_type != RTM_NEWROUTE || (m->rtm_flags & RTM_F_CLONED) ||
	    m->rtm_protocol == NETCONF_PROTO)
		return 0;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	if (link_is_tun(links_find(&d->links, netlink_u32(a[RTA_OIF]))))
		return 0;
	uint32_t table = a[RTA_TABLE] ? netlink_u32(a[RTA_TABLE]) : m->rtm_table;
	if (table == RT_TABLE_LOCAL)
		return 0; /* follows from the addresses */
	uint64_t hash = hash_bytes(hash_start, &m->rtm_dst_len, 1);
	hash = hash_u32(hash, table);
	hash = hash_u32(hash, m->rtm_type);
	static const uint8_t counted[] = { RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY,
					   RTA_MULTIPATH };
	for (size_t i = 0; i < ARRAY_LEN(counted); i++)
		hash = hash_attribute(hash, a[counted[i]]);
	d->sum += hash;
	return 0;
}

static int digest_take(uint64_t *ret)
{
	struct digest d = { 0 };
	int r = -EINTR;
	for (int tries = 0; r == -EINTR && tries < DUMP_TRIES; tries++) {
		links_fini(&d.links);
		d.sum = 0;
		r = links_load(&d.links);
		if (r < 0)
			continue;
		add_links(&d);
		r = netlink_dump(RTM_GETADDR, AF_UNSPEC, add_address, &d);
		if (r == 0)
			r = netlink_dump(RTM_GETROUTE, AF_UNSPEC, add_route, &d);
	}
	links_fini(&d.links);
	if (r == 0)
		*ret = d.sum;
	return r;
}

static void on_timer(void *ctx)
{
	struct netwatch *w = ctx;
	uint64_t digest;
	if (digest_take(&digest) < 0) {
		timer_set_in(w->timer, DEBOUNCE_NS); /* it changes too fast to be read */
		return;
	}
	if (digest == w->digest)
		return;
	w->digest = digest;
	w->fn(w->ctx); /* may free w */
}

static void on_messages(void *ctx)
{
	struct netwatch *w = ctx;
	uint8_t buffer[8192];
	/* What they say does not matter, nor that some were lost (ENOBUFS). */
	for (int i = 0; i < MESSAGES_MAX; i++)
		if (recv(mnl_socket_get_fd(w->socket), buffer, sizeof(buffer), MSG_DONTWAIT) < 0 &&
		    errno != ENOBUFS)
			break;
	if (!timer_is_set(w->timer))
		timer_set_in(w->timer, DEBOUNCE_NS);
}

struct netwatch *netwatch_new(struct host *h, loop_fn fn, void *ctx)
{
	const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
				RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
	struct netwatch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	*w = (struct netwatch){ .host = h, .fn = fn, .ctx = ctx };
	/* First listen, then look: nothing falls in between. */
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->socket || mnl_socket_bind(w->socket, groups, MNL_SOCKET_AUTOPID) < 0 ||
	    digest_take(&w->digest) < 0)
		goto fail;
	w->timer = timer_new(h, on_timer, w);
	w->watch = fd_watch_new(h, mnl_socket_get_fd(w->socket), true, false, on_messages, w);
	if (!w->timer || !w->watch)
		goto fail;
	return w;
fail:
	netwatch_free(w);
	return NULL;
}

void netwatch_free(struct netwatch *w)
{
	if (!w)
		return;
	fd_watch_free(w->watch);
	timer_free(w->timer);
	if (w->socket)
		mnl_socket_close(w->socket);
	free(w);
}
