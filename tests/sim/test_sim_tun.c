/* SPDX-License-Identifier: MIT */
/* Tests of simulated tunnel devices, routes and split DNS. */
#include "os/netconf.h"
#include "os/privs.h"
#include "os/splitdns.h"
#include "os/tun.h"
#include "sim.h"

#define OVERLAY_A IP(100, 64, 0, 1)
#define OVERLAY_B IP(100, 64, 0, 2)
#define PREFIX(ip, b) ((struct prefix4){ .net = (ip), .bits = (b) })

/* A program that reads a device. */
struct reader {
	struct tun *tun;
	size_t packets, calls;
	uint8_t last[2000];
	size_t last_len;
	int rc;
};

static void reader_readable(void *ctx)
{
	static uint8_t buffer[TUN_READ_BYTES];
	struct reader *r = ctx;
	struct tun_packet p;

	r->calls++;
	while ((r->rc = tun_read(r->tun, buffer, &p)) == 1) {
		r->packets++;
		r->last_len = p.len;
		ck_assert_uint_le(p.len, sizeof(r->last));
		memcpy(r->last, p.data, p.len);
	}
}

static void reader_open(struct reader *r, struct host *h)
{
	struct tun_config cfg = { .name_prefix = "mlsh", .mtu_bytes = 1400 };

	*r = (struct reader){ 0 };
	ck_assert_int_eq(tun_open(h, &cfg, reader_readable, r, NULL, &r->tun), 0);
}

static void reader_up(struct reader *r, struct host *h, ip4 ip)
{
	ck_assert_int_eq(netconf_link_up(h, tun_ifindex(r->tun), NULL), 0);
	ck_assert_int_eq(netconf_addr_add(h, tun_ifindex(r->tun), ip, 32, NULL), 0);
}

/* Writes `len` bytes at p, with the headroom that a caller leaves. */
static int tun_put(struct tun *t, struct tun_packet p, const uint8_t *bytes)
{
	uint8_t *room = malloc(TUN_HEADROOM + p.len);
	int rc;

	ck_assert_ptr_nonnull(room);
	memcpy(room + TUN_HEADROOM, bytes, p.len);
	p.data = room + TUN_HEADROOM;
	rc = tun_write(t, &p);
	free(room);
	return rc;
}

/* One's complement sum over a span, folded; 0xffff over data with a right checksum. */
static uint32_t ones_sum(const uint8_t *p, size_t len, uint32_t acc)
{
	for (size_t i = 0; i < len; i++)
		acc += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

static void check_checksums(const uint8_t *ip, size_t len)
{
	ck_assert_uint_eq(ones_sum(ip, 20, 0), 0xffff);
	ck_assert_uint_eq(ones_sum(ip + 20, len - 20,
				   ones_sum(ip + 12, 8, 0) + ip[9] + (uint32_t)(len - 20)),
			  0xffff);
}

/* An IPv4 and TCP header of 40 bytes without checksums. */
static void tcp_header(uint8_t *p, size_t len, uint8_t flags)
{
	memset(p, 0, 40);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	store_be16(p + 4, 0xffff); /* identification: the next one wraps */
	p[8] = 64;
	p[9] = 6;
	store_be32(p + 12, OVERLAY_B);
	store_be32(p + 16, OVERLAY_A);
	store_be32(p + 24, 0xfffffff0); /* sequence number: wraps, too */
	p[32] = 0x50;
	p[33] = flags;
}

START_TEST(devices_get_free_names_and_vanish_with_their_process)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader first, second, third;
	struct addr ip = addr_v4(OVERLAY_A, 0);
	struct prefix4 p = PREFIX(IP(100, 64, 0, 0), 24), peer = PREFIX(OVERLAY_B, 32);
	struct err err;

	ck_assert_int_eq(privs_check_tunnel(h, NULL), 0);
	reader_open(&first, h);
	reader_open(&second, h);
	ck_assert_str_eq(tun_name(first.tun), "mlsh0");
	ck_assert_str_eq(tun_name(second.tun), "mlsh1");
	ck_assert_uint_ne(tun_ifindex(first.tun), tun_ifindex(second.tun));
	tun_close(first.tun);
	reader_open(&first, h);
	ck_assert_str_eq(tun_name(first.tun), "mlsh0");
	ck_assert_int_eq(netconf_route_add(h, tun_ifindex(first.tun), peer, 0, &err), -ENETDOWN);
	reader_up(&first, h, OVERLAY_A);
	ck_assert_int_eq(netconf_route_add(h, tun_ifindex(first.tun), peer, OVERLAY_A, NULL), 0);
	ck_assert_int_eq(netconf_route_add(h, tun_ifindex(first.tun), peer, OVERLAY_A, NULL), 0);
	ck_assert_int_eq(netconf_route_add(h, 0, p, 0, NULL), 0);
	ck_assert_uint_eq(world_routes(h, NULL, 0), 2);
	ck_assert(world_has_route(h, peer, tun_ifindex(first.tun)));
	ck_assert(world_has_addr(h, &ip));

	world_host_crash(h);
	ck_assert(!world_has_addr(h, &ip));
	ck_assert(!world_has_route(h, peer, tun_ifindex(first.tun)));
	ck_assert(world_has_route(h, p, 0)); /* this one stays behind */
	ck_assert_int_eq(tun_read(first.tun, (uint8_t[TUN_READ_BYTES]){ 0 },
				  &(struct tun_packet){ 0 }),
			 0);
	h = world_host_boot(h);
	ck_assert_int_eq(netconf_cleanup(h, NULL), 0);
	ck_assert_uint_eq(world_routes(h, NULL, 0), 0);
	reader_open(&third, h);
	ck_assert_str_eq(tun_name(third.tun), "mlsh0");
	tun_close(first.tun);
	tun_close(second.tun);
	tun_close(third.tun);
	tun_close(NULL);
	world_free(w);
}
END_TEST

