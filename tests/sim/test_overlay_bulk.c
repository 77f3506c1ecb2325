/* SPDX-License-Identifier: MIT */
/*
 * Much at once: super-packets through a tunnel arrive byte for byte, full queues lose no more than
 * they say, and the packet path allocates nothing once it runs. For that its files are part of this
 * one, with an allocator that counts, and take the place of the library's.
 */
#include <stdlib.h>

static size_t allocations;

static void *counted_malloc(size_t n)
{
	allocations++;
	return malloc(n);
}

static void *counted_calloc(size_t n, size_t size)
{
	allocations++;
	return calloc(n, size);
}

#define malloc counted_malloc
#define calloc counted_calloc
#include "overlay/peering/path.h"
#include "../../src/overlay/datapath/coalesce.c"
#include "../../src/overlay/datapath/datapath.c"
#include "../../src/overlay/datapath/dest.c"
#include "../../src/overlay/datapath/flowq.c"
#include "../../src/overlay/datapath/inbound.c"
#include "../../src/overlay/datapath/outbound.c"
#include "../../src/overlay/datapath/pace.c"
#include "../../src/overlay/datapath/packet.c"
#include "../../src/overlay/datapath/queue.c"
#include "../../src/overlay/datapath/record.c"
#include "../../src/overlay/datapath/fib.c"
#include "../../src/overlay/datapath/segment.c"
#include "../../src/overlay/datapath/send.c"
#include "../../src/overlay/datapath/wrap.c"
#include "../../src/overlay/datapath/count.c"
#undef malloc
#undef calloc

#include "overlay_sim.h"

#define MSS 1348
#define HEADERS 52

static uint8_t stream_byte(uint32_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7);
}

/* A TCP super-packet of node `from` to node `to` whose payload continues the stream at `seq`. */
static void send_tcp(struct fleet_node *from, const struct fleet_node *to, uint32_t seq,
		     size_t payload)
{
	size_t len = HEADERS + payload;
	uint8_t *b = calloc(1, len);
	struct tun_packet p = {
		.data = b, .len = len, .csum_partial = true, .csum_start = 20, .csum_offset = 16
	};

	b[0] = 0x45;
	store_be16(b + 2, (uint16_t)len);
	b[6] = 0x40;
	b[8] = 64;
	b[9] = IPPROTO_TCP4;
	store_be32(b + 12, from->self->address);
	store_be32(b + 16, to->self->address);
	packet_ip_checksum(b, 20);
	store_be16(b + 20, 1000);
	store_be16(b + 22, 2000);
	store_be32(b + 24, seq);
	b[32] = 0x80;
	b[33] = 0x10;
	store_be16(b + 34, 500);
	for (size_t i = 0; i < payload; i++)
		b[HEADERS + i] = stream_byte(seq + (uint32_t)i);
	store_be16(b + 36, packet_pseudo_sum(b, IPPROTO_TCP4, len - 20));
	if (payload > MSS) {
		p.gso = TUN_GSO_TCP4;
		p.gso_size = MSS;
		p.hdr_len = HEADERS;
	}
	ck_assert_int_eq(world_tun_inject_gso(from->h, 0, &p), 0);
	free(b);
}

/* Takes what came out at `to`, checks every packet; returns where the stream is now. */
static uint32_t take_tcp(struct fleet_node *to, uint32_t seq, unsigned *ret_holes)
{
	uint8_t p[2000];
	size_t len;

	while (world_tun_take(to->h, 0, p, sizeof(p), &len) == 1) {
		uint32_t sum = checksum_add(p + 12, 8, IPPROTO_TCP4 + (uint32_t)(len - 20));

		ck_assert_uint_le(len, OVERLAY_MTU);
		ck_assert_uint_eq(load_be16(p + 2), len);
		ck_assert_uint_eq(checksum_add(p, 20, 0), 0xffff);
		ck_assert_uint_eq(checksum_add(p + 20, len - 20, sum), 0xffff);
		if (load_be32(p + 24) != seq)
			(*ret_holes)++;
		seq = load_be32(p + 24);
		bool same = true;
		for (size_t i = HEADERS; i < len; i++)
			same &= p[i] == stream_byte(seq + (uint32_t)(i - HEADERS));
		ck_assert(same);
		seq += (uint32_t)(len - HEADERS);
	}
	return seq;
}

START_TEST(super_packets_arrive_byte_for_byte)
{
	struct fleet m;
	uint32_t seq = 7, got = 7;
	unsigned holes = 0;

	fleet_new(&m, 2);
	fleet_wait_up(&m, NS_PER_S);
	for (unsigned i = 0; i < 200; i++) { /* from before the path size is known */
		size_t payload = 1 + (i * 7919) % 60000;

		send_tcp(&m.node[0], &m.node[1], seq, payload);
		seq += (uint32_t)payload;
		sim_pass(m.w, 50 * NS_PER_MS);
		got = take_tcp(&m.node[1], got, &holes);
	}
	sim_pass(m.w, NS_PER_S);
	got = take_tcp(&m.node[1], got, &holes);
	/* Where records overtake streams the order changes: only at the beginning. */
	struct peer_status s = fleet_peer(&m.node[1], &m.node[0]);
	ck_assert_uint_ge(s.rx_packets, seq / MSS);
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]) + fleet_all_drops(&m.node[1]), 0);
	ck_assert_uint_le(holes, 10);
	if (holes == 0)
		ck_assert_uint_eq(got, seq);
	fleet_free(&m);
}
END_TEST

