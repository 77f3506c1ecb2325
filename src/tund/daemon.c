/* SPDX-License-Identifier: MIT */
/* The daemon's list of clusters: starting and stopping them, as users ask. */
#include "tund/daemon.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/netconf.h"
#include "tund/control.h"
#include "tund/proofs.h"
#include "tund/slices.h"
#include "tund/state_lock.h"

#define MARK_EVERY 64		   /* records, at least, between two marks in a log */
#define SAVE_AGAIN (60 * NS_PER_S) /* after a log could not be saved: the disk is full, say */

struct daemon {
	struct host *host;
	struct daemon_config cfg;
	struct control *control;
	struct file_lock *lock; /* of the state folder */
	struct manager *manager;
	struct slices slices;
	struct starts *starts;
	bool restoring;
	uint64_t editions; /* counts up */
	struct list clusters;
	size_t n_clusters, n_kept; /* kept: when it began, in the state folder */
	uint64_t started;
};

static void on_tunnel_changed(void *ctx, struct tunnel *t)
{
	struct daemon_cluster *c = ctx;
	struct daemon *d = c->daemon;

	if (!c->tunnel)
		return; /* still being made */
	if (c->keeper)
		peers_keeper_touch(c->keeper);
	control_changed(d->control, c);
	manager_touch(d->manager);
	if (d->cfg.changed)
		d->cfg.changed(d->cfg.ctx, t);
}

/* What could not be saved is tried again: without it a crash would lose it here. */
static void cluster_save_log(struct daemon_cluster *c, const struct tunnel *t)
{
	struct daemon *d = c->daemon;
	struct err err = { 0 };
	int rc = d->cfg.state_dir
			 ? state_save_log(d->host, d->cfg.state_dir, tunnel_cluster(t),
					  tunnel_log(t), &c->saved, &err)
			 : d->cfg.save_log(d->cfg.ctx, tunnel_cluster(t), tunnel_log(t), &err);

	timer_set(c->save_timer, rc < 0 ? clock_now(d->host) + SAVE_AGAIN : TIME_NEVER);
	if (rc < 0 && !c->log_unsaved)
		log_error(host_log(d->host),
			  "%s: the membership log was not saved, which is tried again each "
			  "minute: %s",
			  c->state.cluster, err.text);
	else if (rc == 0 && c->log_unsaved)
		log_info(host_log(d->host), "%s: the membership log is saved again",
			 c->state.cluster);
	c->log_unsaved = rc < 0;
}

/* What is in its file of the log need not be verified again at the next start. */
static void cluster_mark_log(struct daemon_cluster *c, const struct tunnel *t)
{
	struct daemon *d = c->daemon;
	uint64_t seq = mlog_head(tunnel_log(t)).seq;
	struct err err = { 0 };

	if (!d->cfg.state_dir || c->log_unsaved || seq == c->marked_seq)
		return;
	c->marked_seq = seq;
	if (state_mark_verified(d->host, d->cfg.state_dir, tunnel_cluster(t), tunnel_log(t), &err) <
	    0)
		log_warn(host_log(d->host), "%s: the next start takes longer: %s", c->state.cluster,
			 err.text);
}

static void on_tunnel_log(void *ctx, struct tunnel *t)
{
	struct daemon_cluster *c = ctx;
	uint64_t seq = mlog_head(tunnel_log(t)).seq;

	cluster_save_log(c, t);
	daemon_members_changed(c, tunnel_log(t));
	if (seq < c->marked_seq || seq >= c->marked_seq + MARK_EVERY)
		cluster_mark_log(c, t);
}

static void on_save_again(void *ctx)
{
	struct daemon_cluster *c = ctx;

	if (c->tunnel)
		cluster_save_log(c, c->tunnel);
}

void daemon_save_state(struct daemon *d, struct daemon_cluster *c)
{
	struct err err = { 0 };

	if (d->cfg.state_dir && state_save(d->host, d->cfg.state_dir, &c->state, &err) < 0)
		log_error(host_log(d->host), "%s: state not saved: %s", c->state.cluster, err.text);
}

