/* SPDX-License-Identifier: MIT */
/*
 * The TUN device with a virtio-net header (tun.txt in the kernel's documentation, virtio 1.1
 * section 5.1.6): super-packets in both directions. A kernel that refuses the header gets plain
 * packets.
 */
#include "os/tun.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/linux/internal.h"
#include "os/linux/netlink.h"
#include "os/posix/watch.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/*
 * Packets in one super-packet: 43 of 1400 bytes, each in its QUIC packet, are what one joined UDP
 * send can take (UDP_GSO_BYTES_MAX).
 */
#define GSO_SEGMENTS_MAX 43
#define NUMBERS_TRIED 4096 /* of interfaces */
#define DESCRIPTOR_MIN 512 /* of the device; others are below, and 1024 is the usual limit */

#define HEADER_BYTES sizeof(struct virtio_net_hdr)

_Static_assert(HEADER_BYTES <= TUN_HEADROOM, "the header goes in front of the packet");

struct tun {
	struct host *host;
	int fd;
	char name[IFNAMSIZ];
	unsigned ifindex;
	struct fd_watch *watch;
	size_t header_bytes; /* 0: plain packets */
	bool can_udp;	     /* takes and gives joined UDP, too (Linux 6.2) */
};

/* ---- opening ---- */

/* -EEXIST: there is an interface of this name, ours or not. */
static int interface_try(struct tun *t, const char *prefix, unsigned number, short flags)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TUN | IFF_TUN_EXCL | IFF_NO_PI | flags) };
	int len = snprintf(request.ifr_name, sizeof(request.ifr_name), "%s%u", prefix, number);
	if (len < 0 || (size_t)len >= sizeof(request.ifr_name) || strchr(prefix, '%'))
		return -EINVAL;
	if (ioctl(t->fd, TUNSETIFF, &request) < 0) /* EXCL: EBUSY, whatever has the name */
		return errno == EBUSY ? -EEXIST : -errno;
	memcpy(t->name, request.ifr_name, sizeof(t->name));
	return 0;
}

static int interface_make(struct tun *t, const struct tun_config *cfg, short flags)
{
	int r = interface_try(t, cfg->name_prefix, cfg->number, flags);
	for (unsigned n = cfg->spare; r == -EEXIST && n < cfg->spare + NUMBERS_TRIED; n++)
		r = interface_try(t, cfg->name_prefix, n, flags);
	return r;
}

static int offloads_enable(struct tun *t)
{
	int bytes = HEADER_BYTES;
	unsigned long flags = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &bytes) < 0)
		return -errno;
	if (ioctl(t->fd, TUNSETOFFLOAD, flags | TUN_F_USO4 | TUN_F_USO6) == 0)
		t->can_udp = true;
	else if (ioctl(t->fd, TUNSETOFFLOAD, flags) < 0)
		return -errno;
	t->header_bytes = HEADER_BYTES;
	return 0;
}

/*
 * The kernel closes the descriptors of a process that was killed from the highest to the lowest.
 * The interface has to go before the fence around it does, whose socket is a low one.
 */
static int clone_open(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, DESCRIPTOR_MIN);

	if (high < 0)
		return fd < 0 ? -errno : fd;
	close(fd);
	return high;
}

static int device_open(struct tun *t, const struct tun_config *cfg)
{
	t->fd = clone_open();
	if (t->fd < 0)
		return t->fd;
	int r = interface_make(t, cfg, IFF_VNET_HDR);
	if (r == 0)
		r = offloads_enable(t);
	if (r == 0 || r == -EPERM || r == -EEXIST)
		return r;
	/* Without the header, on a new descriptor: this one may already have its device. */
	close(t->fd);
	t->fd = clone_open();
	return t->fd < 0 ? t->fd : interface_make(t, cfg, 0);
}

static int ifindex_get(struct tun *t)
{
	struct ifreq request = { 0 };
	memcpy(request.ifr_name, t->name, sizeof(t->name));
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int r = ioctl(fd, SIOCGIFINDEX, &request) < 0 ? -errno : 0;
	close(fd);
	if (r == 0)
		t->ifindex = (unsigned)request.ifr_ifindex;
	return r;
}

