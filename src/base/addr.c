/* SPDX-License-Identifier: MIT */
/* Addresses and prefixes: text forms and what kind of address it is. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>

#define IP6_TEXT_MAX 64 /* address, '%', scope, NUL */

static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };

struct addr addr_v4(ip4 ip, uint16_t port)
{
	struct addr a = { .port = port };

	memcpy(a.ip, v4_mapped, sizeof(v4_mapped));
	store_be32(a.ip + 12, ip);
	return a;
}

struct addr addr_v6(const uint8_t ip[16], uint16_t port)
{
	struct addr a = { .port = port };

	memcpy(a.ip, ip, sizeof(a.ip));
	return a;
}

bool addr_is_v4(const struct addr *a)
{
	return memcmp(a->ip, v4_mapped, sizeof(v4_mapped)) == 0;
}

ip4 addr_ip4(const struct addr *a)
{
	return load_be32(a->ip + 12);
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return addr_same_ip(a, b) && a->port == b->port && a->scope == b->scope;
}

bool addr_is_unset(const struct addr *a)
{
	static const struct addr unset;

	return addr_equal(a, &unset);
}

const char *addr_format_ip(const struct addr *a, char *out)
{
	if (addr_is_v4(a))
		return ip4_format(addr_ip4(a), out);
	inet_ntop(AF_INET6, a->ip, out, ADDR_TEXT_MAX); /* cannot fail: INET6_ADDRSTRLEN is 46 */
	if (a->scope != 0) {
		size_t len = strlen(out);

		snprintf(out + len, ADDR_TEXT_MAX - len, "%%%u", a->scope);
	}
	return out;
}

const char *addr_format(const struct addr *a, char *out)
{
	char ip[ADDR_TEXT_MAX];

	addr_format_ip(a, ip);
	snprintf(out, ADDR_TEXT_MAX, addr_is_v4(a) ? "%.62s:%u" : "[%.62s]:%u", ip, a->port);
	return out;
}

/*
 * A decimal number of at most `max`, without sign, space or leading zeros, that ends where `*text`
 * does not hold a digit; *text moves there. Returns false if there is no number.
 */
static bool take_number(const char **text, uint32_t max, uint32_t *ret)
{
	const char *c = *text;
	uint64_t v = 0;

	if (*c < '0' || *c > '9' || (c[0] == '0' && c[1] >= '0' && c[1] <= '9'))
		return false;
	for (; *c >= '0' && *c <= '9'; c++) {
		v = v * 10 + (uint64_t)(*c - '0');
		if (v > max)
			return false;
	}
	*text = c;
	*ret = (uint32_t)v;
	return true;
}

static bool ip6_is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

/*
 * `len` characters of "fe80::1%3" or "2001:db8::1". The scope is a number: names of interfaces need
 * a system call.
 */
static int ip6_parse(const char *text, size_t len, struct addr *ret)
{
	struct addr a = { .port = 0 };
	char buf[IP6_TEXT_MAX];
	char *percent;

	if (len >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, len);
	buf[len] = '\0';
	percent = strchr(buf, '%');
	if (percent)
		*percent = '\0';
	if (inet_pton(AF_INET6, buf, a.ip) != 1)
		return -EINVAL;
	if (percent) {
		const char *at = percent + 1;

		if (!ip6_is_link_local(a.ip))
			return -EINVAL;
		if (!take_number(&at, UINT32_MAX, &a.scope) || *at || a.scope == 0)
			return -EINVAL;
	}
	*ret = a;
	return 0;
}

int addr_parse_ip(const char *text, struct addr *ret)
{
	size_t len = strlen(text);
	ip4 ip;

	if (ip4_parse(text, &ip) == 0) {
		*ret = addr_v4(ip, 0);
		return 0;
	}
	if (text[0] != '[')
		return ip6_parse(text, len, ret);
	if (text[len - 1] != ']')
		return -EINVAL;
	return ip6_parse(text + 1, len - 2, ret);
}

