/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters: read, looked up, set up; transactions over them. */
#include <stdlib.h>

#include "base/map.h"
#include "signal/registry_internal.h"
#include "signal/stored.h"

int deny(struct err *err, int code, enum refusal reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_set_va(err, code, (int)reason, fmt, ap);
	va_end(ap);
	return code;
}

int registry_fail(struct registry *r, int code, struct err *err)
{
	log_limited(host_log(r->host), &r->failures, clock_now(r->host), LOG_LEVEL_ERROR, "%s",
		    err->text);
	return deny(err, code, REFUSAL_INTERNAL, WRITE_FAILED);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int cluster_load(struct registry *r, struct cluster *c, struct err *err)
{
	int e = stored_log(r->db, c->id, r->map_seed, err, &c->log);

	if (e == 0)
		c->seen = roster_now(mlog_roster(c->log));
	return e;
}

/* NULL allowed. */
static void cluster_free(struct cluster *c)
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
		cluster_free(c);
		return NULL;
	}
	return c;
}

int registry_cluster_add(struct registry *r, struct cluster *c, struct err *err)
{
	int x = map_put(r->clusters, c->id, c);

	if (x == 0)
		return 0;
	cluster_free(c);
	return deny(err, x, REFUSAL_INTERNAL, "The server cannot hold another cluster.");
}

void registry_cluster_drop(struct registry *r, struct cluster *c)
{
	map_remove(r->clusters, c->id);
	list_remove(&c->noted);
	cluster_free(c);
}

/* What cannot be read is taken to be so: to order on would make it worse. */
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

/* At each start: nothing else would say it to an operator who has missed the first time. */
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
		cluster_free(c);
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
		cluster_free(c);
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
			return deny(err, -EACCES, REFUSAL_SUBNET,
				    "The subnet %s overlaps %s, which another cluster of this "
				    "server has: choose another with --subnet.",
				    prefix4_format(subnet, text), prefix4_format(c->subnet, other));
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
		return deny(err, -ENOSPC, REFUSAL_FULL,
			    "No address is left: each is given out only once.");
	*ret = highest == 0 ? prefix4_first(subnet) : highest + 1;
	return 0;
}

/* Genesis is record 0: a clock that is ahead would hold up all that follow. */
static int check_clock(struct registry *r, uint64_t time_s, struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);

	if (time_s > (uint64_t)now_s + CLOCK_AHEAD_MAX_S)
		return deny(err, -EINVAL, REFUSAL_BAD_ENTRY,
			    "Your clock is %llu minutes ahead of the server's: set the one that is "
			    "wrong and try again.",
			    (unsigned long long)(time_s - (uint64_t)now_s) / 60);
	return 0;
}

/* --- transactions ----------------------------------------------------------------------------- */

