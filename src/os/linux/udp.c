/* SPDX-License-Identifier: MIT */
/*
 * UDP in batches: recvmmsg with UDP_GRO, sendmmsg with UDP_SEGMENT, on one dual-stack socket. The
 * kernel may refuse to cut a send (no checksum offload, IPsec, larger than the MTU): then its
 * datagrams go out one by one, and each may fail alone.
 */
#include "os/udp.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/linux/internal.h"
#include "os/linux/udp_buffers.h"
#include "os/linux/udp_icmp.h"
#include "os/posix/watch.h"
#include "os/udp_notes.h"

#define RX_BUFFER_BYTES 65536	     /* a joined run is bounded like an IP packet */
#define RX_ERRORS_MAX 16	     /* pending errors skipped in one call */
#define GSO_PAUSE_NS (60 * NS_PER_S) /* after a device refused to cut */

union control {
	uint8_t data[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		     CMSG_SPACE(sizeof(struct in_pktinfo)) + 3 * CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

struct slot {
	struct iovec iov; /* the first one of a joined send */
	union name name;
	union control control;
};

/* How far a call of udp_send has come: `offset` into tx[index]. */
struct progress {
	size_t index, offset;
	size_t uncut; /* sends below this one go out as single datagrams: it was refused to cut */
};

struct udp {
	struct host *host;
	int fd;
	bool v6; /* AF_INET6, dual-stack; else this machine has no IPv6 at all */
	struct fd_watch *watch;
	loop_fn readable;
	void *ctx;
	loop_fn writable; /* NULL if nobody asked */
	void *writable_ctx;
	bool blocked; /* the last send found the socket full */
	bool *gone;   /* set when udp_close is called from within a callback */

	bool gso;
	uint64_t gso_paused_until;
	const uint8_t *resume_data; /* the send that a full socket cut short, and where */
	size_t resume_offset;

	uint8_t *buffers; /* UDP_BATCH_MAX of RX_BUFFER_BYTES */
	struct mmsghdr rx_msgs[UDP_BATCH_MAX], tx_msgs[UDP_BATCH_MAX];
	struct slot rx_slots[UDP_BATCH_MAX], tx_slots[UDP_BATCH_MAX];
	struct progress tx_after[UDP_BATCH_MAX]; /* once this message has gone out */
	size_t tx_segments[UDP_BATCH_MAX], tx_bytes[UDP_BATCH_MAX];
	struct iovec tx_pieces[UDP_BATCH_MAX]; /* of the joined sends */
	struct udp_stats stats;
	bool icmp;
	struct udp_notes refused;
};

/* ---- addresses ---- */

static bool ip_is_unset(const struct addr *a)
{
	return addr_same_ip(a, &(struct addr){ 0 });
}

static socklen_t name_of_addr(const struct udp *u, const struct addr *a, union name *out)
{
	if (!u->v6 && (addr_is_v4(a) || ip_is_unset(a))) {
		out->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(a->port) };
		if (addr_is_v4(a))
			out->v4.sin_addr.s_addr = htonl(addr_ip4(a));
		return sizeof(out->v4);
	}
	out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					 .sin6_port = htons(a->port),
					 .sin6_scope_id = a->scope };
	memcpy(out->v6.sin6_addr.s6_addr, a->ip, sizeof(a->ip));
	return sizeof(out->v6);
}

/* ---- opening ---- */

static int option_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Kernels before 5.7 want more rights to bind to a device than we keep: then without. */
static int sharing_set(int fd, const struct udp_config *cfg)
{
	if (cfg->device)
		(void)!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, cfg->device,
				  (socklen_t)strlen(cfg->device));
	int r = option_set(fd, SOL_SOCKET, SO_REUSEADDR, cfg->shared);
	/* Some programs of this user share by this option alone. */
	return r == 0 ? option_set(fd, SOL_SOCKET, SO_REUSEPORT, cfg->shared) : r;
}

