/* SPDX-License-Identifier: MIT */
/*
 * Watches the host's network. The kernel tells each change. Changes of routes are applied to a copy
 * of the few that concern us (mirror.h), at once. Changes of links and addresses, and much that is
 * no change (renewed leases, router advertisements, wireless statistics), only cause a look after
 * a moment: a digest is compared with the last one. Our own part is read again when something of it
 * changed, when somebody asks for it.
 *
 * Nothing here reads all routes but the start and, in pieces between the loop's turns, a new copy
 * when the kernel had to drop messages or removed routes without a word.
 */
#include <linux/if.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bucket.h"
#include "os/linux/internal.h"
#include "os/linux/own.h"
#include "os/linux/uses.h"
#include "os/posix/watch.h"

#define DEBOUNCE_NS (200 * NS_PER_MS)
#define RESOLVERS_NS (5 * NS_PER_S) /* between looks into the resolvers' files */
#define MESSAGES_MAX 64		    /* read in one callback */
#define SOCKET_BYTES (4 << 20)
#define COPY_READS_MAX 2 /* of a new copy, in one callback */
#define LOOKS_PER_S 1	 /* at links and addresses, and so many at once: */
#define LOOKS_BURST 8
#define COST_FACTOR 50 /* a copy that was read rests for so many times its cost */
#define COPY_GAP_NS NS_PER_S
#define DESTINATIONS_NS (2 * NS_PER_S) /* they are asked for at most so often */

/* A new copy of the routes, while it is being read. */
struct copy {
	struct mnl_socket *socket;
	struct fd_watch *watch;
	struct mirror routes;
	uint8_t family; /* being read; 0 if no copy is under way */
	bool stale;	/* another one is needed behind it */
	uint64_t cost_ns;
};

struct netwatch {
	struct host *host;
	struct netwatch_config cfg;
	struct mnl_socket *socket;
	struct fd_watch *watch;
	struct timer *look, *resolve, *copy_at;
	struct deferred *notify;
	unsigned ifindex; /* ours; 0 until it is known */
	ip4 self;
	struct inventory inventory;
	struct resolvers resolvers;
	struct mirror routes;
	struct mirror_filter filter;
	struct addr destinations[NETWATCH_DESTINATIONS_MAX];
	uint64_t destinations_at, copy_rest;
	struct bucket looks;
	struct copy copy;
	struct netuses uses;
	struct netown own;
	bool uses_old, own_old; /* to be built or read again when they are asked for */
	uint64_t digest, salt;	/* salt: changes that leave no trace in the copy */
};

/* ---- telling ---- */

static void on_notify(void *ctx)
{
	struct netwatch *w = ctx;
	if (w->cfg.touched)
		w->cfg.touched(w->cfg.ctx); /* may free w */
}

static void touch(struct netwatch *w, bool uses, bool own)
{
	w->uses_old |= uses;
	w->own_old |= own;
	deferred_call(w->notify);
}

static uint64_t hash_u32(uint64_t hash, uint32_t v)
{
	return (hash ^ v) * 0x100000001b3u;
}

static bool is_counted(enum netif_kind kind)
{
	return kind != NETIF_TUNNEL && kind != NETIF_CONTAINER;
}

static uint64_t links_digest(const struct inventory *i)
{
	uint64_t sum = 0;
	for (size_t k = 0; k < i->links.n; k++) {
		const struct link *link = &i->links.at[k];
		if (!is_counted(links_kind(&i->links, link)))
			continue;
		uint64_t hash = hash_u32(0xcbf29ce484222325u, link->index);
		hash = hash_u32(hash, link->master);
		hash = hash_u32(hash, link->flags & (IFF_UP | IFF_RUNNING));
		hash = hash_u32(hash, link->mtu_bytes);
		/* Down and up again within the debounce. */
		sum += hash_u32(hash, link->carrier_changes);
	}
	return sum;
}

