/* SPDX-License-Identifier: MIT */
/*
 * A yardstick for the benchmark: what any tunnel in user space costs at least. Packets go from a
 * TUN to a UDP socket with a fixed other side and back, with every offload the kernel has, and
 * without keys, peers, acknowledgements or congestion control. With -a each datagram is sealed with
 * AES-128-GCM under a known key: the cost of a cipher, not its protection.
 *
 *	floor [-a] DEVICE LOCAL_PORT REMOTE_IP4 REMOTE_PORT
 *
 * Inner IPv4 only. Each datagram is a complete inner packet, checksums included.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define SUPER_MAX 65535	  /* bytes of a packet of the TUN */
#define BATCH_BYTES 64000 /* of one UDP_SEGMENT send; its 64 KiB limit counts headers too */
#define BATCH_DATAGRAMS 60
#define JOINED_MAX 64 /* inner packets in one write to the TUN */
#define COUNTER_LEN 8
#define TAG_LEN 16
#define VNET_LEN sizeof(struct virtio_net_hdr)
#define BUFFER_BYTES (4 << 20) /* of the socket, each way */

static int tun, udp; /* shared by the two threads, which only read and write them */
static bool sealing;

/* --- the cipher ------------------------------------------------------------------------------ */

struct cipher {
	EVP_CIPHER_CTX *ctx;
	uint64_t counter;
};

static void cipher_init(struct cipher *c, int encrypt)
{
	static const uint8_t key[16] = "bench: no secret";

	c->ctx = EVP_CIPHER_CTX_new();
	if (!c->ctx || !EVP_CipherInit_ex(c->ctx, EVP_aes_128_gcm(), NULL, key, NULL, encrypt))
		errx(1, "no AES-128-GCM");
}

/* `p`: room for the counter, then n bytes, then room for the tag. The datagram's length. */
static size_t seal(struct cipher *c, uint8_t *p, size_t n)
{
	uint8_t nonce[12] = { 0 };
	int out;

	c->counter++;
	memcpy(p, &c->counter, COUNTER_LEN);
	memcpy(nonce + 4, p, COUNTER_LEN);
	if (!EVP_EncryptInit_ex(c->ctx, NULL, NULL, NULL, nonce) ||
	    !EVP_EncryptUpdate(c->ctx, NULL, &out, p, COUNTER_LEN) ||
	    !EVP_EncryptUpdate(c->ctx, p + COUNTER_LEN, &out, p + COUNTER_LEN, (int)n) ||
	    !EVP_EncryptFinal_ex(c->ctx, p + COUNTER_LEN + n, &out) ||
	    !EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, p + COUNTER_LEN + n))
		errx(1, "sealing failed");
	return COUNTER_LEN + n + TAG_LEN;
}

/* Opens a datagram in place; the packet is behind the counter. Returns 0 if it is forged. */
static size_t unseal(struct cipher *c, uint8_t *p, size_t len)
{
	uint8_t nonce[12] = { 0 };
	size_t n = len - COUNTER_LEN - TAG_LEN;
	int out;

	if (len <= COUNTER_LEN + TAG_LEN)
		return 0;
	memcpy(nonce + 4, p, COUNTER_LEN);
	if (!EVP_DecryptInit_ex(c->ctx, NULL, NULL, NULL, nonce) ||
	    !EVP_DecryptUpdate(c->ctx, NULL, &out, p, COUNTER_LEN) ||
	    !EVP_DecryptUpdate(c->ctx, p + COUNTER_LEN, &out, p + COUNTER_LEN, (int)n) ||
	    !EVP_CIPHER_CTX_ctrl(c->ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, p + len - TAG_LEN) ||
	    EVP_DecryptFinal_ex(c->ctx, p + len - TAG_LEN, &out) <= 0)
		return 0;
	return n;
}

/* --- checksums (RFC 1071), over words as they lie in memory ---------------------------------- */

static uint64_t sum_words(const uint8_t *p, size_t len, uint64_t sum)
{
	size_t i = 0;

	for (; i + 4 <= len; i += 4) {
		uint32_t w;

		memcpy(&w, p + i, 4);
		sum += w;
	}
	if (i + 2 <= len) {
		uint16_t w;

		memcpy(&w, p + i, 2);
		sum += w;
		i += 2;
	}
	return i < len ? sum + p[i] : sum;
}