static void on_tunnel_invites(void *ctx, struct tunnel *t)
{
	struct daemon_cluster *c = ctx;

	c->state.invites = *tunnel_invites(t);
	daemon_save_state(c->daemon, c);
}

static void on_tunnel_let_back(void *ctx, struct tunnel *t)
{
	struct daemon_cluster *c = ctx;

	c->state.let_back = tunnel_let_back(t)->of;
	daemon_save_state(c->daemon, c);
}

static void on_tunnel_proof(void *ctx, struct tunnel *t, const struct log_proof *proof)
{
	struct daemon_cluster *c = ctx;

	proofs_keep(&c->proofs, tunnel_log(t), proof);
}

static const struct tunnel_ops tunnel_ops = {
	.changed = on_tunnel_changed,
	.log_grew = on_tunnel_log,
	.invites_changed = on_tunnel_invites,
	.let_back_changed = on_tunnel_let_back,
	.denials_changed = daemon_removals_changed,
	.proof = on_tunnel_proof,
	.senior = daemon_senior,
	.claim = daemon_claim,
};

/* Without it the tunnel comes up as well, with the server's help. May return NULL. */
static struct peers_file *peers_known(struct daemon *d, const struct tunnel_parts *p)
{
	struct peers_file *known = NULL;
	struct err err = { 0 };
	int rc;

	if (!d->cfg.state_dir)
		return NULL;
	rc = peers_file_load(d->host, d->cfg.state_dir, p->cluster.cluster, p->cluster.cluster_id,
			     &err, &known);
	if (rc < 0 && rc != -ENOENT)
		log_warn(host_log(d->host), "%s: %s", p->cluster.cluster, err.text);
	return known;
}

static void keep_peers(struct daemon_cluster *c)
{
	struct daemon *d = c->daemon;
	const struct cluster_file *f = tunnel_cluster(c->tunnel);

	if (d->cfg.state_dir &&
	    peers_keeper_new(d->host, d->cfg.state_dir, f->cluster, f->cluster_id,
			     tunnel_overlay(c->tunnel), &c->keeper) < 0)
		log_warn(host_log(d->host), "%s: no memory to keep the peers' addresses",
			 f->cluster);
}

int daemon_cluster_start(struct daemon_cluster *c, struct tunnel_parts *p, struct err *err)
{
	struct peers_file *known = peers_known(c->daemon, p);

	c->port = daemon_port(c, known);
	struct tunnel_options options = { .invites = &c->state.invites,
					  .let_back = &c->state.let_back,
					  .known = known,
					  .fixed_port = c->port,
					  .no_port_mapping = c->daemon->cfg.no_port_mapping };
	daemon_device(c, &options.device, &options.spare_device);
	struct log_place saved = p->saved;
	struct tunnel *t;

	daemon_members_changed(c, p->log);
	int rc = tunnel_new(c->daemon->host, p, &options, &tunnel_ops, c, err, &t);

	free(known);
	if (rc < 0)
		return rc;
	c->tunnel = t;
	daemon_unpark(c);
	c->edition = ++c->daemon->editions;
	c->saved = saved;
	c->marked_seq = 0;
	if (saved.bytes > 0)
		cluster_mark_log(c, t);
	c->error[0] = '\0';
	daemon_device_keep(c);
	proofs_recall(&c->proofs, t);
	daemon_load_removals(c);
	keep_peers(c);
	on_tunnel_changed(c, t);
	return 0;
}