static int options_set(struct udp *u, const struct udp_config *cfg)
{
	int r = sharing_set(u->fd, cfg);
	if (r < 0)
		return r;
	if (u->v6) {
		r = option_set(u->fd, SOL_IPV6, IPV6_V6ONLY, 0);
		if (r == 0)
			r = option_set(u->fd, SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
		if (r == 0)
			r = option_set(u->fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
		if (r == 0)
			r = option_set(u->fd, SOL_IPV6, IPV6_RECVTCLASS, 1);
	} else {
		r = option_set(u->fd, SOL_IP, IP_PKTINFO, 1);
	}
	/* A dual-stack socket has the options of IPv4, too, for its mapped addresses. */
	if (r == 0)
		r = option_set(u->fd, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	if (r == 0)
		r = option_set(u->fd, SOL_IP, IP_RECVTOS, 1);
	if (r < 0)
		return r;
	udp_buffers_set(u->host, u->fd, cfg);
	/*
	 * Kernels before 4.18 and 5.0 have one or neither of these; a UDP_SEGMENT message would be
	 * ignored.
	 */
	u->gso = option_set(u->fd, SOL_UDP, UDP_SEGMENT, 0) == 0;
	(void)!option_set(u->fd, SOL_UDP, UDP_GRO, 1);
	u->icmp = cfg->icmp && udp_icmp_listen(u->fd, u->v6);
	return 0;
}

/* At boot an address may come seconds after the programs that use it. */
static bool bind_freely(struct udp *u, const struct sockaddr *name, socklen_t len)
{
	int on = 1;
	(void)setsockopt(u->fd, SOL_IPV6, IPV6_FREEBIND, &on, sizeof(on));
	(void)setsockopt(u->fd, SOL_IP, IP_FREEBIND, &on, sizeof(on));
	return bind(u->fd, name, len) == 0;
}

static int socket_open(struct udp *u, const struct udp_config *cfg)
{
	u->v6 = true;
	u->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0 && errno == EAFNOSUPPORT) {
		u->v6 = false;
		u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (u->fd < 0)
		return -errno;
	int r = options_set(u, cfg);
	if (r < 0)
		return r;
	union name name = { 0 };
	socklen_t len = name_of_addr(u, &cfg->bind, &name);
	if (bind(u->fd, &name.any, len) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL || !cfg->address_may_come || !bind_freely(u, &name.any, len))
		return -errno;
	char text[ADDR_TEXT_MAX];
	log_warn(host_log(u->host),
		 "UDP %s: this machine does not have the address yet; it is "
		 "served as soon as it comes",
		 addr_format(&cfg->bind, text));
	return 0;
}

static void slots_prepare(struct udp *u)
{
	for (size_t i = 0; i < UDP_BATCH_MAX; i++) {
		u->rx_slots[i].iov = (struct iovec){ u->buffers + i * RX_BUFFER_BYTES,
						     RX_BUFFER_BYTES };
		u->rx_msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &u->rx_slots[i].name,
			.msg_iov = &u->rx_slots[i].iov,
			.msg_iovlen = 1,
			.msg_control = &u->rx_slots[i].control,
		};
		u->tx_msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &u->tx_slots[i].name,
		};
	}
}

static void on_event(void *ctx)
{
	struct udp *u = ctx;
	bool gone = false;
	bool write_too = u->blocked && fd_watch_is_writable(u->watch);
	u->gone = &gone;
	if (fd_watch_is_readable(u->watch))
		u->readable(u->ctx);
	if (gone)
		return;
	u->gone = NULL;
	if (!write_too || !u->blocked)
		return;
	u->blocked = false;
	fd_watch_set(u->watch, true, false);
	if (u->writable)
		u->writable(u->writable_ctx);
}

int udp_open(struct host *h, const struct udp_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct udp **ret)
{
	struct udp *u = calloc(1, sizeof(*u));
	if (!u)
		return err_set(err, -ENOMEM, "out of memory");
	u->host = h;
	u->readable = readable;
	u->ctx = ctx;
	u->fd = -1;
	u->buffers = malloc((size_t)UDP_BATCH_MAX * RX_BUFFER_BYTES);
	int r = u->buffers ? socket_open(u, cfg) : -ENOMEM;
	if (r == 0) {
		u->watch = fd_watch_new(h, u->fd, true, false, on_event, u);
		r = u->watch ? 0 : -ENOMEM;
	}
	if (r < 0) {
		char text[ADDR_TEXT_MAX];
		udp_close(u);
		return err_set(err, r, "cannot open UDP %s: %s", addr_format(&cfg->bind, text),
			       r == -EADDRINUSE ? "another program has this port" : strerror(-r));
	}
	slots_prepare(u);
	*ret = u;
	return 0;
}

void udp_close(struct udp *u)
{
	if (!u)
		return;
	if (u->gone)
		*u->gone = true;
	fd_watch_free(u->watch);
	if (u->fd >= 0)
		close(u->fd);
	free(u->buffers);
	free(u);
}

struct addr udp_local(const struct udp *u)
{
	union name name = { 0 };
	socklen_t len = sizeof(name);
	if (getsockname(u->fd, &name.any, &len) < 0)
		return (struct addr){ 0 };
	struct addr a = addr_of_name(&name);
	if (!u->v6 && name.v4.sin_addr.s_addr == htonl(INADDR_ANY))
		a = (struct addr){ .port = a.port };
	return a;
}

/* ---- receiving ---- */

static int cmsg_int(const struct cmsghdr *c)
{
	int v;
	memcpy(&v, CMSG_DATA(c), sizeof(v));
	return v;
}

static void read_pktinfo4(const struct cmsghdr *c, struct udp_rx *rx)
{
	struct in_pktinfo info;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	rx->local = addr_v4(ntohl(info.ipi_addr.s_addr), 0);
}

static void read_pktinfo6(const struct cmsghdr *c, struct udp_rx *rx)
{
	struct in6_pktinfo info;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	rx->local = addr_v6(info.ipi6_addr.s6_addr, 0);
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		rx->local.scope = info.ipi6_ifindex;
}

static void read_control(struct msghdr *m, struct udp_rx *rx)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			rx->segment = (size_t)cmsg_int(c);
		else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			read_pktinfo6(c, rx);
		else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO)
			read_pktinfo4(c, rx);
		else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS)
			rx->ecn = (uint8_t)(cmsg_int(c) & 3);
		else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS)
			rx->ecn = *CMSG_DATA(c) & 3; /* one byte, unlike the one for sending */
	}
}

