/* SPDX-License-Identifier: MIT */
/* The routes that concern an overlay, followed change by change. */
#include "os/linux/mirror.h"

#include <stdlib.h>

#include "os/linux/routes.h"
#include "os/netconf.h"

#define FAR_BITS 8 /* a route to so much of the world, or more, leads far */

void mirror_fini(struct mirror *m)
{
	free(m->at);
	*m = (struct mirror){ 0 };
}

ip4 mirror_ip4(const uint8_t *bytes)
{
	return load_be32(bytes);
}

/* ---- what concerns ---- */

int mirror_compare_destinations(const void *a, const void *b)
{
	return memcmp(((const struct addr *)a)->ip, ((const struct addr *)b)->ip, 16);
}

/* The first and last address of the route's prefix, in the form of struct addr. */
static void range_of(const struct mirror_route *r, uint8_t first[16], uint8_t last[16])
{
	unsigned bits = r->bits;
	memcpy(first, r->to, 16);
	if (r->family == AF_INET) {
		struct addr a = addr_v4(mirror_ip4(r->to), 0);
		memcpy(first, a.ip, 16);
		bits += 96;
	}
	memcpy(last, first, 16);
	for (unsigned i = bits; i < 128; i++)
		last[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

static bool leads_to_destination(const struct mirror_filter *f, const struct mirror_route *r)
{
	uint8_t first[16], last[16];
	size_t low = 0, high = f->n_destinations;
	range_of(r, first, last);
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (memcmp(f->destinations[mid].ip, first, 16) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->n_destinations && memcmp(f->destinations[low].ip, last, 16) <= 0;
}

static bool is_of_subnet(const struct mirror_filter *f, const struct mirror_route *r)
{
	if (r->family != AF_INET)
		return false;
	struct prefix4 to = { mirror_ip4(r->to), r->bits };
	ip4 gateway = mirror_ip4(r->gateway);
	return prefix4_overlaps(f->subnet, to) || (gateway && prefix4_contains(f->subnet, gateway));
}

/* Returns the effect of its coming or going, and notes it. 0: the route is no concern of ours. */
static int concern(const struct mirror_filter *f, struct mirror_route *r)
{
	r->watched = r->bits <= FAR_BITS || leads_to_destination(f, r);
	return (is_of_subnet(f, r) ? MIRROR_SUBNET : 0) | (r->watched ? MIRROR_WATCHED : 0);
}

/* ---- reading ---- */

static void put_address(uint8_t out[16], const struct nlattr *a)
{
	memset(out, 0, 16);
	if (a && (mnl_attr_get_payload_len(a) == 4 || mnl_attr_get_payload_len(a) == 16))
		memcpy(out, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
}

/* Returns false for what decides nothing about packets that this machine sends to others. */
static bool read_route(const struct nlmsghdr *entry, struct mirror_route *ret,
		       const struct nlattr **ret_multipath)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(entry);
	const struct nlattr *a[RTA_TABLE + 1];
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) ||
	    (m->rtm_flags & RTM_F_CLONED) || m->rtm_table == RT_TABLE_LOCAL ||
	    m->rtm_dst_len > (m->rtm_family == AF_INET ? 32 : 128))
		return false;
	netlink_attributes(entry, sizeof(*m), a, ARRAY_LEN(a));
	*ret = (struct mirror_route){
		.family = m->rtm_family,
		.bits = m->rtm_dst_len,
		.type = m->rtm_type,
		.protocol = m->rtm_protocol,
		.tos = m->rtm_tos,
		.ifindex = netlink_u32(a[RTA_OIF]),
		.table = a[RTA_TABLE] ? netlink_u32(a[RTA_TABLE]) : m->rtm_table,
		.metric = netlink_u32(a[RTA_PRIORITY]),
	};
	put_address(ret->to, a[RTA_DST]);
	put_address(ret->gateway, a[RTA_GATEWAY]);
	*ret_multipath = a[RTA_MULTIPATH];
	/* The kernel names the loopback device for what IPv6 refuses. */
	if (ret->type != RTN_UNICAST)
		ret->ifindex = 0;
	return ret->table != RT_TABLE_LOCAL;
}

/* ---- the copy ---- */

static bool same_key(const struct mirror_route *a, const struct mirror_route *b)
{
	return a->family == b->family && a->bits == b->bits && a->tos == b->tos &&
	       a->table == b->table && a->metric == b->metric && memcmp(a->to, b->to, 16) == 0;
}

static bool same_route(const struct mirror_route *a, const struct mirror_route *b)
{
	return same_key(a, b) && a->type == b->type && a->protocol == b->protocol &&
	       a->ifindex == b->ifindex && memcmp(a->gateway, b->gateway, 16) == 0;
}

static struct mirror_route *find(struct mirror *m, const struct mirror_route *r)
{
	for (size_t i = 0; i < m->n; i++)
		if (same_route(&m->at[i], r))
			return &m->at[i];
	return NULL;
}

static void drop(struct mirror *m, size_t at)
{
	m->at[at] = m->at[--m->n];
}

static int keep(struct mirror *m, const struct mirror_route *r)
{
	if (m->n == MIRROR_ROUTES_MAX) {
		m->more = true;
		return 0;
	}
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct mirror_route *more = reallocarray(m->at, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		m->at = more;
		m->cap = cap;
	}
	m->at[m->n++] = *r;
	return 0;
}

/* One next hop that came or went. `fresh`: there can be no such route yet. */
static int apply_hop(struct mirror *m, const struct mirror_filter *f, struct mirror_route *r,
		     bool gone, bool fresh)
{
	int effect = concern(f, r);
	if (!effect)
		return 0;
	struct mirror_route *known = fresh ? NULL : find(m, r);
	if (gone && !known)
		return effect & MIRROR_WATCHED ? MIRROR_MISSED : 0;
	if (gone) {
		effect |= known->watched ? MIRROR_WATCHED : 0;
		drop(m, (size_t)(known - m->at));
		return effect;
	}
	if (known)
		return 0;
	int rc = keep(m, r);
	return rc < 0 ? rc : effect;
}

static int apply_hops(struct mirror *m, const struct mirror_filter *f, struct mirror_route *r,
		      const struct nlattr *multipath, bool gone, bool fresh)
{
	const uint8_t *at = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);
	int effects = 0;
	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop hop;
		const struct nlattr *a[RTA_GATEWAY + 1];
		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > left)
			break;
		netlink_payload(at + sizeof(hop), hop.rtnh_len - sizeof(hop), a, ARRAY_LEN(a));
		r->ifindex = (unsigned)hop.rtnh_ifindex;
		put_address(r->gateway, a[RTA_GATEWAY]);
		int effect = apply_hop(m, f, r, gone, fresh);
		if (effect < 0)
			return effect;
		effects |= effect;
		size_t step = MIN(left, (size_t)RTNH_ALIGN(hop.rtnh_len));
		at += step;
		left -= step;
	}
	return effects;
}