static int port_parse(const char *text, uint16_t *ret)
{
	uint32_t port;

	if (!take_number(&text, UINT16_MAX, &port) || *text)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

int addr_parse(const char *text, struct addr *ret)
{
	const char *colon = strrchr(text, ':');
	char ip_text[IP6_TEXT_MAX + 2];
	struct addr a;
	uint16_t port;
	size_t len;

	if (!colon || port_parse(colon + 1, &port) < 0)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len == 0 || len >= sizeof(ip_text))
		return -EINVAL;
	memcpy(ip_text, text, len);
	ip_text[len] = '\0';
	/* without brackets it is not clear where an IPv6 address ends and the port begins */
	if (ip_text[0] != '[' && strchr(ip_text, ':'))
		return -EINVAL;
	if (addr_parse_ip(ip_text, &a) < 0)
		return -EINVAL;
	a.port = port;
	*ret = a;
	return 0;
}

static bool ip4_in(ip4 ip, ip4 net, uint8_t bits)
{
	return prefix4_contains((struct prefix4){ net, bits }, ip);
}

static bool ip4_is_candidate_ok(ip4 ip)
{
	static const struct prefix4 refused[] = {
		{ 0x00000000, 8 },  /* "this network", RFC 1122 */
		{ 0x7f000000, 8 },  /* loopback */
		{ 0xa9fe0000, 16 }, /* link-local, RFC 3927; metadata services of clouds */
		{ 0xe0000000, 4 },  /* multicast */
		{ 0xf0000000, 4 },  /* reserved, and the broadcast address */
		{ 0x646464c8, 32 }, /* 100.100.100.200: metadata service of Alibaba Cloud */
		{ 0xa83f8110, 32 }, /* 168.63.129.16: host services of Azure */
	};

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (prefix4_contains(refused[i], ip))
			return false;
	}
	return true;
}

static bool ip6_is_candidate_ok(const uint8_t ip[16])
{
	static const uint8_t zeros[12]; /* ::, ::1, IPv4-compatible addresses (RFC 4291) */
	static const uint8_t nat64[12] = { 0x00, 0x64, 0xff, 0x9b }; /* RFC 6052 */
	static const uint8_t metadata[][16] = {
		{ 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 }, /* fd00:ec2::254, Amazon */
		{ 0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54 }, /* fd20:ce::254, Google */
	};

	if (memcmp(ip, zeros, sizeof(zeros)) == 0 || ip[0] == 0xff || ip6_is_link_local(ip))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(metadata); i++) {
		if (memcmp(ip, metadata[i], 16) == 0)
			return false;
	}
	/* a gateway would unpack these, and the IPv4 rules must hold behind it */
	if (memcmp(ip, nat64, sizeof(nat64)) == 0)
		return ip4_is_candidate_ok(load_be32(ip + 12));
	if (ip[0] == 0x20 && ip[1] == 0x02) /* 6to4, RFC 3056 */
		return ip4_is_candidate_ok(load_be32(ip + 2));
	return true;
}

bool addr_is_candidate_ok(const struct addr *a)
{
	if (a->port == 0)
		return false;
	return addr_is_v4(a) ? ip4_is_candidate_ok(addr_ip4(a)) : ip6_is_candidate_ok(a->ip);
}

bool addr_is_private(const struct addr *a)
{
	ip4 ip;

	if (!addr_is_v4(a))
		return (a->ip[0] & 0xfe) == 0xfc;
	ip = addr_ip4(a);
	return ip4_in(ip, 0x0a000000, 8) || ip4_in(ip, 0xac100000, 12) ||
	       ip4_in(ip, 0xc0a80000, 16) || ip4_in(ip, 0x64400000, 10);
}

/* Reads "a.b.c.d" and moves *text behind it. */
static bool take_ip4(const char **text, ip4 *ret)
{
	const char *c = *text;
	ip4 ip = 0;

	for (int i = 0; i < 4; i++) {
		uint32_t byte;

		if (i > 0 && *c++ != '.')
			return false;
		if (!take_number(&c, 255, &byte))
			return false;
		ip = ip << 8 | byte;
	}
	*text = c;
	*ret = ip;
	return true;
}

int ip4_parse(const char *text, ip4 *ret)
{
	ip4 ip;

	if (!take_ip4(&text, &ip) || *text)
		return -EINVAL;
	*ret = ip;
	return 0;
}

