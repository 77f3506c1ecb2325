/* SPDX-License-Identifier: AGPL-3.0-only */
/* Membership logs as the database keeps them. */
#include "signal/stored.h"

#include <stdio.h>

/* Takes each record when the next one has come, since the last one is verified in another way. */
struct loading {
	struct mlog *log;
	struct err *err;
	struct record_bytes last;
};

static int damaged(struct err *err, uint64_t seq)
{
	(void)err_prefix(err, "record %llu", (unsigned long long)seq);
	if (err)
		err->code = -EIO;
	return -EIO;
}

static int load_last(struct loading *l, bool is_end)
{
	struct span bytes = span_of(l->last.data, l->last.len);
	uint64_t seq = mlog_count(l->log);
	struct mlog_take take;

	if (!is_end)
		return mlog_reload(l->log, bytes, l->err) < 0 ? damaged(l->err, seq) : 0;
	mlog_take(l->log, &bytes, 1, &take);
	if (take.result == TAKEN && take.added == 1)
		return 0;
	if (l->err)
		*l->err = take.why;
	return damaged(l->err, seq);
}

static int load_record(void *ctx, uint64_t seq, struct span record)
{
	struct loading *l = ctx;
	int r = l->last.len > 0 ? load_last(l, false) : 0;

	if (r < 0)
		return r;
	if (seq != mlog_count(l->log))
		return err_set(l->err, -EIO, "record %zu is missing.", mlog_count(l->log));
	if (record.len == 0 || record.len > sizeof(l->last.data))
		return err_set(l->err, -EIO, "record %llu is damaged.", (unsigned long long)seq);
	memcpy(l->last.data, record.data, record.len);
	l->last.len = record.len;
	return 0;
}

int stored_log(struct db *db, const uint8_t cluster_id[HASH_LEN], const uint8_t map_seed[16],
	       struct err *err, struct mlog **ret)
{
	struct loading l = { .log = mlog_new(map_seed), .err = err };
	int r;

	if (!l.log)
		return err_set(err, -ENOMEM, "out of memory.");
	r = db_records(db, cluster_id, load_record, &l, err);
	if (r == 0 && l.last.len > 0)
		r = load_last(&l, true);
	if (r == 0 &&
	    (mlog_count(l.log) == 0 || memcmp(mlog_cluster_id(l.log), cluster_id, HASH_LEN) != 0))
		r = err_set(err, -EIO, "its genesis is missing or another cluster's.");
	if (r < 0) {
		mlog_free(l.log);
		return r;
	}
	mlog_commit(l.log);
	*ret = l.log;
	return 0;
}

/* Ends the walk at the first record. */
static int name_record(void *ctx, uint64_t seq, struct span record)
{
	struct record r;
	struct entry e;

	if (seq == 0 && record_decode(record, &r, NULL) == 0 &&
	    entry_decode(r.entry, &e, NULL) == 0 && e.type == ENTRY_GENESIS)
		snprintf(ctx, LABEL_MAX + 1, "%s", e.genesis.name);
	return -ECANCELED;
}

void stored_name(struct db *db, const uint8_t cluster_id[HASH_LEN], char ret[LABEL_MAX + 1])
{
	ret[0] = '\0';
	if (db_records(db, cluster_id, name_record, ret, NULL) < 0)
		return; /* each walk ends so */
}
