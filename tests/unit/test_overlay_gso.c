/* SPDX-License-Identifier: MIT */
/* Tests of cutting super-packets and joining packets: each alone, and one after the other. */
#include "overlay/datapath/coalesce.h"
#include "overlay/datapath/segment.h"
#include "overlay_kit.h"

#define ROOM (TUN_HEADROOM + TUN_PACKET_MAX + 1024)

/* --- cutting ------------------------------------------------------------------------------- */

static struct tun_packet super_tcp(uint8_t *buf, const struct tcp_kit *k, size_t payload,
				   size_t mss)
{
	struct tun_packet p = { .data = buf + TUN_HEADROOM, .gso = TUN_GSO_TCP4 };

	p.len = kit_tcp(p.data, k, payload);
	p.gso_size = (uint16_t)mss;
	p.hdr_len = 20 + TCP_HEADER;
	p.csum_partial = true;
	p.csum_start = 20;
	p.csum_offset = 16;
	return p;
}

static struct tun_packet super_udp(uint8_t *buf, uint16_t port, uint32_t first, size_t payload,
				   size_t size)
{
	struct tun_packet p = { .data = buf + TUN_HEADROOM, .gso = TUN_GSO_UDP4 };

	p.len = kit_udp(p.data, port, first, payload);
	p.gso_size = (uint16_t)size;
	p.hdr_len = 28;
	p.csum_partial = true;
	p.csum_start = 20;
	p.csum_offset = 6;
	return p;
}

static int begin(struct segmenter *s, const struct tun_packet *p)
{
	struct packet4 h;
	int rc = packet_parse(p->data, p->len, &h);

	ck_assert_int_eq(rc, DROP_NONE);
	return segment_begin(s, p, &h);
}

START_TEST(a_tcp_super_packet_is_cut_as_a_network_card_would)
{
	uint8_t *buf = malloc(ROOM), out[OVERLAY_MTU + 1];
	struct tcp_kit k = { .seq = 0xfffffc00,
			     .ack = 5,
			     .flags = 0x80 | 0x10 | 0x08 | 0x01,
			     .sport = 1000,
			     .id = 0xfffe };
	struct tun_packet p = super_tcp(buf, &k, 5000, 1348);
	struct segmenter s;
	size_t at = 0;

	ck_assert_int_eq(begin(&s, &p), DROP_NONE);
	for (unsigned i = 0; i < 4; i++) {
		size_t want = i < 3 ? 1348 : 5000 - 3 * 1348;
		size_t len = segment_next_len(&s);

		ck_assert_uint_eq(len, 1 + 20 + TCP_HEADER + want);
		ck_assert_uint_eq(segment_left(&s), 4 - i);
		segment_next(&s, out);
		ck_assert_uint_eq(out[0], PACKET_FLAG_CSUM_PARTIAL);
		ck_assert(kit_sums_ok(out + 1, len - 1));
		ck_assert_uint_eq(load_be16(out + 1 + 4), (uint16_t)(0xfffe + i));
		ck_assert_uint_eq(load_be32(out + 1 + 24), (uint32_t)(k.seq + at));
		/* CWR on the first, FIN and PSH on the last only (RFC 3168 section 6.1.2). */
		ck_assert_uint_eq(out[1 + 33], i == 0 ? 0x90 : i == 3 ? 0x19 : 0x10);
		ck_assert_mem_eq(out + 1 + 34, p.data + 34, 2);
		ck_assert_mem_eq(out + 1 + 40, p.data + 40, 12);
		ck_assert(kit_bytes_ok(out + 1 + 52, want, k.seq + (uint32_t)at));
		at += want;
	}
	ck_assert_uint_eq(segment_next_len(&s), 0);
	ck_assert_uint_eq(segment_left(&s), 0);
	free(buf);
}
END_TEST

