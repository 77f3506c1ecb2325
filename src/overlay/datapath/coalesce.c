/* SPDX-License-Identifier: MIT */
/* Generic receive offload in software, for TCP and UDP over IPv4. Order within a flow is kept. */
#include "overlay/datapath/coalesce.h"

#include <errno.h>
#include <stdlib.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_URG 0x20
#define TCP_CWR 0x80
#define JOINED_MAX 64 /* packets in one: as many as a kernel cuts at most */
#define FLOW_BYTES (TUN_HEADROOM + TUN_PACKET_MAX)

int coalesce_init(struct coalescer *c, bool tcp, bool udp,
		  void (*write)(void *ctx, const struct tun_packet *p), void *ctx)
{
	*c = (struct coalescer){ .tcp = tcp, .udp = udp, .write = write, .ctx = ctx };
	c->buffer = malloc(COALESCE_FLOWS * (size_t)FLOW_BYTES);
	if (!c->buffer)
		return -ENOMEM;
	for (size_t i = 0; i < COALESCE_FLOWS; i++)
		c->flow[i].data = c->buffer + i * FLOW_BYTES + TUN_HEADROOM;
	return 0;
}

void coalesce_offloads(struct coalescer *c, bool tcp, bool udp)
{
	c->tcp = tcp;
	c->udp = udp;
}

void coalesce_fini(struct coalescer *c)
{
	free(c->buffer);
	*c = (struct coalescer){ 0 };
}

static void flow_flush(struct coalescer *c, struct flow *f)
{
	struct tun_packet p = { .data = f->data, .len = f->len, .csum_partial = true };

	if (f->len == 0)
		return;
	p.csum_start = (uint16_t)f->ip_len;
	p.csum_offset = (uint16_t)packet_checksum_offset(f->proto);
	if (f->n > 1) {
		p.gso = f->proto == IPPROTO_TCP4 ? TUN_GSO_TCP4 : TUN_GSO_UDP4;
		p.gso_size = (uint16_t)f->size;
		p.hdr_len = (uint16_t)f->header_len;
		store_be16(f->data + 2, (uint16_t)f->len);
		packet_ip_checksum(f->data, f->ip_len);
		if (f->proto == IPPROTO_UDP4)
			store_be16(f->data + f->ip_len + 4, (uint16_t)(f->len - f->ip_len));
	}
	store_be16(f->data + p.csum_start + p.csum_offset,
		   packet_pseudo_sum(f->data, f->proto, f->len - f->ip_len));
	f->len = 0;
	c->write(c->ctx, &p);
}

void coalesce_flush(struct coalescer *c)
{
	for (size_t i = 0; i < COALESCE_FLOWS; i++)
		flow_flush(c, &c->flow[i]);
}

/* Addresses, protocol and ports. */
static bool same_flow(const struct flow *f, const uint8_t *p, const struct packet4 *h)
{
	return f->len && f->proto == h->proto && f->ip_len == h->header_len &&
	       memcmp(f->data + 12, p + 12, 8) == 0 &&
	       memcmp(f->data + f->ip_len, p + h->header_len, 4) == 0;
}

static bool same_tcp_header(const struct flow *f, const uint8_t *p)
{
	const uint8_t *a = f->data + f->ip_len, *b = p + f->ip_len;

	/* Sequence, acknowledgement; flags but PSH; window; options. */
	return load_be32(b + 4) == f->next_seq && memcmp(a + 8, b + 8, 5) == 0 &&
	       ((a[13] ^ b[13]) & ~TCP_PSH) == 0 && memcmp(a + 14, b + 14, 2) == 0 &&
	       memcmp(a + 20, b + 20, f->header_len - f->ip_len - 20) == 0;
}

/* May it be joined to what the flow holds? */
static bool may_join(const struct flow *f, const uint8_t *p, size_t len, size_t header_len)
{
	size_t payload = len - header_len;

	if (f->closed || f->header_len != header_len || payload > f->size || f->n == JOINED_MAX ||
	    f->len + payload > PACKET_MAX)
		return false;
	/* TOS, don't-fragment, TTL, IP options */
	if (f->data[1] != p[1] || f->data[6] != p[6] || f->data[8] != p[8] ||
	    memcmp(f->data + 20, p + 20, f->ip_len - 20) != 0)
		return false;
	return f->proto != IPPROTO_TCP4 || same_tcp_header(f, p);
}