static uint64_t addrs_digest(const struct inventory *i)
{
	uint64_t sum = 0;
	for (size_t k = 0; k < i->n_addrs; k++) {
		const struct netif_addr *a = &i->addrs[k];
		/* A link-local address comes with the link, seconds later, and leads nowhere. */
		if (!is_counted(a->kind) || a->addr.scope)
			continue;
		uint64_t hash = hash_u32(0xcbf29ce484222325u, a->ifindex);
		hash = hash_u32(hash, a->prefix_bits);
		hash = hash_u32(hash, a->deprecated);
		for (size_t b = 0; b < 16; b++)
			hash = hash_u32(hash, a->addr.ip[b]);
		sum += hash;
	}
	return sum;
}

static uint64_t digest_of(const struct netwatch *w)
{
	return links_digest(&w->inventory) + addrs_digest(&w->inventory) +
	       mirror_digest(&w->routes) + w->salt;
}

static void look_later(struct netwatch *w)
{
	if (!timer_is_set(w->look))
		timer_set_in(w->look, DEBOUNCE_NS);
}

static int inventory_read(struct netwatch *w)
{
	struct inventory fresh;
	int r = inventory_load(&fresh);
	if (r < 0) {
		inventory_fini(&fresh);
		return r;
	}
	inventory_fini(&w->inventory);
	w->inventory = fresh;
	return 0;
}

static void on_look(void *ctx)
{
	struct netwatch *w = ctx;
	if (!bucket_take(&w->looks, 1, clock_now(w->host))) {
		timer_set_in(w->look, NS_PER_S / LOOKS_PER_S);
		return;
	}
	if (inventory_read(w) < 0) {
		look_later(w); /* it changes too fast to be read */
		return;
	}
	resolvers_load(w->host, &w->resolvers);
	touch(w, true, false);
	uint64_t digest = digest_of(w);
	if (digest == w->digest)
		return;
	w->digest = digest;
	w->cfg.changed(w->cfg.ctx); /* may free w */
}

static void on_resolve(void *ctx)
{
	struct netwatch *w = ctx;
	struct resolvers now;
	timer_set_in(w->resolve, RESOLVERS_NS);
	resolvers_load(w->host, &now);
	if (now.n == w->resolvers.n &&
	    memcmp(now.at, w->resolvers.at, now.n * sizeof(*now.at)) == 0)
		return;
	w->resolvers = now;
	touch(w, true, false);
}

/* ---- a new copy of the routes ---- */

static void copy_end(struct netwatch *w)
{
	fd_watch_free(w->copy.watch);
	if (w->copy.socket)
		mnl_socket_close(w->copy.socket);
	mirror_fini(&w->copy.routes);
	w->copy = (struct copy){ 0 };
}

/* One that is under way is finished first: on a busy host none ever would be, else. */
static void copy_later(struct netwatch *w)
{
	if (w->copy.watch)
		w->copy.stale = true;
	else if (!timer_is_set(w->copy_at))
		timer_set(w->copy_at, MAX(clock_now(w->host) + DEBOUNCE_NS, w->copy_rest));
}

static int copy_ask(struct netwatch *w, uint8_t family)
{
	struct netlink_request r;
	struct rtmsg m = { .rtm_family = family };
	netlink_begin(&r, RTM_GETROUTE, NLM_F_DUMP, &m, sizeof(m));
	r.header.nlmsg_seq = family;
	w->copy.family = family;
	return mnl_socket_sendto(w->copy.socket, &r.header, r.header.nlmsg_len) < 0 ? -errno : 0;
}

static int on_copy_entry(void *ctx, const struct nlmsghdr *entry)
{
	struct netwatch *w = ctx;
	return MIN(mirror_apply(&w->copy.routes, &w->filter, entry), 0);
}

static void copy_take(struct netwatch *w)
{
	struct mirror old = w->routes;
	bool stale = w->copy.stale;
	w->copy_rest = clock_now(w->host) + MAX(COPY_GAP_NS, COST_FACTOR * w->copy.cost_ns);
	w->routes = w->copy.routes;
	w->copy.routes = old;
	copy_end(w);
	if (stale)
		copy_later(w);
	touch(w, true, false);
	look_later(w);
}

