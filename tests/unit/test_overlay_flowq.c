/* SPDX-License-Identifier: MIT */
/* Flow queues: order, turns, who loses when there is no room, CoDel. */
#include "overlay/datapath/flowq.h"

#include "unit.h"

static struct flowq q;

/* A UDP packet of a flow, numbered. */
static void put_ecn(uint16_t port, uint32_t number, size_t len, uint64_t now, uint8_t ecn)
{
	uint8_t *buffer = flowq_buffer(&q), *ip = buffer + 10;
	struct tun_packet p = { .data = ip, .len = len };
	struct packet4 h;

	memset(ip, 0, 40);
	ip[0] = 0x45;
	ip[1] = ecn;
	store_be16(ip + 2, (uint16_t)len);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP4;
	store_be32(ip + 12, 0x64400001);
	store_be32(ip + 16, 0x64400002);
	packet_ip_checksum(ip, 20);
	store_be16(ip + 20, port);
	store_be32(ip + 28, number);
	ck_assert_int_eq(packet_parse(ip, len, &h), DROP_NONE);
	flowq_put(&q, &p, &h, now);
}

static void put(uint16_t port, uint32_t number, size_t len, uint64_t now)
{
	put_ecn(port, number, len, now, 0);
}

/* The port of the next packet, its number and length; 0 if the queue is empty. */
static uint16_t get(uint64_t now, uint32_t *ret_number, size_t *ret_len)
{
	const struct flowq_item *i = flowq_next(&q, now);

	if (!i)
		return 0;
	if (ret_number)
		*ret_number = load_be32(i->packet.data + 28);
	if (ret_len)
		*ret_len = i->packet.len;
	ck_assert_uint_eq(load_be16(i->packet.data + 2), i->packet.len);
	return load_be16(i->packet.data + 20);
}

static void begin(void)
{
	ck_assert_int_eq(flowq_init(&q), 0);
	ck_assert(flowq_empty(&q));
	ck_assert_ptr_null(flowq_next(&q, 0));
}

/* Against the plainest model: whatever is put and taken, each flow's numbers only grow. */
START_TEST(packets_of_a_flow_stay_in_order)
{
	struct unit_rng rng = unit_rng_new("flowq");
	uint32_t next[20] = { 0 }, seen[20] = { 0 };
	uint64_t put_n = 0, got_n = 0;

	begin();
	for (unsigned i = 0; i < 200000; i++) {
		uint16_t flow = (uint16_t)unit_random_below(&rng, 20);

		if (unit_random_below(&rng, 1000) < (i / 5000 % 2 ? 600u : 450u)) {
			size_t len = unit_random_below(&rng, 8)
					     ? 40 + unit_random_below(&rng, 1400)
					     : 2049 + unit_random_below(&rng, 58000);

			put((uint16_t)(flow + 1), ++next[flow], len, 0);
			put_n++;
		} else {
			uint32_t number = 0;
			uint16_t port = get(0, &number, NULL);

			if (port == 0) {
				ck_assert(flowq_empty(&q));
				continue;
			}
			ck_assert_uint_gt(number, seen[port - 1]);
			seen[port - 1] = number;
			got_n++;
		}
		ck_assert_uint_eq(put_n, got_n + q.n + q.dropped);
	}
	ck_assert_uint_gt(q.dropped, 0);
	while (get(0, NULL, NULL))
		got_n++;
	ck_assert_uint_eq(put_n, got_n + q.dropped);
	flowq_fini(&q);
}
END_TEST

START_TEST(a_flow_that_begins_does_not_wait_for_a_bulk_one)
{
	begin();
	for (uint32_t i = 1; i <= 20; i++)
		put(1000, i, 58000, 0);
	ck_assert_uint_eq(get(0, NULL, NULL), 1000);
	put(22, 1, 100, 0);
	ck_assert_uint_eq(get(0, NULL, NULL), 22);
	ck_assert_uint_eq(get(0, NULL, NULL), 1000);
	flowq_fini(&q);
}
END_TEST

