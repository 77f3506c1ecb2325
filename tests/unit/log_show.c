/* SPDX-License-Identifier: MIT */
/* Shows a part of one log to another. */
#include "log_show.h"

struct mlog_take log_show(struct mlog *l, const struct mlog *from, uint64_t begin, uint64_t end)
{
	struct span records[64];
	struct mlog_take t;
	size_t n = 0;

	for (uint64_t seq = begin; seq < end; seq++)
		records[n++] = mlog_record(from, seq);
	mlog_take(l, records, n, &t);
	mlog_commit(l);
	return t;
}

void log_equal(const struct mlog *a, const struct mlog *b)
{
	struct head x = mlog_head(a), y = mlog_head(b);

	ck_assert_uint_eq(x.seq, y.seq);
	ck_assert_mem_eq(x.hash, y.hash, HASH_LEN);
}