START_TEST(the_packet_path_allocates_nothing)
{
	struct fleet m;
	uint32_t seq = 7, got;
	unsigned holes = 0;
	uint8_t foreign[100];
	size_t before;

	fleet_new(&m, 2);
	fleet_udp(foreign, 100, m.node[1].self->address, m.node[0].self->address, 1);
	ck_assert_uint_gt(allocations, 0); /* they are counted */
	fleet_wait_up(&m, NS_PER_S);
	sim_pass(m.w, 5 * NS_PER_S);
	fleet_send(&m.node[0], &m.node[1], 100, 1); /* the queues are made */
	fleet_send(&m.node[1], &m.node[0], 100, 1);
	sim_pass(m.w, 100 * NS_PER_MS);
	while (!fleet_tun_silent(&m.node[0]) || !fleet_tun_silent(&m.node[1])) {
	}
	before = allocations;
	got = seq;
	for (unsigned i = 0; i < 300; i++) {
		send_tcp(&m.node[0], &m.node[1], seq, 40000);
		seq += 40000;
		fleet_send(&m.node[1], &m.node[0], 200, i);
		ck_assert_int_eq(world_tun_inject(m.node[0].h, 0, foreign, 100), 0); /* dropped */
		sim_pass(m.w, 20 * NS_PER_MS);
		got = take_tcp(&m.node[1], got, &holes);
		ck_assert(fleet_received(&m.node[1], &m.node[0], 200, i));
	}
	sim_pass(m.w, 100 * NS_PER_MS);
	got = take_tcp(&m.node[1], got, &holes);
	ck_assert_uint_eq(allocations, before);
	ck_assert_uint_eq(fleet_drops(&m.node[0], DROP_out_source), 300);
	ck_assert_uint_eq(got, seq);
	ck_assert_uint_eq(holes, 0);
	fleet_free(&m);
}
END_TEST

/* More than the link takes, for two seconds, and a shell session to another peer beside it. */
START_TEST(a_slow_peer_does_not_hold_up_others)
{
	struct fleet m;
	struct link_params slow = LINK_DEFAULT;
	struct peer_status s;
	unsigned received = 0; /* in order, none lost */

	fleet_new(&m, 3);
	fleet_wait_up(&m, 2 * NS_PER_S);
	sim_pass(m.w, 5 * NS_PER_S);
	slow.rate_bps = 10000000;
	world_link(m.w, m.node[0].h, m.node[1].h, slow);
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned k = 0; k < 20; k++) /* 22 Mbit/s */
			fleet_send(&m.node[0], &m.node[1], OVERLAY_MTU, k);
		fleet_send(&m.node[0], &m.node[2], 84, i);
		sim_pass(m.w, 10 * NS_PER_MS);
		while (received <= i && fleet_received(&m.node[0], &m.node[2], 84, received))
			received++;
		ck_assert_uint_ge(received + 3, i);
	}
	s = fleet_peer(&m.node[0], &m.node[1]);
	ck_assert_int_eq(s.state, PEER_UP);
	ck_assert_uint_eq(s.tx_packets, 4000); /* the network drops, not the node */
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]), 0);
	/* Nothing waits for long: within a second the slow peer has got what it gets. */
	sim_pass(m.w, NS_PER_S);
	ck_assert(fleet_linked(&m.node[0], &m.node[1]));
	fleet_free(&m);
}
END_TEST

/* A path that never takes a full packet in a record: they go over streams, forever. */
START_TEST(a_narrow_path_carries_full_packets)
{
	struct fleet m;
	struct link_params narrow = LINK_DEFAULT;
	unsigned received = 0;

	narrow.mtu_bytes = 1300;
	fleet_init(&m, 2);
	world_link_both(m.w, m.node[0].h, m.node[1].h, narrow);
	fleet_start(&m.node[0]);
	fleet_start(&m.node[1]);
	fleet_wait_up(&m, 2 * NS_PER_S);
	sim_pass(m.w, 10 * NS_PER_S);
	ck_assert_uint_lt(peer_path_mtu(list_entry(m.node[0].o->peering.peers.next, struct peer,
						   in_overlay)),
			  OVERLAY_MTU);
	for (unsigned i = 0; i < 500; i++) {
		uint8_t p[2000];
		size_t len;

		for (unsigned k = 0; k < 4; k++) /* 4.5 Mbit/s */
			fleet_send(&m.node[0], &m.node[1], OVERLAY_MTU, 4 * i + k);
		sim_pass(m.w, 10 * NS_PER_MS);
		while (world_tun_take(m.node[1].h, 0, p, sizeof(p), &len) == 1)
			received += len == OVERLAY_MTU;
	}
	ck_assert_uint_ge(received, 1980);
	ck_assert_uint_eq(fleet_all_drops(&m.node[0]) + fleet_all_drops(&m.node[1]), 0);
	fleet_free(&m);
}
END_TEST

UNIT_MAIN("overlay/bulk", super_packets_arrive_byte_for_byte, the_packet_path_allocates_nothing,
	  a_slow_peer_does_not_hold_up_others, a_narrow_path_carries_full_packets)
