/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the server tells of itself: its numbers, and its state to the service manager. */
#include <stdio.h>

#include "os/manager.h"
#include "signal/caller.h"

struct signal_server_stats signal_server_stats_get(const struct signal_server *s)
{
	struct signal_server_stats stats = s->stats;

	stats.clusters = registry_count(s->registry);
	stats.sessions = s->n_sessions;
	stats.strangers = s->n_strangers;
	stats.relay = relay_stats_get(s->relay);
	return stats;
}

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
