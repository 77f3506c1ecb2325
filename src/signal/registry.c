/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters: read, looked up, whose turn it is to order in them, which addresses are free. */
#include <stdlib.h>

#include "base/map.h"
#include "signal/registry_internal.h"
#include "signal/stored.h"

int registry_fail(struct registry *r, int code, struct err *err)
{
	log_limited(host_log(r->host), &r->failures, clock_now(r->host), LOG_LEVEL_ERROR, "%s",
		    err->text);
	return refuse(err, code, REFUSAL_INTERNAL, WRITE_FAILED);
}

int registry_write_fail(struct registry *r, int code, struct err *err)
{
	r->failed = true;
	return registry_fail(r, code, err);
}

void registry_note_change(struct registry *r, struct cluster *c, uint64_t first)
{
	if (list_empty(&c->changed)) {
		c->changed_from = first;
		list_append(&r->changed, &c->changed);
	}
	c->changed_from = MIN(c->changed_from, first); /* a recovery goes back */
}

/* --- reading ---------------------------------------------------------------------------------- */

static int cluster_load(struct registry *r, struct cluster *c, struct err *err)
{
	int e = stored_log(r->db, c->id, r->map_seed, err, &c->log);

	if (e == 0)
		c->seen = roster_now(mlog_roster(c->log));
	return e;
}

void registry_cluster_free(struct cluster *c)
{
	if (!c)
		return;
	denials_free(c->removals);
	beacons_free(c->beacons);
	mlog_free(c->log);
	presence_free(c->presence);
	free(c);
}

struct cluster *registry_cluster_new(struct registry *r, const struct db_cluster *d)
{
	struct cluster *c = calloc(1, sizeof(*c));
	uint8_t epoch[EPOCH_LEN];

	if (!c)
		return NULL;
	memcpy(c->id, d->id, sizeof(c->id));
	c->subnet = d->subnet;
	list_init(&c->subscribers);
	list_init(&c->changed);
	bucket_init(&c->replays, 1, REPLAY_TOKENS * REPLAYS_BURST, clock_now(r->host));
	random_fill(r->host, epoch, sizeof(epoch));
	c->presence = presence_new(r->map_seed, epoch);
	if (!c->presence) {
		registry_cluster_free(c);
		return NULL;
	}
	return c;
}

int registry_cluster_add(struct registry *r, struct cluster *c, struct err *err)
{
	int x = map_put(r->clusters, c->id, c);

	if (x == 0)
		return 0;
	registry_cluster_free(c);
	return refuse(err, x, REFUSAL_INTERNAL, "The server cannot hold another cluster.");
}

void registry_cluster_drop(struct registry *r, struct cluster *c)
{
	map_remove(r->clusters, c->id);
	list_remove(&c->noted);
	registry_cluster_free(c);
}

/*
 * If the database cannot be read, the cluster counts as parted: to go on ordering would make it
 * worse.
 */
static bool load_parted(struct registry *r, const struct cluster *c)
{
	struct err err = { 0 };
	int parted = db_parted(r->db, c->id, &err);

	if (parted < 0)
		log_error(host_log(r->host),
			  "a cluster is taken to have two logs of this server's, since the "
			  "database does not say: %s",
			  err.text);
	return parted != 0;
}

/* Said at each start, for an operator who has missed the first line. */
static void say_parted(const struct registry *r, const struct cluster *c)
{
	if (c->parted && c->log)
		log_error(host_log(r->host),
			  "cluster %s: this server has signed two logs of it and orders nothing in "
			  "it any more; recover the cluster with its recovery code",
			  mlog_genesis(c->log)->name);
}

static int load_cluster(void *ctx, const struct db_cluster *d)
{
	struct registry *r = ctx;
	struct cluster *c = registry_cluster_new(r, d);
	char id[17];
	struct err err;

	if (!c || map_put(r->clusters, c->id, c) < 0) {
		registry_cluster_free(c);
		return -ENOMEM;
	}
	c->parted = load_parted(r, c);
	if (cluster_load(r, c, &err) < 0) {
		hex_encode(c->id, 8, id);
		log_error(host_log(r->host), "the log of cluster %s cannot be read: %s", id,
			  err.text);
	}
	say_parted(r, c);
	return 0;
}

int registry_new(struct host *h, struct db *db, struct mark *mark, const struct server_keys *keys,
		 struct err *err, struct registry **ret)
{
	struct registry *r = calloc(1, sizeof(*r));
	int e = -ENOMEM;

	if (!r)
		goto no_memory;
	r->host = h;
	r->db = db;
	r->keys = keys;
	r->mark = mark;
	list_init(&r->changed);
	list_init(&r->noted);
	random_fill(h, r->map_seed, sizeof(r->map_seed));
	r->clusters = map_new(r->map_seed, HASH_LEN, CLUSTERS_MAX);
	if (!r->clusters)
		goto no_memory;
	e = db_clusters(db, load_cluster, r, err);
	if (e == -ENOMEM)
		goto no_memory;
	if (e < 0)
		goto fail;
	*ret = r;
	return 0;

no_memory:
	e = err_set(err, -ENOMEM, "out of memory.");
fail:
	registry_free(r);
	return e;
}