static uint16_t fold(uint64_t sum)
{
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 32) + (sum & 0xffffffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

static uint64_t sum_pseudo(const struct iphdr *ip, size_t transport_len)
{
	return sum_words((const uint8_t *)&ip->saddr, 8, 0) + htons(ip->protocol) +
	       htons((uint16_t)transport_len);
}

static void ip_set_length(struct iphdr *ip, size_t len)
{
	ip->tot_len = htons((uint16_t)len);
	ip->check = 0;
	ip->check = (uint16_t)~fold(sum_words((uint8_t *)ip, ip->ihl * 4U, 0));
}

static size_t checksum_offset(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? 16 : 6;
}

/* --- from the TUN to the socket -------------------------------------------------------------- */

/* Datagrams of one size, of which the last may be shorter. */
struct batch {
	uint8_t data[SUPER_MAX];
	size_t len, each, n;
	bool closed;
	struct cipher cipher;
};

static void batch_send(struct batch *b)
{
	struct iovec iov = { .iov_base = b->data, .iov_len = b->len };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (b->n == 0)
		return;
	if (b->n > 1) {
		uint16_t each = (uint16_t)b->each;
		struct cmsghdr *c;

		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(each));
		memcpy(CMSG_DATA(c), &each, sizeof(each));
	}
	while (sendmsg(udp, &m, 0) < 0 && errno == EINTR)
		;
	b->len = b->n = 0;
	b->closed = false;
}

/* Where an inner packet of n bytes may be written. */
static uint8_t *batch_room(struct batch *b, size_t n)
{
	size_t len = n + (sealing ? COUNTER_LEN + TAG_LEN : 0);

	if (b->n &&
	    (b->closed || len > b->each || b->len + len > BATCH_BYTES || b->n == BATCH_DATAGRAMS))
		batch_send(b);
	return b->data + b->len + (sealing ? COUNTER_LEN : 0);
}

static void batch_add(struct batch *b, size_t n)
{
	size_t len = sealing ? seal(&b->cipher, b->data + b->len, n) : n;

	if (b->n == 0)
		b->each = len;
	else if (len < b->each)
		b->closed = true;
	b->len += len;
	b->n++;
}

static void send_plain(struct batch *b, const struct virtio_net_hdr *v, uint8_t *p, size_t len)
{
	if (v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && v->csum_start + v->csum_offset + 2U <= len) {
		size_t rest = len - v->csum_start;
		uint16_t sum = (uint16_t)~fold(sum_words(p + v->csum_start, rest, 0));

		memcpy(p + v->csum_start + v->csum_offset, &sum, sizeof(sum));
	}
	memcpy(batch_room(b, len), p, len);
	batch_add(b, len);
}

/* One of the packets that a super-packet stands for. */
static void send_segment(struct batch *b, const uint8_t *super, size_t headers, size_t at, size_t n,
			 bool last, unsigned index)
{
	uint8_t *out = batch_room(b, headers + n);
	struct iphdr *ip = (struct iphdr *)out;
	size_t ip_len;
	uint8_t *transport;
	uint16_t sum = 0;

	memcpy(out, super, headers);
	memcpy(out + headers, super + at, n);
	ip_len = ip->ihl * 4U;
	transport = out + ip_len;
	ip->id = htons((uint16_t)(ntohs(ip->id) + index));
	ip_set_length(ip, headers + n);
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *t = (struct tcphdr *)transport;

		t->seq = htonl(ntohl(t->seq) + (uint32_t)(at - headers));
		if (!last)
			t->fin = t->psh = 0;
		if (index > 0)
			t->th_flags &= 0x7f; /* CWR only on the first (RFC 3168) */
	} else {
		((struct udphdr *)transport)->len = htons((uint16_t)(8 + n));
	}
	memcpy(transport + checksum_offset(ip->protocol), &sum, sizeof(sum));
	sum = (uint16_t)~fold(sum_words(transport, headers + n - ip_len,
					sum_pseudo(ip, headers + n - ip_len)));
	memcpy(transport + checksum_offset(ip->protocol), &sum, sizeof(sum));
	batch_add(b, headers + n);
}

static void send_super(struct batch *b, const struct virtio_net_hdr *v, const uint8_t *p,
		       size_t len)
{
	const struct iphdr *ip = (const struct iphdr *)p;
	size_t headers = ip->ihl * 4U;
	unsigned index = 0;

	headers += ip->protocol == IPPROTO_TCP ? ((const struct tcphdr *)(p + headers))->doff * 4U
					       : sizeof(struct udphdr);
	for (size_t at = headers, n; at < len; at += n) {
		n = len - at < v->gso_size ? len - at : v->gso_size;
		send_segment(b, p, headers, at, n, at + n == len, index++);
	}
}

