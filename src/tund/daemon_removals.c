/* SPDX-License-Identifier: MIT */
/* The daemon keeps the removals without order of its clusters over a restart. */
#include "tund/daemon.h"
#include "tund/removals.h"

#define REMOVALS_GAP NS_PER_S	       /* between two writes */
#define REMOVALS_AGAIN (60 * NS_PER_S) /* after one that failed: the disk is full, say */

void daemon_save_removals(void *ctx)
{
	struct daemon_cluster *c = ctx;
	struct host *h = daemon_host(c->daemon);
	const char *dir = daemon_state_dir(c->daemon);
	struct err err = { 0 };

	timer_set(c->removals_timer, TIME_NEVER);
	c->removals_saved = clock_now(h);
	if (removals_save(h, dir, c->tunnel, &err) == 0)
		return;
	log_error(host_log(h), "%s: removals that wait were not saved: %s", c->state.cluster,
		  err.text);
	timer_set_in(c->removals_timer, REMOVALS_AGAIN);
}

/* At once, before a command is answered; a flood of them once a second. */
void daemon_removals_changed(void *ctx, struct tunnel *t)
{
	struct daemon_cluster *c = ctx;
	struct host *h = daemon_host(c->daemon);
	const char *dir = daemon_state_dir(c->daemon);

	(void)t;
	if (!dir || !c->tunnel || c->loading)
		return;
	if (c->removals_saved == 0 || clock_now(h) >= c->removals_saved + REMOVALS_GAP)
		daemon_save_removals(c);
	else
		timer_set(c->removals_timer, c->removals_saved + REMOVALS_GAP);
}

void daemon_load_removals(struct daemon_cluster *c)
{
	struct host *h = daemon_host(c->daemon);
	const char *dir = daemon_state_dir(c->daemon);
	struct tunnel *t = c->tunnel;
	struct err err = { 0 };
	int rc;

	c->loading = true; /* the file is not written while it is read */
	rc = dir ? removals_load(h, dir, t, &err) : 0;
	c->loading = false;
	if (rc < 0 && rc != -ENOENT)
		log_warn(host_log(h), "%s: %s", tunnel_cluster(t)->cluster, err.text);
}