static void on_copy(void *ctx)
{
	struct netwatch *w = ctx;
	uint8_t buffer[32768];
	uint64_t begun = clock_now(w->host);
	for (int i = 0; i < COPY_READS_MAX; i++) {
		ssize_t n = mnl_socket_recvfrom(w->copy.socket, buffer, sizeof(buffer));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		/* The copy need not be of one instant: changes are applied to it, too. */
		int r = n < 0 ? -errno : netlink_each(buffer, (size_t)n, on_copy_entry, w);
		if (r == 0)
			continue;
		if (r > 0 && w->copy.family == AF_INET && copy_ask(w, AF_INET6) == 0)
			break;
		if (r > 0 && w->copy.family == AF_INET6) {
			copy_take(w);
			return;
		}
		copy_end(w);
		w->copy_rest = clock_now(w->host) + COPY_GAP_NS;
		copy_later(w);
		return;
	}
	clock_refresh(w->host);
	w->copy.cost_ns += clock_now(w->host) - begun;
}

static void on_copy_at(void *ctx)
{
	struct netwatch *w = ctx;
	w->copy.socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (w->copy.socket && mnl_socket_bind(w->copy.socket, 0, MNL_SOCKET_AUTOPID) == 0 &&
	    copy_ask(w, AF_INET) == 0)
		w->copy.watch = fd_watch_new(w->host, mnl_socket_get_fd(w->copy.socket), true,
					     false, on_copy, w);
	if (w->copy.watch)
		return;
	copy_end(w);
	w->copy_rest = clock_now(w->host) + COPY_GAP_NS;
	copy_later(w);
}

/* ---- what the kernel tells ---- */

static void destinations_refresh(struct netwatch *w)
{
	uint64_t now = clock_now(w->host);
	if (!w->cfg.destinations || now < w->destinations_at)
		return;
	w->destinations_at = now + DESTINATIONS_NS;
	w->filter.destinations = w->destinations;
	w->filter.n_destinations = w->cfg.destinations(w->cfg.ctx, w->destinations,
						       NETWATCH_DESTINATIONS_MAX);
	qsort(w->destinations, w->filter.n_destinations, sizeof(*w->destinations),
	      mirror_compare_destinations);
}

static void told_route(struct netwatch *w, const struct nlmsghdr *m)
{
	destinations_refresh(w);
	int effect = mirror_apply(&w->routes, &w->filter, m);
	if (w->copy.family && effect >= 0 && mirror_apply(&w->copy.routes, &w->filter, m) < 0)
		effect = -ENOMEM;
	if (effect < 0 || (w->copy.family && effect && m->nlmsg_type == RTM_DELROUTE))
		copy_later(w); /* the copy that is under way may have it still */
	if (effect <= 0)
		return;
	if (effect & MIRROR_MISSED)
		w->salt++;
	if (effect & (MIRROR_WATCHED | MIRROR_MISSED))
		look_later(w);
	if (effect & (MIRROR_SUBNET | MIRROR_OWN))
		touch(w, effect & MIRROR_SUBNET, effect & MIRROR_OWN);
}

/* The kernel removes routes with their link or address, and does not tell. */
static void told_device(struct netwatch *w, unsigned ifindex, bool takes_routes)
{
	if (ifindex == w->ifindex && ifindex) {
		touch(w, false, true);
		return;
	}
	if (takes_routes && mirror_uses_device(&w->routes, ifindex))
		copy_later(w);
	look_later(w);
}

static int on_message(const struct nlmsghdr *m, void *ctx)
{
	struct netwatch *w = ctx;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(m);
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(m);
	switch (m->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		told_route(w, m);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		told_device(w, (unsigned)link->ifi_index,
			    m->nlmsg_type == RTM_DELLINK || !(link->ifi_flags & IFF_UP));
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		told_device(w, addr->ifa_index, m->nlmsg_type == RTM_DELADDR);
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		touch(w, false, true);
		break;
	}
	return MNL_CB_OK;
}

