/* SPDX-License-Identifier: MIT */
/* Software segmentation of TCP and UDP over IPv4. Transport checksums stay partial. */
#include "overlay/datapath/segment.h"

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

static enum overlay_drop begin_plain(struct segmenter *s, const struct tun_packet *p,
				     const struct packet4 *h)
{
	if (p->len > OVERLAY_MTU)
		return DROP_out_too_big;
	s->plain = true;
	s->size = p->len;
	if (!p->csum_partial)
		return DROP_NONE;
	if (p->csum_start < h->header_len || (size_t)p->csum_start + p->csum_offset + 2 > p->len)
		return DROP_out_header;
	if (p->csum_start == h->header_len && packet_transport_len(p->data, p->len, h) &&
	    p->csum_offset == packet_checksum_offset(h->proto))
		s->flags = PACKET_FLAG_CSUM_PARTIAL;
	else
		packet_complete_checksum(p->data, p->len, p->csum_start, p->csum_offset);
	return DROP_NONE;
}

/* What is the same in every header: without IP length, identification and checksum. */
static void sum_headers(struct segmenter *s, uint8_t proto)
{
	const uint8_t *ip = s->p->data;

	s->ip_sum = (uint32_t)checksum_add(ip, 2, 0) + checksum_add(ip + 6, 4, 0) +
		    checksum_add(ip + 12, s->ip_len - 12, 0);
	s->pseudo_sum = packet_pseudo_sum(ip, proto, 0);
}

enum overlay_drop segment_begin(struct segmenter *s, const struct tun_packet *p,
				const struct packet4 *h)
{
	*s = (struct segmenter){ .p = p, .ip_len = h->header_len };
	if (p->gso == TUN_GSO_NONE)
		return begin_plain(s, p, h);
	if (p->gso != TUN_GSO_TCP4 && p->gso != TUN_GSO_UDP4)
		return DROP_out_not_ip4;
	s->tcp = p->gso == TUN_GSO_TCP4;
	size_t transport = packet_transport_len(p->data, p->len, h);
	if (transport == 0 || s->tcp != (h->proto == IPPROTO_TCP4) || p->gso_size == 0)
		return DROP_out_header;
	s->header_len = h->header_len + transport;
	if (s->header_len == p->len)
		return DROP_out_header;
	s->size = p->gso_size;
	if (s->header_len + s->size > OVERLAY_MTU && p->len > OVERLAY_MTU)
		return DROP_out_too_big;
	s->at = s->header_len;
	s->id = load_be16(p->data + 4);
	s->seq = s->tcp ? load_be32(p->data + h->header_len + 4) : 0;
	s->flags = PACKET_FLAG_CSUM_PARTIAL;
	sum_headers(s, h->proto);
	return DROP_NONE;
}

bool segment_fit(struct segmenter *s, size_t max)
{
	if (s->plain)
		return 1 + s->size <= max;
	if (1 + s->header_len + s->size <= max)
		return true;
	if (!s->tcp || max <= 1 + s->header_len)
		return false;
	s->size = max - 1 - s->header_len;
	return true;
}

size_t segment_next_len(const struct segmenter *s)
{
	size_t left = s->p->len - s->at;

	return left ? 1 + s->header_len + MIN(left, s->size) : 0;
}

size_t segment_left(const struct segmenter *s)
{
	return (s->p->len - s->at + s->size - 1) / s->size;
}

/* Folds a sum of few 16 bit numbers (RFC 1071). */
static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}

static void fix_ip(const struct segmenter *s, uint8_t *ip, size_t len)
{
	uint16_t id = (uint16_t)(s->id + s->n);

	store_be16(ip + 2, (uint16_t)len);
	store_be16(ip + 4, id);
	store_be16(ip + 10, (uint16_t)~fold(s->ip_sum + (uint32_t)len + id));
}

static void fix_transport(const struct segmenter *s, uint8_t *ip, size_t len, bool last)
{
	uint8_t *t = ip + s->ip_len;
	uint8_t proto = s->tcp ? IPPROTO_TCP4 : IPPROTO_UDP4;

	if (s->tcp) {
		store_be32(t + 4, s->seq + (uint32_t)(s->at - s->header_len));
		if (!last)
			t[13] &= (uint8_t)~TCP_FIN_PSH;
		if (s->n > 0)
			t[13] &= (uint8_t)~TCP_CWR; /* RFC 3168 section 6.1.2: once */
	} else {
		store_be16(t + 4, (uint16_t)(len - s->ip_len));
	}
	store_be16(t + packet_checksum_offset(proto),
		   fold(s->pseudo_sum + (uint32_t)(len - s->ip_len)));
}

void segment_next(struct segmenter *s, uint8_t *out)
{
	size_t left = s->p->len - s->at;
	size_t payload = MIN(left, s->size);
	uint8_t *ip = out + 1;

	out[0] = s->flags;
	if (s->plain) {
		memcpy(ip, s->p->data, s->p->len);
		s->at = s->p->len;
		return;
	}
	memcpy(ip, s->p->data, s->header_len);
	memcpy(ip + s->header_len, s->p->data + s->at, payload);
	fix_ip(s, ip, s->header_len + payload);
	fix_transport(s, ip, s->header_len + payload, payload == left);
	s->at += payload;
	s->n++;
}
