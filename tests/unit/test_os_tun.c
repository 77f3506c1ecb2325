/* SPDX-License-Identifier: MIT */
/*
 * TUN: a reflector swaps the addresses of every packet and writes it back, so that the kernel talks
 * TCP and UDP to itself through the device. All of it needs root.
 *
 *	socket 10.9.0.1:a ---> 10.9.0.2:p --- mlsh0: swap ---> 10.9.0.1:p from 10.9.0.2:a
 */
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "os/netconf.h"
#include "os/posix/watch.h"
#include "os/tun.h"
#include "os_deny.h"
#include "os_unit.h"

#define HERE 0x0a090001	 /* 10.9.0.1 */
#define THERE 0x0a090002 /* 10.9.0.2 */
#define MTU 1400

struct reflector {
	struct host *host;
	struct tun *tun;
	size_t seen[TUN_GSO_UDP6 + 1];
	size_t partial, largest;
	int ended; /* what tun_read said when it was not 0 or 1 */
};

static void swap_addresses(uint8_t *ip)
{
	uint8_t tmp[4];
	memcpy(tmp, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, tmp, 4);
}

static void check_packet(const struct tun_packet *p)
{
	ck_assert_uint_ge(p->len, 20);
	ck_assert_uint_eq(p->data[0], 0x45); /* nothing of IPv6 comes here */
	ck_assert_uint_eq(load_be16(p->data + 2), p->len);
	if (p->gso == TUN_GSO_NONE) {
		ck_assert_uint_le(p->len, MTU);
		return;
	}
	ck_assert(p->csum_partial);
	ck_assert_uint_gt(p->len, MTU);
	ck_assert_uint_ge(p->hdr_len, 28);
	ck_assert_uint_le(p->hdr_len + p->gso_size, MTU);
	ck_assert_uint_gt(p->len, (size_t)p->hdr_len + p->gso_size);
	ck_assert_uint_le((p->len - p->hdr_len + p->gso_size - 1) / p->gso_size, 43);
}

static void on_readable(void *ctx)
{
	struct reflector *r = ctx;
	static uint8_t copy[TUN_HEADROOM + TUN_PACKET_MAX], buffer[TUN_READ_BYTES];
	struct tun_packet p;
	for (int i = 0; i < TUN_BATCH_MAX; i++) {
		int n = tun_read(r->tun, buffer, &p);
		if (n < 0) {
			r->ended = n;
			tun_pause(r->tun, true);
			loop_stop(r->host);
		}
		if (n != 1)
			return;
		check_packet(&p);
		r->seen[p.gso]++;
		r->partial += p.csum_partial;
		r->largest = MAX(r->largest, p.len);
		memcpy(copy + TUN_HEADROOM, p.data, p.len);
		p.data = copy + TUN_HEADROOM;
		swap_addresses(p.data);
		ck_assert_int_eq(tun_write(r->tun, &p), 0);
	}
}

/* False when not root. */
static bool reflector_open(struct reflector *r)
{
	if (!os_unit_namespace())
		return false;
	struct err err = { 0 };
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = MTU };
	*r = (struct reflector){ .host = os_unit_host() };
	int code = tun_open(r->host, &cfg, on_readable, r, &err, &r->tun);
	ck_assert_msg(code == 0, "%s", err.text);
	ck_assert_str_eq(tun_name(r->tun), "mlsh0");
	unsigned i = tun_ifindex(r->tun);
	ck_assert_uint_eq(i, if_nametoindex("mlsh0"));
	ck_assert_int_eq(netconf_link_up(r->host, i, NULL), 0);
	ck_assert_int_eq(netconf_addr_add(r->host, i, HERE, 32, NULL), 0);
	struct prefix4 there = { THERE, 32 };
	ck_assert_int_eq(netconf_route_add(r->host, i, there, HERE, NULL), 0);
	return true;
}

static void reflector_close(struct reflector *r)
{
	tun_close(r->tun);
	ck_assert_uint_eq(if_nametoindex("mlsh0"), 0);
	host_free(r->host);
}

static int socket_at(int type, ip4 ip, uint16_t *port)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(ip),
				 .sin_port = htons(*port) };
	socklen_t len = sizeof(a);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* ---- TCP ---- */

#define STREAM_BYTES (8u << 20)