/* The kernel put another route into the place of one with the same key. */
static int forget_replaced(struct mirror *m, const struct mirror_route *r)
{
	int effects = 0;
	for (size_t i = m->n; i-- > 0;) {
		if (!same_key(&m->at[i], r) || same_route(&m->at[i], r))
			continue;
		effects |= MIRROR_SUBNET | (m->at[i].watched ? MIRROR_WATCHED : 0);
		drop(m, i);
	}
	return effects;
}

static int apply(struct mirror *m, const struct mirror_filter *f, const struct nlmsghdr *entry,
		 bool fresh)
{
	struct mirror_route r;
	const struct nlattr *multipath;
	bool gone = entry->nlmsg_type == RTM_DELROUTE;
	int effects = 0;
	if ((!gone && entry->nlmsg_type != RTM_NEWROUTE) || !read_route(entry, &r, &multipath))
		return 0;
	if (r.protocol == NETCONF_PROTO)
		return MIRROR_OWN;
	if (!gone && !multipath && (entry->nlmsg_flags & NLM_F_REPLACE))
		effects = forget_replaced(m, &r);
	int rc = multipath ? apply_hops(m, f, &r, multipath, gone, fresh)
			   : apply_hop(m, f, &r, gone, fresh);
	return rc < 0 ? rc : rc | effects;
}

int mirror_apply(struct mirror *m, const struct mirror_filter *f, const struct nlmsghdr *entry)
{
	return apply(m, f, entry, false);
}

struct load {
	struct mirror *to;
	const struct mirror_filter *f;
};

static int on_entry(void *ctx, const struct nlmsghdr *entry)
{
	struct load *l = ctx;
	return MIN(apply(l->to, l->f, entry, true), 0);
}

int mirror_load(struct mirror *m, const struct mirror_filter *f)
{
	struct load l = { m, f };
	m->n = 0;
	m->more = false;
	return netlink_dump_moving_routes(on_entry, &l);
}

bool mirror_uses_device(const struct mirror *m, unsigned ifindex)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i].ifindex == ifindex)
			return true;
	return false;
}

/* FNV-1a: whoever could forge a collision could change the network without one, too. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

uint64_t mirror_digest(const struct mirror *m)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < m->n; i++) {
		const struct mirror_route *r = &m->at[i];
		if (!r->watched)
			continue;
		uint64_t hash = hash_bytes(0xcbf29ce484222325u, r->to, sizeof(r->to));
		uint32_t numbers[] = {
			r->family, r->bits, r->type, r->table, r->metric, r->ifindex
		};
		hash = hash_bytes(hash, r->gateway, sizeof(r->gateway));
		sum += hash_bytes(hash, numbers, sizeof(numbers));
	}
	return sum;
}