static void *outbound(void *unused)
{
	static struct batch b;
	static _Alignas(8) uint8_t space[6 + VNET_LEN + SUPER_MAX];
	uint8_t *buf = space + 6; /* the IP header lies aligned */
	struct virtio_net_hdr v;

	if (sealing)
		cipher_init(&b.cipher, 1);
	for (;;) {
		ssize_t len = read(tun, buf, VNET_LEN + SUPER_MAX);

		if (len < 0) {
			struct pollfd wait = { .fd = tun, .events = POLLIN };

			batch_send(&b); /* nothing waits for a batch to fill */
			poll(&wait, 1, -1);
			continue;
		}
		if (len < (ssize_t)(VNET_LEN + sizeof(struct iphdr)) || buf[VNET_LEN] >> 4 != 4)
			continue;
		memcpy(&v, buf, VNET_LEN);
		if (v.gso_type == VIRTIO_NET_HDR_GSO_NONE)
			send_plain(&b, &v, buf + VNET_LEN, (size_t)len - VNET_LEN);
		else
			send_super(&b, &v, buf + VNET_LEN, (size_t)len - VNET_LEN);
	}
	return unused;
}

/* --- from the socket to the TUN -------------------------------------------------------------- */

/* Packets of one flow, in order, of one size but for the last. */
struct joined {
	uint8_t *first;
	size_t headers, size, len, n;
	uint32_t next_seq;
	bool open; /* another may follow */
	struct iovec iov[1 + JOINED_MAX];
};

static void joined_write(struct joined *j)
{
	struct iphdr *ip = (struct iphdr *)j->first;
	struct virtio_net_hdr v = { 0 };

	if (j->n == 0)
		return;
	if (j->n > 1) {
		size_t ip_len = ip->ihl * 4U;
		uint16_t sum;

		ip_set_length(ip, j->len);
		if (ip->protocol == IPPROTO_UDP) {
			struct udphdr *u = (struct udphdr *)(j->first + ip_len);

			u->len = htons((uint16_t)(j->len - ip_len));
		}
		v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v.gso_type = ip->protocol == IPPROTO_TCP ? VIRTIO_NET_HDR_GSO_TCPV4
							 : VIRTIO_NET_HDR_GSO_UDP_L4;
		v.hdr_len = (uint16_t)j->headers;
		v.gso_size = (uint16_t)j->size;
		v.csum_start = (uint16_t)ip_len;
		v.csum_offset = (uint16_t)checksum_offset(ip->protocol);
		sum = fold(sum_pseudo(ip, j->len - ip_len));
		memcpy(j->first + ip_len + v.csum_offset, &sum, sizeof(sum));
	}
	j->iov[0] = (struct iovec){ .iov_base = &v, .iov_len = VNET_LEN };
	if (writev(tun, j->iov, (int)j->n + 1) < 0 && errno != EINVAL && errno != EIO)
		warn("write to the TUN");
	j->n = 0;
}

/* Bytes of headers of a packet that may be joined with others, 0 if it may not. */
static size_t joinable(const uint8_t *p, size_t len)
{
	const struct iphdr *ip = (const struct iphdr *)p;
	size_t headers;

	if (len < 28 || p[0] >> 4 != 4 || ip->frag_off & htons(0x3fff))
		return 0;
	headers = ip->ihl * 4U;
	if (ip->protocol == IPPROTO_UDP)
		return headers + 8 < len ? headers + 8 : 0;
	if (ip->protocol != IPPROTO_TCP || headers + sizeof(struct tcphdr) > len)
		return 0;
	const struct tcphdr *t = (const struct tcphdr *)(p + headers);
	headers += t->doff * 4U;
	return t->syn || t->fin || t->rst || t->urg || headers >= len ? 0 : headers;
}

