/* SPDX-License-Identifier: MIT */
/*
 * Inner packets both ways. The first byte chooses: packets from a peer (each behind two bytes of
 * length) are checked and joined, or a packet of the TUN with made-up metadata is cut. What comes
 * out must be what a device and a peer accept.
 */
#include <stdlib.h>

#include "base/cursor.h"
#include "overlay/datapath/coalesce.h"
#include "overlay/datapath/segment.h"

#define PEER 0x64400002u
#define SELF 0x64400001u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct tally {
	size_t payload_in, payload_out, packets_in, packets_out;
};

static size_t payload_of(const uint8_t *p, size_t len)
{
	struct packet4 h;

	must(packet_parse(p, len, &h) == DROP_NONE);
	must(h.src == PEER && h.dst == SELF);
	return len - h.header_len - packet_transport_len(p, len, &h);
}

static void on_write(void *ctx, const struct tun_packet *p)
{
	struct tally *t = ctx;

	memset(p->data - TUN_HEADROOM, 0xa5, TUN_HEADROOM);
	must(p->len >= IP4_HEADER_MIN && p->len <= PACKET_MAX);
	must(!p->csum_partial || (size_t)p->csum_start + p->csum_offset + 2 <= p->len);
	if (p->gso != TUN_GSO_NONE) {
		must(p->gso == TUN_GSO_TCP4 || p->gso == TUN_GSO_UDP4);
		must(p->csum_partial && p->gso_size > 0 && p->hdr_len < p->len);
		must(p->len - p->hdr_len > p->gso_size);
	}
	t->payload_out += payload_of(p->data, p->len);
	t->packets_out++;
}

static void inbound(struct reader *r)
{
	struct tally t = { 0 };
	struct coalescer c;

	must(coalesce_init(&c, true, true, on_write, &t) == 0);
	while (reader_left(r) > 2) {
		size_t len = read_u16(r);
		struct span s = read_span(r, MIN(len, reader_left(r)));
		struct packet4 h;

		if (packet_check_inbound(s.data, s.len, PEER, SELF, &h) != DROP_NONE)
			continue;
		must(s.len > IP4_HEADER_MIN && s.data[0] <= 1 && h.header_len < s.len);
		t.payload_in += payload_of(s.data + 1, s.len - 1);
		t.packets_in++;
		coalesce_add(&c, s.data[0], s.data + 1, s.len - 1, &h);
	}
	coalesce_flush(&c);
	must(t.payload_in == t.payload_out); /* nothing lost, nothing made up */
	must(t.packets_out <= t.packets_in);
	coalesce_fini(&c);
}

static void outbound(struct reader *r)
{
	struct tun_packet p = { .gso = (enum tun_gso)(read_u8(r) % 5) };
	uint8_t out[1 + OVERLAY_MTU], icmp[ICMP_ERROR_MAX];
	struct segmenter s;
	struct packet4 h;
	size_t len, packets = 0;

	p.gso_size = read_u16(r);
	p.csum_partial = read_u8(r) & 1;
	p.csum_start = read_u16(r);
	p.csum_offset = read_u16(r);
	p.len = reader_left(r);
	p.data = malloc(p.len ? p.len : 1);
	must(p.data != NULL);
	read_copy(r, p.data, p.len);
	must(packet_unreachable(p.data, p.len, icmp) <= sizeof(icmp));
	if (packet_parse(p.data, p.len, &h) == DROP_NONE &&
	    segment_begin(&s, &p, &h) == DROP_NONE) {
		while ((len = segment_next_len(&s)) > 0) {
			struct packet4 cut;

			must(len <= sizeof(out) && packets++ < PACKET_MAX);
			segment_next(&s, out);
			must(out[0] <= PACKET_FLAG_CSUM_PARTIAL);
			must(packet_parse(out + 1, len - 1, &cut) == DROP_NONE);
			must(cut.src == h.src && cut.dst == h.dst && cut.proto == h.proto);
			must(packet_check_inbound(out, len, h.src, h.dst, &cut) == DROP_NONE);
		}
		must(packets > 0);
	}
	free(p.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of(span_of(data, size));

	if (read_u8(&r) & 1)
		outbound(&r);
	else
		inbound(&r);
	return 0;
}
