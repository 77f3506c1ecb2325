/* SPDX-License-Identifier: MIT */
/* Packets as hosts make them. */
#include "overlay_kit.h"

uint8_t kit_byte(uint32_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7);
}

bool kit_bytes_ok(const uint8_t *p, size_t len, uint32_t first)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != kit_byte(first + (uint32_t)i))
			return false;
	}
	return true;
}

static void kit_ip(uint8_t *p, size_t len, uint8_t proto, uint16_t id)
{
	memset(p, 0, 20);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	store_be16(p + 4, id);
	p[6] = 0x40;
	p[8] = 64;
	p[9] = proto;
	store_be32(p + 12, KIT_SRC);
	store_be32(p + 16, KIT_DST);
	packet_ip_checksum(p, 20);
}

size_t kit_tcp(uint8_t *p, const struct tcp_kit *k, size_t payload)
{
	size_t len = 20 + TCP_HEADER + payload;
	uint8_t *t = p + 20;

	kit_ip(p, len, IPPROTO_TCP4, k->id);
	memset(t, 0, TCP_HEADER);
	store_be16(t, k->sport);
	store_be16(t + 2, 443);
	store_be32(t + 4, k->seq);
	store_be32(t + 8, k->ack);
	t[12] = (TCP_HEADER / 4) << 4;
	t[13] = k->flags;
	store_be16(t + 14, 501);
	t[20] = t[21] = 1; /* NOP NOP timestamps */
	t[22] = 8;
	t[23] = 10;
	for (size_t i = 0; i < payload; i++)
		t[TCP_HEADER + i] = kit_byte(k->seq + (uint32_t)i);
	store_be16(t + 16, packet_pseudo_sum(p, IPPROTO_TCP4, len - 20));
	return len;
}

size_t kit_udp(uint8_t *p, uint16_t sport, uint32_t first, size_t payload)
{
	size_t len = 28 + payload;

	kit_ip(p, len, IPPROTO_UDP4, (uint16_t)first);
	store_be16(p + 20, sport);
	store_be16(p + 22, 53);
	store_be16(p + 24, (uint16_t)(8 + payload));
	for (size_t i = 0; i < payload; i++)
		p[28 + i] = kit_byte(first + (uint32_t)i);
	store_be16(p + 26, packet_pseudo_sum(p, IPPROTO_UDP4, len - 20));
	return len;
}

bool kit_sums_ok(const uint8_t *p, size_t len)
{
	size_t at = 20 + packet_checksum_offset(p[9]);

	return checksum_add(p, 20, 0) == 0xffff && load_be16(p + 2) == len &&
	       load_be16(p + at) == packet_pseudo_sum(p, p[9], len - 20);
}
