/* SPDX-License-Identifier: MIT */
/* UPnP's texts: those we send, and what is looked for in those that come. */
#include "proto/upnp.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/cursor.h"

static const char *const service_types[UPNP_SERVICES] = {
	"urn:schemas-upnp-org:service:WANIPConnection:1",
	"urn:schemas-upnp-org:service:WANIPConnection:2",
	"urn:schemas-upnp-org:service:WANPPPConnection:1",
};

/* --- what we send ---------------------------------------------------------------------------- */

static ptrdiff_t print(void *buf, size_t cap, const char *fmt, ...) PRINTF_LIKE(3, 4);
static ptrdiff_t print(void *buf, size_t cap, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, cap, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= cap ? -ENOSPC : n;
}

/* UPnP Device Architecture 1.1, section 1.3.2. */
ptrdiff_t upnp_search_encode(void *buf, size_t cap)
{
	return print(buf, cap,
		     "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
		     "MAN: \"ssdp:discover\"\r\nMX: 1\r\n"
		     "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n");
}

/* HTTP/1.0, so that the answer comes in one piece and ends with the connection. */
ptrdiff_t upnp_get_encode(const struct upnp_url *u, void *buf, size_t cap)
{
	char host[ADDR_TEXT_MAX];

	return print(buf, cap, "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", u->path,
		     addr_format(&u->host, host));
}

static ptrdiff_t print_arguments(const struct upnp_call *c, char *out, size_t cap)
{
	char client[IP4_TEXT_MAX];

	if (c->action == UPNP_ADDRESS)
		return print(out, cap, "%s", "");
	if (c->action == UPNP_DELETE)
		return print(out, cap,
			     "<NewRemoteHost></NewRemoteHost><NewExternalPort>%u</NewExternalPort>"
			     "<NewProtocol>UDP</NewProtocol>",
			     c->external_port);
	return print(out, cap,
		     "<NewRemoteHost></NewRemoteHost><NewExternalPort>%u</NewExternalPort>"
		     "<NewProtocol>UDP</NewProtocol><NewInternalPort>%u</NewInternalPort>"
		     "<NewInternalClient>%s</NewInternalClient><NewEnabled>1</NewEnabled>"
		     "<NewPortMappingDescription>mlsh</NewPortMappingDescription>"
		     "<NewLeaseDuration>%u</NewLeaseDuration>",
		     c->external_port, c->internal_port, ip4_format(c->client, client), c->lease_s);
}

ptrdiff_t upnp_call_encode(const struct upnp_control *c, const struct upnp_call *call, void *buf,
			   size_t cap)
{
	static const char *const actions[] = { "GetExternalIPAddress", "AddPortMapping",
					       "DeletePortMapping" };
	const char *type = service_types[c->service], *action = actions[call->action];
	char arguments[512], body[1024], host[ADDR_TEXT_MAX];
	ptrdiff_t len = print_arguments(call, arguments, sizeof(arguments));

	if (len >= 0)
		len = print(body, sizeof(body),
			    "<?xml version=\"1.0\"?>\r\n<s:Envelope "
			    "xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" "
			    "s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
			    "<u:%s xmlns:u=\"%s\">%s</u:%s></s:Body></s:Envelope>\r\n",
			    action, type, arguments, action);
	if (len < 0)
		return len;
	return print(buf, cap,
		     "POST %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n"
		     "Content-Type: text/xml; charset=\"utf-8\"\r\nContent-Length: %zu\r\n"
		     "SOAPAction: \"%s#%s\"\r\n\r\n%s",
		     c->url.path, addr_format(&c->url.host, host), (size_t)len, type, action, body);
}

/* --- what comes ------------------------------------------------------------------------------ */

/* What is before the next `text`, and moves behind it. Returns false without that text. */
static bool read_until(struct reader *r, const char *text, struct span *ret)
{
	size_t len = strlen(text), left = reader_left(r);

	for (size_t i = 0; i + len <= left; i++) {
		if (memcmp(r->at + i, text, len) != 0)
			continue;
		*ret = read_span(r, i);
		read_span(r, len);
		return true;
	}
	return false;
}

/* The text of the first element of this name. */
static bool element(struct span in, const char *name, struct span *ret)
{
	struct reader r = reader_of(in);
	char tag[64];
	struct span before;

	snprintf(tag, sizeof(tag), "<%s>", name);
	if (!read_until(&r, tag, &before))
		return false;
	snprintf(tag, sizeof(tag), "</%s>", name);
	return read_until(&r, tag, ret);
}

static struct span trimmed(struct span s)
{
	while (s.len > 0 && s.data[0] <= ' ')
		s = span_of(s.data + 1, s.len - 1);
	while (s.len > 0 && s.data[s.len - 1] <= ' ')
		s.len--;
	return s;
}

static bool starts_with(struct span s, const char *text)
{
	size_t len = strlen(text);

	return s.len >= len && strncasecmp((const char *)s.data, text, len) == 0;
}

static int number(struct span s, unsigned max, unsigned *ret)
{
	unsigned long v = 0;

	s = trimmed(s);
	if (s.len == 0 || s.len > 9)
		return -EBADMSG;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return -EBADMSG;
		v = v * 10 + (unsigned long)(s.data[i] - '0');
	}
	if (v > max)
		return -EBADMSG;
	*ret = (unsigned)v;
	return 0;
}

