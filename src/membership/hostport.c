/* SPDX-License-Identifier: MIT */
/* Where a server is: a name or an address, with a port, in one normal form. */
#include "membership/hostport.h"

#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/label.h"

#define HOST_NAME_MAX_LEN 253 /* RFC 1035 section 2.3.4, without the length bytes */

static int bad_host(struct err *err, const char *text, const char *why)
{
	return err_set(err, -EINVAL,
		       "\"%.48s\" is not the address of a server: %s. Give a name, an IPv4 address "
		       "or an IPv6 address in brackets, with :port if needed.",
		       text, why);
}

static bool is_digits(const char *s, size_t len)
{
	return len > 0 && strspn(s, "0123456789") >= len;
}

/*
 * Is it a DNS name as hosts have them (RFC 1123 section 2.1), in lower case, without a dot at its
 * end? Names whose last label is a number are read as IPv4 addresses by many programs.
 */
static bool name_is_normal(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *label = name;

	if (strlen(name) > HOST_NAME_MAX_LEN)
		return false;
	for (;;) {
		size_t len = strspn(label, letters);

		if (len == 0 || len > LABEL_MAX || label[0] == '-' || label[len - 1] == '-')
			return false;
		if (label[len] == '\0')
			return !is_digits(label, len);
		if (label[len] != '.')
			return false;
		label += len + 1;
	}
}

/* An IP literal (IPv6 without brackets) in normal form: written again it is the same. */
static bool literal_normalise(const char *text, char out[ADDR_TEXT_MAX])
{
	struct addr a;

	if (text[0] == '[' || addr_parse_ip(text, &a) < 0 || a.scope != 0)
		return false;
	addr_format_ip(&a, out);
	return true;
}

bool host_is_normal(const char *host)
{
	char literal[ADDR_TEXT_MAX];

	if (literal_normalise(host, literal))
		return strcmp(literal, host) == 0;
	return name_is_normal(host);
}

static int port_parse(const char *text, uint16_t *ret)
{
	uint32_t port = 0;
	size_t len = strlen(text);

	if (len > 5 || !is_digits(text, len) || text[0] == '0')
		return -EINVAL;
	for (const char *c = text; *c; c++)
		port = port * 10 + (uint32_t)(*c - '0');
	if (port > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* Cuts the text in `host` into host, without brackets, and port text (NULL without a port). */
static int split(char *host, const char **ret_port)
{
	char *colon = strchr(host, ':'), *close;

	*ret_port = NULL;
	if (host[0] == '[') {
		close = strchr(host, ']');
		if (!close || (close[1] != '\0' && close[1] != ':') || !colon || colon > close)
			return -EINVAL;
		if (close[1] == ':')
			*ret_port = close + 2;
		*close = '\0';
		memmove(host, host + 1, (size_t)(close - host));
		return 0;
	}
	/* Two colons without brackets: an IPv6 address alone. */
	if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*ret_port = colon + 1;
	}
	return 0;
}

static void lower(char *s)
{
	for (; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
	}
}

int hostport_parse(const char *text, uint16_t default_port, char ret_host[HOST_TEXT_MAX + 1],
		   uint16_t *ret_port, struct err *err)
{
	char host[HOST_TEXT_MAX + sizeof("[]:65535")];
	char literal[ADDR_TEXT_MAX];
	const char *port_text;
	uint16_t port = default_port;

	if (strlen(text) >= sizeof(host))
		return bad_host(err, text, "it is too long");
	if (strstr(text, "://") || strchr(text, '/'))
		return bad_host(err, text, "write only the name, without https:// and /");
	strcpy(host, text);
	if (split(host, &port_text) < 0)
		return bad_host(err, text, "the brackets do not hold an IPv6 address");
	if (port_text && port_parse(port_text, &port) < 0)
		return bad_host(err, text, "the port must be a number from 1 to 65535");
	lower(host);
	if (literal_normalise(host, literal))
		strcpy(host, literal);
	else if (text[0] == '[' || !name_is_normal(host))
		return bad_host(err, text, "it is neither an IP address nor the name of a host");
	strcpy(ret_host, host);
	*ret_port = port;
	return 0;
}

/* --- what a host means elsewhere -------------------------------------------------------------- */

bool host_in_zone(const char *host, const char *zone)
{
	size_t n = strlen(host), z = strlen(zone);
	struct addr a;

	if (n < z || strcmp(host + n - z, zone) != 0 || addr_parse_ip(host, &a) == 0)
		return false;
	return n == z || host[n - z - 1] == '.';
}

static enum host_reach address_reach(const struct addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	if (addr_is_v4(a)) {
		ip4 ip = addr_ip4(a);

		if (ip >> 24 == 127 || ip >> 24 == 0)
			return HOST_REACH_SELF;
		if (ip >> 16 == 0xa9fe) /* 169.254.0.0/16 (RFC 3927) */
			return HOST_REACH_LINK;
	} else {
		static const uint8_t any[16];

		if (memcmp(a->ip, loopback, 16) == 0 || memcmp(a->ip, any, 16) == 0)
			return HOST_REACH_SELF;
		if (a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80) /* fe80::/10 */
			return HOST_REACH_LINK;
	}
	return addr_is_private(a) ? HOST_REACH_NETWORK : HOST_REACH_ALL;
}

/* Names that the public DNS never has: RFC 6761, 6762 and 8375, ICANN's "internal", and custom. */
enum host_reach host_reach(const char *host)
{
	static const char *const network[] = { "lan",  "internal", "intranet",	"private",
					       "corp", "home",	   "home.arpa", "localdomain" };
	struct addr a;

	if (addr_parse_ip(host, &a) == 0)
		return address_reach(&a);
	if (host_in_zone(host, "localhost") || host_in_zone(host, "localhost.localdomain"))
		return HOST_REACH_SELF;
	if (host_in_zone(host, "local"))
		return HOST_REACH_LINK;
	for (size_t i = 0; i < ARRAY_LEN(network); i++)
		if (host_in_zone(host, network[i]))
			return HOST_REACH_NETWORK;
	return strchr(host, '.') ? HOST_REACH_ALL : HOST_REACH_NETWORK;
}
