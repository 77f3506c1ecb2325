/* SPDX-License-Identifier: MIT */
/*
 * The order of the clusters on a host. Where two have the same address, the senior one keeps it:
 * a user who may connect clusters must not take over what root has connected, nor what another
 * user had before.
 */
#include <stdio.h>

#include "os/netuse.h"
#include "tund/daemon.h"

bool daemon_is_senior(const struct daemon_cluster *a, const struct daemon_cluster *b)
{
	return state_is_senior(&a->state, &b->state);
}

uint64_t daemon_next_rank(struct daemon *d)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(d, of);
	uint64_t last = 0;

	for (size_t i = 0; i < n; i++)
		last = MAX(last, of[i]->state.rank);
	return last + 1;
}

/* --- addresses --- */

/*
 * Has the log given the address out? One of a former member is nobody else's either: what programs
 * still send there must not reach a cluster that somebody made for it.
 */
static bool gave_out(const struct mlog *log, ip4 ip)
{
	return roster_by_address(mlog_roster(log), ip, ROSTER_ALL);
}

/* Is the address one of a cluster that has a tunnel, or is to have one? */
static bool has_address(const struct daemon_cluster *c, ip4 ip)
{
	const struct mlog *log = c->parked;

	if (c->tunnel)
		log = tunnel_left(c->tunnel) ? NULL : tunnel_log(c->tunnel);
	return log && gave_out(log, ip);
}

/* A user who keeps it from starting (by taking its UDP port, say) gains no address by that. */
void daemon_park(struct daemon_cluster *c, struct tunnel_parts *p)
{
	if (!p->log)
		return; /* nothing newer is known */
	daemon_unpark(c);
	if (tunnel_parts_member(p, NULL) < 0)
		return;
	c->parked = p->log;
	p->log = NULL;
}

void daemon_unpark(struct daemon_cluster *c)
{
	mlog_free(c->parked);
	c->parked = NULL;
}

bool daemon_senior(void *cluster, ip4 ip, char *what)
{
	struct daemon_cluster *c = cluster, *of[DAEMON_CLUSTERS_MAX];
	size_t n = daemon_list(c->daemon, of);

	for (size_t i = 0; i < n; i++) {
		if (of[i] == c || !daemon_is_senior(of[i], c) || !has_address(of[i], ip))
			continue;
		snprintf(what, NETUSE_WHAT_MAX, "the cluster %.*s's", (int)(NETUSE_WHAT_MAX - 16),
			 of[i]->state.cluster);
		return true;
	}
	return false;
}

static size_t juniors(const struct daemon_cluster *c,
		      struct daemon_cluster *out[DAEMON_CLUSTERS_MAX])
{
	size_t n = daemon_list(c->daemon, out), kept = 0;

	for (size_t i = 0; i < n; i++)
		if (out[i] != c && out[i]->tunnel && daemon_is_senior(c, out[i]))
			out[kept++] = out[i];
	return kept;
}

void daemon_claim(void *cluster, ip4 ip)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = juniors(cluster, of);

	for (size_t i = 0; i < n; i++)
		overlay_yield(tunnel_overlay(of[i]->tunnel), ip);
}

void daemon_juniors_look(struct daemon_cluster *c)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = juniors(c, of);

	for (size_t i = 0; i < n; i++)
		overlay_seniors_changed(tunnel_overlay(of[i]->tunnel));
}

void daemon_members_changed(struct daemon_cluster *c, const struct mlog *log)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	size_t n = juniors(c, of);
	char why[sizeof(c->error)], text[IP4_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		ip4 self = tunnel_self(of[i]->tunnel)->address;

		if (tunnel_left(of[i]->tunnel) || !gave_out(log, self)) {
			overlay_seniors_changed(tunnel_overlay(of[i]->tunnel));
			continue;
		}
		snprintf(why, sizeof(why),
			 "this node's own address %s is the cluster %s's, which comes before %s on "
			 "this host. Disconnect that one, then connect this one again; or start "
			 "over with another range: `mlsh forget %s`, then `mlsh setup %s --subnet`",
			 ip4_format(self, text), c->state.cluster, of[i]->state.cluster,
			 of[i]->state.cluster, of[i]->state.cluster);
		daemon_cluster_stop(of[i], why);
	}
}
