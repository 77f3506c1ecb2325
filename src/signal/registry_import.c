/* SPDX-License-Identifier: AGPL-3.0-only */
/* Clusters of other servers: their logs are taken over. */
#include <stdlib.h>

#include "signal/registry_internal.h"

/*
 * Notes the addresses of the log, so that this server does not give them again. It does not note
 * one that lies far above all that it gave: that would use up the subnet for the other clusters,
 * and the log of this cluster keeps the address from being given twice.
 */
static int note_addresses(struct registry *r, const struct cluster *c, struct err *err)
{
	const struct member *m = NULL;
	size_t elsewhere = 0;
	uint64_t limit;
	ip4 highest = 0;
	int x = db_address_highest(r->db, c->subnet, &highest, err);

	if (highest == 0)
		highest = prefix4_first(c->subnet) - 1;
	/* counted from what this server gave, since the addresses of the log may lie far apart */
	limit = (uint64_t)highest + PUSH_GAP_MAX + roster_count(mlog_roster(c->log), ROSTER_ALL);
	while (x == 0 && (m = roster_next(mlog_roster(c->log), m, ROSTER_ALL))) {
		if (m->address > limit)
			continue;
		x = db_address_add(r->db, m->address, c->id, &m->id, err);
		if (x == -EEXIST) {
			elsewhere++;
			x = 0;
		}
	}
	if (x == 0 && elsewhere > 0)
		log_warn(host_log(r->host),
			 "cluster %s: %zu of its addresses were given by this server, too: a "
			 "machine can be in only one of the clusters that share one",
			 mlog_genesis(c->log)->name, elsewhere);
	return x;
}

static int store_import(struct registry *r, int64_t code_id, const struct cluster *c,
			struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);
	struct db_cluster row = { .subnet = c->subnet };
	int x;

	memcpy(row.id, c->id, sizeof(row.id));
	if ((x = db_savepoint(r->db, err)) < 0)
		return registry_fail(r, x, err);
	if ((x = db_cluster_add(r->db, &row, now_s, err)) == 0)
		x = db_code_burn(r->db, code_id, c->id, now_s, err);
	for (uint64_t seq = 0; x == 0 && seq < mlog_count(c->log); seq++)
		x = db_record_add(r->db, c->id, seq, mlog_record(c->log, seq), err);
	if (x == 0)
		x = note_addresses(r, c, err);
	db_savepoint_end(r->db, x == 0);
	if (x == -ESTALE)
		return refuse(err, x, REFUSAL_USED_CODE, "The token has been used.");
	return x < 0 ? registry_fail(r, x, err) : 0;
}

static int import_new(struct registry *r, int64_t code_id, struct mlog **log, struct err *err)
{
	struct db_cluster d = { .subnet = mlog_genesis(*log)->subnet };
	struct cluster *c;
	int x;

	if (registry_count(r) >= CLUSTERS_MAX)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "This server holds %d clusters: no more.",
			      CLUSTERS_MAX);
	x = registry_subnet_check(r, d.subnet, err);
	if (x < 0)
		return x;
	memcpy(d.id, mlog_cluster_id(*log), sizeof(d.id));
	c = registry_cluster_new(r, &d);
	if (!c)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
	c->log = *log;
	*log = NULL;
	c->seen = roster_now(mlog_roster(c->log)); /* these are not changes of this moment */
	x = registry_cluster_add(r, c, err);
	if (x < 0)
		return x;
	x = store_import(r, code_id, c, err);
	if (x < 0) {
		registry_cluster_drop(r, c);
		return x;
	}
	c->made = true;
	registry_note_change(r, c, 0);
	log_info(host_log(r->host), "cluster %s came from another server, with %zu records",
		 mlog_genesis(c->log)->name, mlog_count(c->log));
	return 0;
}

/*
 * The cluster is here already, from an earlier attempt or from before: its log gets what it lacks.
 */
static int import_known(struct registry *r, int64_t code_id, struct cluster *c,
			const struct mlog *log, struct err *err)
{
	struct wire_entries *page = malloc(sizeof(*page));
	struct registry_taken taken;
	int x = page ? 0 : refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");

	for (uint64_t from = 0; x == 0 && from < mlog_count(log); from += page->n) {
		mlog_page(log, from, page);
		if (page->n == 0)
			break;
		x = registry_take(r, c, page->item, page->n, &taken, err);
		if (err->reason == REFUSAL_STALE) /* the log here has more: a recovery */
			x = 0;
	}
	free(page);
	if (x == 0 && code_id != 0) {
		x = db_code_burn(r->db, code_id, c->id, clock_wall_s(r->host), err);
		if (x == -ESTALE)
			return refuse(err, x, REFUSAL_USED_CODE, "The token has been used.");
		if (x < 0)
			return registry_write_fail(r, x, err);
	}
	return x;
}

/* A log whose last record is dated years ahead would never get another record here. */
static int check_dates(const struct registry *r, const struct mlog *log, struct err *err)
{
	uint64_t now_s = (uint64_t)MAX(clock_wall_s(r->host), 0), last_s = mlog_last_time_s(log);

	if (last_s <= now_s + CLOCK_AHEAD_MAX_S)
		return 0;
	return refuse(
		err, -ETIME, REFUSAL_AHEAD,
		"The log's last record is dated %llu minutes ahead of this server's clock: set "
		"the clock that is wrong, or recover the cluster on a machine that lacks it.",
		(unsigned long long)(last_s - now_s) / 60);
}

int registry_import(struct registry *r, int64_t code_id, struct mlog **log, struct err *err)
{
	struct cluster *c = registry_find(r, mlog_cluster_id(*log));
	int x = check_dates(r, *log, err);

	if (x < 0)
		return x;
	return c ? import_known(r, code_id, c, *log, err) : import_new(r, code_id, log, err);
}
