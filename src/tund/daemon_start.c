/* SPDX-License-Identifier: MIT */
/*
 * Starts clusters from the state folder, one after the other: at the daemon's start, and when a
 * port may be free again. Long logs are read in slices, so that those that run go on meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tund/daemon.h"
#include "tund/parts_reading.h"
#include "tund/slices.h"

struct starts {
	struct daemon *daemon;
	struct slice_job job;
	/* which one is being read; "": none */
	char cluster[LABEL_MAX + 1];
	uint64_t edition; /* of it when that began */
	struct parts_reading *reading;
	bool restoring;
};

/* --- one of them ------------------------------------------------------------------------------ */

/* Returns the most senior cluster that waits for its start, or NULL if no cluster waits. */
static struct daemon_cluster *next_wanted(struct daemon *d)
{
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX], *next = NULL;
	size_t n = daemon_list(d, of);

	for (size_t i = 0; i < n; i++)
		if (of[i]->start_wanted && (!next || daemon_is_senior(of[i], next)))
			next = of[i];
	return next;
}

/* It has started, or it has not. */
static void tell(struct daemon_cluster *c, int rc, struct err *err)
{
	struct log *log = host_log(daemon_host(c->daemon));

	if (rc == 0 && c->port_waits)
		log_info(log, "%s: UDP port %u is free again", c->state.cluster, (unsigned)c->port);
	if (rc < 0 && daemon_port_wait(c, err)) {
		snprintf(c->error, sizeof(c->error), "%s", err->text);
		return;
	}
	c->port_waits = false;
	if (rc == 0)
		return;
	log_error(log, "%s: not restored: %s", c->state.cluster, err->text);
	snprintf(c->error, sizeof(c->error), "%s", err->text);
}

static int open_next(struct starts *s, struct daemon_cluster *c, struct err *err)
{
	struct daemon *d = s->daemon;

	snprintf(s->cluster, sizeof(s->cluster), "%s", c->state.cluster);
	s->edition = c->edition;
	return parts_reading_kept(daemon_host(d), daemon_state_dir(d), s->cluster, err,
				  &s->reading);
}

/* It is read, or cannot be. */
static void finish(struct starts *s, struct tunnel_parts *p, int rc, struct err *err)
{
	struct daemon_cluster *c = daemon_find(s->daemon, s->cluster);

	parts_reading_free(s->reading);
	s->reading = NULL;
	s->cluster[0] = '\0';
	/* Somebody may have connected, disconnected or forgotten it since. */
	if (c && c->start_wanted && c->edition == s->edition && !c->tunnel) {
		c->start_wanted = false;
		c->newer = rc == -EPROTONOSUPPORT;
		if (rc == 0)
			rc = daemon_cluster_start(c, p, err);
		if (rc < 0)
			daemon_park(c, p);
		tell(c, rc, err);
	} else if (c && c->tunnel) {
		c->start_wanted = false;
	}
	tunnel_parts_free(p);
}

/* A cluster is being read; it is done; there is no cluster. */
enum went { WENT_ON, WENT_DONE, WENT_IDLE };

static enum went step(struct starts *s)
{
	struct tunnel_parts p = { .log = NULL };
	struct err err = { 0 };
	struct daemon_cluster *c;
	int rc = 0;

	if (!s->cluster[0]) {
		c = next_wanted(s->daemon);
		if (!c)
			return WENT_IDLE;
		rc = open_next(s, c, &err);
	}
	if (rc == 0)
		rc = parts_reading_step(s->reading, &p, &err);
	if (rc == 0)
		return WENT_ON;
	finish(s, &p, MIN(rc, 0), &err);
	return WENT_DONE;
}

static void end(struct starts *s)
{
	slices_remove(&s->job);
	if (!s->restoring)
		return;
	s->restoring = false;
	daemon_restored(s->daemon);
}

static void on_slice(void *ctx)
{
	struct starts *s = ctx;
	enum went went = step(s);

	if (went == WENT_IDLE)
		end(s);
	else if (went == WENT_DONE && s->restoring)
		daemon_starting(s->daemon);
}

/* Short ones at once. */
static void run(struct starts *s)
{
	enum went went;

	do
		went = step(s);
	while (went == WENT_DONE);
	if (went == WENT_IDLE)
		end(s);
	else
		slices_add(daemon_slices(s->daemon), &s->job);
}

void starts_want(struct starts *s, struct daemon_cluster *c)
{
	c->start_wanted = true;
	if (!s->cluster[0])
		run(s);
}

/* --- all of them ------------------------------------------------------------------------------ */

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
		s = (struct cluster_state){ .owner = user_admin() };
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

static void count_one(void *ctx, const char *file)
{
	size_t *n = ctx;
	char name[LABEL_MAX + 1];

	*n += state_file_cluster(file, name);
}

void starts_restore(struct starts *s, size_t *n_kept)
{
	struct daemon *d = s->daemon;
	struct daemon_cluster *of[DAEMON_CLUSTERS_MAX];
	struct err err = { 0 };

	(void)!dir_list(daemon_host(d), daemon_state_dir(d), count_one, n_kept, NULL);
	if (dir_list(daemon_host(d), daemon_state_dir(d), load_one, d, &err) < 0)
		log_error(host_log(daemon_host(d)), "clusters not restored: %s", err.text);
	size_t n = daemon_list(d, of);

	for (size_t i = 0; i < n; i++)
		of[i]->start_wanted = of[i]->state.enabled && !of[i]->newer;
	s->restoring = true;
	run(s);
}

int starts_new(struct daemon *d, struct err *err, struct starts **ret)
{
	struct starts *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "no memory for the daemon");
	s->daemon = d;
	s->job = (struct slice_job){ .fn = on_slice, .ctx = s };
	*ret = s;
	return 0;
}

void starts_free(struct starts *s)
{
	if (!s)
		return;
	slices_remove(&s->job);
	parts_reading_free(s->reading);
	free(s);
}