START_TEST(a_udp_super_packet_becomes_datagrams)
{
	uint8_t *buf = malloc(ROOM), out[OVERLAY_MTU + 1];
	struct tun_packet p = super_udp(buf, 1000, 3, 2500, 1000);
	struct segmenter s;

	ck_assert_int_eq(begin(&s, &p), DROP_NONE);
	for (unsigned i = 0; i < 3; i++) {
		size_t len = segment_next_len(&s);

		ck_assert_uint_eq(len, 1 + 28 + (i < 2 ? 1000 : 500));
		segment_next(&s, out);
		ck_assert(kit_sums_ok(out + 1, len - 1));
		ck_assert_uint_eq(load_be16(out + 1 + 24), len - 1 - 20);
		ck_assert_uint_eq(out[1 + 28], kit_byte(3 + i * 1000));
	}
	ck_assert_uint_eq(segment_next_len(&s), 0);
	free(buf);
}
END_TEST

START_TEST(plain_packets_keep_their_bytes)
{
	uint8_t *buf = malloc(ROOM), out[OVERLAY_MTU + 1];
	struct tun_packet p = super_udp(buf, 1000, 3, 100, 0);
	struct segmenter s;

	p.gso = TUN_GSO_NONE;
	for (int partial = 0; partial < 2; partial++) {
		p.csum_partial = partial;
		ck_assert_int_eq(begin(&s, &p), DROP_NONE);
		ck_assert_uint_eq(segment_next_len(&s), 129);
		segment_next(&s, out);
		ck_assert_uint_eq(out[0], partial);
		ck_assert_mem_eq(out + 1, p.data, 128);
		ck_assert_uint_eq(segment_next_len(&s), 0);
	}
	free(buf);
}
END_TEST

/* The flag says "TCP or UDP, at its usual place": anything else is completed here. */
/* [P4-36] */
START_TEST(an_unusual_partial_checksum_is_completed)
{
	uint8_t *buf = malloc(ROOM), out[OVERLAY_MTU + 1];
	struct tun_packet p = super_udp(buf, 1000, 3, 101, 0);
	struct segmenter s;

	p.gso = TUN_GSO_NONE;
	p.csum_start = 28; /* of some inner protocol */
	p.csum_offset = 4;
	store_be16(p.data + 32, 0);
	ck_assert_int_eq(begin(&s, &p), DROP_NONE);
	segment_next(&s, out);
	ck_assert_uint_eq(out[0], 0);
	ck_assert_uint_eq(checksum_add(out + 1 + 28, 101, 0), 0xffff);
	p.csum_offset = 200;
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	free(buf);
}
END_TEST

START_TEST(super_packets_that_lie_are_refused)
{
	uint8_t *buf = malloc(ROOM);
	struct tcp_kit k = { .seq = 1 };
	struct tun_packet good = super_tcp(buf, &k, 5000, 1348), p = good;
	struct segmenter s;

	p.gso_size = 0;
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	p = good;
	p.gso_size = 1349;
	ck_assert_int_eq(begin(&s, &p), DROP_out_too_big);
	p = good;
	p.gso = TUN_GSO_UDP4;
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	p.gso = TUN_GSO_TCP6;
	ck_assert_int_eq(begin(&s, &p), DROP_out_not_ip4);
	p.gso = TUN_GSO_NONE;
	ck_assert_int_eq(begin(&s, &p), DROP_out_too_big);
	p = good;
	p.data[32] = 0x40; /* a TCP header of 16 bytes */
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	p = super_tcp(buf, &k, 0, 1348);
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	p = good = super_tcp(buf, &k, 5000, 1348);
	store_be16(p.data + 6, 0x2000);
	ck_assert_int_eq(begin(&s, &p), DROP_out_header);
	free(buf);
}
END_TEST

/* --- joining ------------------------------------------------------------------------------- */

#define OUT_MAX 512

struct sink {
	struct coalescer c;
	struct tun_packet p[OUT_MAX];
	size_t n;
};

static void sink_write(void *ctx, const struct tun_packet *p)
{
	struct sink *s = ctx;

	ck_assert_uint_lt(s->n, OUT_MAX);
	ck_assert_uint_le(p->len, PACKET_MAX);
	memset(p->data - TUN_HEADROOM, 0xa5, TUN_HEADROOM); /* room is there */
	s->p[s->n] = *p;
	s->p[s->n].data = malloc(p->len);
	memcpy(s->p[s->n++].data, p->data, p->len);
}