void daemon_cluster_stop(struct daemon_cluster *c, const char *why)
{
	struct tunnel *t = c->tunnel;

	c->edition = ++c->daemon->editions;
	c->start_wanted = false;
	if (t && c->log_unsaved)
		cluster_save_log(c, t); /* a last time */
	if (t)
		cluster_mark_log(c, t);
	c->log_unsaved = false;
	timer_set(c->save_timer, TIME_NEVER);
	timer_set(c->port_timer, TIME_NEVER);
	c->port = 0;
	c->port_waits = false;
	daemon_unpark(c);
	if (t && timer_is_set(c->removals_timer))
		daemon_save_removals(c);
	timer_set(c->removals_timer, TIME_NEVER);
	peers_keeper_free(c->keeper);
	c->keeper = NULL;
	c->tunnel = NULL;
	tunnel_free(t);
	daemon_juniors_look(c);
	if (!why)
		return;
	snprintf(c->error, sizeof(c->error), "%s", why);
	log_error(host_log(c->daemon->host), "%s: stopped: %s", c->state.cluster, why);
	control_changed(c->daemon->control, c);
	manager_touch(c->daemon->manager);
}

int daemon_cluster_new(struct daemon *d, const struct cluster_state *s, struct err *err,
		       struct daemon_cluster **ret)
{
	struct daemon_cluster *c;

	if (d->n_clusters == DAEMON_CLUSTERS_MAX)
		return err_set(err, -ENOSPC, "%d clusters are connected on this host already",
			       DAEMON_CLUSTERS_MAX);
	c = calloc(1, sizeof(*c));
	if (c)
		c->save_timer = timer_new(d->host, on_save_again, c);
	if (c)
		c->removals_timer = timer_new(d->host, daemon_save_removals, c);
	if (c)
		c->port_timer = timer_new(d->host, daemon_port_again, c);
	if (!c || !c->save_timer || !c->removals_timer || !c->port_timer) {
		timer_free(c ? c->save_timer : NULL);
		timer_free(c ? c->port_timer : NULL);
		timer_free(c ? c->removals_timer : NULL);
		free(c);
		return err_set(err, -ENOMEM, "no memory for a cluster");
	}
	c->daemon = d;
	c->edition = ++d->editions;
	c->state = *s;
	c->proofs = proofs_of(d->host, d->cfg.state_dir, c->state.cluster);
	list_append(&d->clusters, &c->link);
	d->n_clusters++;
	*ret = c;
	return 0;
}

static void cluster_free(struct daemon_cluster *c)
{
	daemon_cluster_stop(c, NULL);
	timer_free(c->save_timer);
	timer_free(c->removals_timer);
	timer_free(c->port_timer);
	proofs_free(&c->proofs);
	list_remove(&c->link);
	c->daemon->n_clusters--;
	free(c);
}

void daemon_restore(struct daemon *d)
{
	d->restoring = true;
	starts_restore(d->starts, &d->n_kept);
}

void daemon_starting(struct daemon *d)
{
	manager_starting(d->manager);
}

void daemon_restored(struct daemon *d)
{
	d->restoring = false;
	manager_ready(d->manager);
	if (d->cfg.restored)
		d->cfg.restored(d->cfg.ctx);
	control_restored(d->control);
}

bool daemon_is_restoring(const struct daemon *d)
{
	return d->restoring;
}

int daemon_add(struct daemon *d, struct tunnel_parts *p, struct user owner, struct err *err)
{
	struct cluster_state s = { .owner = owner, .enabled = true };
	struct daemon_cluster *c;

	snprintf(s.cluster, sizeof(s.cluster), "%s", p->cluster.cluster);
	int rc = tunnel_parts_member(p, err);
	if (rc == 0)
		rc = daemon_cluster_new(d, &s, err, &c);
	if (rc < 0)
		return rc;
	rc = daemon_cluster_start(c, p, err);
	if (rc < 0)
		cluster_free(c);
	return rc;
}

static int daemon_forget_files(struct daemon_cluster *c, struct err *err)
{
	struct daemon *d = c->daemon;
	int rc = state_remove(d->host, d->cfg.state_dir, c->state.cluster, err);

	if (rc < 0)
		return rc;
	log_info(host_log(d->host), "%s: forgotten", c->state.cluster);
	cluster_free(c);
	return 0;
}