int registry_begin(struct registry *r, struct err *err)
{
	int e = db_begin(r->db, err);

	r->failed = false;
	return e < 0 && e != -EBUSY ? registry_fail(r, e, err) : e;
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

/* The transaction did not come about: memory is what the database holds. */
static void undo(struct registry *r, struct cluster *c)
{
	if (c->made) {
		registry_cluster_drop(r, c);
		return;
	}
	if (c->was_parted) {
		c->parted = true;
		registry_note(r, c, NOTE_PARTED); /* perhaps it was not written yet */
	}
	c->was_parted = false;
	if (c->log && mlog_rollback(c->log) < 0) {
		/* no memory: read again when it is asked for */
		mlog_free(c->log);
		c->log = NULL;
	}
}

static void undo_all(struct registry *r)
{
	list_for_each(it, &r->changed) {
		struct cluster *c = list_entry(it, struct cluster, changed);

		list_remove(&c->changed);
		undo(r, c);
	}
}

int registry_commit(struct registry *r, void (*fn)(void *ctx, struct cluster *c, uint64_t first),
		    void *ctx, struct err *err)
{
	bool changed, noted;
	int e;

	if (r->failed) {
		db_rollback(r->db);
		undo_all(r);
		return deny(err, -EIO, REFUSAL_INTERNAL, WRITE_FAILED);
	}
	noted = registry_notes_write(r);
	changed = db_has_written(r->db);
	e = changed ? mark_advance(r->mark, err) : 0;
	if (e == 0)
		e = db_commit(r->db, err);
	else
		db_rollback(r->db);
	if (e < 0) {
		undo_all(r);
		return registry_fail(r, e, err);
	}
	if (changed)
		mark_committed(r->mark);
	if (noted)
		registry_notes_written(r);
	list_for_each(it, &r->changed) {
		struct cluster *c = list_entry(it, struct cluster, changed);

		list_remove(&c->changed);
		c->made = c->was_parted = false;
		mlog_commit(c->log);
		fn(ctx, c, c->changed_from);
	}
	return changed;
}

/* --- setup ------------------------------------------------------------------------------------ */

/* Everything about genesis that the log's rules do not say. */
static int check_genesis(struct registry *r, const struct entry *e, struct err *err)
{
	ip4 next;
	int x;

	if (e->type != ENTRY_GENESIS)
		return deny(err, -EINVAL, REFUSAL_BAD_ENTRY, "The entry is not a genesis.");
	if (registry_count(r) >= CLUSTERS_MAX)
		return deny(err, -ENOSPC, REFUSAL_FULL, "This server holds %d clusters: no more.",
			    CLUSTERS_MAX);
	x = check_clock(r, e->time_s, err);
	if (x == 0)
		x = registry_subnet_check(r, e->genesis.subnet, err);
	if (x == 0)
		x = registry_next_address(r, e->genesis.subnet, &next, err);
	if (x == 0 && next != e->genesis.address)
		x = deny(err, -ESTALE, REFUSAL_STALE, "The address was taken meanwhile.");
	return x;
}

static int store_genesis(struct registry *r, int64_t code_id, const struct cluster *c,
			 const struct entry *e, struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);
	struct db_cluster row = { .subnet = c->subnet };
	int x;

	memcpy(row.id, c->id, sizeof(row.id));
	if ((x = db_savepoint(r->db, err)) < 0)
		return registry_fail(r, x, err);
	if ((x = db_cluster_add(r->db, &row, now_s, err)) == 0 &&
	    (x = db_code_burn(r->db, code_id, c->id, now_s, err)) == 0 &&
	    (x = db_record_add(r->db, c->id, 0, mlog_record(c->log, 0), err)) == 0)
		x = db_address_add(r->db, e->genesis.address, c->id, &e->author, err);
	db_savepoint_end(r->db, x == 0);
	if (x == -ESTALE)
		return deny(err, x, REFUSAL_USED_CODE, "The token has been used.");
	return x < 0 ? registry_fail(r, x, err) : 0;
}

int registry_setup(struct registry *r, int64_t code_id, const struct entry *e, struct span genesis,
		   struct err *err, struct cluster **ret)
{
	struct db_cluster d = { .subnet = e->genesis.subnet };
	struct cluster *c = NULL;
	int x = check_genesis(r, e, err);

	if (x < 0)
		return x;
	memcpy(d.id, e->hash, sizeof(d.id));
	c = registry_cluster_new(r, &d);
	if (c)
		c->log = mlog_new(r->map_seed);
	if (!c || !c->log) {
		x = deny(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
		goto fail;
	}
	x = mlog_found(c->log, genesis, err);
	if (x < 0)
		goto fail;
	/* memory first: it can be undone */
	x = registry_cluster_add(r, c, err);
	if (x < 0)
		return x;
	x = store_genesis(r, code_id, c, e, err);
	if (x < 0) {
		registry_cluster_drop(r, c);
		return x;
	}
	c->made = true;
	registry_note_change(r, c, 0);
	*ret = c;
	return 0;

fail:
	cluster_free(c);
	return x;
}
