/* SPDX-License-Identifier: MIT */
/* Reads and checks inner IPv4 packets, computes their checksums, answers with ICMP. */
#include "overlay/datapath/packet.h"

#define OFFSET_MASK 0x1fff
#define MORE_FRAGMENTS 0x2000

enum overlay_drop packet_parse(const uint8_t *p, size_t len, struct packet4 *ret)
{
	struct packet4 h;

	if (len < 1)
		return DROP_in_short;
	if (p[0] >> 4 != 4)
		return DROP_in_not_ip4;
	if (len < IP4_HEADER_MIN)
		return DROP_in_short;
	h.header_len = (uint16_t)((p[0] & 15) * 4);
	size_t total = load_be16(p + 2);
	if (h.header_len < IP4_HEADER_MIN || h.header_len > total || total != len)
		return DROP_in_header;
	uint16_t fragment = load_be16(p + 6);
	size_t offset = (size_t)(fragment & OFFSET_MASK) * 8;
	h.fragment = offset != 0 || (fragment & MORE_FRAGMENTS);
	if (h.fragment && offset + total > PACKET_MAX)
		return DROP_in_fragment;
	h.proto = p[9];
	h.src = load_be32(p + 12);
	h.dst = load_be32(p + 16);
	*ret = h;
	return DROP_NONE;
}

size_t packet_transport_len(const uint8_t *p, size_t len, const struct packet4 *h)
{
	size_t left = len - h->header_len;

	if (h->fragment)
		return 0;
	if (h->proto == IPPROTO_UDP4)
		return left >= 8 ? 8 : 0;
	if (h->proto != IPPROTO_TCP4 || left < 20)
		return 0;
	size_t tcp = (size_t)(p[h->header_len + 12] >> 4) * 4;
	return tcp >= 20 && tcp <= left ? tcp : 0;
}

uint16_t checksum_add(const uint8_t *p, size_t len, uint32_t sum)
{
	uint64_t acc = sum;

	for (; len > 3; p += 4, len -= 4)
		acc += load_be32(p);
	if (len & 2) {
		acc += load_be16(p);
		p += 2;
	}
	if (len & 1)
		acc += (uint32_t)p[0] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return (uint16_t)acc;
}

void packet_ip_checksum(uint8_t *p, size_t header_len)
{
	store_be16(p + 10, 0);
	store_be16(p + 10, (uint16_t)~checksum_add(p, header_len, 0));
}

uint16_t packet_pseudo_sum(const uint8_t *p, uint8_t proto, size_t len)
{
	return checksum_add(p + 12, 8, (uint32_t)proto + (uint32_t)len);
}

void packet_complete_checksum(uint8_t *p, size_t len, size_t start, size_t offset)
{
	uint16_t sum = (uint16_t)~checksum_add(p + start, len - start, 0);

	/* For UDP zero means "none"; for others both forms of zero are the same. */
	store_be16(p + start + offset, sum ? sum : 0xffff);
}

enum overlay_drop packet_check_inbound(const uint8_t *data, size_t len, ip4 from, ip4 to,
				       struct packet4 *ret)
{
	struct packet4 h;

	if (len < 1)
		return DROP_in_short;
	if (data[0] & ~PACKET_FLAG_CSUM_PARTIAL)
		return DROP_in_flags;
	enum overlay_drop d = packet_parse(data + 1, len - 1, &h);
	if (d != DROP_NONE)
		return d;
	if (h.src != from)
		return DROP_in_source;
	if (h.dst != to)
		return DROP_in_destination;
	if ((data[0] & PACKET_FLAG_CSUM_PARTIAL) &&
	    packet_transport_len(data + 1, len - 1, &h) == 0)
		return DROP_in_flags;
	*ret = h;
	return DROP_NONE;
}

/* Errors about errors make storms: of ICMP only echo requests are answered. */
static bool may_be_answered(const uint8_t *p, const struct packet4 *h)
{
	if (load_be16(p + 6) & OFFSET_MASK)
		return false;
	if (h->proto == IPPROTO_ICMP4 && p[h->header_len] != 8)
		return false;
	return h->src != 0 && h->src >> 28 < 14 && h->dst >> 28 < 14;
}

size_t packet_unreachable(const uint8_t *p, size_t len, uint8_t out[ICMP_ERROR_MAX])
{
	struct packet4 h;

	if (packet_parse(p, len, &h) != DROP_NONE || len < (size_t)h.header_len + 8 ||
	    !may_be_answered(p, &h))
		return 0;
	size_t quoted = (size_t)h.header_len + 8;
	size_t total = 28 + quoted;

	memset(out, 0, 28);
	out[0] = 0x45;
	out[1] = 0xc0; /* internetwork control, as RFC 1812 section 4.3.2.5 wants */
	store_be16(out + 2, (uint16_t)total);
	out[8] = 64;
	out[9] = IPPROTO_ICMP4;
	store_be32(out + 12, h.dst);
	store_be32(out + 16, h.src);
	packet_ip_checksum(out, 20);
	out[20] = 3; /* destination unreachable */
	out[21] = 1; /* host */
	memcpy(out + 28, p, quoted);
	store_be16(out + 22, (uint16_t)~checksum_add(out + 20, total - 20, 0));
	return total;
}