struct stream {
	struct host *host;
	int listener, from, to;
	struct fd_watch *accepting, *sending, *receiving;
	size_t sent, received;
};

static uint8_t stream_byte(size_t at)
{
	return (uint8_t)(at * 31 + (at >> 11));
}

/* Returns how many of these bytes are those of the stream from `at` on. (No assertion for each
 * byte: Check writes a record to a file for every one.) */
static size_t stream_matches(const uint8_t *bytes, size_t n, size_t at)
{
	size_t i = 0;
	while (i < n && bytes[i] == stream_byte(at + i))
		i++;
	return i;
}

static void on_receiving(void *ctx)
{
	struct stream *s = ctx;
	static uint8_t buffer[65536];
	ssize_t n = read(s->to, buffer, sizeof(buffer));
	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq(stream_matches(buffer, (size_t)n, s->received), (size_t)n);
	s->received += (size_t)n;
	if (s->received == STREAM_BYTES)
		loop_stop(s->host);
}

static void on_accepting(void *ctx)
{
	struct stream *s = ctx;
	s->to = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	ck_assert_int_ge(s->to, 0);
	s->receiving = fd_watch_new(s->host, s->to, true, false, on_receiving, s);
	fd_watch_set(s->accepting, false, false);
}

static void on_sending(void *ctx)
{
	struct stream *s = ctx;
	static uint8_t buffer[262144];
	size_t n = MIN(sizeof(buffer), STREAM_BYTES - s->sent);
	for (size_t i = 0; i < n; i++)
		buffer[i] = stream_byte(s->sent + i);
	ssize_t written = write(s->from, buffer, n);
	if (written > 0)
		s->sent += (size_t)written;
	if (s->sent == STREAM_BYTES)
		fd_watch_set(s->sending, false, false);
}

static void run_stream(struct host *h)
{
	uint16_t to_port = 0, from_port = 0;
	struct stream s = { .host = h, .to = -1 };
	s.listener = socket_at(SOCK_STREAM, HERE, &to_port);
	ck_assert_int_eq(listen(s.listener, 1), 0);
	s.from = socket_at(SOCK_STREAM, HERE, &from_port);
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(THERE),
				     .sin_port = htons(to_port) };
	ck_assert_int_eq(connect(s.from, (struct sockaddr *)&there, sizeof(there)), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	s.accepting = fd_watch_new(h, s.listener, true, false, on_accepting, &s);
	s.sending = fd_watch_new(h, s.from, false, true, on_sending, &s);
	os_unit_run(h, "a stream through the device");
	ck_assert_uint_eq(s.received, STREAM_BYTES);
	fd_watch_free(s.accepting);
	fd_watch_free(s.sending);
	fd_watch_free(s.receiving);
	close(s.listener);
	close(s.from);
	close(s.to);
}

START_TEST(tcp_in_super_packets_both_ways)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	ck_assert(tun_can_join(r.tun, TUN_GSO_NONE));
	ck_assert(tun_can_join(r.tun, TUN_GSO_TCP4));
	run_stream(r.host);
	ck_assert_uint_gt(r.seen[TUN_GSO_TCP4], 10);
	ck_assert_uint_gt(r.largest, 20000);
	reflector_close(&r);
}
END_TEST

/* ---- UDP ---- */

static void on_datagrams(void *ctx)
{
	loop_stop(ctx);
}

/* Sends `segments` datagrams at once; returns how many receives it took to have them all. */
static size_t run_datagrams(struct host *h, size_t segments, bool joined)
{
	static uint8_t sent[65536], got[65536];
	uint16_t port = 0;
	int one = 1, segment = 1000;
	int fd = socket_at(SOCK_DGRAM, HERE, &port);
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(THERE),
				     .sin_port = htons(port) };
	struct unit_rng rng = unit_rng_new("tun datagrams");
	size_t len = segments * 1000 - 300, received = 0, calls = 0;
	unit_random_bytes(&rng, sent, len);
	if (joined) {
		ck_assert_int_eq(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)),
				 0);
		ck_assert_int_eq(setsockopt(fd, SOL_UDP, UDP_GRO, &one, sizeof(one)), 0);
	}
	ck_assert_int_eq(sendto(fd, sent, len, 0, (struct sockaddr *)&there, sizeof(there)), len);
	struct fd_watch *w = fd_watch_new(h, fd, true, false, on_datagrams, h);
	while (received < len) {
		os_unit_run(h, "datagrams through the device");
		ssize_t n = recv(fd, got + received, sizeof(got) - received, 0);
		ck_assert_int_gt(n, 0);
		received += (size_t)n;
		calls++;
	}
	ck_assert_uint_eq(received, len);
	ck_assert_mem_eq(sent, got, len);
	fd_watch_free(w);
	close(fd);
	return calls;
}

