/* SPDX-License-Identifier: MIT */
/* UPnP: what was found in a router's words keeps to the rules, and makes a request. */
#include <stdlib.h>

#include "proto/upnp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(const struct upnp_url *u)
{
	size_t len = strnlen(u->path, sizeof(u->path));

	if (len == 0 || len == sizeof(u->path) || u->path[0] != '/' || u->host.port == 0 ||
	    !addr_is_v4(&u->host))
		abort();
	for (size_t i = 0; i < len; i++)
		if (u->path[i] <= ' ' || u->path[i] >= 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct upnp_url from = { addr_v4(0xc0a80101, 5000), "/x" };
	struct upnp_call call = { .action = UPNP_ADD,
				  .external_port = 65535,
				  .internal_port = 65535,
				  .client = 0xffffffff,
				  .lease_s = UINT32_MAX };
	uint8_t request[UPNP_REQUEST_MAX];
	struct upnp_control c;
	struct upnp_answer a;
	struct upnp_url u;

	if (upnp_search_decode(span_of(data, size), &u) == 0) {
		check_path(&u);
		if (upnp_get_encode(&u, request, sizeof(request)) < 0)
			abort();
	}
	if (upnp_description_decode(span_of(data, size), &from, &c) == 0) {
		check_path(&c.url);
		if (!addr_same_ip(&c.url.host, &from.host) ||
		    upnp_call_encode(&c, &call, request, sizeof(request)) < 0)
			abort();
	}
	if (upnp_answer_decode(span_of(data, size), &a) == 0 && (a.status > 999 || a.error > 9999))
		abort();
	return 0;
}
