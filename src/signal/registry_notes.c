/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Notes of the database about clusters, beside their logs: which ones wait, and which ones have two
 * logs.
 */
#include "signal/registry_internal.h"

void registry_note(struct registry *r, struct cluster *c, enum registry_note note)
{
	if (note == NOTE_WAIT_BEGIN)
		c->notes &= ~(unsigned)NOTE_WAIT_END;
	if (note == NOTE_WAIT_END)
		c->notes &= ~(unsigned)NOTE_WAIT_BEGIN;
	c->notes |= (unsigned)note;
	if (list_empty(&c->noted))
		list_append(&r->noted, &c->noted);
}

bool registry_has_notes(const struct registry *r)
{
	return !list_empty(&r->noted);
}

static int write_notes(struct registry *r, const struct cluster *c, struct err *err)
{
	int64_t now_s = clock_wall_s(r->host);
	int x = 0;

	if (c->notes & NOTE_PARTED)
		x = db_parted_begin(r->db, c->id, now_s, err);
	if (x == 0 && (c->notes & NOTE_WAIT_BEGIN))
		x = db_waiting_begin(r->db, c->id, now_s, &c->missing, err);
	if (x == 0 && (c->notes & NOTE_WAIT_END))
		x = db_waiting_end(r->db, c->id, err);
	return x;
}

/* If it fails, the rest of the transaction is committed all the same. */
bool registry_notes_write(struct registry *r)
{
	struct err err = { 0 };
	int x;

	if (list_empty(&r->noted))
		return false;
	x = db_savepoint(r->db, &err);
	if (x == 0) {
		list_for_each(it, &r->noted)
			if (x == 0)
				x = write_notes(r, list_entry(it, struct cluster, noted), &err);
		db_savepoint_end(r->db, x == 0);
	}
	if (x < 0)
		(void)registry_fail(r, x, &err);
	return x == 0;
}

void registry_notes_written(struct registry *r)
{
	list_for_each(it, &r->noted) {
		struct cluster *c = list_entry(it, struct cluster, noted);

		list_remove(&c->noted);
		if (c->notes & NOTE_WAIT_END)
			c->wait_until = 0;
		if ((c->notes & NOTE_WAIT_END) && c->log)
			log_info(host_log(r->host),
				 "cluster %s: an admin has shown its log, and no node knows of "
				 "more; the server goes on from there",
				 mlog_genesis(c->log)->name);
		c->notes = 0;
	}
}
