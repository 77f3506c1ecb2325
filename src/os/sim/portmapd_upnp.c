/* SPDX-License-Identifier: MIT */
/* The simulated gateway's UPnP: as little as a control point asks for, in a router's words. */
#include <stdio.h>

#include "os/sim/portmapd_internal.h"
#include "base/assert.h"
#include "proto/upnp.h"

#define CONTROL_PORT 5000
#define ANSWER_CAP 4096

static void on_search(void *ctx)
{
	struct portmapd *d = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(d->ssdp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n && d->cfg.upnp; i++) {
		char text[512], ip[ADDR_TEXT_MAX];
		int len = snprintf(text, sizeof(text),
				   "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\n"
				   "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
				   "Location: http://%s:%u/rootDesc.xml\r\n\r\n",
				   addr_format_ip(&rx[i].local, ip), CONTROL_PORT);
		struct udp_tx tx = { .data = (const uint8_t *)text,
				     .len = (size_t)len,
				     .segment = (size_t)len,
				     .to = rx[i].from,
				     .local = rx[i].local };

		if (udp_send(d->ssdp, &tx, 1) != 1)
			DIE("the answer was not sent");
	}
}

static const char description[] =
	"<?xml version=\"1.0\"?>\r\n<root><device><deviceList><device><serviceList><service>"
	"<serviceType>urn:schemas-upnp-org:service:WANCommonInterfaceConfig:1</serviceType>"
	"<controlURL>/ctl/CmnIfCfg</controlURL></service></serviceList><deviceList><device>"
	"<serviceList><service>\r\n"
	"<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\r\n"
	"<controlURL>/ctl/IPConn</controlURL></service></serviceList></device></deviceList>"
	"</device></deviceList></device></root>";

/* The number in an element, or 0. */
static unsigned number_in(const char *text, const char *name)
{
	char tag[64];
	const char *at;

	snprintf(tag, sizeof(tag), "<%s>", name);
	at = strstr(text, tag);
	return at ? (unsigned)strtoul(at + strlen(tag), NULL, 10) : 0;
}

static unsigned add(struct portmapd *d, const struct addr *from, const char *text)
{
	struct portmap_request q = { .version = PORTMAP_NATPMP, .op = PORTMAP_MAP };
	struct portmap_answer a = { .result = 0 };
	struct addr inner = *from;
	unsigned lease_s = number_in(text, "NewLeaseDuration");

	d->requests++;
	if (d->cfg.refuse)
		return 606;
	if (d->cfg.upnp_permanent && lease_s)
		return UPNP_ERROR_PERMANENT_ONLY;
	q.internal_port = (uint16_t)number_in(text, "NewInternalPort");
	q.external.port = (uint16_t)number_in(text, "NewExternalPort");
	q.lifetime_s = lease_s ? lease_s : UINT32_MAX;
	inner.port = q.internal_port;
	if (portmapd_map(d, &q, &inner, &a))
		return 501;
	if (a.external.port == q.external.port)
		return 0;
	q.lifetime_s = 0; /* another one was free, but UPnP has no word for it */
	return portmapd_map(d, &q, &inner, &a) ? 501 : UPNP_ERROR_CONFLICT;
}

static unsigned remove_mapping(struct portmapd *d, const char *text)
{
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		struct lease *l = &d->lease[i];
		struct portmap_request q = { .version = PORTMAP_NATPMP, .op = PORTMAP_MAP };
		struct portmap_answer a;

		if (l->outer_port && l->outer_port == number_in(text, "NewExternalPort")) {
			struct addr inner = l->inner;

			return portmapd_map(d, &q, &inner, &a);
		}
	}
	return 714;
}

static size_t on_request(void *ctx, const struct addr *from, struct span request, uint8_t *out,
			 size_t cap)
{
	struct portmapd *d = ctx;
	char text[ANSWER_CAP], body[ANSWER_CAP] = "", ip[IP4_TEXT_MAX];
	unsigned error = 0;
	int len;

	if (!d->cfg.upnp)
		return 0;
	memcpy(text, request.data, MIN(request.len, sizeof(text) - 1));
	text[MIN(request.len, sizeof(text) - 1)] = '\0';
	if (strncmp(text, "GET /rootDesc.xml ", 18) == 0)
		snprintf(body, sizeof(body), "%s", description);
	else if (strncmp(text, "POST /ctl/IPConn ", 17) != 0)
		error = 401;
	else if (strstr(text, "#GetExternalIPAddress\""))
		snprintf(body, sizeof(body), "<NewExternalIPAddress>%s</NewExternalIPAddress>",
			 ip4_format(nat_outer(d->nat), ip));
	else if (strstr(text, "#AddPortMapping\""))
		error = add(d, from, text);
	else if (strstr(text, "#DeletePortMapping\""))
		error = remove_mapping(d, text);
	else
		error = 401;
	if (d->cfg.upnp_mute && strstr(text, "PortMapping\""))
		return 0;
	if (error)
		snprintf(body, sizeof(body), "<UPnPError><errorCode>%u</errorCode></UPnPError>",
			 error);
	len = snprintf((char *)out, cap, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n%s",
		       error ? "500 Internal Server Error" : "200 OK", strlen(body), body);
	return (size_t)len;
}

void portmapd_upnp_start(struct portmapd *d)
{
	struct udp_config uc = { .bind = { .port = UPNP_SEARCH_PORT } };

	if (udp_open(d->host, &uc, on_search, d, NULL, &d->ssdp) < 0)
		DIE("the port is taken");
	d->control = service_new(d->host, CONTROL_PORT, on_request, d);
}
