/* SPDX-License-Identifier: MIT */
/*
 * A fixed UDP port (--port): each cluster has a socket of its own, so the first one gets that port,
 * and others those above it. None moves to another one: what is taken is waited for.
 */
#include "tund/daemon.h"

#include <stdio.h>

#define PORT_AGAIN (5 * NS_PER_S)

static bool is_ours(const struct daemon_cluster *c, uint16_t port)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(c->daemon, of);

	for (size_t i = 0; i < n; i++)
		if (of[i] != c && of[i]->port == port)
			return true;
	return false;
}

uint16_t daemon_port(const struct daemon_cluster *c, const struct peers_file *known)
{
	uint16_t first = daemon_first_port(c->daemon);
	size_t n = daemon_expected(c->daemon);

	if (first == 0)
		return 0;
	/* the one that it had before, lest two clusters change places */
	if (known && known->port >= first && (size_t)(known->port - first) < n &&
	    !is_ours(c, known->port))
		return known->port;
	for (unsigned port = first; port <= UINT16_MAX; port++)
		if (!is_ours(c, (uint16_t)port))
			return (uint16_t)port;
	return first; /* it is taken, and that will be said */
}

bool daemon_port_wait(struct daemon_cluster *c, struct err *err)
{
	struct host *h = daemon_host(c->daemon);

	if (c->port == 0 || err->code != -EADDRINUSE || !daemon_state_dir(c->daemon))
		return false;
	(void)err_set(err, -EADDRINUSE,
		      "another program has UDP port %u, which --port or MLSH_PORT of mlshtund asks "
		      "for: `sudo ss -ulpn` names it. mlshtund tries again each %u s",
		      (unsigned)c->port, (unsigned)(PORT_AGAIN / NS_PER_S));
	if (!c->port_waits)
		log_error(host_log(h), "%s: %s", c->state.cluster, err->text);
	c->port_waits = true;
	timer_set_in(c->port_timer, PORT_AGAIN);
	return true;
}

void daemon_port_again(void *cluster)
{
	struct daemon_cluster *c = cluster;

	starts_want(daemon_starts(c->daemon), c);
}
