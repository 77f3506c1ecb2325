/* SPDX-License-Identifier: MIT */
/* Cuts TCP and UDP super-packets to plain ones and computes checksums, as a kernel does. */
#include "os/sim/tun_cut.h"
#include "os/sim/sim.h"

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80
#define PROTO_TCP 6
#define PROTO_UDP 17

static bool is_tcp(const struct tun_packet *p)
{
	return p->gso == TUN_GSO_TCP4 || p->gso == TUN_GSO_TCP6;
}

/* Length of the IP header of a cuttable packet (IPv6 without extension headers). */
static size_t ip_len(const uint8_t *ip)
{
	return ip[0] >> 4 == 4 ? (size_t)(ip[0] & 15) * 4 : 40;
}

static bool gso_ok(const struct tun_packet *p)
{
	bool v4 = p->gso == TUN_GSO_TCP4 || p->gso == TUN_GSO_UDP4;
	size_t ip = ip_len(p->data);

	if (p->gso > TUN_GSO_UDP6 || p->gso_size == 0 || v4 != (p->data[0] >> 4 == 4))
		return false;
	return ip >= 20 && p->hdr_len >= ip + (is_tcp(p) ? 20 : 8) && p->hdr_len < p->len;
}

bool tun_cut_ok(const struct tun_packet *p)
{
	if (p->len < 20 || p->len > 65535 || (p->data[0] >> 4 != 4 && p->data[0] >> 4 != 6))
		return false;
	if (p->csum_partial && (size_t)p->csum_start + p->csum_offset + 2 > p->len)
		return false;
	return p->gso == TUN_GSO_NONE || (p->len >= 40 && gso_ok(p));
}

/* RFC 1071, without the final complement. */
static uint32_t sum(const uint8_t *p, size_t len, uint32_t acc)
{
	for (; len > 1; p += 2, len -= 2)
		acc += load_be16(p);
	if (len > 0)
		acc += (uint32_t)p[0] << 8;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return acc;
}

static void ip4_checksum(uint8_t *ip)
{
	store_be16(ip + 10, 0);
	store_be16(ip + 10, (uint16_t)~sum(ip, ip_len(ip), 0));
}

static uint32_t pseudo_sum(const uint8_t *ip, uint8_t proto, size_t len)
{
	uint32_t acc = ip[0] >> 4 == 4 ? sum(ip + 12, 8, 0) : sum(ip + 8, 32, 0);

	return acc + proto + (uint32_t)len;
}

/* Fills in the transport checksum of a whole plain packet. */
static void transport_checksum(uint8_t *ip, size_t len, uint8_t proto)
{
	size_t at = ip_len(ip);
	uint8_t *field = ip + at + (proto == PROTO_TCP ? 16 : 6);
	uint16_t value;

	store_be16(field, 0);
	value = (uint16_t)~sum(ip + at, len - at, pseudo_sum(ip, proto, len - at));
	store_be16(field, value == 0 && proto == PROTO_UDP ? 0xffff : value);
}

/* Sets the lengths and checksums of one of the packets that were cut. */
static void segment_finish(const struct tun_packet *p, uint8_t *ip, size_t len, bool last)
{
	size_t at = ip_len(ip);

	if (ip[0] >> 4 == 4) {
		store_be16(ip + 2, (uint16_t)len);
		ip4_checksum(ip);
	} else {
		store_be16(ip + 4, (uint16_t)(len - 40));
	}
	if (is_tcp(p)) {
		if (!last)
			ip[at + 13] &= (uint8_t)~TCP_FIN_PSH;
		transport_checksum(ip, len, PROTO_TCP);
	} else {
		store_be16(ip + at + 4, (uint16_t)(len - at));
		transport_checksum(ip, len, PROTO_UDP);
	}
}

/* Makes the header that of the next packet: its sequence number and identification. */
static void header_advance(struct tun_packet *p, size_t payload)
{
	uint8_t *ip = p->data;
	uint8_t *transport = ip + ip_len(ip);

	if (ip[0] >> 4 == 4)
		store_be16(ip + 4, (uint16_t)(load_be16(ip + 4) + 1));
	if (is_tcp(p)) {
		store_be32(transport + 4, load_be32(transport + 4) + (uint32_t)payload);
		transport[13] &= (uint8_t)~TCP_CWR; /* RFC 3168 section 6.1.2: once */
	}
}

static size_t segment_next(struct tun_packet *p, uint8_t *out)
{
	size_t left = p->len - p->hdr_len;
	size_t n = MIN(left, p->gso_size);

	memcpy(out, p->data, p->hdr_len + n);
	segment_finish(p, out, p->hdr_len + n, n == left);
	memmove(p->data + p->hdr_len, p->data + p->hdr_len + n, left - n);
	p->len = n == left ? 0 : p->len - n;
	header_advance(p, n);
	return p->hdr_len + n;
}

/* The field holds the pseudo-header's sum: the rest is added (virtio NEEDS_CSUM). */
static void checksum_complete(const struct tun_packet *p, uint8_t *out)
{
	uint16_t value = (uint16_t)~sum(out + p->csum_start, p->len - p->csum_start, 0);

	store_be16(out + p->csum_start + p->csum_offset, value ? value : 0xffff);
}

size_t tun_cut_next(struct tun_packet *p, uint8_t *out, size_t cap)
{
	uint8_t *whole = sim_alloc(p->len);
	size_t len = p->len;

	if (p->gso != TUN_GSO_NONE) {
		len = segment_next(p, whole);
	} else {
		memcpy(whole, p->data, len);
		if (p->csum_partial)
			checksum_complete(p, whole);
		p->len = 0;
	}
	memcpy(out, whole, MIN(len, cap));
	free(whole);
	return len;
}

bool tun_udp4_parse(const struct tun_packet *p, struct packet *ret)
{
	const uint8_t *ip = p->data;
	size_t udp_len;

	if (p->len < 28 || ip[0] != 0x45 || ip[9] != PROTO_UDP || load_be16(ip + 2) != p->len ||
	    (load_be16(ip + 6) & 0x3fff) != 0)
		return false;
	udp_len = load_be16(ip + 24);
	if (udp_len < 8 || 20 + udp_len > p->len)
		return false;
	*ret = (struct packet){ .src = addr_v4(load_be32(ip + 12), load_be16(ip + 20)),
				.dst = addr_v4(load_be32(ip + 16), load_be16(ip + 22)),
				.ecn = ip[1] & 3,
				.data = p->data + 28,
				.len = udp_len - 8 };
	return true;
}

void tun_udp4_build(const struct packet *p, uint8_t *out)
{
	size_t len = 28 + p->len;

	memset(out, 0, 28);
	out[0] = 0x45;
	out[1] = p->ecn;
	store_be16(out + 2, (uint16_t)len);
	out[6] = 0x40; /* don't fragment */
	out[8] = 64;
	out[9] = PROTO_UDP;
	store_be32(out + 12, addr_ip4(&p->src));
	store_be32(out + 16, addr_ip4(&p->dst));
	ip4_checksum(out);
	store_be16(out + 20, p->src.port);
	store_be16(out + 22, p->dst.port);
	store_be16(out + 24, (uint16_t)(8 + p->len));
	if (p->len > 0)
		memcpy(out + 28, p->data, p->len);
	transport_checksum(out, len, PROTO_UDP);
}
