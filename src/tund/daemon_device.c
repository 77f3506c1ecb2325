/* SPDX-License-Identifier: MIT */
/*
 * The names of the interfaces. Each cluster has a number and keeps it until it is forgotten: rules
 * of a firewall that open mlsh0 must not open another cluster after a restart.
 */
#include <stdlib.h>

#include "os/netconf.h"
#include "tund/daemon.h"

static bool is_anothers(const struct daemon_cluster *c, unsigned number)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(c->daemon, of);

	for (size_t i = 0; i < n; i++)
		if (of[i] != c && of[i]->state.device == number + 1)
			return true;
	return false;
}

void daemon_device(const struct daemon_cluster *c, unsigned *ret_number, unsigned *ret_spare)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(c->daemon, of);
	unsigned number = 0, spare = 0;

	while (c->state.device == 0 && is_anothers(c, number))
		number++;
	if (c->state.device)
		number = c->state.device - 1;
	for (size_t i = 0; i < n; i++)
		spare = MAX(spare, of[i]->state.device);
	*ret_number = number;
	*ret_spare = spare;
}

void daemon_device_keep(struct daemon_cluster *c)
{
	const char *name = tunnel_left(c->tunnel) ? "" : overlay_ifname(tunnel_overlay(c->tunnel));
	size_t len = strlen(NETCONF_DEVICE);

	if (c->state.device || strncmp(name, NETCONF_DEVICE, len) != 0)
		return;
	unsigned long number = strtoul(name + len, NULL, 10);

	if (number >= STATE_DEVICE_MAX)
		return;
	c->state.device = 1 + (unsigned)number;
	if (c->state.enabled) /* otherwise who connects it saves it */
		daemon_save_state(c->daemon, c);
}