START_TEST(udp_single_with_partial_checksum)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	ck_assert_uint_eq(run_datagrams(r.host, 1, false), 1);
	ck_assert_uint_eq(r.seen[TUN_GSO_NONE], 1);
	ck_assert_uint_eq(r.partial, 1);
	reflector_close(&r);
}
END_TEST

START_TEST(udp_in_super_packets_both_ways)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	size_t calls = run_datagrams(r.host, 20, true);
	if (tun_can_join(r.tun, TUN_GSO_UDP4)) {
		ck_assert_uint_eq(r.seen[TUN_GSO_UDP4], 1);
		ck_assert_uint_eq(calls, 1);
	} else {
		os_unit_skip("this kernel does not join UDP on a TUN (Linux 6.2)");
		ck_assert_uint_eq(r.seen[TUN_GSO_NONE], 20);
	}
	reflector_close(&r);
}
END_TEST

/* ---- a kernel without the header ---- */

static void deny_header(void)
{
	os_deny(EINVAL, SCMP_SYS(ioctl), 1, TUNSETVNETHDRSZ);
}

START_TEST(plain_packets_where_the_header_is_refused)
{
	struct reflector r;
	deny_header();
	if (!reflector_open(&r))
		return;
	ck_assert(tun_can_join(r.tun, TUN_GSO_NONE));
	ck_assert(!tun_can_join(r.tun, TUN_GSO_TCP4));
	run_datagrams(r.host, 1, false);
	run_stream(r.host);
	ck_assert_uint_eq(r.seen[TUN_GSO_TCP4], 0);
	ck_assert_uint_eq(r.partial, 0);
	ck_assert_uint_le(r.largest, MTU);
	reflector_close(&r);
}
END_TEST

/*
 * The header's promise must be kept without it: a partial checksum is completed before the write.
 */
START_TEST(plain_write_completes_the_checksum)
{
	struct reflector r;
	deny_header();
	if (!reflector_open(&r))
		return;
	for (size_t len = 1; len <= 4; len++) {
		uint8_t buffer[TUN_HEADROOM + 64] = { 0 }, *ip = buffer + TUN_HEADROOM, got[8];
		uint16_t port = 0;
		int fd = socket_at(SOCK_DGRAM, HERE, &port);
		uint32_t sum = 0;
		ip[0] = 0x45;
		store_be16(ip + 2, (uint16_t)(28 + len));
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		store_be32(ip + 12, THERE);
		store_be32(ip + 16, HERE);
		for (size_t i = 0; i < 20; i += 2)
			sum += load_be16(ip + i);
		store_be16(ip + 10, (uint16_t)~((sum & 0xffff) + (sum >> 16)));
		store_be16(ip + 20, 5);
		store_be16(ip + 22, port);
		store_be16(ip + 24, (uint16_t)(8 + len));
		/* pseudo-header: addresses, protocol, length */
		sum = (THERE >> 16) + (THERE & 0xffff) + (HERE >> 16) + (HERE & 0xffff) +
		      IPPROTO_UDP + 8 + (uint32_t)len;
		store_be16(ip + 26, (uint16_t)((sum & 0xffff) + (sum >> 16)));
		memcpy(ip + 28, "\xff\x01wxyz", len);
		struct tun_packet p = { .data = ip,
					.len = 28 + len,
					.csum_partial = true,
					.csum_start = 20,
					.csum_offset = 6 };
		ck_assert_int_eq(tun_write(r.tun, &p), 0);
		struct fd_watch *w = fd_watch_new(r.host, fd, true, false, on_datagrams, r.host);
		os_unit_run(r.host, "the datagram written");
		ck_assert_int_eq(recv(fd, got, sizeof(got), 0), (ssize_t)len);
		ck_assert_mem_eq(got, "\xff\x01wxyz", len);
		fd_watch_free(w);
		close(fd);
	}
	reflector_close(&r);
}
END_TEST