void registry_free(struct registry *r)
{
	void *c;

	if (!r)
		return;
	for (size_t pos = 0; r->clusters && map_next(r->clusters, &pos, &c);)
		registry_cluster_free(c);
	map_free(r->clusters);
	free(r);
}

size_t registry_count(const struct registry *r)
{
	return map_count(r->clusters);
}

struct cluster *registry_find(const struct registry *r, const uint8_t id[HASH_LEN])
{
	return map_get(r->clusters, id);
}

struct cluster *registry_next(const struct registry *r, size_t *pos)
{
	void *c = NULL;

	return map_next(r->clusters, pos, &c) ? c : NULL;
}

const struct member *registry_member(const struct cluster *c, const uint8_t key_sha256[HASH_LEN])
{
	return c->log ? roster_by_key_sha256(mlog_roster(c->log), key_sha256, ROSTER_CURRENT)
		      : NULL;
}

bool registry_is_known(const struct registry *r, const uint8_t key_sha256[HASH_LEN])
{
	void *c;

	for (size_t pos = 0; map_next(r->clusters, &pos, &c);)
		if (registry_member(c, key_sha256))
			return true;
	return false;
}

struct key_acceptance registry_key_acceptance(const struct registry *r, const uint8_t key[HASH_LEN])
{
	struct key_acceptance a = { 0 };
	void *value;

	for (size_t pos = 0; map_next(r->clusters, &pos, &value);) {
		const struct cluster *c = value;

		if (!c->log || registry_standing(r, c) != STANDING_OURS)
			continue;
		a.clusters++;
		if (memcmp(mlog_server(c->log)->key, key, HASH_LEN) == 0)
			a.accept++;
		else if (!a.refuses)
			a.refuses = mlog_genesis(c->log)->name;
	}
	return a;
}

int registry_log(struct registry *r, struct cluster *c, struct mlog **ret, struct err *err)
{
	int e = c->log ? 0 : cluster_load(r, c, err);

	if (e < 0)
		return registry_fail(r, e, err);
	*ret = c->log;
	return 0;
}

/* --- whose turn it is ------------------------------------------------------------------------- */

enum standing registry_standing(const struct registry *r, const struct cluster *c)
{
	uint64_t since;

	if (memcmp(mlog_server(c->log)->order_key, r->keys->order_key, KEY_LEN) == 0)
		return STANDING_OURS;
	return mlog_order_key_seq(c->log, r->keys->order_key, &since) == 0 ? STANDING_AWAY
									   : STANDING_NOT_YET;
}

bool registry_is_foreign(const struct registry *r, const struct cluster *c, const struct member *m)
{
	uint64_t since;

	/* A cluster that comes back brings members that have forgotten our tokens. */
	return registry_standing(r, c) != STANDING_OURS ||
	       mlog_order_key_seq(c->log, r->keys->order_key, &since) < 0 || m->joined_seq < since;
}

int registry_deny_foreign(const struct registry *r, const struct cluster *c, struct err *err)
{
	const struct log_server *at = mlog_server(c->log);
	const char *name = mlog_genesis(c->log)->name;

	if (registry_standing(r, c) == STANDING_NOT_YET)
		return refuse(err, -EREMCHG, REFUSAL_MOVED_AWAY,
			      "Cluster %s has not moved to this server yet: its log names %.120s, "
			      "port %u.",
			      name, at->host, (unsigned)at->port);
	return refuse(err, -EREMCHG, REFUSAL_MOVED_AWAY,
		      "Cluster %s has moved to the server %.120s, port %u.", name, at->host,
		      (unsigned)at->port);
}

/* --- addresses -------------------------------------------------------------------------------- */

int registry_subnet_check(const struct registry *r, struct prefix4 subnet, struct err *err)
{
	char text[PREFIX4_TEXT_MAX], other[PREFIX4_TEXT_MAX];
	void *value;
	int e = overlay_subnet_check(subnet, err);

	if (e < 0) {
		if (err)
			err->reason = REFUSAL_SUBNET;
		return e;
	}
	for (size_t pos = 0; map_next(r->clusters, &pos, &value);) {
		const struct cluster *c = value;

		if (c->subnet.net == subnet.net && c->subnet.bits == subnet.bits)
			continue;
		if (prefix4_overlaps(c->subnet, subnet))
			return refuse(err, -EACCES, REFUSAL_SUBNET,
				      "The subnet %s overlaps %s, which another cluster of this "
				      "server has: choose another with --subnet.",
				      prefix4_format(subnet, text),
				      prefix4_format(c->subnet, other));
	}
	return 0;
}

int registry_next_address(struct registry *r, struct prefix4 subnet, ip4 *ret, struct err *err)
{
	ip4 highest = 0;
	int e = db_address_highest(r->db, subnet, &highest, err);

	if (e < 0)
		return registry_fail(r, e, err);
	if (highest >= prefix4_last(subnet))
		return refuse(err, -ENOSPC, REFUSAL_FULL,
			      "No address is left: each is given out only once.");
	*ret = highest == 0 ? prefix4_first(subnet) : highest + 1;
	return 0;
}
