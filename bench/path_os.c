/* SPDX-License-Identifier: MIT */
/*
 * A TUN in memory and a host whose network is not to be touched, in place of those of os/linux: the
 * packet path runs without privileges, on real sockets.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/fence.h"
#include "os/netconf.h"
#include "path.h"
#include "os/posix/watch.h"

#define DEVICE "memory"

struct tun {
	struct path_tun *end;
	int fd; /* always readable, so that the loop asks again and again */
	struct fd_watch *watch;
	bool paused;
	uint32_t seq;
	uint8_t buf[PATH_SUPER_LEN];
};

static struct path_tun *opening;

void path_tun_next(struct path_tun *t)
{
	opening = t;
}

static void update(struct tun *t)
{
	fd_watch_set(t->watch, t->end->source && !t->paused, false);
}

void path_tun_start(struct path_tun *t)
{
	t->source = true;
	update(t->tun);
}

int tun_open(struct host *h, const struct tun_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct tun **ret)
{
	struct tun *t = calloc(1, sizeof(*t));

	(void)cfg;
	if (!t)
		return err_set(err, -ENOMEM, "no memory");
	t->end = opening;
	t->fd = eventfd(1, EFD_CLOEXEC);
	t->watch = t->fd < 0 ? NULL : fd_watch_new(h, t->fd, false, false, readable, ctx);
	if (!t->watch) {
		tun_close(t);
		return err_set(err, -ENOMEM, "no eventfd");
	}
	t->end->tun = t;
	*ret = t;
	return 0;
}

