/* SPDX-License-Identifier: MIT */
/*
 * The packet path alone, without QUIC and without peers: what it reads of a destination, and what
 * it raises for those above.
 */
#include "overlay/datapath/dest.h"

#include "sim.h"

#define OURS IP(100, 64, 0, 1)
#define THEIRS IP(100, 64, 0, 2)

struct scene {
	struct world *w;
	struct datapath dp;
	struct relay_path relay;
	struct dest d;
	struct records *peer; /* the other side's */
	unsigned calls, events;
	bool tun_gone;
};

static void on_events(void *ctx)
{
	struct scene *s = ctx;
	unsigned events;
	struct dest *d;

	s->calls++;
	while ((d = datapath_event(&s->dp, &events)) != NULL) {
		ck_assert_ptr_eq(d, &s->d);
		s->events |= events;
	}
	s->tun_gone = s->dp.tun_gone;
}

static void begin(struct scene *s)
{
	uint8_t exported[RECORD_EXPORT_LEN] = { 7 };
	struct records *ours;

	*s = (struct scene){ .w = sim_new() };
	ck_assert_int_eq(datapath_init(&s->dp, world_host(s->w, "here", 1), on_events, s), 0);
	s->dp.address = OURS;
	dest_init(&s->d, &s->dp, THEIRS, &s->relay);
	ck_assert_int_eq(fib_add(&s->dp.fib, THEIRS, &s->d), 0);
	ck_assert_int_eq(records_new(AEAD_AES128_GCM, true, exported, &s->peer), 0);
	ck_assert_int_eq(records_new(AEAD_AES128_GCM, false, exported, &ours), 0);
	ck_assert_int_eq(dest_open(&s->d, NULL, ours), 0);
}

static void end(struct scene *s)
{
	fib_remove(&s->dp.fib, THEIRS, &s->d);
	dest_fini(&s->d);
	records_free(s->peer);
	datapath_fini(&s->dp);
	world_free(s->w);
}

static struct addr port(uint16_t n)
{
	return addr_v4(IP(192, 0, 2, 1), n);
}

static void put_packet(uint8_t *p, size_t len)
{
	memset(p, 0, len);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	p[8] = 64;
	p[9] = 253; /* for experiments */
	store_be32(p + 12, THEIRS);
	store_be32(p + 16, OURS);
	packet_ip_checksum(p, IP4_HEADER_MIN);
}

/* The other side's record comes from this port, or over the channel of `relay`. */
static void receive(struct scene *s, uint16_t from, const struct dest *relay)
{
	uint8_t record[RECORD_OVERHEAD + 1 + 40];
	struct udp_rx rx = { .data = record, .from = port(from) };

	record[RECORD_HEADER] = 0;
	put_packet(record + RECORD_HEADER + 1, 40);
	rx.len = rx.segment = record_seal(s->peer, record, 1 + 40);
	inbound_record(&s->dp, rx.data, rx.len, &rx, relay);
	inbound_flush(&s->dp);
}

/* The events of one turn. */
static unsigned turn(struct scene *s)
{
	s->events = 0;
	sim_pass(s->w, 1);
	return s->events;
}

START_TEST(another_source_is_an_event_once)
{
	struct quic_endpoint to = { .to = port(7) };
	struct scene s;

	begin(&s);
	inbound_early(&s.d);
	dest_push(&s.d, &to, 1400);
	receive(&s, 7, NULL);
	ck_assert_uint_eq(turn(&s), DEST_MOVED);
	receive(&s, 7, NULL);
	receive(&s, 7, NULL);
	ck_assert_uint_eq(turn(&s), 0);
	receive(&s, 8, NULL);
	receive(&s, 9, NULL);
	ck_assert_uint_eq(turn(&s), DEST_MOVED);
	ck_assert_uint_eq(s.d.heard_at.port, 9); /* the last one counts */
	receive(&s, 9, NULL);
	ck_assert_uint_eq(turn(&s), 0);

	/* Pushed without going there: those above are asked again. */
	dest_push(&s.d, &to, 1400);
	receive(&s, 9, NULL);
	ck_assert_uint_eq(turn(&s), DEST_MOVED);
	/* Pushed to where records come from: all is well. */
	to.to = port(9);
	dest_push(&s.d, &to, 1400);
	receive(&s, 9, NULL);
	ck_assert_uint_eq(turn(&s), 0);
	ck_assert_uint_eq(s.d.rx_packets, 8);
	end(&s);
}
END_TEST

