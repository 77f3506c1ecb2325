/* SPDX-License-Identifier: MIT */
/* The line of the daemon that the service manager shows to every user: numbers, no names. */
#include <stdio.h>

#include "tund/daemon.h"

static void count_peers(const struct tunnel *t, size_t *up, size_t *all)
{
	const struct roster *roster = mlog_roster(tunnel_log(t));
	const struct member *m;

	for (m = NULL; (m = roster_next(roster, m, ROSTER_CURRENT));) {
		struct peer_status p;

		if (!overlay_peer_status(tunnel_overlay(t), m, &p))
			continue; /* this node itself */
		*all += 1;
		*up += p.state == PEER_UP;
	}
}

void daemon_line(void *daemon, char out[MANAGER_STATUS_MAX])
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(daemon, of);
	size_t wanted = 0, connected = 0, up = 0, peers = 0;

	for (size_t i = 0; i < n; i++) {
		wanted += of[i]->tunnel || of[i]->state.enabled;
		if (!of[i]->tunnel)
			continue;
		connected += tunnel_state_get(of[i]->tunnel) == TUNNEL_CONNECTED;
		count_peers(of[i]->tunnel, &up, &peers);
	}
	if (wanted == 0)
		snprintf(out, MANAGER_STATUS_MAX, "no cluster is connected");
	else
		snprintf(out, MANAGER_STATUS_MAX,
			 "%zu of %zu cluster%s connected, tunnels to %zu of %zu node%s", connected,
			 wanted, wanted == 1 ? "" : "s", up, peers, peers == 1 ? "" : "s");
}
