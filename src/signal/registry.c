/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters, their logs, and the allocation of addresses. */
#include "signal/registry.h"

#include <stdlib.h>

#include "base/map.h"
#include "signal/stored.h"

struct registry {
	struct host *host;
	struct db *db;
	struct mark *mark;
	struct map *clusters;
	struct list changed; /* clusters with uncommitted changes */
	uint8_t map_seed[16];
	struct log_limit failures;
};

int deny(struct err *err, int code, enum refusal reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_set_va(err, code, (int)reason, fmt, ap);
	va_end(ap);
	return code;
}

/*
 * What the database says is for the operator's log, once a second: all requests that wait fail for
 * the same reason. A stranger learns that it failed.
 */
static int registry_fail(struct registry *r, int code, struct err *err)
{
	log_limited(host_log(r->host), &r->failures, clock_now(r->host), LOG_LEVEL_ERROR, "%s",
		    err->text);
	return deny(err, code, REFUSAL_INTERNAL,
		    "The server could not write to its database; try again later.");
}

/* --- reading ---------------------------------------------------------------------------------- */

static int cluster_load(struct registry *r, struct cluster *c, struct err *err)
{
	return stored_log(r->db, c->id, r->map_seed, err, &c->log);
}

static void cluster_free(struct cluster *c)
{
	if (!c)
		return;
	mlog_free(c->log);
	presence_free(c->presence);
	free(c);
}

static struct cluster *cluster_new(struct registry *r, const struct db_cluster *d)
{
	struct cluster *c = calloc(1, sizeof(*c));
	uint8_t epoch[EPOCH_LEN];

	if (!c)
		return NULL;
	memcpy(c->id, d->id, sizeof(c->id));
	c->subnet = d->subnet;
	list_init(&c->subscribers);
	list_init(&c->changed);
	random_fill(r->host, epoch, sizeof(epoch));
	c->presence = presence_new(r->map_seed, epoch);
	if (!c->presence) {
		cluster_free(c);
		return NULL;
	}
	return c;
}

static int load_cluster(void *ctx, const struct db_cluster *d)
{
	struct registry *r = ctx;
	struct cluster *c = cluster_new(r, d);
	char id[17];
	struct err err;

	if (!c || map_put(r->clusters, c->id, c) < 0) {
		cluster_free(c);
		return -ENOMEM;
	}
	if (cluster_load(r, c, &err) < 0) {
		hex_encode(c->id, 8, id);
		log_error(host_log(r->host), "the log of cluster %s cannot be read: %s", id,
			  err.text);
	}
	return 0;
}

int registry_new(struct host *h, struct db *db, struct mark *mark, struct err *err,
		 struct registry **ret)
{
	struct registry *r = calloc(1, sizeof(*r));
	int e = -ENOMEM;

	if (!r)
		goto no_memory;
	r->host = h;
	r->db = db;
	r->mark = mark;
	list_init(&r->changed);
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

bool registry_is_member(const struct cluster *c, const struct node_id *id,
			const uint8_t key[KEY_LEN])
{
	const struct member *m = c->log ? roster_by_id(mlog_roster(c->log), id, ROSTER_CURRENT)
					: NULL;

	return m && memcmp(m->key, key, KEY_LEN) == 0;
}

bool registry_is_known(const struct registry *r, const struct node_id *id,
		       const uint8_t key[KEY_LEN])
{
	void *c;

	for (size_t pos = 0; map_next(r->clusters, &pos, &c);)
		if (registry_is_member(c, id, key))
			return true;
	return false;
}

struct key_acceptance registry_key_acceptance(const struct registry *r, const uint8_t key[HASH_LEN])
{
	struct key_acceptance a = { 0 };
	void *value;

	for (size_t pos = 0; map_next(r->clusters, &pos, &value);) {
		const struct cluster *c = value;

		if (!c->log)
			continue;
		a.clusters++;
		if (memcmp(mlog_genesis(c->log)->signal_key, key, HASH_LEN) == 0)
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

/*
 * An entry of a log brings its address along. It may leave a gap, because other clusters of the
 * subnet have their part, but must not use up the addresses of them all.
 */
static int check_pushed_address(struct registry *r, struct prefix4 subnet, ip4 address,
				struct err *err)
{
	ip4 highest = 0;
	int e = db_address_highest(r->db, subnet, &highest, err);

	if (e < 0)
		return registry_fail(r, e, err);
	if (highest == 0)
		highest = prefix4_first(subnet) - 1;
	if (address > (uint64_t)highest + PUSH_GAP_MAX)
		return deny(err, -EINVAL, REFUSAL_BAD_ENTRY,
			    "The entry takes an address too far above all that were given out.");
	return 0;
}

/* The joiner's address is the next one, unless the entry comes from a log. */
static int check_address(struct registry *r, struct prefix4 subnet, ip4 address, bool from_log,
			 struct err *err)
{
	ip4 next;
	int e;

	if (from_log)
		return check_pushed_address(r, subnet, address, err);
	e = registry_next_address(r, subnet, &next, err);
	if (e == 0 && next != address)
		e = deny(err, -ESTALE, REFUSAL_STALE, "The address was taken meanwhile.");
	return e;
}

/* Time never runs backwards in a log: one clock that is ahead would hold up all others. */
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

	return e < 0 && e != -EBUSY ? registry_fail(r, e, err) : e;
}

static void note_change(struct registry *r, struct cluster *c, uint64_t first)
{
	if (!list_empty(&c->changed))
		return;
	c->changed_from = first;
	list_append(&r->changed, &c->changed);
}

/* The transaction did not come about: memory is what the database holds. */
static void forget_log(struct cluster *c)
{
	mlog_free(c->log);
	c->log = NULL;
}

static void undo_all(struct registry *r)
{
	list_for_each(it, &r->changed) {
		struct cluster *c = list_entry(it, struct cluster, changed);

		list_remove(&c->changed);
		if (c->made) {
			map_remove(r->clusters, c->id);
			cluster_free(c);
		} else {
			forget_log(c);
		}
	}
}

int registry_commit(struct registry *r, void (*fn)(void *ctx, struct cluster *c, uint64_t first),
		    void *ctx, struct err *err)
{
	bool changed = !list_empty(&r->changed);
	int e = changed ? mark_advance(r->mark, err) : 0;

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
	list_for_each(it, &r->changed) {
		struct cluster *c = list_entry(it, struct cluster, changed);

		list_remove(&c->changed);
		c->made = false;
		fn(ctx, c, c->changed_from);
	}
	return 0;
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
			 const struct entry *e, struct span genesis, struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);
	struct db_cluster row = { .subnet = c->subnet };
	int x;