/* Can it be the first or a further one of a super-packet at all? */
static bool is_joinable(const struct coalescer *c, uint8_t flags, const uint8_t *p, size_t len,
			const struct packet4 *h, size_t header_len)
{
	uint8_t tcp_flags;

	if (!(flags & PACKET_FLAG_CSUM_PARTIAL) || header_len == 0 || header_len == len)
		return false;
	if (h->proto == IPPROTO_UDP4)
		return c->udp && load_be16(p + h->header_len + 4) == len - h->header_len;
	tcp_flags = p[h->header_len + 13];
	return c->tcp && !(tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_URG | TCP_CWR));
}

static bool ends_run(const struct flow *f, const uint8_t *p, size_t payload)
{
	return payload < f->size || (f->proto == IPPROTO_TCP4 && (p[f->ip_len + 13] & TCP_PSH));
}

static void flow_join(struct flow *f, const uint8_t *p, size_t len)
{
	size_t payload = len - f->header_len;

	memcpy(f->data + f->len, p + f->header_len, payload);
	f->len += payload;
	f->next_seq += (uint32_t)payload;
	f->n++;
	f->closed = ends_run(f, p, payload);
	if (f->proto == IPPROTO_TCP4)
		f->data[f->ip_len + 13] |= p[f->ip_len + 13] & TCP_PSH;
}

/* A free place, or the one that has waited longest, written out. */
static struct flow *flow_place(struct coalescer *c)
{
	struct flow *oldest = &c->flow[0];

	for (size_t i = 0; i < COALESCE_FLOWS; i++) {
		if (c->flow[i].len == 0)
			return &c->flow[i];
		if (c->flow[i].used < oldest->used)
			oldest = &c->flow[i];
	}
	flow_flush(c, oldest);
	return oldest;
}

static void flow_start(struct coalescer *c, const uint8_t *p, size_t len, const struct packet4 *h,
		       size_t header_len)
{
	struct flow *f = flow_place(c);

	memcpy(f->data, p, len);
	f->len = len;
	f->header_len = header_len;
	f->ip_len = h->header_len;
	f->proto = h->proto;
	f->size = len - header_len;
	f->n = 1;
	f->used = ++c->turn;
	f->next_seq = 0;
	if (h->proto == IPPROTO_TCP4)
		f->next_seq = load_be32(p + h->header_len + 4) + (uint32_t)f->size;
	f->closed = ends_run(f, p, f->size);
}

/* As it is, with room in front. */
static void write_alone(struct coalescer *c, uint8_t flags, const uint8_t *packet, size_t len,
			const struct packet4 *h)
{
	struct flow *f = flow_place(c);
	struct tun_packet p = { .data = f->data, .len = len };

	memcpy(f->data, packet, len);
	if (flags & PACKET_FLAG_CSUM_PARTIAL) {
		p.csum_partial = true;
		p.csum_start = h->header_len;
		p.csum_offset = (uint16_t)packet_checksum_offset(h->proto);
		/* The length that the other side meant and the one that arrived are the same. */
		store_be16(f->data + p.csum_start + p.csum_offset,
			   packet_pseudo_sum(f->data, h->proto, len - h->header_len));
	}
	c->write(c->ctx, &p);
}

void coalesce_add(struct coalescer *c, uint8_t flags, const uint8_t *packet, size_t len,
		  const struct packet4 *h)
{
	size_t transport = packet_transport_len(packet, len, h);
	size_t header_len = transport ? h->header_len + transport : 0;
	bool joinable = is_joinable(c, flags, packet, len, h, header_len);

	for (size_t i = 0; i < COALESCE_FLOWS && transport; i++) {
		struct flow *f = &c->flow[i];

		if (!same_flow(f, packet, h))
			continue;
		if (joinable && may_join(f, packet, len, header_len)) {
			flow_join(f, packet, len);
			return;
		}
		flow_flush(c, f);
		break;
	}
	if (joinable)
		flow_start(c, packet, len, h, header_len);
	else
		write_alone(c, flags, packet, len, h);
}
