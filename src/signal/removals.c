/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Removals that this server cannot put in order now: it was restored, has signed another log,
 * cannot write, or its clock is wrong. Nodes deny the targets of a removal without its order, so
 * the server passes it on to the sessions of the cluster. It keeps removals in memory only: nodes
 * keep theirs, and hand them over again.
 */
#include "signal/caller.h"

static void forget_if_empty(struct cluster *c)
{
	if (denials_count(c->removals) > 0)
		return;
	denials_free(c->removals);
	c->removals = NULL;
}

static bool hold(struct signal_server *s, struct cluster *c, struct span entry)
{
	if (!c->log || s->n_removals >= SIGNAL_REMOVALS_MAX)
		return false;
	if (!c->removals)
		c->removals = denials_new();
	if (!c->removals)
		return false;

	size_t before = denials_count(c->removals);
	bool taken = denials_add(c->removals, c->log, entry, NULL) == 1;

	s->n_removals += denials_count(c->removals) - before;
	forget_if_empty(c);
	return taken;
}

void removals_keep(struct caller *c, struct span entry)
{
	struct cluster *cluster = c->cluster;

	if (!cluster || !hold(c->server, cluster, entry))
		return;
	beacons_denied(cluster);
	log_info(host_log(c->server->host),
		 "cluster %s: a removal could not be put in order; it was passed on to the nodes",
		 mlog_genesis(cluster->log)->name);
	list_for_each(it, &cluster->subscribers)
		events_removal(list_entry(it, struct caller, in_cluster), entry);
}

void removals_tell(struct caller *c)
{
	const struct denials *d = c->cluster->removals;
	uint64_t serial = 0;
	struct span entry;

	while (d && (entry = denials_next(d, &serial)).len > 0)
		events_removal(c, entry);
}

void removals_changed(struct signal_server *s, struct cluster *c)
{
	if (!c->removals)
		return;
	s->n_removals -= denials_update(c->removals, c->log);
	forget_if_empty(c);
}