START_TEST(injected_packets_are_read_unless_paused)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader r;
	uint8_t packet[40];

	tcp_header(packet, 40, 0x10);
	reader_open(&r, h);
	ck_assert_int_eq(world_tun_inject(h, 1, packet, 40), -ENODEV);
	ck_assert_int_eq(world_tun_inject(h, 0, packet, 40), 0);
	ck_assert_int_eq(world_tun_inject(h, 0, packet, 39), 0);
	ck_assert_uint_eq(r.packets, 0);
	sim_pass(w, 0);
	ck_assert_uint_eq(r.packets, 2);
	ck_assert_uint_eq(r.last_len, 39);
	ck_assert_mem_eq(r.last, packet, 39);
	tun_pause(r.tun, true);
	ck_assert_int_eq(world_tun_inject(h, 0, packet, 40), 0);
	sim_pass(w, NS_PER_S);
	ck_assert_uint_eq(r.packets, 2);
	tun_pause(r.tun, false);
	sim_pass(w, 0);
	ck_assert_uint_eq(r.packets, 3);
	world_tun_kill(h, 0);
	sim_pass(w, 0);
	ck_assert_int_eq(r.rc, -ENODEV);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

START_TEST(written_packets_can_be_taken_and_bad_ones_are_refused)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader r;
	uint8_t packet[60] = { 0 }, out[100];
	struct tun_packet plain = { .len = 60 }, bad = { .len = 60 };
	size_t len;

	tcp_header(packet, 60, 0x10);
	reader_open(&r, h);
	ck_assert_int_eq(tun_put(r.tun, plain, packet), -EAGAIN); /* is down */
	ck_assert(!world_tun_up(h, 0));
	reader_up(&r, h, OVERLAY_A);
	ck_assert(world_tun_up(h, 0));
	ck_assert_int_eq(tun_put(r.tun, plain, packet), 0);
	ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 1);
	ck_assert_uint_eq(len, 60);
	ck_assert_mem_eq(out, packet, 60);
	ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 0);

	bad.len = 19;
	ck_assert_int_eq(tun_put(r.tun, bad, packet), -EINVAL);
	bad = (struct tun_packet){ .len = 60, .gso = TUN_GSO_TCP4, .hdr_len = 40 };
	ck_assert_int_eq(tun_put(r.tun, bad, packet), -EINVAL); /* no size */
	bad = (struct tun_packet){ .len = 60, .gso = TUN_GSO_TCP6, .hdr_len = 40, .gso_size = 9 };
	ck_assert_int_eq(tun_put(r.tun, bad, packet), -EINVAL); /* is IPv4 */
	bad = (struct tun_packet){
		.len = 60, .csum_partial = true, .csum_start = 58, .csum_offset = 1
	};
	ck_assert_int_eq(tun_put(r.tun, bad, packet), -EINVAL);
	packet[0] = 0x55;
	ck_assert_int_eq(tun_put(r.tun, plain, packet), -EINVAL);
	ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 0);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