static struct sink *sink_new(bool tcp, bool udp)
{
	struct sink *s = calloc(1, sizeof(*s));

	ck_assert_int_eq(coalesce_init(&s->c, tcp, udp, sink_write, s), 0);
	return s;
}

static void sink_clear(struct sink *s)
{
	while (s->n > 0)
		free(s->p[--s->n].data);
}

static void sink_free(struct sink *s)
{
	sink_clear(s);
	coalesce_fini(&s->c);
	free(s);
}

static void add(struct sink *s, const uint8_t *p, size_t len, uint8_t flags)
{
	struct packet4 h;

	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	coalesce_add(&s->c, flags, p, len, &h);
}

static void add_tcp(struct sink *s, struct tcp_kit *k, size_t payload)
{
	uint8_t p[OVERLAY_MTU];
	size_t len = kit_tcp(p, k, payload);

	add(s, p, len, 1);
	k->seq += (uint32_t)payload;
	k->id++;
}

/* A joined packet says what it stands for, and holds the stream's bytes. */
static void check_tcp(const struct tun_packet *p, uint32_t seq, size_t payload, size_t mss,
		      unsigned n)
{
	ck_assert_int_eq(p->gso, n > 1 ? TUN_GSO_TCP4 : TUN_GSO_NONE);
	ck_assert_uint_eq(p->len, 20 + TCP_HEADER + payload);
	ck_assert(p->csum_partial);
	ck_assert_uint_eq(p->csum_start, 20);
	ck_assert_uint_eq(p->csum_offset, 16);
	ck_assert(kit_sums_ok(p->data, p->len));
	ck_assert_uint_eq(load_be32(p->data + 24), seq);
	if (n > 1) {
		ck_assert_uint_eq(p->gso_size, mss);
		ck_assert_uint_eq(p->hdr_len, 20 + TCP_HEADER);
	}
	ck_assert(kit_bytes_ok(p->data + 52, payload, seq));
}

START_TEST(consecutive_segments_become_one)
{
	struct sink *s = sink_new(true, true);
	struct tcp_kit k = { .seq = 0xfffffff0, .ack = 7, .flags = 0x10, .sport = 1000 };

	for (int i = 0; i < 10; i++)
		add_tcp(s, &k, 1348);
	add_tcp(s, &k, 100); /* a shorter one is the last */
	ck_assert_uint_eq(s->n, 0);
	coalesce_flush(&s->c);
	ck_assert_uint_eq(s->n, 1);
	check_tcp(&s->p[0], 0xfffffff0, 13580, 1348, 11);
	coalesce_flush(&s->c);
	ck_assert_uint_eq(s->n, 1);
	sink_free(s);
}
END_TEST

START_TEST(a_super_packet_has_its_limits)
{
	struct sink *s = sink_new(true, true);
	struct tcp_kit k = { .seq = 1, .flags = 0x10, .sport = 1000 };

	for (int i = 0; i < 100; i++)
		add_tcp(s, &k, 1348);
	for (int i = 0; i < 100; i++)
		add_tcp(s, &k, 100);
	coalesce_flush(&s->c);
	size_t bytes = 0;
	for (size_t i = 0; i < s->n; i++) {
		ck_assert_uint_le(s->p[i].len, PACKET_MAX);
		bytes += s->p[i].len - 52;
	}
	ck_assert_uint_eq(bytes, 100 * 1448);
	ck_assert_uint_le(s->n, 6);
	sink_free(s);
}
END_TEST