/* One attribute a request: a kernel that does not know one must not refuse the others. */
static int link_set_u32(const struct tun *t, uint16_t attribute, uint32_t value)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)t->ifindex };
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	mnl_attr_put_u32(&r.header, attribute, value);
	return netlink_change(&r);
}

/* No link-local address, router solicitation or multicast report of IPv6 into an IPv4 overlay. */
static int link_silence_ipv6(const struct tun *t)
{
	struct netlink_request r;
	struct ifinfomsg link = { .ifi_index = (int)t->ifindex };
	netlink_begin(&r, RTM_NEWLINK, 0, &link, sizeof(link));
	struct nlattr *families = mnl_attr_nest_start(&r.header, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(&r.header, AF_INET6);
	mnl_attr_put_u8(&r.header, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(&r.header, inet6);
	mnl_attr_nest_end(&r.header, families);
	return netlink_change(&r);
}

static int link_configure(const struct tun *t, unsigned mtu_bytes)
{
	int r = link_set_u32(t, IFLA_MTU, mtu_bytes);
	/* The rest is for speed and quiet: everything works without. */
	if (t->header_bytes)
		(void)!link_set_u32(t, IFLA_GSO_MAX_SEGS, GSO_SEGMENTS_MAX);
	(void)!link_silence_ipv6(t);
	return r;
}

static int open_failed(int code, struct err *err)
{
	switch (code) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return err_set(err, code,
			       "this kernel has no TUN device (/dev/net/tun): load the "
			       "module tun, or give the container the device");
	case -EPERM:
	case -EACCES:
		return err_set(err, code,
			       "no right to make a network interface: run as root or "
			       "with CAP_NET_ADMIN");
	default:
		return err_set(err, code, "cannot open a TUN device: %s", strerror(-code));
	}
}

int tun_open(struct host *h, const struct tun_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct tun **ret)
{
	struct tun *t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	t->host = h;
	t->fd = -1;
	int r = device_open(t, cfg);
	if (r == 0)
		r = ifindex_get(t);
	if (r == 0)
		r = link_configure(t, cfg->mtu_bytes);
	if (r == 0) {
		t->watch = fd_watch_new(h, t->fd, true, false, readable, ctx);
		r = t->watch ? 0 : -ENOMEM;
	}
	if (r < 0) {
		tun_close(t);
		return open_failed(r, err);
	}
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
	return t->name;
}

unsigned tun_ifindex(const struct tun *t)
{
	return t->ifindex;
}

bool tun_can_join(const struct tun *t, enum tun_gso gso)
{
	if (gso == TUN_GSO_NONE)
		return true;
	return t->header_bytes && (t->can_udp || gso == TUN_GSO_TCP4 || gso == TUN_GSO_TCP6);
}

void tun_pause(struct tun *t, bool paused)
{
	fd_watch_set(t->watch, !paused, false);
}

/* ---- reading ---- */

static int gso_of_header(const struct virtio_net_hdr *v, const uint8_t *packet, enum tun_gso *ret)
{
	bool v6 = packet[0] >> 4 == 6;
	switch (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		*ret = TUN_GSO_NONE;
		return 0;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		*ret = TUN_GSO_TCP4;
		return 0;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		*ret = TUN_GSO_TCP6;
		return 0;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		*ret = v6 ? TUN_GSO_UDP6 : TUN_GSO_UDP4;
		return 0;
	default:
		return -EPROTO;
	}
}

/*
 * IP and transport header. The kernel's hdr_len is only a hint: how much of the packet lay in one
 * piece.
 */
static size_t header_length(const struct tun_packet *p)
{
	size_t words_at = p->csum_start + 12u; /* of the TCP header (RFC 9293 section 3.1) */
	if (p->gso == TUN_GSO_UDP4 || p->gso == TUN_GSO_UDP6)
		return p->csum_start + 8u;
	return words_at < p->len ? p->csum_start + (p->data[words_at] >> 4) * 4u : SIZE_MAX;
}

static int packet_of_header(const struct virtio_net_hdr *v, struct tun_packet *p)
{
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		p->csum_partial = true;
		p->csum_start = v->csum_start;
		p->csum_offset = v->csum_offset;
		if ((size_t)p->csum_start + p->csum_offset + 2 > p->len)
			return -EPROTO;
	}
	int r = gso_of_header(v, p->data, &p->gso);
	if (r < 0 || p->gso == TUN_GSO_NONE)
		return r;
	if (!p->csum_partial || v->gso_size == 0)
		return -EPROTO;
	size_t header = header_length(p);
	if (header > p->len)
		return -EPROTO;
	p->gso_size = v->gso_size;
	p->hdr_len = (uint16_t)header;
	p->ecn = v->gso_type & VIRTIO_NET_HDR_GSO_ECN;
	if (p->len - header <= p->gso_size) { /* it stands for itself only */
		p->gso = TUN_GSO_NONE;
		p->gso_size = p->hdr_len = 0;
	}
	return 0;
}