/* Takes what has been told so far, at most `max` messages. */
static void listen_now(struct netwatch *w, int max)
{
	uint8_t buffer[8192];
	for (int i = 0; i < max; i++) {
		ssize_t n = recv(mnl_socket_get_fd(w->socket), buffer, sizeof(buffer),
				 MSG_DONTWAIT | MSG_TRUNC);
		if (n >= 0 && (size_t)n <= sizeof(buffer)) {
			(void)!mnl_cb_run(buffer, (size_t)n, 0, 0, on_message, w);
		} else if (n >= 0 || errno == ENOBUFS) {
			/* Some were lost, or one is too long: anything may have changed. */
			copy_later(w);
			look_later(w);
			touch(w, true, true);
		} else if (errno != EINTR) {
			return;
		}
	}
}

static void on_messages(void *ctx)
{
	listen_now(ctx, MESSAGES_MAX);
}

/* ---- for its owner ---- */

int netwatch_own(struct netwatch *w, unsigned ifindex, ip4 self)
{
	w->ifindex = ifindex;
	w->self = self;
	w->own_old = w->uses_old = true;
	return inventory_read(w); /* with the device and its address */
}

static int uses_renew(struct netwatch *w)
{
	netuses_fini(&w->uses);
	int r = uses_build(&w->inventory, &w->routes, &w->resolvers, w->cfg.subnet, w->self,
			   &w->uses);
	netuses_own_device(&w->uses, w->ifindex);
	w->uses_old = r < 0;
	return r;
}

int netwatch_look(struct netwatch *w, const struct netuses **ret_uses,
		  const struct netown **ret_own)
{
	int r = 0;
	/* A request of ours is told before it is answered. */
	listen_now(w, 1 << 20);
	if (w->uses_old)
		r = uses_renew(w);
	if (r == 0 && w->own_old && w->ifindex) {
		w->own_old = false;
		r = own_load(w->ifindex, w->self, w->cfg.subnet, &w->own);
		w->own_old |= r < 0;
	}
	*ret_uses = &w->uses;
	*ret_own = &w->own;
	return r;
}

static int start(struct netwatch *w)
{
	int bytes = SOCKET_BYTES, r = inventory_read(w);
	if (r == 0)
		r = mirror_load(&w->routes, &w->filter);
	if (r < 0)
		return r;
	resolvers_load(w->host, &w->resolvers);
	w->uses_old = true;
	w->digest = digest_of(w);
	/* Without the right to exceed the limit the limit has to do. */
	if (setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)) < 0)
		(void)!setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUF, &bytes,
				  sizeof(bytes));
	timer_set_in(w->resolve, RESOLVERS_NS);
	return 0;
}

struct netwatch *netwatch_new(struct host *h, const struct netwatch_config *cfg)
{
	const unsigned groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
				RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE;
	struct netwatch *w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->host = h;
	w->cfg = *cfg;
	w->filter.subnet = cfg->subnet;
	bucket_init(&w->looks, LOOKS_PER_S, LOOKS_BURST, clock_now(h));
	w->look = timer_new(h, on_look, w);
	w->resolve = timer_new(h, on_resolve, w);
	w->copy_at = timer_new(h, on_copy_at, w);
	w->notify = deferred_new(h, on_notify, w);
	/* First listen, then look: nothing falls in between. */
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->look || !w->resolve || !w->copy_at || !w->notify || !w->socket ||
	    mnl_socket_bind(w->socket, groups, MNL_SOCKET_AUTOPID) < 0 || start(w) < 0)
		goto fail;
	w->watch = fd_watch_new(h, mnl_socket_get_fd(w->socket), true, false, on_messages, w);
	if (!w->watch)
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
	copy_end(w);
	fd_watch_free(w->watch);
	timer_free(w->look);
	timer_free(w->resolve);
	timer_free(w->copy_at);
	deferred_free(w->notify);
	if (w->socket)
		mnl_socket_close(w->socket);
	inventory_fini(&w->inventory);
	mirror_fini(&w->routes);
	netuses_fini(&w->uses);
	own_fini(&w->own);
	free(w);
}