START_TEST(what_differs_is_not_joined)
{
	struct tcp_kit base = { .seq = 1000, .ack = 7, .flags = 0x10, .sport = 1000 };

	for (int what = 0; what < 14; what++) {
		struct sink *s = sink_new(true, true);
		struct tcp_kit k = base;
		uint8_t a[OVERLAY_MTU], b[OVERLAY_MTU];
		size_t len = kit_tcp(a, &k, 500), len_b;
		uint8_t flags = 1;

		k.seq += 500;
		len_b = kit_tcp(b, &k, 500);
		switch (what) {
			/* clang-format off */
		case 0: store_be32(b + 24, k.seq + 1); break;	/* a hole */
		case 1: store_be32(b + 24, k.seq - 500); break; /* again */
		case 2: store_be32(b + 28, 8); break;		/* acknowledgement */
		case 3: store_be16(b + 34, 400); break;		/* window */
		case 4: b[45] ^= 1; break;			/* a timestamp */
		case 5: b[1] = 3; break;			/* congestion mark */
		case 6: b[8] = 63; break;			/* TTL */
		case 7: b[6] = 0; break;			/* may be fragmented */
		case 8: b[33] = 0x11; break;			/* FIN */
		case 9: b[33] = 0x14; break;			/* RST */
		case 10: b[33] = 0x30; break;			/* URG */
		case 11: flags = 0; break;			/* a whole checksum */
		case 12: b[33] = 0x90; break;			/* CWR */
		default: len_b = kit_tcp(b, &k, 501); break;	/* longer than the first */
			/* clang-format on */
		}
		packet_ip_checksum(b, 20);
		add(s, a, len, 1);
		add(s, b, len_b, flags);
		coalesce_flush(&s->c);
		ck_assert_msg(s->n == 2, "%d", what);
		ck_assert_uint_eq(s->p[0].len, len);
		ck_assert_mem_eq(s->p[0].data, a, len);
		ck_assert_uint_eq(s->p[1].len, len_b);
		ck_assert_mem_eq(s->p[1].data, b, len_b);
		ck_assert(s->p[1].csum_partial == (flags == 1));
		sink_free(s);
	}
}
END_TEST

START_TEST(push_ends_a_run_and_is_kept)
{
	struct sink *s = sink_new(true, true);
	struct tcp_kit k = { .seq = 1, .flags = 0x10, .sport = 1000 };

	add_tcp(s, &k, 500);
	k.flags = 0x18;
	add_tcp(s, &k, 500);
	k.flags = 0x10;
	add_tcp(s, &k, 500);
	coalesce_flush(&s->c);
	ck_assert_uint_eq(s->n, 2);
	check_tcp(&s->p[0], 1, 1000, 500, 2);
	ck_assert_uint_eq(s->p[0].data[33], 0x18);
	check_tcp(&s->p[1], 1001, 500, 500, 1);
	sink_free(s);
}
END_TEST

START_TEST(an_acknowledgement_does_not_overtake_data)
{
	struct sink *s = sink_new(true, true);
	struct tcp_kit k = { .seq = 1, .flags = 0x10, .sport = 1000 };

	add_tcp(s, &k, 500);
	add_tcp(s, &k, 500);
	add_tcp(s, &k, 0);
	ck_assert_uint_eq(s->n, 2);
	check_tcp(&s->p[0], 1, 1000, 500, 2);
	check_tcp(&s->p[1], 1001, 0, 0, 1);
	sink_free(s);
}
END_TEST