void tun_close(struct tun *t)
{
	if (!t)
		return;
	fd_watch_free(t->watch);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

const char *tun_name(const struct tun *t)
{
	(void)t;
	return DEVICE;
}

unsigned tun_ifindex(const struct tun *t)
{
	(void)t;
	return 1000000;
}

bool tun_can_join(const struct tun *t, enum tun_gso gso)
{
	(void)t;
	(void)gso;
	return true;
}

void tun_pause(struct tun *t, bool paused)
{
	t->paused = paused;
	update(t);
}

int tun_read(struct tun *t, uint8_t *buffer, struct tun_packet *ret)
{
	if (!t->end->source)
		return 0;
	*ret = path_super(buffer, t->end->self, t->end->other, t->seq);
	t->seq += PATH_SUPER_PAYLOAD;
	t->end->reads++;
	return 1;
}

int tun_write(struct tun *t, const struct tun_packet *p)
{
	size_t payload = p->len - p->hdr_len;

	t->end->writes++;
	t->end->bytes += p->len;
	t->end->packets += p->gso ? (payload + p->gso_size - 1) / p->gso_size : 1;
	return 0;
}

/* --- the fence, which is always up ------------------------------------------------------------ */

struct fence {
	char none;
};

struct fence *fence_new(struct host *h, const char *device, loop_fn changed, void *ctx)
{
	(void)h;
	(void)device;
	(void)changed;
	(void)ctx;
	return calloc(1, sizeof(struct fence));
}

void fence_free(struct fence *f)
{
	free(f);
}

int fence_address(struct fence *f, ip4 address, bool fenced)
{
	(void)f;
	(void)address;
	(void)fenced;
	return 0;
}

void fence_flush(struct fence *f)
{
	(void)f;
}

int fence_redirect(struct fence *f, ip4 address, uint16_t port, uint16_t udp, uint16_t tcp)
{
	(void)port;
	(void)udp;
	(void)tcp;
	return fence_address(f, address, true);
}

void fence_network_changed(struct fence *f)
{
	(void)f;
}

enum fence_state fence_state_get(const struct fence *f)
{
	(void)f;
	return FENCE_UP;
}

const char *fence_detail(const struct fence *f)
{
	(void)f;
	return "";
}

uint64_t fence_dropped(struct fence *f)
{
	(void)f;
	return 0;
}

/* --- the host's network ---------------------------------------------------------------------- */

/* The first address that is fit to be a candidate. */
int netif_list(struct host *h, struct netif_addr *out, size_t max)
{
	struct ifaddrs *all;
	int n = 0;

	(void)h;
	if (getifaddrs(&all) < 0)
		return -errno;
	for (struct ifaddrs *i = all; i && n == 0 && max > 0; i = i->ifa_next) {
		struct addr a;

		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		a = addr_v4(ntohl(((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr), 1);
		if (!addr_is_candidate_ok(&a))
			continue;
		a.port = 0;
		out[n++] = (struct netif_addr){ .ifname = "any",
						.ifindex = 1,
						.addr = a,
						.kind = NETIF_PHYSICAL,
						.prefix_bits = 24,
						.up = true };
	}
	freeifaddrs(all);
	return n;
}

int netuses_load(struct host *h, struct prefix4 about, struct netuses *ret)
{
	(void)h;
	(void)about;
	*ret = (struct netuses){ 0 };
	return 0;
}

/* What all nodes of this process have added; each of them sees all of it. */
static struct netown_route added[2 * 1024];
static struct netown own = {
	.link = true, .up = true, .address = true, .rules = true, .ifname = DEVICE, .routes = added
};

struct netwatch {
	struct netuses uses;
};

struct netwatch *netwatch_new(struct host *h, const struct netwatch_config *cfg)
{
	(void)h;
	(void)cfg;
	return calloc(1, sizeof(struct netwatch));
}

void netwatch_free(struct netwatch *w)
{
	free(w);
}

int netwatch_own(struct netwatch *w, unsigned ifindex, ip4 self)
{
	(void)w;
	(void)ifindex;
	(void)self;
	return 0;
}

int netwatch_look(struct netwatch *w, const struct netuses **ret_uses,
		  const struct netown **ret_own)
{
	*ret_uses = &w->uses;
	*ret_own = &own;
	return 0;
}

static int add(enum netroute_kind kind, struct prefix4 to)
{
	if (netown_has(&own, kind, to))
		return 0;
	if (own.n_routes == ARRAY_LEN(added))
		return -ENOMEM;
	added[own.n_routes++] = (struct netown_route){ kind, to };
	qsort(added, own.n_routes, sizeof(added[0]), netown_compare);
	return 0;
}

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err)
{
	(void)h;
	(void)ifindex;
	(void)err;
	return 0;
}

int netconf_link_mtu(struct host *h, unsigned ifindex, unsigned mtu_bytes, struct err *err)
{
	own.mtu_bytes = mtu_bytes;
	return netconf_link_up(h, ifindex, err);
}

int netconf_link_rename(struct host *h, unsigned ifindex, const char *name, struct err *err)
{
	(void)name;
	return netconf_link_up(h, ifindex, err);
}

int netconf_addr_add(struct host *h, unsigned ifindex, ip4 ip, uint8_t bits, struct err *err)
{
	(void)ip;
	(void)bits;
	return netconf_link_up(h, ifindex, err);
}

int netconf_route_add(struct host *h, unsigned ifindex, struct prefix4 p, ip4 source,
		      struct err *err)
{
	(void)h;
	(void)source;
	(void)err;
	return add(ifindex ? NETROUTE_MEMBER : NETROUTE_BACKSTOP, p);
}

int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p)
{
	(void)p;
	return netconf_link_up(h, ifindex, NULL);
}

int netconf_rules_add(struct host *h, struct prefix4 subnet, struct err *err)
{
	(void)subnet;
	return netconf_link_up(h, 0, err);
}

int netconf_guard_add(struct host *h, ip4 ip, struct err *err)
{
	(void)h;
	(void)err;
	return add(NETROUTE_GUARD, (struct prefix4){ ip, 32 });
}

int netconf_guard_del(struct host *h, ip4 ip)
{
	(void)ip;
	return netconf_link_up(h, 0, NULL);
}

int netconf_cleanup(struct host *h, struct err *err)
{
	return netconf_link_up(h, 0, err);
}
