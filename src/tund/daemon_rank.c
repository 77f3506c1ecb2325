/* SPDX-License-Identifier: MIT */
/*
 * The order of the clusters on a host. Where two have the same address, the senior one keeps it:
 * a user who may connect clusters must not take over what root has connected, nor what another
 * user had before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "os/netuse.h"
#include "tund/daemon.h"

/*
 * Does `a` come before `b`? Root's clusters come before all others, then the one that was connected
 * first on this host.
 */
static bool is_senior(const struct daemon_cluster *a, const struct daemon_cluster *b)
{
	bool a_root = a->state.owner_uid == 0, b_root = b->state.owner_uid == 0;

	if (a_root != b_root)
		return a_root;
	if (a->state.rank != b->state.rank)
		return a->state.rank < b->state.rank;
	return strcmp(a->state.cluster, b->state.cluster) < 0;
}

static int compare(const void *x, const void *y)
{
	const struct daemon_cluster *const *a = x, *const *b = y;

	if (*a == *b)
		return 0;
	return is_senior(*a, *b) ? -1 : 1;
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

/* Is the address a member's of a cluster that has a tunnel, or is to have one? */
static bool has_address(const struct daemon_cluster *c, ip4 ip)
{
	const struct mlog *log = c->parked;

	if (c->tunnel)
		log = tunnel_left(c->tunnel) ? NULL : tunnel_log(c->tunnel);
	return log && roster_by_address(mlog_roster(log), ip, ROSTER_CURRENT);
}

/* A user who keeps it from starting (by taking its UDP port, say) gains no address by that. */
void daemon_park(struct daemon_cluster *c)
{
	struct tunnel_parts p = { 0 };

	daemon_unpark(c);
	if (state_load_parts(daemon_host(c->daemon), daemon_state_dir(c->daemon), c->state.cluster,
			     &p, NULL) < 0)
		return; /* whose addresses they are cannot be read */
	if (tunnel_parts_member(&p, NULL) == 0) {
		c->parked = p.log;
		p.log = NULL;
	}
	tunnel_parts_free(&p);
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
		if (of[i] == c || !is_senior(of[i], c) || !has_address(of[i], ip))
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
		if (out[i] != c && out[i]->tunnel && is_senior(c, out[i]))
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

		if (tunnel_left(of[i]->tunnel) ||
		    !roster_by_address(mlog_roster(log), self, ROSTER_CURRENT)) {
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

/* --- restoring --- */

static void load_one(void *ctx, const char *file)
{
	struct daemon *d = ctx;
	char name[LABEL_MAX + 1];
	struct cluster_state s;
	struct daemon_cluster *c;
	struct err err = { 0 };
	bool newer = false;
	int rc;

	if (!state_file_cluster(file, name) || daemon_find(d, name))
		return;
	rc = state_load(daemon_host(d), daemon_state_dir(d), name, &s, &err);
	if (rc == -EPROTONOSUPPORT) { /* whose it is, only root may ask */
		newer = true;
		s = (struct cluster_state){ .owner_uid = 0 };
		snprintf(s.cluster, sizeof(s.cluster), "%s", name);
		rc = 0;
	}
	struct err why = err;

	if (rc == 0)
		rc = daemon_cluster_new(d, &s, &err, &c);
	if (rc < 0 || newer)
		log_error(host_log(daemon_host(d)), "%s: not restored: %s", name, err.text);
	if (rc < 0 || !newer)
		return;
	c->newer = c->ownerless = true;
	snprintf(c->error, sizeof(c->error), "%s", why.text);
}

static void start_one(struct daemon_cluster *c)
{
	struct host *h = daemon_host(c->daemon);
	struct tunnel_parts p = { 0 };
	struct err err = { 0 };
	int rc = state_load_parts(h, daemon_state_dir(c->daemon), c->state.cluster, &p, &err);

	c->newer = rc == -EPROTONOSUPPORT;
	if (rc == 0)
		rc = daemon_cluster_start(c, &p, &err);
	if (rc == 0)
		return;
	tunnel_parts_free(&p);
	daemon_park(c);
	if (!daemon_port_wait(c, &err))
		log_error(host_log(h), "%s: not restored: %s", c->state.cluster, err.text);
	snprintf(c->error, sizeof(c->error), "%s", err.text);
}

static void count_one(void *ctx, const char *file)
{
	size_t *n = ctx;
	char name[LABEL_MAX + 1];

	*n += state_file_cluster(file, name);
}

void daemon_restore_all(struct daemon *d, size_t *n_kept)
{
	struct host *h = daemon_host(d);
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	struct err err = { 0 };

	(void)!dir_list(h, daemon_state_dir(d), count_one, n_kept, NULL);
	if (dir_list(h, daemon_state_dir(d), load_one, d, &err) < 0)
		log_error(host_log(h), "clusters not restored: %s", err.text);
	size_t n = daemon_list(d, of);

	qsort(of, n, sizeof(of[0]), compare);
	for (size_t i = 0; i < n; i++)
		if (of[i]->state.enabled && !of[i]->newer)
			start_one(of[i]);
}