	memcpy(row.id, c->id, sizeof(row.id));
	if ((x = db_savepoint(r->db, err)) < 0)
		return registry_fail(r, x, err);
	if ((x = db_cluster_add(r->db, &row, now_s, err)) == 0 &&
	    (x = db_code_burn(r->db, code_id, c->id, now_s, err)) == 0 &&
	    (x = db_entry_add(r->db, c->id, 0, genesis, err)) == 0)
		x = db_address_add(r->db, e->genesis.address, c->id, &e->author, err);
	db_savepoint_end(r->db, x == 0);
	if (x == -ESTALE)
		return deny(err, x, REFUSAL_USED_CODE, "The token has been used.");
	return x < 0 ? registry_fail(r, x, err) : 0;
}

int registry_setup(struct registry *r, int64_t code_id, struct span genesis, struct err *err,
		   struct cluster **ret)
{
	struct db_cluster d;
	struct cluster *c = NULL;
	struct entry e;
	int x = entry_decode(genesis, &e, err);

	if (x < 0) {
		if (err && err->reason == 0)
			err->reason = REFUSAL_BAD_ENTRY;
		return x;
	}
	x = check_genesis(r, &e, err);
	if (x < 0)
		return x;
	memcpy(d.id, e.hash, sizeof(d.id));
	d.subnet = e.genesis.subnet;
	c = cluster_new(r, &d);
	if (c)
		c->log = mlog_new(r->map_seed);
	if (!c || !c->log) {
		x = deny(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
		goto fail;
	}
	x = mlog_append(c->log, genesis, err);
	if (x < 0) {
		if (err && err->reason == 0)
			err->reason = REFUSAL_BAD_ENTRY;
		goto fail;
	}
	/* memory first: it can be undone */
	x = map_put(r->clusters, c->id, c);
	if (x < 0) {
		x = deny(err, x, REFUSAL_INTERNAL, "The server cannot hold another cluster.");
		goto fail;
	}
	x = store_genesis(r, code_id, c, &e, genesis, err);
	if (x < 0) {
		map_remove(r->clusters, c->id);
		goto fail;
	}
	c->made = true;
	note_change(r, c, 0);
	*ret = c;
	return 0;

fail:
	cluster_free(c);
	return x;
}

/* --- appending -------------------------------------------------------------------------------- */

/* Stores an entry that follows the log's head, in the open transaction, then in memory. */
static int append_one(struct registry *r, struct cluster *c, struct span bytes, bool from_log,
		      struct err *err)
{
	struct entry e;
	int x = mlog_check(c->log, bytes, err);

	if (x == 0)
		x = entry_decode(bytes, &e, err);
	if (x < 0)
		return x;
	x = check_clock(r, e.time_s, err);
	if (x == 0 && e.type == ENTRY_ADMIT)
		x = check_address(r, c->subnet, e.admit.address, from_log, err);
	if (x < 0)
		return x;
	x = db_entry_add(r->db, c->id, e.seq, bytes, err);
	if (x == 0 && e.type == ENTRY_ADMIT) {
		x = db_address_add(r->db, e.admit.address, c->id, &e.author, err);
		if (x == -EEXIST && from_log) {
			log_warn(host_log(r->host), "an address that a log holds was given out "
						    "before: the database is older than the log");
			x = 0;
		}
	}
	if (x < 0)
		return registry_fail(r, x == -EEXIST ? -EIO : x, err);
	x = mlog_append(c->log, bytes, err);
	return x < 0 ? registry_fail(r, x, err) : 0;
}

static bool is_internal(const struct err *err)
{
	return err->reason == REFUSAL_INTERNAL;
}

int registry_append(struct registry *r, struct cluster *c, const struct span *entries, size_t n,
		    bool from_log, size_t *ret_added, struct err *err)
{
	struct mlog *log = NULL;
	uint64_t first;
	size_t added = 0;
	bool undo;
	int x = registry_log(r, c, &log, err);

	if (x < 0)
		return x;
	x = db_savepoint(r->db, err);
	if (x < 0)
		return registry_fail(r, x, err);
	first = mlog_count(log);
	for (size_t i = 0; i < n; i++) {
		x = append_one(r, c, entries[i], from_log, err);
		if (x == -EEXIST)
			x = 0;
		else if (x == 0)
			added++;
		else
			break;
	}
	undo = x < 0 && is_internal(err);
	db_savepoint_end(r->db, !undo);
	if (undo) {
		forget_log(c);
		return x;
	}
	if (added > 0)
		note_change(r, c, first);
	*ret_added = added;
	return x;
}
