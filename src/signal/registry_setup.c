/* SPDX-License-Identifier: AGPL-3.0-only */
/* A new cluster: its genesis is checked and stored. */
#include "signal/registry_internal.h"

/* Genesis is record 0: a clock that is ahead would hold up all that follow. */
static int check_clock(struct registry *r, uint64_t time_s, struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);

	if (time_s > (uint64_t)now_s + CLOCK_AHEAD_MAX_S)
		return refuse(
			err, -EINVAL, REFUSAL_BAD_ENTRY,
			"Your clock is %llu minutes ahead of the server's: set the one that is "
			"wrong and try again.",
			(unsigned long long)(time_s - (uint64_t)now_s) / 60);
	return 0;
}

/* Checks everything about genesis that the rules of the log do not. */
static int check_genesis(struct registry *r, const struct entry *e, struct err *err)
{
	ip4 next;
	int x;

	if (e->type != ENTRY_GENESIS)
		return refuse(err, -EINVAL, REFUSAL_BAD_ENTRY, "The entry is not a genesis.");
	if (registry_count(r) >= CLUSTERS_MAX)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "This server holds %d clusters: no more.",
			      CLUSTERS_MAX);
	x = check_clock(r, e->time_s, err);
	if (x == 0)
		x = registry_subnet_check(r, e->genesis.subnet, err);
	if (x == 0)
		x = registry_next_address(r, e->genesis.subnet, &next, err);
	if (x == 0 && next != e->genesis.address)
		x = refuse(err, -ESTALE, REFUSAL_STALE, "The address was taken meanwhile.");
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
		return refuse(err, x, REFUSAL_USED_CODE, "The token has been used.");
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
		x = refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
		goto fail;
	}
	x = mlog_found(c->log, genesis, err);
	if (x < 0)
		goto fail;
	/* memory first, since that can be undone */
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
	registry_cluster_free(c);
	return x;
}
