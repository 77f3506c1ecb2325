/* SPDX-License-Identifier: MIT */
/* Starts the zone's DNS server and tells the host's resolver of it. */
#include "tund/zone.h"

#include <stdio.h>

#include "membership/hostport.h"
#include "os/splitdns.h"

static const char *name_of(const struct zone *z)
{
	return mlog_genesis(z->log)->name;
}

static void give_hint(struct zone *z)
{
	z->hinted = true;
	log_warn(host_log(z->host),
		 "names in .%s are not resolved by this host: %s; `mlsh status` says what to do",
		 name_of(z), splitdns_detail(z->resolver));
}

static void on_resolver(void *ctx)
{
	struct zone *z = ctx;
	enum splitdns_state s = splitdns_state_get(z->resolver);

	if (!z->hinted && (s == SPLITDNS_UNAVAILABLE || s == SPLITDNS_REFUSED))
		give_hint(z);
	z->changed(z->ctx);
}

/* May the host's resolver ask us for all names in the zone? */
static bool may_claim(const struct zone *z)
{
	return z->session_up || !host_in_zone(z->signal_host, name_of(z));
}

/* Once there is a server that it can ask. */
static void start_resolver(struct zone *z)
{
	struct err err = { 0 };

	if (z->resolver || !z->server || dns_server_state_get(z->server) == DNS_SERVER_OFF)
		return;
	z->failure[0] = '\0';
	if (!may_claim(z)) {
		snprintf(z->failure, sizeof(z->failure),
			 "the signal server's name %s lies in the "
			 "zone, which is off until the server is found",
			 z->signal_host);
		return;
	}
	if (splitdns_start(z->host, overlay_ifindex(z->overlay), name_of(z), z->self->address,
			   on_resolver, z, &err, &z->resolver) < 0) {
		snprintf(z->failure, sizeof(z->failure), "%s", err.text);
		log_warn(host_log(z->host), "%s: %s", name_of(z), err.text);
	}
}

static void log_server(const struct zone *z)
{
	if (!z->server || dns_server_state_get(z->server) == DNS_SERVER_OFF)
		log_warn(host_log(z->host), "%s: no DNS: %s", name_of(z),
			 z->server ? dns_server_detail(z->server) : "no memory");
	else
		log_info(host_log(z->host), "%s: the zone's DNS server is up", name_of(z));
}

static void on_server(void *ctx)
{
	struct zone *z = ctx;

	log_server(z);
	start_resolver(z);
	z->changed(z->ctx);
}

void zone_start(struct zone *z)
{
	struct dns_server_config cfg = {
		.names = { z->log, z->self, z->denied, z->ctx },
		.fence = overlay_fence(z->overlay),
		.device = overlay_ifname(z->overlay),
		.changed = on_server,
		.ctx = z,
	};

	z->server = dns_server_new(z->host, &cfg);
	if (!z->server || dns_server_state_get(z->server) == DNS_SERVER_OFF)
		log_server(z);
	start_resolver(z);
}

void zone_stop(struct zone *z)
{
	splitdns_stop(z->resolver);
	dns_server_free(z->server);
	z->resolver = NULL;
	z->server = NULL;
	z->failure[0] = '\0';
}

void zone_session_changed(struct zone *z, bool up)
{
	z->session_up = up;
	if (z->resolver && !may_claim(z)) {
		splitdns_stop(z->resolver);
		z->resolver = NULL;
	}
	start_resolver(z);
}

void zone_fence_changed(struct zone *z)
{
	if (z->server && overlay_fence(z->overlay))
		dns_server_fence_changed(z->server, overlay_fence(z->overlay));
}

/* Names are asked for on the interface, which is another one now. */
void zone_device_changed(struct zone *z)
{
	zone_stop(z);
	zone_start(z);
}

struct zone_status zone_status_get(const struct zone *z)
{
	static const char *const states[] = { "pending", "active", "unavailable", "refused" };
	static const char *const servers[] = { "on", "udp", "off" };
	struct zone_status s = { .state = "off", .server = "off", .server_detail = "no memory" };

	if (z->server) {
		s.server = servers[dns_server_state_get(z->server)];
		s.server_detail = dns_server_detail(z->server);
	}
	s.detail = z->failure[0] ? z->failure : s.server_detail;
	if (z->resolver) {
		s.state = states[splitdns_state_get(z->resolver)];
		s.detail = splitdns_detail(z->resolver);
	}
	return s;
}
