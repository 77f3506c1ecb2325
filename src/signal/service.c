/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the service manager is told of the server. */
#include <stdio.h>

#include "os/manager.h"
#include "signal/caller.h"

static void status(void *ctx, char out[MANAGER_STATUS_MAX])
{
	struct signal_server_stats stats = signal_server_stats_get(ctx);

	snprintf(out, MANAGER_STATUS_MAX, "%zu cluster%s, %zu node%s connected", stats.clusters,
		 stats.clusters == 1 ? "" : "s", stats.sessions, stats.sessions == 1 ? "" : "s");
}

void server_service_open(struct signal_server *s)
{
	s->manager = manager_new(s->host, status, s);
}

void signal_server_serves(struct signal_server *s)
{
	manager_ready(s->manager);
}

void signal_server_reloads(struct signal_server *s)
{
	manager_reloading(s->manager);
}