START_TEST(the_relay_is_no_source)
{
	struct dest other;
	struct scene s;

	begin(&s);
	inbound_early(&s.d);
	receive(&s, 7, &s.d);
	ck_assert_uint_eq(turn(&s), 0);
	ck_assert_uint_eq(s.d.rx_packets, 1);
	ck_assert_uint_ne(s.d.heard, 0);

	/* By the channel of another peer nothing of this one comes in. */
	dest_init(&other, &s.dp, IP(100, 64, 0, 3), NULL);
	receive(&s, 7, &other);
	ck_assert_uint_eq(s.d.rx_packets, 1);
	ck_assert_uint_eq(s.dp.count.drops[DROP_in_unknown], 1);
	dest_fini(&other);
	end(&s);
}
END_TEST

START_TEST(what_comes_before_the_hello_waits_and_is_bounded)
{
	struct scene s;

	begin(&s);
	for (int i = 0; i < DEST_WAITING_PACKETS + 5; i++)
		receive(&s, 7, NULL);
	ck_assert_uint_eq(s.d.rx_packets, 0);
	ck_assert_uint_eq(s.dp.count.drops[DROP_in_early], 5);
	inbound_early(&s.d);
	ck_assert_uint_eq(s.d.rx_packets, DEST_WAITING_PACKETS);
	end(&s);
}
END_TEST

START_TEST(a_closed_tunnel_takes_and_sends_nothing)
{
	struct quic_endpoint to = { .to = port(7) };
	struct scene s;

	begin(&s);
	receive(&s, 7, NULL); /* waits for the hello */
	dest_push(&s.d, &to, 1400);
	ck_assert(s.d.reachable && s.d.record_max == 1400 - RECORD_OVERHEAD);
	s.d.up = true;
	dest_close(&s.d);
	ck_assert(!s.d.up && !s.d.greeted && !s.d.reachable && !s.d.records);
	ck_assert_uint_eq(s.dp.count.drops[DROP_in_early], 1);
	receive(&s, 7, NULL);
	ck_assert_uint_eq(s.dp.count.drops[DROP_in_unknown], 1);
	ck_assert_ptr_null(s.dp.last);
	end(&s);
}
END_TEST

START_TEST(packets_without_a_tunnel_wait_and_ask_for_one)
{
	uint8_t buf[TUN_HEADROOM + 100];
	struct tun_packet t = { .data = buf + TUN_HEADROOM, .len = 100 };
	struct packet4 h;
	struct scene s;

	begin(&s);
	put_packet(t.data, t.len);
	ck_assert_int_eq(packet_parse(t.data, t.len, &h), DROP_NONE);
	for (int i = 0; i < DEST_WAITING_PACKETS; i++)
		send_later(&s.d, &t, &h);
	ck_assert_uint_eq(turn(&s), DEST_WANTED);
	ck_assert_uint_eq(s.calls, 1); /* however many packets */
	send_later(&s.d, &t, &h);
	ck_assert_uint_eq(s.dp.count.drops[DROP_out_no_tunnel], 1);
	send_give_up(&s.d);
	ck_assert_uint_eq(s.dp.count.drops[DROP_out_no_tunnel], 1 + DEST_WAITING_PACKETS);
	end(&s);
}
END_TEST

/* A peer is freed while its events are still to be handled. */
START_TEST(a_destination_that_goes_takes_its_events_along)
{
	struct scene s;

	begin(&s);
	dest_raise(&s.d, DEST_TRAFFIC);
	dest_raise(&s.d, DEST_WANTED);
	dest_fini(&s.d);
	ck_assert_uint_eq(turn(&s), 0);
	ck_assert_uint_eq(s.calls, 1);
	end(&s);
}
END_TEST

START_TEST(sizes_too_small_for_a_record_leave_the_stream)
{
	struct quic_endpoint to = { .to = port(7) };
	struct scene s;

	begin(&s);
	for (size_t size = 0; size <= RECORD_OVERHEAD; size++) {
		dest_push(&s.d, &to, size);
		ck_assert_uint_eq(s.d.record_max, 0);
	}
	dest_push(&s.d, &to, RECORD_OVERHEAD + 1);
	ck_assert_uint_eq(s.d.record_max, 1);
	end(&s);
}
END_TEST

UNIT_MAIN("overlay/dest", another_source_is_an_event_once, the_relay_is_no_source,
	  what_comes_before_the_hello_waits_and_is_bounded, a_closed_tunnel_takes_and_sends_nothing,
	  packets_without_a_tunnel_wait_and_ask_for_one,
	  a_destination_that_goes_takes_its_events_along,
	  sizes_too_small_for_a_record_leave_the_stream)
