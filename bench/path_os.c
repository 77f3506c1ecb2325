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

#include "os/netconf.h"
#include "path.h"

struct tun {
	struct path_tun *end;
	int fd;			/* always readable, so that the loop asks again and again */
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
	return "memory";
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
		out[n++] = (struct netif_addr){ .ifname = "any", .ifindex = 1, .addr = a,
						.kind = NETIF_PHYSICAL, .prefix_bits = 24,
						.up = true };
	}
	freeifaddrs(all);
	return n;
}

int netconf_conflict(struct host *h, struct prefix4 p, unsigned ignore_ifindex, char *ret_what)
{
	(void)h;
	(void)p;
	(void)ignore_ifindex;
	(void)ret_what;
	return 0;
}

int netconf_address_used(struct host *h, ip4 ip, unsigned ignore_ifindex, bool for_self,
			 char *ret_what)
{
	(void)for_self;
	return netconf_conflict(h, (struct prefix4){ ip, 32 }, ignore_ifindex, ret_what);
}

int netconf_link_up(struct host *h, unsigned ifindex, struct err *err)
{
	(void)h;
	(void)ifindex;
	(void)err;
	return 0;
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
	(void)p;
	(void)source;
	return netconf_link_up(h, ifindex, err);
}

int netconf_route_del(struct host *h, unsigned ifindex, struct prefix4 p)
{
	(void)p;
	return netconf_link_up(h, ifindex, NULL);
}

int netconf_cleanup(struct host *h, struct err *err)
{
	return netconf_link_up(h, 0, err);
}
