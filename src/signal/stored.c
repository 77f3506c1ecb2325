/* SPDX-License-Identifier: AGPL-3.0-only */
/* Membership logs as the database keeps them. */
#include "signal/stored.h"

#include <stdio.h>

struct loading {
	struct mlog *log;
	struct err *err;
};

static int load_entry(void *ctx, uint64_t seq, struct span entry)
{
	struct loading *l = ctx;
	int r;

	if (seq != mlog_count(l->log))
		return err_set(l->err, -EIO, "entry %zu is missing.", mlog_count(l->log));
	r = mlog_append(l->log, entry, l->err);
	return r < 0 ? err_prefix(l->err, "entry %llu", (unsigned long long)seq) : 0;
}

int stored_log(struct db *db, const uint8_t cluster_id[HASH_LEN], const uint8_t map_seed[16],
	       struct err *err, struct mlog **ret)
{
	struct loading l = { .log = mlog_new(map_seed), .err = err };
	int r;

	if (!l.log)
		return err_set(err, -ENOMEM, "out of memory.");
	r = db_entries(db, cluster_id, load_entry, &l, err);
	if (r == 0 &&
	    (mlog_count(l.log) == 0 || memcmp(mlog_cluster_id(l.log), cluster_id, HASH_LEN) != 0))
		r = err_set(err, -EIO, "its genesis is missing or another cluster's.");
	if (r < 0)
		mlog_free(l.log);
	else
		*ret = l.log;
	return r;
}

/* Ends the walk at the first entry. */
static int name_entry(void *ctx, uint64_t seq, struct span entry)
{
	struct entry e;

	if (seq == 0 && entry_decode(entry, &e, NULL) == 0 && e.type == ENTRY_GENESIS)
		snprintf(ctx, LABEL_MAX + 1, "%s", e.genesis.name);
	return -ECANCELED;
}

void stored_name(struct db *db, const uint8_t cluster_id[HASH_LEN], char ret[LABEL_MAX + 1])
{
	ret[0] = '\0';
	if (db_entries(db, cluster_id, name_entry, ret, NULL) < 0)
		return; /* each walk ends so */
}