int daemon_forget(struct daemon *d, struct daemon_cluster *c, struct err *err)
{
	int rc = daemon_disconnect(d, c, err);

	return rc < 0 ? rc : daemon_forget_files(c, err);
}

int daemon_disconnect(struct daemon *d, struct daemon_cluster *c, struct err *err)
{
	if (!d->cfg.state_dir)
		return err_set(
			err, -EBUSY,
			"cluster %s runs in the foreground of another terminal: press Ctrl-C there",
			c->state.cluster);
	if (c->newer)
		return err_set(err, -EPROTONOSUPPORT, "%s", c->error);
	daemon_cluster_stop(c, NULL);
	c->error[0] = '\0';
	c->state.enabled = false;
	control_changed(d->control, c);
	manager_touch(d->manager);
	return state_save(d->host, d->cfg.state_dir, &c->state, err);
}

struct host *daemon_host(struct daemon *d)
{
	return d->host;
}

struct slices *daemon_slices(struct daemon *d)
{
	return &d->slices;
}

struct starts *daemon_starts(struct daemon *d)
{
	return d->starts;
}

const char *daemon_state_dir(const struct daemon *d)
{
	return d->cfg.state_dir;
}

size_t daemon_expected(const struct daemon *d)
{
	return MAX(d->n_clusters, d->n_kept);
}

uint16_t daemon_first_port(const struct daemon *d)
{
	return d->cfg.port;
}

uint64_t daemon_started(const struct daemon *d)
{
	return d->started;
}

struct daemon_cluster *daemon_find(struct daemon *d, const char *cluster)
{
	list_for_each(it, &d->clusters) {
		struct daemon_cluster *c = list_entry(it, struct daemon_cluster, link);

		if (strcmp(c->state.cluster, cluster) == 0)
			return c;
	}
	return NULL;
}

size_t daemon_list(struct daemon *d, struct daemon_cluster *out[DAEMON_CLUSTERS_MAX])
{
	size_t n = 0;

	list_for_each(it, &d->clusters)
		out[n++] = list_entry(it, struct daemon_cluster, link);
	return n;
}

int daemon_new(struct host *h, const struct daemon_config *cfg, struct err *err,
	       struct daemon **ret)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct err listen_err = { 0 };
	int rc;

	if (!d)
		return err_set(err, -ENOMEM, "no memory for the daemon");
	d->host = h;
	d->cfg = *cfg;
	d->started = clock_now(h);
	list_init(&d->clusters);
	if (cfg->state_dir)
		d->manager = manager_new(h, daemon_line, d);
	rc = slices_init(&d->slices, h);
	if (rc < 0)
		(void)err_set(err, rc, "no memory for the daemon");
	else
		rc = starts_new(d, err, &d->starts);
	if (rc == 0 && cfg->state_dir)
		rc = state_lock(h, cfg, err, &d->lock);
	if (rc < 0)
		goto fail;
	rc = socket_folder(h, cfg, &listen_err);
	if (rc == 0)
		rc = control_new(d, cfg->socket_path, &listen_err, &d->control);
	if (rc < 0 && cfg->state_dir) {
		if (err)
			*err = listen_err;
		goto fail;
	}
	/* A daemon that answers at the socket owns what is on the host; only without one is it a
	 * crash's remains. */
	if (rc == 0) {
		rc = netconf_cleanup(h, err);
		if (rc < 0)
			goto fail;
	}
	*ret = d;
	return 0;
fail:
	daemon_free(d);
	return rc;
}

void daemon_free(struct daemon *d)
{
	if (!d)
		return;
	manager_stopping(d->manager);
	control_free(d->control);
	d->control = NULL;
	starts_free(d->starts);
	list_for_each(it, &d->clusters)
		cluster_free(list_entry(it, struct daemon_cluster, link));
	slices_end(&d->slices);
	file_unlock(d->lock); /* when all is written */
	manager_free(d->manager);
	free(d);
}