static bool read_slot(struct udp *u, size_t i, struct udp_rx *rx)
{
	struct msghdr *m = &u->rx_msgs[i].msg_hdr;
	if (m->msg_flags & MSG_TRUNC)
		return false;
	size_t len = u->rx_msgs[i].msg_len;
	*rx = (struct udp_rx){
		.data = u->rx_slots[i].iov.iov_base,
		.len = len,
		.segment = len,
		.from = addr_of_name(&u->rx_slots[i].name),
	};
	read_control(m, rx);
	if (rx->segment == 0 || rx->segment > len)
		rx->segment = len;
	u->stats.rx_bytes += len;
	u->stats.rx_datagrams += rx->segment ? (len + rx->segment - 1) / rx->segment : 1;
	return true;
}

bool udp_refused(const struct udp *u, const struct addr *to, uint64_t since,
		 struct udp_refusal *ret)
{
	return udp_noted(&u->refused, to, since, ret);
}

size_t udp_recv(struct udp *u, struct udp_rx *rx, size_t max)
{
	max = MIN(max, UDP_BATCH_MAX);
	for (size_t i = 0; i < max; i++) {
		u->rx_msgs[i].msg_hdr.msg_namelen = sizeof(union name);
		u->rx_msgs[i].msg_hdr.msg_controllen = sizeof(union control);
	}
	int n = -1;
	if (u->icmp)
		udp_icmp_take(u->fd, &u->refused, clock_now(u->host));
	/*
	 * An error that is pending on the socket (from ICMP) is reported, and cleared, in place of
	 * data.
	 */
	for (int tries = 0; n < 0 && tries < RX_ERRORS_MAX; tries++) {
		n = recvmmsg(u->fd, u->rx_msgs, (unsigned)max, MSG_DONTWAIT, NULL);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
	}
	u->stats.rx_calls++;
	size_t filled = 0;
	for (size_t i = 0; n > 0 && i < (size_t)n; i++)
		filled += read_slot(u, i, &rx[filled]);
	return filled;
}

/* ---- sending ---- */

static void control_add(struct msghdr *m, int level, int type, const void *value, size_t len)
{
	uint8_t *at = (uint8_t *)m->msg_control + m->msg_controllen;
	struct cmsghdr *c = (struct cmsghdr *)(void *)at;
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), value, len);
	m->msg_controllen += CMSG_SPACE(len);
}