START_TEST(partial_checksums_are_completed)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader r;
	uint8_t packet[61] = { 0 }, out[100];
	struct tun_packet p = {
		.len = 61, .csum_partial = true, .csum_start = 20, .csum_offset = 16
	};
	size_t len;

	tcp_header(packet, 61, 0x10);
	for (uint8_t i = 40; i < 61; i++)
		packet[i] = i;
	store_be16(packet + 10, (uint16_t)~ones_sum(packet, 20, 0));
	store_be16(packet + 36, (uint16_t)ones_sum(packet + 12, 8, 6 + 41));
	reader_open(&r, h);
	reader_up(&r, h, OVERLAY_A);
	ck_assert_int_eq(tun_put(r.tun, p, packet), 0);
	ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 1);
	ck_assert_uint_eq(len, 61);
	check_checksums(out, len);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

START_TEST(super_packets_are_cut_as_a_kernel_does)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader r;
	uint8_t packet[40 + 2500], out[1500];
	struct tun_packet p = { .len = sizeof(packet),
				.gso = TUN_GSO_TCP4,
				.gso_size = 1000,
				.hdr_len = 40,
				.csum_partial = true,
				.csum_start = 20,
				.csum_offset = 16,
				.ecn = true };
	size_t len, got = 0;

	for (size_t i = 0; i < 2500; i++)
		packet[40 + i] = (uint8_t)(i / 100);
	tcp_header(packet, sizeof(packet), 0x99); /* CWR, ACK, PSH, FIN */
	reader_open(&r, h);
	reader_up(&r, h, OVERLAY_A);
	ck_assert_int_eq(tun_put(r.tun, p, packet), 0);
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 1);
		ck_assert_uint_eq(len, i < 2 ? 1040 : 540);
		ck_assert_uint_eq(load_be16(out + 2), len);
		ck_assert_uint_eq(load_be16(out + 4), (uint16_t)(0xffff + i));
		ck_assert_uint_eq(load_be32(out + 24), 0xfffffff0 + i * 1000);
		ck_assert_uint_eq(out[33], i == 0 ? 0x90 : i == 1 ? 0x10 : 0x19);
		ck_assert_mem_eq(out + 40, packet + 40 + got, len - 40);
		check_checksums(out, len);
		got += len - 40;
	}
	ck_assert_int_eq(world_tun_take(h, 0, out, sizeof(out), &len), 0);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

START_TEST(the_machines_own_datagrams_follow_the_routes)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct sim_sink s;
	struct reader r;

	reader_open(&r, h);
	reader_up(&r, h, OVERLAY_A);
	ck_assert_int_eq(netconf_route_add(h, 0, PREFIX(OVERLAY_B, 32), 0, NULL), 0);
	ck_assert_int_eq(netconf_route_add(h, tun_ifindex(r.tun), PREFIX(OVERLAY_B, 32), OVERLAY_A,
					   NULL),
			 0);
	ck_assert_int_eq(netconf_route_add(h, 0, PREFIX(IP(100, 64, 0, 0), 24), 0, NULL), 0);
	sim_sink_open(&s, h, 9);
	sim_sink_send(&s, addr_v4(OVERLAY_B, 7), "into the tunnel", 15);
	sim_pass(w, 0);
	ck_assert_uint_eq(r.packets, 1);
	ck_assert_uint_eq(r.last_len, 28 + 15);
	ck_assert_mem_eq(r.last + 28, "into the tunnel", 15);
	ck_assert_uint_eq(load_be32(r.last + 12), OVERLAY_A);
	ck_assert_uint_eq(load_be32(r.last + 16), OVERLAY_B);
	check_checksums(r.last, r.last_len);
	sim_sink_send(&s, addr_v4(IP(100, 64, 0, 3), 7), "unreachable", 11);
	sim_sink_send(&s, addr_v4(OVERLAY_A, 9), "own address", 11);
	sim_pass(w, 0);
	ck_assert_uint_eq(r.packets, 1);
	ck_assert_uint_eq(s.datagrams, 1);
	ck_assert_mem_eq(s.last, "own address", 11);

	/* The other way: what is written to the device reaches a socket. */
	store_be32(r.last + 12, OVERLAY_B);
	store_be32(r.last + 16, OVERLAY_A);
	store_be16(r.last + 20, 7);
	store_be16(r.last + 22, 9);
	ck_assert_int_eq(tun_put(r.tun, (struct tun_packet){ .len = r.last_len }, r.last), 0);
	store_be16(r.last + 22, 10); /* nobody listens: left for the test */
	ck_assert_int_eq(tun_put(r.tun, (struct tun_packet){ .len = r.last_len }, r.last), 0);
	sim_pass(w, 0);
	ck_assert_uint_eq(s.datagrams, 2);
	ck_assert_mem_eq(s.last, "into the tunnel", 15);
	ck_assert(addr_ip4(&s.from) == OVERLAY_B && s.from.port == 7);
	ck_assert_int_eq(world_tun_take(h, 0, r.last, sizeof(r.last), &r.last_len), 1);
	ck_assert_int_eq(world_tun_take(h, 0, r.last, sizeof(r.last), &r.last_len), 0);
	udp_close(s.udp);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

