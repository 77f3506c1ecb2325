/* SPDX-License-Identifier: MIT */
/* One node of a tunnel's cluster, asked for by its name. */
#include "tund/ping.h"
#include "tund/tunnel_internal.h"

int tunnel_find_node(const struct tunnel *t, const char *node, struct err *err,
		     const struct member **ret)
{
	const struct roster *r = mlog_roster(tunnel_log(t));
	const struct member *m = roster_by_name(r, span_str(node), ROSTER_ALL);
	const char *cluster = tunnel_cluster(t)->cluster;
	char text[MEMBER_LEFT_TEXT_MAX];

	if (!m)
		return err_set(err, -ENOENT,
			       "there is no node %s in cluster %s; `mlsh nodes %s` "
			       "lists them",
			       node, cluster, cluster);
	if (!member_is_current(m))
		return err_set(err, -ENOENT, "%s is not in cluster %s any more: %s", node, cluster,
			       member_left_text(r, m, text));
	if (strcmp(m->name, node) != 0)
		return err_set(err, -ENOENT, "%s is called %s in cluster %s now", node, m->name,
			       cluster);
	if (m == tunnel_self(t))
		return err_set(err, -ENOENT, "%s.%s is this machine itself", node, cluster);
	if (waiting_denies(&t->waiting, m))
		return err_set(err, -EACCES,
			       "%s was removed from cluster %s, and this node refuses it; the "
			       "removal waits for the server: `mlsh status %s` says why",
			       node, cluster, cluster);
	*ret = m;
	return 0;
}

int tunnel_ping(struct host *h, struct tunnel *t, const char *node, const struct ping_config *cfg,
		struct err *err, struct ping **ret)
{
	struct ping_config full = *cfg;
	int rc = tunnel_find_node(t, node, err, &full.member);

	if (rc < 0)
		return rc;
	full.overlay = tunnel_overlay(t);
	rc = ping_new(h, &full, tunnel_pings(t), ret);
	return rc < 0 ? err_set(err, rc, "the daemon is out of memory") : 0;
}