static void control_add_source(struct msghdr *m, const struct addr *local)
{
	if (addr_is_v4(local)) {
		struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(addr_ip4(local)) };
		control_add(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
		return;
	}
	struct in6_pktinfo info = { .ipi6_ifindex = local->scope };
	memcpy(info.ipi6_addr.s6_addr, local->ip, sizeof(local->ip));
	control_add(m, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* An option that each IP version has under a name of its own. */
static void control_add_int(struct msghdr *m, const struct addr *to, int type4, int type6,
			    int value)
{
	bool v4 = addr_is_v4(to);

	control_add(m, v4 ? SOL_IP : SOL_IPV6, v4 ? type4 : type6, &value, sizeof(value));
}

static void slot_fill(struct udp *u, size_t slot, const struct udp_tx *tx, size_t offset,
		      size_t len)
{
	struct slot *s = &u->tx_slots[slot];
	struct msghdr *m = &u->tx_msgs[slot].msg_hdr;
	s->iov = (struct iovec){ (uint8_t *)(uintptr_t)tx->data + offset, len };
	m->msg_iov = &s->iov;
	m->msg_iovlen = 1;
	m->msg_namelen = name_of_addr(u, &tx->to, &s->name);
	m->msg_control = &s->control;
	m->msg_controllen = 0;
	if (!ip_is_unset(&tx->local))
		control_add_source(m, &tx->local);
	if (tx->ecn & 3)
		control_add_int(m, &tx->to, IP_TOS, IPV6_TCLASS, tx->ecn & 3);
	if (tx->hops)
		control_add_int(m, &tx->to, IP_TTL, IPV6_HOPLIMIT, tx->hops);
}

/* The message is complete: it is cut when it is longer than one datagram. */
static void slot_finish(struct udp *u, size_t slot, size_t segment, size_t len)
{
	struct msghdr *m = &u->tx_msgs[slot].msg_hdr;
	u->tx_segments[slot] = 1;
	u->tx_bytes[slot] = len;
	if (segment && len > segment) {
		uint16_t value = (uint16_t)segment;
		control_add(m, SOL_UDP, UDP_SEGMENT, &value, sizeof(value));
		u->tx_segments[slot] = (len + segment - 1) / segment;
	}
	if (m->msg_controllen == 0)
		m->msg_control = NULL;
}

static bool may_cut(const struct udp *u, const struct progress *at)
{
	return u->gso && at->index >= at->uncut && clock_now(u->host) >= u->gso_paused_until;
}

/* Most bytes of a message that is cut into datagrams of this size. */
static size_t cut_bytes_max(size_t segment)
{
	return MAX(MIN(UDP_GSO_BYTES_MAX / segment, UDP_GSO_SEGMENTS_MAX), 1) * segment;
}

/* Bytes of the next message of a send. */
static size_t next_len(const struct udp *u, const struct udp_tx *tx, const struct progress *at)
{
	size_t left = tx->len - at->offset;
	if (tx->segment == 0 || left <= tx->segment)
		return left;
	return may_cut(u, at) ? MIN(left, cut_bytes_max(tx->segment)) : tx->segment;
}

/* Can b's datagrams follow those of a, `len` bytes by now, in one message? */
static bool can_join(const struct udp_tx *a, const struct udp_tx *b, size_t len)
{
	return a->segment && len % a->segment == 0 && b->len > 0 && b->segment <= a->segment &&
	       (b->segment == a->segment || b->len <= b->segment) &&
	       len + b->len <= cut_bytes_max(a->segment) && a->ecn == b->ecn &&
	       a->hops == b->hops && addr_equal(&a->to, &b->to) && addr_equal(&a->local, &b->local);
}

/*
 * Joins the sends behind tx[at->index], which the slot has the rest of, to its message: datagrams
 * that lie apart go through the kernel as one. *n_pieces of u->tx_pieces are in use.
 */
static size_t slot_join(struct udp *u, size_t slot, const struct udp_tx *tx, size_t n,
			struct progress *at, size_t len, size_t *n_pieces)
{
	struct msghdr *m = &u->tx_msgs[slot].msg_hdr;
	const struct udp_tx *first = &tx[at->index];
	struct iovec *pieces = &u->tx_pieces[*n_pieces];
	size_t count = 1;
	if (!may_cut(u, at))
		return len;
	while (at->index + count < n && *n_pieces + count < ARRAY_LEN(u->tx_pieces) &&
	       can_join(first, &tx[at->index + count], len)) {
		const struct udp_tx *next = &tx[at->index + count];
		pieces[count++] = (struct iovec){ (void *)(uintptr_t)next->data, next->len };
		len += next->len;
	}
	if (count > 1) {
		pieces[0] = u->tx_slots[slot].iov;
		m->msg_iov = pieces;
		m->msg_iovlen = count;
		*n_pieces += count;
		at->index += count - 1;
		at->offset = tx[at->index].len;
	}
	return len;
}

/* Fills the slots with what comes after `at`; returns how many. */
static size_t slots_fill(struct udp *u, const struct udp_tx *tx, size_t n, struct progress at)
{
	size_t slots = 0, pieces = 0;
	while (slots < UDP_BATCH_MAX && pieces + 1 < ARRAY_LEN(u->tx_pieces) && at.index < n) {
		const struct udp_tx *first = &tx[at.index];
		size_t len = next_len(u, first, &at);
		slot_fill(u, slots, first, at.offset, len);
		at.offset += len;
		if (at.offset >= first->len)
			len = slot_join(u, slots, tx, n, &at, len, &pieces);
		slot_finish(u, slots, first->segment, len);
		if (at.offset >= tx[at.index].len)
			at = (struct progress){ .index = at.index + 1, .uncut = at.uncut };
		u->tx_after[slots++] = at;
	}
	return slots;
}

static void count_sent(struct udp *u, size_t slots)
{
	u->stats.tx_calls++;
	for (size_t i = 0; i < slots; i++) {
		u->stats.tx_datagrams += u->tx_segments[i];
		u->stats.tx_bytes += u->tx_bytes[i];
	}
}

/* The kernel refused the first message. Returns the progress that leaves this error behind. */
static struct progress skip_failed(struct udp *u, const struct udp_tx *tx, struct progress at,
				   int code)
{
	const struct udp_refusal why = { .code = -code };

	if (u->tx_segments[0] > 1 && (code == EIO || code == EINVAL || code == EMSGSIZE)) {
		/*
		 * EIO: the device or an IPsec policy cannot do it, so the next sends would fail as
		 * well.
		 */
		if (code == EIO)
			u->gso_paused_until = clock_now(u->host) + GSO_PAUSE_NS;
		at.uncut = u->tx_after[0].index + (u->tx_after[0].offset > 0);
		return at;
	}
	if (code == EMSGSIZE)
		u->stats.tx_too_big++;
	else
		u->stats.tx_errors++;
	if (MIN(tx[at.index].len, tx[at.index].segment) <= UDP_REFUSED_BYTES)
		udp_note(&u->refused, clock_now(u->host), &tx[at.index].to, &why);
	return u->tx_after[0];
}

size_t udp_send(struct udp *u, const struct udp_tx *tx, size_t n)
{
	struct progress at = { 0 };
	if (n && u->resume_offset && u->resume_data == tx[0].data && u->resume_offset < tx[0].len)
		at.offset = u->resume_offset; /* what the socket had no room for the last time */
	u->resume_offset = 0;
	while (at.index < n) {
		size_t slots = slots_fill(u, tx, n, at);
		if (u->icmp)
			udp_icmp_clear(u->fd);
		int sent = sendmmsg(u->fd, u->tx_msgs, (unsigned)slots,
				    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			count_sent(u, (size_t)sent);
			at = u->tx_after[sent - 1];
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			u->resume_data = tx[at.index].data;
			u->resume_offset = at.offset;
			u->blocked = true;
			fd_watch_set(u->watch, true, true);
			break;
		} else if (errno != EINTR) {
			at = skip_failed(u, tx, at, errno);
		}
	}
	return at.index;
}

void udp_forget(struct udp *u)
{
	u->resume_data = NULL;
	u->resume_offset = 0;
}

void udp_on_writable(struct udp *u, loop_fn writable, void *ctx)
{
	u->writable = writable;
	u->writable_ctx = ctx;
}

size_t udp_queued(const struct udp *u)
{
	int bytes = 0;
	return ioctl(u->fd, SIOCOUTQ, &bytes) < 0 || bytes < 0 ? 0 : (size_t)bytes;
}

struct udp_stats udp_stats_get(const struct udp *u)
{
	return u->stats;
}
