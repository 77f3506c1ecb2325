/* SPDX-License-Identifier: MIT */
/* What a tunnel is made of: do the parts belong together? */
#include "identity/identity.h"
#include "tund/tunnel.h"

int tunnel_parts_check(const struct tunnel_parts *p, struct err *err)
{
	const struct genesis *g = mlog_genesis(p->log);
	const struct member *self;
	int rc = cluster_name_check(p->cluster.cluster, err);

	if (rc < 0)
		return rc;
	if (memcmp(mlog_cluster_id(p->log), p->cluster.cluster_id, HASH_LEN) != 0)
		return err_set(err, -EINVAL, "the membership log is not the one of cluster %s",
			       p->cluster.cluster);
	if (strcmp(p->cluster.cluster, g->name) != 0 || p->cluster.subnet.net != g->subnet.net ||
	    p->cluster.subnet.bits != g->subnet.bits)
		return err_set(err, -EINVAL,
			       "the cluster file of %s does not agree with its membership log",
			       p->cluster.cluster);
	self = roster_by_id(mlog_roster(p->log), &p->cluster.node_id, ROSTER_ALL);
	if (!self)
		return err_set(err, -EINVAL, "this node is not a member of cluster %s by its log",
			       p->cluster.cluster);
	/* A key that it had before is not enough for a session, but to learn of the next one. */
	if (roster_by_key_sha256(mlog_roster(p->log), identity_key_sha256(p->identity),
				 ROSTER_ALL) != self)
		return err_set(err, -EINVAL,
			       "the identity does not belong to cluster %s: its cluster file was "
			       "made with another key",
			       p->cluster.cluster);
	if (self->address != p->cluster.address)
		return err_set(err, -EINVAL,
			       "the cluster file of %s names another overlay address than the log",
			       p->cluster.cluster);
	return 0;
}

int tunnel_parts_member(const struct tunnel_parts *p, struct err *err)
{
	const struct roster *r = mlog_roster(p->log);
	const struct member *self = roster_by_id(r, &p->cluster.node_id, ROSTER_ALL);
	char text[MEMBER_LEFT_TEXT_MAX];

	if (!self || member_is_current(self))
		return 0;
	return err_set(err, -EACCES,
		       "this node is not in cluster %s any more: %s. With a new invite it can join "
		       "again",
		       p->cluster.cluster, member_left_text(r, self, text));
}

void tunnel_parts_free(struct tunnel_parts *p)
{
	identity_free(p->identity);
	mlog_free(p->log);
	secret_wipe(p, sizeof(*p));
}