/* One of large packets, one of small ones; both always have some waiting. */
START_TEST(bulk_flows_share_by_bytes)
{
	uint64_t bytes[2] = { 0 };
	unsigned waiting[2] = { 0 };

	begin();
	for (unsigned i = 0; i < 5000; i++) {
		uint16_t port;
		size_t len = 0;

		for (; waiting[0] < 3; waiting[0]++)
			put(1, 1, 50000, 0);
		for (; waiting[1] < 100; waiting[1]++)
			put(2, 1, 1400, 0);
		port = get(0, NULL, &len);
		ck_assert(port == 1 || port == 2);
		waiting[port - 1]--;
		bytes[port - 1] += len;
	}
	ck_assert_uint_eq(q.dropped, 0);
	ck_assert_uint_gt(bytes[0] * 10, bytes[1] * 9);
	ck_assert_uint_gt(bytes[1] * 10, bytes[0] * 9);
	flowq_fini(&q);
}
END_TEST

START_TEST(without_room_the_largest_flow_loses)
{
	uint32_t number, got = 0;
	uint16_t port;

	begin();
	put(22, 1, 100, 0);
	put(23, 1, 3000, 0);
	for (uint32_t i = 1; i <= 1000; i++)
		put(1000, i, 58000, 0);
	for (uint32_t i = 1; i <= 2000; i++)
		put(2000, i, 1200, 0);
	ck_assert_uint_eq(q.n + q.dropped, 3002);
	ck_assert_uint_le(q.n, FLOWQ_LARGE + FLOWQ_SMALL);
	while ((port = get(0, &number, NULL)) != 0) {
		got += port < 1000;
		if (port == 1000)
			ck_assert_uint_gt(number, 1000 - FLOWQ_LARGE);
		if (port == 2000)
			ck_assert_uint_gt(number, 2000 - FLOWQ_SMALL);
	}
	ck_assert_uint_eq(got, 2);
	flowq_fini(&q);
}
END_TEST

/* A packet a ms goes in, one every `out_ms` comes out, for 3 s. How many were marked. */
static unsigned run_late(unsigned out_ms, uint8_t ecn, uint64_t *ret_longest)
{
	unsigned marked = 0;

	*ret_longest = 0;
	for (uint64_t t = 1; t <= 3000; t++) {
		const struct flowq_item *i;

		put_ecn(7, (uint32_t)t, 100, t * NS_PER_MS, ecn);
		if (t % out_ms)
			continue;
		i = flowq_next(&q, t * NS_PER_MS);
		if (!i)
			continue;
		*ret_longest = t > 2000 ? MAX(*ret_longest, t * NS_PER_MS - i->since) : 0;
		ck_assert_uint_eq(checksum_add(i->packet.data, 20, 0), 0xffff);
		marked += (i->packet.data[1] & 3) == 3;
	}
	return marked;
}

START_TEST(a_standing_queue_is_thinned_and_a_fast_one_is_not)
{
	uint64_t longest;

	begin();
	ck_assert_uint_eq(run_late(1, 0, &longest), 0);
	ck_assert_uint_eq(q.dropped, 0);
	ck_assert_uint_lt(longest, NS_PER_MS);
	ck_assert_uint_eq(run_late(2, 0, &longest), 0);
	ck_assert_uint_gt(q.dropped, 100);
	flowq_fini(&q);
}
END_TEST

START_TEST(who_understands_marks_is_marked)
{
	uint64_t longest;

	begin();
	ck_assert_uint_gt(run_late(2, 2, &longest), 10);
	flowq_fini(&q);
}
END_TEST

START_TEST(a_short_burst_passes)
{
	begin();
	for (uint32_t i = 0; i < 80; i++)
		put(7, i, 1400, NS_PER_S);
	for (uint64_t t = 0; t < 80; t++) /* 80 ms: above target, but not for an interval */
		ck_assert_uint_eq(get(NS_PER_S + t * NS_PER_MS, NULL, NULL), 7);
	ck_assert_uint_eq(q.dropped, 0);
	flowq_fini(&q);
	flowq_fini(&q);
}
END_TEST

UNIT_MAIN("overlay/flowq", packets_of_a_flow_stay_in_order,
	  a_flow_that_begins_does_not_wait_for_a_bulk_one, bulk_flows_share_by_bytes,
	  without_room_the_largest_flow_loses, a_standing_queue_is_thinned_and_a_fast_one_is_not,
	  who_understands_marks_is_marked, a_short_burst_passes)
