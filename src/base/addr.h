/* SPDX-License-Identifier: MIT */
/*
 * Addresses without system calls: `struct addr` is a UDP endpoint (IPv4 is kept as an IPv4-mapped
 * IPv6 address, so that there is one form of everything), `ip4` an overlay IPv4 address in host
 * order, `struct prefix4` a CIDR.
 */
#ifndef MLSH_BASE_ADDR_H
#define MLSH_BASE_ADDR_H

#include "base/bytes.h"
#include "base/err.h"

struct addr {
	uint8_t ip[16]; /* IPv6, or ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2) */
	uint16_t port;	/* host order */
	uint32_t scope; /* interface index of a link-local address, else 0 */
};

#define ADDR_TEXT_MAX 72 /* "[ipv6%scope]:port" and NUL */
#define IP4_TEXT_MAX 16
#define PREFIX4_TEXT_MAX 20

typedef uint32_t ip4; /* host order: comparisons and arithmetic mean what they say */

struct prefix4 {
	ip4 net;
	uint8_t bits;
};

struct addr addr_v4(ip4 ip, uint16_t port);
struct addr addr_v6(const uint8_t ip[16], uint16_t port);
bool addr_is_v4(const struct addr *a);
ip4 addr_ip4(const struct addr *a);			     /* only when addr_is_v4 */
bool addr_equal(const struct addr *a, const struct addr *b); /* address, port and scope */
bool addr_same_ip(const struct addr *a, const struct addr *b);
bool addr_is_unset(const struct addr *a); /* all zero */
/* "1.2.3.4:5", "[2001:db8::1]:5"; `out` holds ADDR_TEXT_MAX bytes. Returns out. */
const char *addr_format(const struct addr *a, char *out);
/* Only the address, no port, no brackets. */
const char *addr_format_ip(const struct addr *a, char *out);
/* An IP address literal alone (no port), IPv4 or IPv6 with or without brackets. -EINVAL. */
int addr_parse_ip(const char *text, struct addr *ret) MUST_CHECK;
/* "1.2.3.4:5" or "[v6]:5" as addr_format prints it. -EINVAL. */
int addr_parse(const char *text, struct addr *ret) MUST_CHECK;
/*
 * May packets be sent to this address because a remote machine named it as a candidate? False for
 * unspecified, loopback, multicast, broadcast, IPv4 link-local (metadata services live there), IPv6
 * link-local, port 0, and the reserved ranges 0/8 and 240/4.
 */
bool addr_is_candidate_ok(const struct addr *a);
bool addr_is_private(const struct addr *a); /* RFC 1918, RFC 6598, fc00::/7 */

/* "100.64.0.1"; -EINVAL for anything else, leading zeros included. */
int ip4_parse(const char *text, ip4 *ret) MUST_CHECK;
const char *ip4_format(ip4 ip, char *out); /* `out` holds IP4_TEXT_MAX bytes; returns out */
/* "100.64.0.0/10" with no host bits set; the message says what is wrong. */
int prefix4_parse(const char *text, struct prefix4 *ret, struct err *err) MUST_CHECK;
const char *prefix4_format(struct prefix4 p, char *out); /* `out` holds PREFIX4_TEXT_MAX bytes */
static inline ip4 prefix4_mask(struct prefix4 p)
{
	return p.bits == 0 ? 0 : ~(ip4)0 << (32 - p.bits);
}
bool prefix4_contains(struct prefix4 p, ip4 ip);
bool prefix4_overlaps(struct prefix4 a, struct prefix4 b);
ip4 prefix4_first(struct prefix4 p); /* first usable host address */
ip4 prefix4_last(struct prefix4 p);  /* last usable host address */
/*
 * Is it a range that overlay addresses may come from (100.64/10, RFC 1918, 198.18/15; design: host
 * changes), /8../29?
 */
int overlay_subnet_check(struct prefix4 p, struct err *err) MUST_CHECK;

#endif
