/* SPDX-License-Identifier: MIT */
/* Tests of inner packets: what is refused, checksums, ICMP answers. */
#include "overlay_kit.h"

START_TEST(a_sane_header_is_read)
{
	uint8_t p[100];
	struct packet4 h;
	size_t len = kit_udp(p, 1000, 1, 20);

	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	ck_assert_uint_eq(h.src, KIT_SRC);
	ck_assert_uint_eq(h.dst, KIT_DST);
	ck_assert_uint_eq(h.header_len, 20);
	ck_assert_uint_eq(h.proto, IPPROTO_UDP4);
	ck_assert(!h.fragment);
	ck_assert_uint_eq(packet_transport_len(p, len, &h), 8);
}
END_TEST

/* [P4-40] */
START_TEST(headers_that_lie_are_refused)
{
	uint8_t p[100], good[100];
	struct packet4 h = { .src = 7 };
	size_t len = kit_udp(good, 1000, 1, 20);

	for (size_t cut = 0; cut < len; cut++) {
		int rc = packet_parse(good, cut, &h);

		ck_assert_int_eq(rc, cut < 20 ? DROP_in_short : DROP_in_header);
	}
	ck_assert_int_eq(packet_parse(good, len + 1, &h), DROP_in_header);
	for (unsigned v = 0; v < 256; v++) {
		memcpy(p, good, len);
		p[0] = (uint8_t)v;
		int rc = packet_parse(p, len, &h);

		if (v >> 4 != 4)
			ck_assert_int_eq(rc, DROP_in_not_ip4);
		else if ((v & 15) < 5 || (v & 15) * 4 > len)
			ck_assert_int_eq(rc, DROP_in_header);
		else
			ck_assert_int_eq(rc, DROP_NONE);
	}
}
END_TEST

/* [P4-40] */
START_TEST(fragments_pass_unless_they_overflow)
{
	uint8_t p[100];
	struct packet4 h;
	size_t len = kit_udp(p, 1000, 1, 20);

	store_be16(p + 6, 0x2000);
	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	ck_assert(h.fragment);
	ck_assert_uint_eq(packet_transport_len(p, len, &h), 0);
	store_be16(p + 6, 0x0001);
	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	ck_assert(h.fragment);
	/* 65535 bytes are the most: 8185 * 8 + 48 is within, one more unit is not. */
	store_be16(p + 6, 8185);
	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	store_be16(p + 6, 8186);
	ck_assert_int_eq(packet_parse(p, len, &h), DROP_in_fragment);
	store_be16(p + 6, 0x1fff);
	ck_assert_int_eq(packet_parse(p, len, &h), DROP_in_fragment);
}
END_TEST

START_TEST(the_transport_header_must_be_there)
{
	uint8_t p[100];
	struct packet4 h;
	struct tcp_kit k = { .seq = 1 };
	size_t len = kit_tcp(p, &k, 0);

	ck_assert_int_eq(packet_parse(p, len, &h), DROP_NONE);
	ck_assert_uint_eq(packet_transport_len(p, len, &h), TCP_HEADER);
	for (unsigned words = 0; words < 16; words++) {
		p[32] = (uint8_t)(words << 4);
		size_t want = words >= 5 && words <= 8 ? words * 4 : 0;

		ck_assert_uint_eq(packet_transport_len(p, len, &h), want);
	}
	ck_assert_uint_eq(packet_transport_len(p, 39, &h), 0);
	h.proto = IPPROTO_UDP4;
	ck_assert_uint_eq(packet_transport_len(p, 27, &h), 0);
	ck_assert_uint_eq(packet_transport_len(p, 28, &h), 8);
	h.proto = 47;
	ck_assert_uint_eq(packet_transport_len(p, len, &h), 0);
}
END_TEST

