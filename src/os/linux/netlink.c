/* SPDX-License-Identifier: MIT */
/* Requests to the kernel's routing netlink, on libmnl. */
#include "os/linux/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANSWER_TIMEOUT_S 2 /* the kernel answers at once; this bounds the impossible */

void netlink_begin(struct netlink_request *r, uint16_t type, uint16_t flags,
		   const void *family_header, size_t len)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->data);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(h, len), family_header, len);
}

struct mnl_socket *netlink_open(int family)
{
	struct mnl_socket *s = mnl_socket_open2(family, SOCK_CLOEXEC);
	struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };

	if (s && (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
		  setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVTIMEO, &timeout,
			     sizeof(timeout)) < 0)) {
		int code = errno;

		mnl_socket_close(s);
		errno = code;
		return NULL;
	}
	return s;
}

static struct mnl_socket *socket_open(bool strict)
{
	struct mnl_socket *s = netlink_open(NETLINK_ROUTE);
	int on = strict;

	/* An older kernel does not know the option, and then filters nothing. */
	if (s && on)
		(void)!setsockopt(mnl_socket_get_fd(s), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
				  sizeof(on));
	return s;
}

struct dump {
	netlink_entry_fn fn;
	void *ctx;
	bool strict; /* the request's header says which entries are wanted */
	bool moving; /* entries of an interrupted dump are wanted, too */
	int error;   /* of fn */
};

static int on_entry(const struct nlmsghdr *entry, void *ctx)
{
	struct dump *d = ctx;
	d->error = d->fn ? d->fn(d->ctx, entry) : 0;
	return d->error < 0 ? MNL_CB_ERROR : d->error == NETLINK_ENOUGH ? MNL_CB_STOP : MNL_CB_OK;
}

int netlink_each(const void *data, size_t len, netlink_entry_fn fn, void *ctx)
{
	const struct nlmsghdr *m = data;
	int left = (int)len, r = 0;
	for (; r == 0 && mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left)) {
		if (m->nlmsg_type == NLMSG_DONE)
			return NETLINK_ENOUGH;
		if (m->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		if (m->nlmsg_type >= NLMSG_MIN_TYPE)
			r = fn(ctx, m);
	}
	return r;
}

static int run(const void *data, size_t len, const struct nlmsghdr *request,
	       const struct mnl_socket *s, struct dump *d)
{
	if (!d->moving)
		return mnl_cb_run(data, len, request->nlmsg_seq, mnl_socket_get_portid(s), on_entry,
				  d);
	d->error = netlink_each(data, len, d->fn, d->ctx);
	return d->error < 0 ? MNL_CB_ERROR : d->error ? MNL_CB_STOP : MNL_CB_OK;
}

/* One request and all of its answer. -EINTR: the dump was interrupted by a change. */
static int transact(struct nlmsghdr *request, struct dump *d)
{
	uint8_t buffer[32768];
	struct mnl_socket *s = socket_open(d->strict);
	if (!s)
		return -errno;
	request->nlmsg_seq = 1; /* the socket is ours alone */
	int r = mnl_socket_sendto(s, request, request->nlmsg_len) < 0 ? -errno : MNL_CB_OK;
	while (r == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(s, buffer, sizeof(buffer));
		if (n < 0) {
			r = errno == EAGAIN ? -ETIMEDOUT : -errno;
			break;
		}
		r = run(buffer, (size_t)n, request, s, d);
		if (r == MNL_CB_ERROR)
			r = d->error < 0 ? d->error : -errno;
	}
	mnl_socket_close(s);
	return r;
}

int netlink_change(struct netlink_request *r)
{
	struct dump none = { 0 };
	r->header.nlmsg_flags |= NLM_F_ACK;
	return transact(&r->header, &none);
}