START_TEST(udp_of_one_size_is_joined)
{
	struct sink *s = sink_new(true, true);
	uint8_t p[OVERLAY_MTU];
	static const size_t sizes[] = { 1000, 1000, 1000, 400, 1000, 1200 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		add(s, p, kit_udp(p, 7, (uint32_t)i, sizes[i]), 1);
	coalesce_flush(&s->c);
	ck_assert_uint_eq(s->n, 3);
	ck_assert_int_eq(s->p[0].gso, TUN_GSO_UDP4);
	ck_assert_uint_eq(s->p[0].gso_size, 1000);
	ck_assert_uint_eq(s->p[0].len, 28 + 3400);
	ck_assert_uint_eq(load_be16(s->p[0].data + 24), 8 + 3400);
	ck_assert(kit_sums_ok(s->p[0].data, s->p[0].len));
	ck_assert_int_eq(s->p[1].gso, TUN_GSO_NONE);
	ck_assert_uint_eq(s->p[2].len, 28 + 1200);
	sink_free(s);
}
END_TEST

START_TEST(kinds_that_the_device_does_not_take_are_not_joined)
{
	struct sink *s = sink_new(true, false);
	struct tcp_kit k = { .seq = 1, .flags = 0x10 };
	uint8_t p[OVERLAY_MTU];

	for (int i = 0; i < 3; i++)
		add(s, p, kit_udp(p, 7, 1, 100), 1);
	ck_assert_uint_eq(s->n, 3);
	sink_clear(s);
	add_tcp(s, &k, 100);
	add_tcp(s, &k, 100);
	coalesce_flush(&s->c);
	ck_assert_uint_eq(s->n, 1);
	sink_free(s);
}
END_TEST

/* A UDP header that claims another length must not stretch a super-packet. */
START_TEST(a_lying_udp_length_stands_alone)
{
	struct sink *s = sink_new(true, true);
	uint8_t p[OVERLAY_MTU];

	for (int i = 0; i < 3; i++) {
		size_t len = kit_udp(p, 7, 1, 100);

		store_be16(p + 24, 50);
		add(s, p, len, 1);
	}
	ck_assert_uint_eq(s->n, 3);
	sink_free(s);
}
END_TEST

/* --- both ---------------------------------------------------------------------------------- */

#define FLOWS 7

/* Whatever is cut, interleaved and joined again, every flow's bytes are there, once, in order. */
START_TEST(random_flows_survive_cutting_and_joining)
{
	struct unit_rng rng = unit_rng_new("gso");
	struct sink *s = sink_new(true, true);
	uint8_t *buf = malloc(ROOM), out[OVERLAY_MTU + 1];

	for (int round = 0; round < 300; round++) {
		struct tcp_kit k[FLOWS];
		uint32_t start[FLOWS], expect[FLOWS];

		for (unsigned f = 0; f < FLOWS; f++) {
			k[f] = (struct tcp_kit){ .seq = (uint32_t)unit_random(&rng),
						 .flags = 0x10,
						 .sport = (uint16_t)(1000 + f) };
			start[f] = expect[f] = k[f].seq;
		}
		for (int i = 0; i < 12; i++) {
			unsigned f = (unsigned)unit_random_below(&rng, FLOWS);
			size_t payload = 1 + unit_random_below(&rng, 20000);
			size_t mss = 1 + unit_random_below(&rng, 1348);
			struct segmenter seg;
			size_t len;

			mss = MAX(mss, payload / 60 + 1);
			if (unit_random_below(&rng, 4) == 0)
				k[f].flags ^= 0x08;
			struct tun_packet p = super_tcp(buf, &k[f], payload, mss);

			if (payload <= mss)
				p.gso = TUN_GSO_NONE;
			ck_assert_int_eq(begin(&seg, &p), DROP_NONE);
			while ((len = segment_next_len(&seg)) > 0) {
				ck_assert_uint_le(len, sizeof(out));
				segment_next(&seg, out);
				add(s, out + 1, len - 1, out[0]);
			}
			k[f].seq += (uint32_t)payload;
			if (s->n > OUT_MAX - 130 || i == 11) {
				coalesce_flush(&s->c);
				for (size_t n = 0; n < s->n; n++) {
					const struct tun_packet *q = &s->p[n];
					unsigned g = load_be16(q->data + 20) - 1000u;

					ck_assert_uint_lt(g, FLOWS);
					check_tcp(q, expect[g], q->len - 52, q->gso_size,
						  q->gso ? 2 : 1);
					expect[g] += (uint32_t)(q->len - 52);
				}
				sink_clear(s);
			}
		}
		for (unsigned f = 0; f < FLOWS; f++)
			ck_assert_uint_eq(expect[f] - start[f], k[f].seq - start[f]);
	}
	free(buf);
	sink_free(s);
}
END_TEST

UNIT_MAIN("overlay/gso", a_tcp_super_packet_is_cut_as_a_network_card_would,
	  a_udp_super_packet_becomes_datagrams, plain_packets_keep_their_bytes,
	  an_unusual_partial_checksum_is_completed, super_packets_that_lie_are_refused,
	  consecutive_segments_become_one, a_super_packet_has_its_limits,
	  what_differs_is_not_joined, push_ends_a_run_and_is_kept,
	  an_acknowledgement_does_not_overtake_data, udp_of_one_size_is_joined,
	  kinds_that_the_device_does_not_take_are_not_joined, a_lying_udp_length_stands_alone,
	  random_flows_survive_cutting_and_joining)
