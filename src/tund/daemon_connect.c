/* SPDX-License-Identifier: MIT */
/* Connecting a cluster that its user hands over: who may, and what it does to one of that name. */
#include <stdio.h>

#include "client/follow.h"
#include "client/search_domain.h"
#include "proto/control.h"
#include "tund/daemon.h"

static int owned_by_another(const struct daemon_cluster *c, struct err *err)
{
	const char *name = c->state.cluster;

	if (c->tunnel)
		return err_set(err, -EPERM, "cluster %s is connected on this host by another user",
			       name);
	return err_set(err, -EPERM,
		       "cluster %s on this host is another user's, and stopped: only "
		       "they and root can connect it. `sudo mlsh forget %s` frees the name",
		       name, name);
}

/* A cluster that is new here must not take the names of the host's own network. */
static int check_search_domain(struct daemon *d, const char *cluster, struct err *err)
{
	char domain[HOST_TEXT_MAX + 1];

	if (!search_domain_in(daemon_host(d), cluster, domain))
		return 0;
	return err_set(
		err, -EPERM,
		"this host's network has the search domain %s (/etc/resolv.conf), whose names "
		"a cluster '%s' would take: for all users of this host that takes root",
		domain, cluster);
}

int daemon_may_connect(struct daemon *d, const char *cluster, struct user user, bool may_create,
		       struct err *err)
{
	struct daemon_cluster *c = daemon_find(d, cluster);

	if (!daemon_state_dir(d) && c)
		return err_set(err, -EBUSY,
			       "%s is connected already, in the foreground of another terminal",
			       cluster);
	if (!daemon_state_dir(d))
		return err_set(err, -EBUSY,
			       "the running mlsh is a foreground one that serves a single cluster; "
			       "stop it, or connect %s with --foreground as well",
			       cluster);
	if (!user_is_admin(user) &&
	    (cluster_name_is_public_tld(cluster) || cluster_name_is_of_lans(cluster)))
		return err_set(err, -EPERM,
			       "'%s' is a top-level domain or a usual zone of local networks: "
			       "shadowing it for all users of this host takes root",
			       cluster);
	if (!may_create && !user_is_admin(user) &&
	    (!c || c->ownerless || !user_equal(c->state.owner, user)))
		return err_set(err, -EPERM,
			       "connecting %s adds routes and a DNS zone to this machine: the "
			       "first time, that takes the group %s. Run `sudo usermod -aG %s "
			       "$USER`, then connect again",
			       cluster, CONTROL_GROUP, CONTROL_GROUP);
	if (c && c->newer)
		return err_set(err, -EPROTONOSUPPORT, "%s", c->error);
	if (c && !user_equal(c->state.owner, user) && !user_is_admin(user))
		return owned_by_another(c, err);
	return !user_is_admin(user) && !c ? check_search_domain(d, cluster, err) : 0;
}

/*
 * Returns 1 if the daemon's files are of another cluster of this name, or 0.
 * The daemon's own log may be ahead of the user's copy, and is never exchanged for an older one.
 * Another cluster under the same name is a new one: the permission to make one is needed again. So
 * is one whose files cannot be read, if root takes them over from a user.
 */
static int merge_own_log(const struct daemon_cluster *c, struct own_log *own,
			 struct tunnel_parts *p, struct user user, bool may_create, struct err *err)
{
	if (!c)
		return 0;
	if (!own)
		return !user_equal(c->state.owner, user);
	if (memcmp(own->cluster_id, p->cluster.cluster_id, HASH_LEN) == 0)
		return parts_merge_log(p, &own->log, err);
	if (!may_create)
		return err_set(err, -EPERM,
			       "this is another cluster named %s than the one that was connected "
			       "here before: the first time it takes root or the group %s",
			       p->cluster.cluster, CONTROL_GROUP);
	return 1;
}

static bool is_another_node(const struct cluster_file *a, const struct cluster_file *b)
{
	return memcmp(a->cluster_id, b->cluster_id, HASH_LEN) == 0 &&
	       !node_id_equal(&a->node_id, &b->node_id);
}

/* May the cluster `f` take the place of `c`, which has its name? `another`: it is another one. */
static int may_replace(const struct daemon_cluster *c, const struct cluster_file *f,
		       struct user user, bool another, struct err *err)
{
	const char *name = c->state.cluster;
	char owner[USER_TEXT_MAX];

	(void)user_text(c->state.owner, owner);
	if (c->tunnel && !tunnel_left(c->tunnel) && is_another_node(tunnel_cluster(c->tunnel), f))
		return err_set(err, -EBUSY,
			       "cluster %s is connected on this host already, as its "
			       "node %s, by the user with id %s; yours, %s, can be instead after: "
			       "mlsh disconnect %s",
			       name, tunnel_cluster(c->tunnel)->node_name, owner, f->node_name,
			       name);
	if (c->tunnel && another && !user_equal(c->state.owner, user))
		return err_set(err, -EBUSY,
			       "another cluster named %s is connected on this host, by the user "
			       "with id %s; to connect yours, run first: mlsh disconnect %s",
			       name, owner, name);
	return 0;
}

int daemon_connect(struct daemon *d, struct tunnel_parts *p, struct own_log *own, struct user user,
		   bool may_create, struct err *err)
{
	struct daemon_cluster *c = daemon_find(d, p->cluster.cluster);
	struct cluster_state s = { .owner = user };
	int rc = daemon_may_connect(d, p->cluster.cluster, user, may_create, err);

	if (rc == 0)
		rc = merge_own_log(c, own, p, user, may_create, err);
	bool another = rc > 0;
	if (rc >= 0)
		rc = tunnel_parts_member(p, err);
	if (rc == 0)
		(void)follow_log(&p->cluster, p->log);
	if (rc < 0)
		return rc;
	if (c)
		rc = may_replace(c, &p->cluster, user, another, err);
	if (rc < 0)
		return rc;
	/* A changed cluster file (a server that has moved, say) or key takes another tunnel. */
	if (c && c->tunnel && tunnel_state_get(c->tunnel) != TUNNEL_STOPPED &&
	    cluster_equal(tunnel_cluster(c->tunnel), &p->cluster) &&
	    tunnel_has_key(c->tunnel, p->identity)) {
		tunnel_parts_free(p); /* connected already: it stays as it is */
		if (tunnel_session(c->tunnel))
			session_ask(tunnel_session(c->tunnel));
		return 0;
	}
	/* Owner, rank, invites and proofs were the other one's. */
	if (c && another) {
		rc = daemon_forget(d, c, err);
		if (rc < 0)
			return rc;
		c = NULL;
	}
	snprintf(s.cluster, sizeof(s.cluster), "%s", p->cluster.cluster);
	s.rank = daemon_next_rank(d);
	if (!c) {
		rc = daemon_cluster_new(d, &s, err, &c);
		if (rc < 0)
			return rc;
	}
	daemon_cluster_stop(c, NULL);
	if (own) /* otherwise its file cannot be read */
		p->saved = c->saved;
	rc = state_save_parts(daemon_host(d), daemon_state_dir(d), p, err);
	c->saved = p->saved;
	if (rc == 0)
		rc = daemon_cluster_start(c, p, err);
	c->state.enabled = rc == 0 || daemon_port_wait(c, err);
	if (rc < 0 && c->state.enabled)
		daemon_park(c, p);
	if (rc < 0)
		snprintf(c->error, sizeof(c->error), "%s", err->text);
	daemon_save_state(d, c);
	return rc;
}
