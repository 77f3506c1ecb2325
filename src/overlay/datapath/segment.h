/* SPDX-License-Identifier: MIT */
/*
 * Cuts a packet of the TUN, possibly a super-packet, into inner packets of at most OVERLAY_MTU
 * bytes, each behind its byte of flags (docs/protocol/04-peer.md).
 */
#ifndef MLSH_OVERLAY_SEGMENT_H
#define MLSH_OVERLAY_SEGMENT_H

#include "os/tun.h"
#include "overlay/datapath/packet.h"

struct segmenter {
	const struct tun_packet *p;
	size_t header_len; /* IP and transport header, in front of each */
	size_t ip_len;
	size_t at;	     /* of the next payload byte; p->len: done */
	size_t size;	     /* payload of each but the last */
	uint32_t seq;	     /* TCP: of the first */
	uint32_t ip_sum;     /* of what is the same in every IP header */
	uint16_t pseudo_sum; /* of the pseudo-header, without the length */
	uint16_t id;	     /* IP identification of the first */
	unsigned n;	     /* packets made */
	uint8_t flags;
	bool plain; /* one packet as it is */
	bool tcp;
};

/*
 * Checks `p`, whose header is `h`. DROP_NONE; DROP_out_header for headers that lie,
 * DROP_out_not_ip4 for other kinds of super-packet, DROP_out_too_big for packets that stay too
 * large. A plain packet with a partial checksum that the flag cannot describe is completed in
 * place.
 */
enum overlay_drop segment_begin(struct segmenter *s, const struct tun_packet *p,
				const struct packet4 *h) MUST_CHECK;
/*
 * May each take no more than `max` bytes, flags included? TCP is cut smaller for that, before the
 * first one is made; others are left as they are.
 */
bool segment_fit(struct segmenter *s, size_t max) MUST_CHECK;
/* Bytes that the next one needs, flags included; 0 after the last. */
size_t segment_next_len(const struct segmenter *s);
/* How many packets are still to come. */
size_t segment_left(const struct segmenter *s);
/* Writes it to `out`. */
void segment_next(struct segmenter *s, uint8_t *out);

#endif