/* RFC 1071 section 3, and the header of RFC 791's kind that everybody uses as an example. */
START_TEST(checksums_match_known_values)
{
	static const uint8_t rfc[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	uint8_t ip[20] = { 0x45, 0, 0,	  0x73, 0, 0, 0x40, 0,	  0x40, 0x11,
			   0,	 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,	0xc7 };

	ck_assert_uint_eq(checksum_add(rfc, sizeof(rfc), 0), 0xddf2);
	ck_assert_uint_eq(checksum_add(rfc, 7, 0), 0xdd00 - 5 + 0x00);
	packet_ip_checksum(ip, 20);
	ck_assert_uint_eq(load_be16(ip + 10), 0xb861);
}
END_TEST

START_TEST(sums_of_any_length_agree_with_the_plain_loop)
{
	struct unit_rng rng = unit_rng_new("packet");
	uint8_t p[1500];

	for (int i = 0; i < 2000; i++) {
		size_t len = unit_random_below(&rng, sizeof(p) + 1);
		uint32_t sum = 0;

		unit_random_bytes(&rng, p, len);
		for (size_t k = 0; k < len; k++)
			sum += k % 2 ? p[k] : (uint32_t)p[k] << 8;
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		ck_assert_uint_eq(checksum_add(p, len, 0), sum);
	}
}
END_TEST

START_TEST(a_completed_checksum_is_right)
{
	uint8_t p[200];
	size_t len = kit_udp(p, 1000, 5, 101);

	packet_complete_checksum(p, len, 20, 6);
	uint32_t pseudo = checksum_add(p + 12, 8, IPPROTO_UDP4 + (uint32_t)(len - 20));
	ck_assert_uint_eq(checksum_add(p + 20, len - 20, pseudo), 0xffff);
}
END_TEST

/* [P4-40] */
START_TEST(only_the_peers_own_packets_to_us_are_good)
{
	uint8_t d[100];
	struct packet4 h;
	size_t len = 1 + kit_udp(d + 1, 1000, 1, 20);

	for (unsigned flags = 0; flags < 256; flags++) {
		d[0] = (uint8_t)flags;
		ck_assert_int_eq(packet_check_inbound(d, len, KIT_SRC, KIT_DST, &h),
				 flags > 1 ? DROP_in_flags : DROP_NONE);
	}
	d[0] = 0;
	ck_assert_int_eq(packet_check_inbound(d, len, KIT_SRC + 1, KIT_DST, &h), DROP_in_source);
	ck_assert_int_eq(packet_check_inbound(d, len, KIT_SRC, KIT_DST + 1, &h),
			 DROP_in_destination);
	ck_assert_int_eq(packet_check_inbound(d, 0, KIT_SRC, KIT_DST, &h), DROP_in_short);
	ck_assert_int_eq(packet_check_inbound(d, 1, KIT_SRC, KIT_DST, &h), DROP_in_short);
	d[0] = 1;
	store_be16(d + 7, 0x2000);
	ck_assert_int_eq(packet_check_inbound(d, len, KIT_SRC, KIT_DST, &h), DROP_in_flags);
}
END_TEST

START_TEST(unreachable_answers_quote_the_packet)
{
	uint8_t p[100], out[ICMP_ERROR_MAX];
	size_t len = kit_udp(p, 1000, 1, 50);
	size_t n = packet_unreachable(p, len, out);

	ck_assert_uint_eq(n, 56);
	ck_assert_uint_eq(checksum_add(out, 20, 0), 0xffff);
	ck_assert_uint_eq(checksum_add(out + 20, n - 20, 0), 0xffff);
	ck_assert_uint_eq(load_be16(out + 2), n);
	ck_assert_uint_eq(load_be32(out + 12), KIT_DST);
	ck_assert_uint_eq(load_be32(out + 16), KIT_SRC);
	ck_assert_uint_eq(out[20], 3);
	ck_assert_uint_eq(out[21], 1);
	ck_assert_mem_eq(out + 28, p, 28);
}
END_TEST

START_TEST(errors_and_crowds_are_not_answered)
{
	uint8_t p[100], out[ICMP_ERROR_MAX];
	size_t len = kit_udp(p, 1000, 1, 50);

	store_be16(p + 6, 1); /* a later fragment */
	ck_assert_uint_eq(packet_unreachable(p, len, out), 0);
	kit_udp(p, 1000, 1, 50);
	store_be32(p + 16, 0xe0000001); /* multicast */
	ck_assert_uint_eq(packet_unreachable(p, len, out), 0);
	kit_udp(p, 1000, 1, 50);
	store_be32(p + 12, 0);
	ck_assert_uint_eq(packet_unreachable(p, len, out), 0);
	kit_udp(p, 1000, 1, 50);
	p[9] = IPPROTO_ICMP4;
	p[20] = 3; /* an ICMP error */
	ck_assert_uint_eq(packet_unreachable(p, len, out), 0);
	p[20] = 8; /* an echo request */
	ck_assert_uint_eq(packet_unreachable(p, len, out), 56);
	ck_assert_uint_eq(packet_unreachable(p, 20, out), 0);
}
END_TEST

UNIT_MAIN("overlay/packet", a_sane_header_is_read, headers_that_lie_are_refused,
	  fragments_pass_unless_they_overflow, the_transport_header_must_be_there,
	  checksums_match_known_values, sums_of_any_length_agree_with_the_plain_loop,
	  a_completed_checksum_is_right, only_the_peers_own_packets_to_us_are_good,
	  unreachable_answers_quote_the_packet, errors_and_crowds_are_not_answered)