/* ---- the rest ---- */

START_TEST(malformed_writes_are_refused)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	uint8_t buffer[TUN_HEADROOM + 64] = { 0 };
	uint8_t *data = buffer + TUN_HEADROOM;
	const struct tun_packet bad[] = {
		{ .data = data, .len = 0 },
		{ .data = data, .len = TUN_PACKET_MAX + 1 },
		{ .data = data,
		  .len = 40,
		  .csum_partial = true,
		  .csum_start = 20,
		  .csum_offset = 19 },
		{ .data = data, .len = 40, .gso = TUN_GSO_TCP4, .gso_size = 0 },
		{ .data = data, .len = 40 }, /* no IP version: the kernel says so */
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(tun_write(r.tun, &bad[i]), -EINVAL);
	reflector_close(&r);
}
END_TEST

START_TEST(device_is_configured)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "mlsh0");
	ck_assert_int_eq(ioctl(fd, SIOCGIFMTU, &request), 0);
	ck_assert_int_eq(request.ifr_mtu, MTU);
	close(fd);
	struct tun *second = NULL;
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = MTU };
	ck_assert_int_eq(tun_open(r.host, &cfg, on_readable, &r, NULL, &second), 0);
	ck_assert_str_eq(tun_name(second), "mlsh1");
	tun_close(second);
	cfg.name_prefix = "a-name-that-is-too-long";
	ck_assert_int_eq(tun_open(r.host, &cfg, on_readable, &r, NULL, &second), -EINVAL);
	cfg.name_prefix = "ml%s";
	ck_assert_int_eq(tun_open(r.host, &cfg, on_readable, &r, NULL, &second), -EINVAL);
	tun_close(NULL);
	reflector_close(&r);
}
END_TEST

START_TEST(paused_device_is_silent)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	uint16_t port = 0;
	int fd = socket_at(SOCK_DGRAM, HERE, &port);
	struct sockaddr_in there = { .sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(THERE),
				     .sin_port = htons(port) };
	tun_pause(r.tun, true);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&there, sizeof(there)), 1);
	os_unit_run_for(r.host, 20 * NS_PER_MS);
	ck_assert_uint_eq(r.seen[TUN_GSO_NONE], 0);
	tun_pause(r.tun, false);
	struct fd_watch *w = fd_watch_new(r.host, fd, true, false, on_datagrams, r.host);
	os_unit_run(r.host, "the packet that waited");
	ck_assert_uint_eq(r.seen[TUN_GSO_NONE], 1);
	fd_watch_free(w);
	close(fd);
	reflector_close(&r);
}
END_TEST

START_TEST(device_that_vanishes_is_noticed)
{
	struct reflector r;
	if (!reflector_open(&r))
		return;
	if (!os_unit_command("ip link del mlsh0")) {
		os_unit_skip("needs iproute2");
		reflector_close(&r);
		return;
	}
	os_unit_run(r.host, "the end of the device");
	ck_assert_int_lt(r.ended, 0);
	uint8_t buffer[TUN_HEADROOM + 20] = { [TUN_HEADROOM] = 0x45 };
	struct tun_packet p = { .data = buffer + TUN_HEADROOM, .len = 20 };
	int code = tun_write(r.tun, &p);
	ck_assert(code < 0 && code != -EAGAIN && code != -ENOBUFS && code != -EINVAL);
	reflector_close(&r);
}
END_TEST

START_TEST(without_privilege_the_message_says_so)
{
	struct err err = { 0 };
	struct tun *t = NULL;
	struct host *h = os_unit_host();
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = MTU };
	if (getuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
	int r = tun_open(h, &cfg, os_unit_stop, h, &err, &t);
	ck_assert_int_lt(r, 0);
	ck_assert_ptr_null(t);
	ck_assert_uint_gt(strlen(err.text), 20);
	host_free(h);
}
END_TEST

UNIT_MAIN("os/tun", tcp_in_super_packets_both_ways, udp_single_with_partial_checksum,
	  udp_in_super_packets_both_ways, plain_packets_where_the_header_is_refused,
	  plain_write_completes_the_checksum, malformed_writes_are_refused, device_is_configured,
	  paused_device_is_silent, device_that_vanishes_is_noticed,
	  without_privilege_the_message_says_so)
