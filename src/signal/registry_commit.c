/* SPDX-License-Identifier: AGPL-3.0-only */
/* Transactions over clusters: what is in memory is what the database holds. */
#include "signal/registry_internal.h"

int registry_begin(struct registry *r, struct err *err)
{
	int e = db_begin(r->db, err);

	r->failed = false;
	return e < 0 && e != -EBUSY ? registry_fail(r, e, err) : e;
}

/* The transaction has failed: puts memory back to what the database holds. */
static void undo(struct registry *r, struct cluster *c)
{
	if (c->made) {
		registry_cluster_drop(r, c);
		return;
	}
	if (c->was_parted) {
		c->parted = true;
		registry_note(r, c, NOTE_PARTED); /* in case it was not written yet */
	}
	c->was_parted = false;
	if (c->log && mlog_rollback(c->log) < 0) {
		/* no memory: registry_log reads it again */
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
		return refuse(err, -EIO, REFUSAL_INTERNAL, WRITE_FAILED);
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