int netlink_dump(uint16_t type, uint8_t family, netlink_entry_fn fn, void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx };
	/*
	 * Every header begins with the family; the kernel insists on the size that belongs to the
	 * type.
	 */
	union {
		struct ifinfomsg link;
		struct ifaddrmsg addr;
		struct rtmsg route; /* of the size of struct fib_rule_hdr */
	} header = { 0 };
	header.link.ifi_family = family;
	size_t len = type == RTM_GETLINK   ? sizeof(header.link)
		     : type == RTM_GETADDR ? sizeof(header.addr)
					   : sizeof(header.route);
	netlink_begin(&r, type, NLM_F_DUMP, &header, len);
	if (type == RTM_GETLINK) /* the counters are two thirds of a link's entry */
		mnl_attr_put_u32(&r.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return transact(&r.header, &d);
}

int netlink_get_link(unsigned ifindex, netlink_entry_fn fn, void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx };
	struct ifinfomsg m = { .ifi_index = (int)ifindex };
	netlink_begin(&r, RTM_GETLINK, NLM_F_ACK, &m, sizeof(m));
	mnl_attr_put_u32(&r.header, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return transact(&r.header, &d);
}

int netlink_dump_addresses(unsigned ifindex, netlink_entry_fn fn, void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx, .strict = true };
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_index = ifindex };
	netlink_begin(&r, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	int code = transact(&r.header, &d);
	return code == -ENODEV ? 0 : code; /* it went away just now */
}

int netlink_dump_moving_routes(netlink_entry_fn fn, void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx, .moving = true };
	struct rtmsg m = { .rtm_family = AF_UNSPEC };
	netlink_begin(&r, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	return transact(&r.header, &d);
}

int netlink_dump_routes(uint8_t family, uint32_t table, uint8_t protocol, netlink_entry_fn fn,
			void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx, .strict = true };
	struct rtmsg m = { .rtm_family = family, .rtm_protocol = protocol };
	netlink_begin(&r, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	if (table)
		mnl_attr_put_u32(&r.header, RTA_TABLE, table);
	int code = transact(&r.header, &d);
	return code == -ENOENT ? 0 : code; /* a table that nobody has put a route into yet */
}

int netlink_lookup_route(uint8_t family, const void *ip, netlink_entry_fn fn, void *ctx)
{
	struct netlink_request r;
	struct dump d = { .fn = fn, .ctx = ctx };
	size_t bytes = family == AF_INET ? 4 : 16;
	struct rtmsg m = { .rtm_family = family, .rtm_dst_len = (uint8_t)(8 * bytes) };
	netlink_begin(&r, RTM_GETROUTE, NLM_F_ACK, &m, sizeof(m));
	mnl_attr_put(&r.header, RTA_DST, bytes, ip);
	return transact(&r.header, &d);
}

struct attributes {
	const struct nlattr **ret;
	size_t n;
};

static int on_attribute(const struct nlattr *a, void *ctx)
{
	struct attributes *t = ctx;
	if (mnl_attr_get_type(a) < t->n)
		t->ret[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

void netlink_attributes(const struct nlmsghdr *entry, size_t family_header_len,
			const struct nlattr **ret, size_t n)
{
	struct attributes t = { ret, n };
	memset(ret, 0, n * sizeof(*ret));
	mnl_attr_parse(entry, (unsigned)family_header_len, on_attribute, &t);
}

void netlink_nested(const struct nlattr *nest, const struct nlattr **ret, size_t n)
{
	struct attributes t = { ret, n };
	memset(ret, 0, n * sizeof(*ret));
	if (nest)
		mnl_attr_parse_nested(nest, on_attribute, &t);
}

void netlink_payload(const void *data, size_t len, const struct nlattr **ret, size_t n)
{
	struct attributes t = { ret, n };
	memset(ret, 0, n * sizeof(*ret));
	mnl_attr_parse_payload(data, len, on_attribute, &t);
}

uint32_t netlink_u32(const struct nlattr *a)
{
	return a && mnl_attr_get_payload_len(a) == sizeof(uint32_t) ? mnl_attr_get_u32(a) : 0;
}
