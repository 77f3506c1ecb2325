/* SPDX-License-Identifier: MIT */
/*
 * The names of a tunnel's cluster on this host: the server that answers for the zone, and the
 * host's resolver, which is told to ask it. Names are a convenience: a tunnel without them is still
 * a tunnel, so nothing here fails.
 */
#ifndef MLSH_TUND_ZONE_H
#define MLSH_TUND_ZONE_H

#include "overlay/overlay.h"
#include "tund/dns.h"

struct zone {
	struct host *host;
	const struct mlog *log;
	const struct member *self;
	bool (*denied)(void *ctx, const struct member *m); /* see struct dns_names; NULL allowed */
	const struct overlay *overlay;
	struct dns_server *server;
	struct splitdns *resolver;
	char failure[480]; /* of the resolver, at its start */
	bool hinted;
	/* The signal server's host. If it lies in the zone, the resolver is told of the zone only
	   while the session is up: otherwise the host could not be resolved, and a server that has
	   moved would never be found again. */
	const char *signal_host;
	bool session_up;
	loop_fn changed;
	void *ctx;
};

struct zone_status {
	const char *state, *detail;	    /* of the host's resolver */
	const char *server, *server_detail; /* docs/json.md */
};

/* All but `server`, `resolver`, `failure`, `hinted` and `session_up` are set by the caller. */
void zone_start(struct zone *z);
void zone_stop(struct zone *z);
void zone_session_changed(struct zone *z, bool up);
void zone_fence_changed(struct zone *z); /* see overlay_ops */
void zone_device_changed(struct zone *z);
struct zone_status zone_status_get(const struct zone *z);

#endif