/* Printable, without spaces: it goes into a request line. */
static int path_decode(struct span s, char *ret)
{
	size_t n = 0;

	if (s.len == 0 || s.data[0] != '/')
		ret[n++] = '/';
	if (n + s.len >= UPNP_PATH_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] <= ' ' || s.data[i] >= 0x7f)
			return -EBADMSG;
		ret[n++] = (char)s.data[i];
	}
	ret[n] = '\0';
	return 0;
}

static int ip_decode(struct span s, ip4 *ret)
{
	char text[IP4_TEXT_MAX];

	s = trimmed(s);
	if (s.len >= sizeof(text))
		return -EBADMSG;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	return ip4_parse(text, ret) < 0 ? -EBADMSG : 0;
}

static int url_decode(struct span s, struct upnp_url *ret)
{
	struct reader r;
	struct span host, rest, ip;
	unsigned port = 80;
	ip4 a;

	s = trimmed(s);
	if (!starts_with(s, "http://"))
		return -EBADMSG;
	r = reader_of(s);
	read_span(&r, strlen("http://"));
	if (!read_until(&r, "/", &host)) /* no path */
		host = read_span(&r, reader_left(&r));
	rest = read_span(&r, reader_left(&r));
	r = reader_of(host);
	if (read_until(&r, ":", &ip)) {
		if (number(read_span(&r, reader_left(&r)), UINT16_MAX, &port) < 0 || port == 0)
			return -EBADMSG;
	} else {
		ip = host;
	}
	if (ip_decode(ip, &a) < 0)
		return -EBADMSG;
	ret->host = addr_v4(a, (uint16_t)port);
	return path_decode(rest, ret->path);
}

/* A status line and headers; leaves the reader behind them. */
static int head_decode(struct reader *r, unsigned *ret_status, struct span *ret_headers)
{
	struct span line, code;
	struct reader l;

	if (!read_until(r, "\r\n", &line) || !starts_with(line, "HTTP/1."))
		return -EBADMSG;
	l = reader_of(line);
	if (!read_until(&l, " ", &code) || reader_left(&l) < 3 ||
	    number(read_span(&l, 3), 999, ret_status) < 0)
		return -EBADMSG;
	if (!read_until(r, "\r\n\r\n", ret_headers))
		return -EBADMSG;
	return 0;
}

static bool header(struct span headers, const char *name, struct span *ret)
{
	struct reader r = reader_of(headers);
	struct span line;
	size_t len = strlen(name);

	while (reader_left(&r) > 0) {
		if (!read_until(&r, "\r\n", &line))
			line = read_span(&r, reader_left(&r));
		if (!starts_with(line, name) || line.len == len || line.data[len] != ':')
			continue;
		*ret = trimmed(span_of(line.data + len + 1, line.len - len - 1));
		return true;
	}
	return false;
}

int upnp_search_decode(struct span in, struct upnp_url *ret)
{
	struct reader r = reader_of(in);
	struct span headers, location;
	struct upnp_url u = { .path = "" };
	unsigned status;

	if (head_decode(&r, &status, &headers) < 0 || status != 200 ||
	    !header(headers, "LOCATION", &location) || url_decode(location, &u) < 0)
		return -EBADMSG;
	*ret = u;
	return 0;
}

/* The whole body, or -EBADMSG. */
static int http_decode(struct span in, unsigned *ret_status, struct span *ret_body)
{
	struct reader r = reader_of(in);
	struct span headers, text;
	unsigned length;

	if (head_decode(&r, ret_status, &headers) < 0)
		return -EBADMSG;
	length = (unsigned)reader_left(&r);
	if (header(headers, "Content-Length", &text) && number(text, length, &length) < 0)
		return -EBADMSG; /* cut off */
	*ret_body = read_span(&r, length);
	return 0;
}

/* One <service>. */
static int service_decode(struct span in, const struct upnp_url *from, struct upnp_control *ret)
{
	struct upnp_control c = { .url = { .host = from->host } };
	struct span type, url;
	bool known = false;

	if (!element(in, "serviceType", &type) || !element(in, "controlURL", &url))
		return -EBADMSG;
	for (int i = 0; i < UPNP_SERVICES; i++) {
		if (!span_equal(trimmed(type), span_str(service_types[i])))
			continue;
		c.service = (enum upnp_service)i;
		known = true;
	}
	url = trimmed(url);
	if (!known || (starts_with(url, "http://") ? url_decode(url, &c.url)
						   : path_decode(url, c.url.path)) < 0)
		return -EBADMSG;
	if (!addr_same_ip(&c.url.host, &from->host))
		return -EBADMSG;
	*ret = c;
	return 0;
}

int upnp_description_decode(struct span in, const struct upnp_url *from, struct upnp_control *ret)
{
	struct span body, service;
	struct reader r;
	unsigned status;

	if (http_decode(in, &status, &body) < 0 || status != 200)
		return -EBADMSG;
	r = reader_of(body);
	while (read_until(&r, "<service>", &service) && read_until(&r, "</service>", &service)) {
		if (service_decode(service, from, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

int upnp_answer_decode(struct span in, struct upnp_answer *ret)
{
	struct upnp_answer a = { .error = 0 };
	struct span body, text;

	if (http_decode(in, &a.status, &body) < 0)
		return -EBADMSG;
	if (element(body, "errorCode", &text) && number(text, 9999, &a.error) < 0)
		return -EBADMSG;
	if (element(body, "NewExternalIPAddress", &text) && ip_decode(text, &a.external) < 0)
		a.external = 0; /* empty, when the gateway has none */
	*ret = a;
	return 0;
}