START_TEST(conflicts_with_the_hosts_own_networks_are_named)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(10, 1, 2, 3));
	struct addr docker = addr_v4(IP(172, 17, 0, 1), 0);
	struct reader r;
	struct netif_addr list[8];
	char what[64] = "";

	reader_open(&r, h);
	reader_up(&r, h, OVERLAY_A);
	ck_assert_int_eq(world_host_addr(h, &docker, "docker0"), 0);
	ck_assert_int_eq(netconf_conflict(h, PREFIX(IP(100, 64, 0, 0), 10), what), 0);
	ck_assert_int_eq(netconf_conflict(h, PREFIX(IP(10, 0, 0, 0), 8), what), 1);
	ck_assert_str_eq(what, "network 10.1.2.0/24 on eth0");
	ck_assert_int_eq(netconf_conflict(h, PREFIX(IP(10, 1, 3, 0), 24), what), 0);
	world_host_uses(h, PREFIX(IP(192, 168, 9, 9), 32), "resolver 192.168.9.9");
	ck_assert_int_eq(netconf_conflict(h, PREFIX(IP(192, 168, 0, 0), 16), what), 1);
	ck_assert_str_eq(what, "resolver 192.168.9.9");
	ck_assert_int_eq(netif_list(h, list, 8), 3);
	ck_assert(list[1].kind == NETIF_TUNNEL && list[2].kind == NETIF_CONTAINER);
	ck_assert_int_eq(netif_list(h, list, 2), 2);
	tun_close(r.tun);
	world_free(w);
}
END_TEST

static void count(void *ctx)
{
	++*(int *)ctx;
}

START_TEST(split_dns_says_what_the_test_wants)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct reader r;
	struct splitdns *s;
	unsigned ifindex = 0;
	ip4 server = 0;
	int changes = 0;

	reader_open(&r, h);
	ck_assert_int_eq(splitdns_start(h, 99, "homelab", OVERLAY_A, count, &changes, NULL, &s),
			 -ENODEV);
	ck_assert_int_eq(splitdns_start(h, tun_ifindex(r.tun), "homelab", OVERLAY_A, count,
					&changes, NULL, &s),
			 0);
	ck_assert_int_eq(splitdns_state_get(s), SPLITDNS_PENDING);
	ck_assert(!world_splitdns(h, "homelab", &server, &ifindex));
	sim_pass(w, NS_PER_S);
	ck_assert_int_eq(changes, 1);
	ck_assert_int_eq(splitdns_state_get(s), SPLITDNS_ACTIVE);
	ck_assert(world_splitdns(h, "homelab", &server, &ifindex));
	ck_assert(server == OVERLAY_A && ifindex == tun_ifindex(r.tun));
	ck_assert_str_eq(splitdns_detail(s), "");
	world_host_resolver(h, SPLITDNS_UNAVAILABLE);
	sim_pass(w, NS_PER_S);
	ck_assert_int_eq(changes, 2);
	ck_assert_int_eq(splitdns_state_get(s), SPLITDNS_UNAVAILABLE);
	ck_assert_uint_gt(strlen(splitdns_detail(s)), 0);
	world_host_resolver(h, SPLITDNS_ACTIVE);
	sim_pass(w, NS_PER_S);
	splitdns_stop(s);
	splitdns_stop(NULL);
	ck_assert(!world_splitdns(h, "homelab", &server, &ifindex));
	tun_close(r.tun);
	world_free(w);
}
END_TEST

UNIT_MAIN("sim/tun", devices_get_free_names_and_vanish_with_their_process,
	  injected_packets_are_read_unless_paused,
	  written_packets_can_be_taken_and_bad_ones_are_refused, partial_checksums_are_completed,
	  super_packets_are_cut_as_a_kernel_does, the_machines_own_datagrams_follow_the_routes,
	  conflicts_with_the_hosts_own_networks_are_named, split_dns_says_what_the_test_wants)