const char *ip4_format(ip4 ip, char *out)
{
	snprintf(out, IP4_TEXT_MAX, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		 ip & 255);
	return out;
}

int prefix4_parse(const char *text, struct prefix4 *ret, struct err *err)
{
	const char *at = text;
	char fixed[PREFIX4_TEXT_MAX];
	struct prefix4 p;
	uint32_t bits;

	if (!take_ip4(&at, &p.net))
		return err_set(err, -EINVAL,
			       "\"%.40s\" is not a subnet: write an IPv4 network and its length, "
			       "such as 100.64.0.0/10",
			       text);
	if (*at == '\0')
		return err_set(err, -EINVAL,
			       "subnet \"%.40s\" has no length: write one behind it, such as "
			       "%.40s/24",
			       text, text);
	if (*at++ != '/' || !take_number(&at, 32, &bits) || *at)
		return err_set(err, -EINVAL,
			       "subnet \"%.40s\" has no valid length: write '/' and a number "
			       "from 0 to 32 behind the address, such as 100.64.0.0/10",
			       text);
	p.bits = (uint8_t)bits;
	if (p.net & ~prefix4_mask(p)) {
		p.net &= prefix4_mask(p);
		return err_set(err, -EINVAL,
			       "\"%.40s\" is an address inside of a subnet: write the subnet "
			       "itself, %s",
			       text, prefix4_format(p, fixed));
	}
	*ret = p;
	return 0;
}

const char *prefix4_format(struct prefix4 p, char *out)
{
	char ip[IP4_TEXT_MAX];

	snprintf(out, PREFIX4_TEXT_MAX, "%s/%u", ip4_format(p.net, ip), p.bits);
	return out;
}

bool prefix4_contains(struct prefix4 p, ip4 ip)
{
	return ((ip ^ p.net) & prefix4_mask(p)) == 0;
}

bool prefix4_overlaps(struct prefix4 a, struct prefix4 b)
{
	return a.bits <= b.bits ? prefix4_contains(a, b.net) : prefix4_contains(b, a.net);
}

/* A /31 has two hosts and a /32 one, without network and broadcast address (RFC 3021). */
ip4 prefix4_first(struct prefix4 p)
{
	return p.bits >= 31 ? p.net : p.net + 1;
}

ip4 prefix4_last(struct prefix4 p)
{
	ip4 last = p.net | ~prefix4_mask(p);

	return p.bits >= 31 ? last : last - 1;
}

int overlay_subnet_check(struct prefix4 p, struct err *err)
{
	static const struct prefix4 allowed[] = {
		{ 0x64400000, 10 }, /* 100.64/10, RFC 6598 */
		{ 0x0a000000, 8 },  /* 10/8, 172.16/12, 192.168/16: RFC 1918 */
		{ 0xac100000, 12 }, { 0xc0a80000, 16 },
		{ 0xc6120000, 15 }, /* 198.18/15, RFC 2544 */
	};
	char text[PREFIX4_TEXT_MAX], fixed[PREFIX4_TEXT_MAX];

	if (p.bits < 8 || p.bits > 29)
		return err_set(err, -EINVAL,
			       "subnet %s cannot be used: its length must be from /8 to /29 (a "
			       "/24 has room for 254 nodes). Choose another one.",
			       prefix4_format(p, text));
	if (p.net & ~prefix4_mask(p)) {
		prefix4_format(p, text);
		p.net &= prefix4_mask(p);
		return err_set(err, -EINVAL,
			       "subnet %s cannot be used: it is an address inside of a subnet. "
			       "Choose %s.",
			       text, prefix4_format(p, fixed));
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (p.bits >= allowed[i].bits && prefix4_contains(allowed[i], p.net))
			return 0;
	}
	return err_set(err, -EINVAL,
		       "subnet %s cannot be used: it is not wholly inside of a range for private "
		       "use. Choose one in 100.64.0.0/10, 10.0.0.0/8, 172.16.0.0/12, "
		       "192.168.0.0/16 or 198.18.0.0/15.",
		       prefix4_format(p, text));
}
