/* SPDX-License-Identifier: MIT */
/* Inner packets: what an IPv4 header says, checksums, and the checks of what a peer sent. */
#ifndef MLSH_OVERLAY_PACKET_H
#define MLSH_OVERLAY_PACKET_H

#include "base/addr.h"
#include "overlay/datapath/count.h"
#include "proto/limits.h"
#include "proto/peer.h"

#define IP4_HEADER_MIN 20
#define IPPROTO_ICMP4 1
#define IPPROTO_TCP4 6
#define IPPROTO_UDP4 17
#define PACKET_MAX 65535 /* IPv4 total length */
#define ICMP_ERROR_MAX (20 + 8 + 60 + 8)

/* A header that was found sane by packet_parse. */
struct packet4 {
	ip4 src, dst;
	uint16_t header_len; /* IP header with options */
	uint8_t proto;
	bool fragment; /* not a whole packet: its transport header is not to be trusted */
};

/*
 * Reads the IPv4 header of a packet of exactly `len` bytes. DROP_NONE, or why not: DROP_in_short,
 * DROP_in_not_ip4, DROP_in_header, DROP_in_fragment.
 */
enum overlay_drop packet_parse(const uint8_t *p, size_t len, struct packet4 *ret) MUST_CHECK;

/*
 * Bytes of the transport header of a whole TCP or UDP packet, 0 when it is of another protocol, a
 * fragment or not all there.
 */
size_t packet_transport_len(const uint8_t *p, size_t len, const struct packet4 *h);
/* Where the transport checksum lies behind the IP header: 16 for TCP, 6 for UDP. */
static inline size_t packet_checksum_offset(uint8_t proto)
{
	return proto == IPPROTO_TCP4 ? 16 : 6;
}

/* RFC 1071: the sum of `len` bytes on top of `sum`, folded to 16 bits, not complemented. */
uint16_t checksum_add(const uint8_t *p, size_t len, uint32_t sum);
/* Sets the IP header's checksum. */
void packet_ip_checksum(uint8_t *p, size_t header_len);
/* The pseudo-header's sum of a packet whose transport part has `len` bytes (NEEDS_CSUM form). */
uint16_t packet_pseudo_sum(const uint8_t *p, uint8_t proto, size_t len);
/* Completes a partial transport checksum in software. start + offset + 2 <= len. */
void packet_complete_checksum(uint8_t *p, size_t len, size_t start, size_t offset);

/*
 * What came from a peer, `flags` byte first: may it go to the TUN? `from` is the peer's address,
 * `to` ours. The drop to count, or DROP_NONE: then *ret is its header.
 */
enum overlay_drop packet_check_inbound(const uint8_t *data, size_t len, ip4 from, ip4 to,
				       struct packet4 *ret) MUST_CHECK;

/*
 * An ICMP host unreachable (RFC 792, RFC 1812 section 5.2.7.1) that answers `p`, as if its
 * destination had sent it. Its length; 0 when the packet must not be answered (RFC 1122 section
 * 3.2.2: ICMP errors, fragments but the first, no single sender).
 */
size_t packet_unreachable(const uint8_t *p, size_t len, uint8_t out[ICMP_ERROR_MAX]);

#endif