static bool same_flow(const struct joined *j, const uint8_t *p, size_t headers)
{
	const struct iphdr *a = (const struct iphdr *)j->first, *b = (const struct iphdr *)p;
	size_t at = b->ihl * 4U;

	if (a->ihl != b->ihl || a->tos != b->tos || a->ttl != b->ttl ||
	    a->protocol != b->protocol || memcmp(&a->saddr, &b->saddr, 8) != 0 ||
	    memcmp(j->first + at, p + at, 4) != 0)
		return false;
	if (b->protocol == IPPROTO_UDP)
		return true;
	const struct tcphdr *t = (const struct tcphdr *)(p + at);
	const struct tcphdr *f = (const struct tcphdr *)(j->first + at);
	return ntohl(t->seq) == j->next_seq && t->ack_seq == f->ack_seq && t->window == f->window &&
	       memcmp(j->first + at + 20, p + at + 20, headers - at - 20) == 0;
}

static void joined_add(struct joined *j, uint8_t *p, size_t len)
{
	size_t headers = joinable(p, len), n = len - headers;
	struct tcphdr *t = (struct tcphdr *)(p + ((struct iphdr *)p)->ihl * 4U);
	bool tcp = headers && ((struct iphdr *)p)->protocol == IPPROTO_TCP;
	bool push = tcp && t->psh;

	if (j->n && j->open && headers == j->headers && n <= j->size && j->n < JOINED_MAX &&
	    j->len + n <= SUPER_MAX - 500 && same_flow(j, p, headers)) {
		j->iov[++j->n] = (struct iovec){ .iov_base = p + headers, .iov_len = n };
		j->len += n;
		j->next_seq += (uint32_t)n;
		j->open = n == j->size && !push;
		if (push)
			((struct tcphdr *)(j->first + ((struct iphdr *)p)->ihl * 4U))->psh = 1;
		return;
	}
	joined_write(j);
	j->first = p;
	j->headers = headers;
	j->size = n;
	j->len = len;
	j->n = 1;
	j->next_seq = tcp ? ntohl(t->seq) + (uint32_t)n : 0;
	j->open = headers && !push;
	j->iov[1] = (struct iovec){ .iov_base = p, .iov_len = len };
}

/* Bytes of each datagram of what was received. */
static size_t gro_size(struct msghdr *m, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, CMSG_DATA(c), sizeof(size));
			return (size_t)size;
		}
	}
	return len;
}

static void *inbound(void *unused)
{
	static _Alignas(8) uint8_t buf[SUPER_MAX + 1];
	static struct joined j;
	struct cipher cipher = { 0 };

	if (sealing)
		cipher_init(&cipher, 0);
	for (;;) {
		struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(udp, &m, 0);
		size_t each = got > 0 ? gro_size(&m, (size_t)got) : 0;

		for (size_t at = 0; got > 0 && at < (size_t)got; at += each) {
			size_t len = (size_t)got - at < each ? (size_t)got - at : each;
			uint8_t *p = buf + at;

			if (sealing) {
				len = unseal(&cipher, p, len);
				p += COUNTER_LEN;
			}
			if (len >= sizeof(struct iphdr))
				joined_add(&j, p, len);
		}
		joined_write(&j);
	}
	return unused;
}

/* --- setting up ------------------------------------------------------------------------------ */

static void open_tun(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &r) < 0)
		err(1, "TUN %s", name);
	/* UDP offloads came with Linux 6.2. */
	if (ioctl(tun, TUNSETOFFLOAD, tso | TUN_F_USO4 | TUN_F_USO6) < 0 &&
	    ioctl(tun, TUNSETOFFLOAD, tso) < 0)
		err(1, "offloads of TUN %s", name);
}

static void open_udp(const char *local_port, const char *remote, const char *remote_port)
{
	struct sockaddr_in local = { .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)atoi(local_port)) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(remote_port)) };
	int bytes = BUFFER_BYTES, on = 1;

	if (inet_pton(AF_INET, remote, &to.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", remote);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || bind(udp, (struct sockaddr *)&local, sizeof(local)) < 0 ||
	    connect(udp, (struct sockaddr *)&to, sizeof(to)) < 0)
		err(1, "UDP socket");
	if (setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0 ||
	    setsockopt(udp, SOL_UDP, UDP_GRO, &on, sizeof(on)) < 0)
		err(1, "UDP socket's options");
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc > 1 && strcmp(argv[1], "-a") == 0) {
		sealing = true;
		argc--;
		argv++;
	}
	if (argc != 5)
		errx(2, "usage: floor [-a] DEVICE LOCAL_PORT REMOTE_IP4 REMOTE_PORT");
	open_tun(argv[1]);
	open_udp(argv[2], argv[3], argv[4]);
	if (pthread_create(&thread, NULL, inbound, NULL) != 0)
		errx(1, "no second thread");
	outbound(NULL);
}