int tun_read(struct tun *t, uint8_t *buffer, struct tun_packet *ret)
{
	for (;;) {
		ssize_t n = read(t->fd, buffer, t->header_bytes + TUN_PACKET_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : errno == EBADFD ? -ENODEV : -errno;
		if (n == 0)
			return -ENODEV;
		if ((size_t)n <= t->header_bytes)
			continue; /* an empty packet */
		struct virtio_net_hdr v = { 0 };
		memcpy(&v, buffer, t->header_bytes);
		struct tun_packet p = { .data = buffer + t->header_bytes,
					.len = (size_t)n - t->header_bytes };
		if (packet_of_header(&v, &p) < 0)
			continue; /* the kernel makes none that we did not ask for */
		*ret = p;
		return 1;
	}
}

/* ---- writing ---- */

static uint8_t header_gso_type(const struct tun_packet *p)
{
	uint8_t ecn = p->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0;
	switch (p->gso) {
	case TUN_GSO_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4 | ecn;
	case TUN_GSO_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6 | ecn;
	case TUN_GSO_UDP4:
	case TUN_GSO_UDP6:
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	case TUN_GSO_NONE:
		return VIRTIO_NET_HDR_GSO_NONE;
	}
	UNREACHABLE();
}

/*
 * Completes the checksum (RFC 1071) that a device without the header cannot leave to the kernel.
 */
static void checksum_complete(const struct tun_packet *p)
{
	uint32_t sum = 0;
	size_t at = p->csum_start;
	for (; at + 1 < p->len; at += 2)
		sum += load_be16(p->data + at);
	if (at < p->len)
		sum += (uint32_t)p->data[at] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	uint16_t checksum = (uint16_t)~sum;
	/* For UDP zero means "none"; for TCP both forms of zero are the same. */
	store_be16(p->data + p->csum_start + p->csum_offset, checksum ? checksum : 0xffff);
}

static bool packet_ok(const struct tun *t, const struct tun_packet *p)
{
	if (p->len == 0 || p->len > TUN_PACKET_MAX)
		return false;
	if (p->csum_partial && (size_t)p->csum_start + p->csum_offset + 2 > p->len)
		return false;
	return p->gso == TUN_GSO_NONE || (tun_can_join(t, p->gso) && p->gso_size);
}

int tun_write(struct tun *t, const struct tun_packet *p)
{
	if (!packet_ok(t, p))
		return -EINVAL;
	if (!t->header_bytes && p->csum_partial)
		checksum_complete(p);
	struct virtio_net_hdr v = {
		.flags = p->csum_partial ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
		.gso_type = header_gso_type(p),
		.hdr_len = p->gso == TUN_GSO_NONE ? 0 : p->hdr_len,
		.gso_size = p->gso == TUN_GSO_NONE ? 0 : p->gso_size,
		.csum_start = p->csum_partial ? p->csum_start : 0,
		.csum_offset = p->csum_partial ? p->csum_offset : 0,
	};
	uint8_t *start = p->data - t->header_bytes;
	memcpy(start, &v, t->header_bytes);
	for (;;) {
		if (write(t->fd, start, t->header_bytes + p->len) >= 0)
			return 0;
		if (errno == EIO)
			return -EAGAIN; /* the interface is down: a drop as any other */
		if (errno != EINTR)
			return errno == ENOMEM ? -ENOBUFS : errno == EBADFD ? -ENODEV : -errno;
	}
}
