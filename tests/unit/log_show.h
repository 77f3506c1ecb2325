/* SPDX-License-Identifier: MIT */
/* What the tests of mlog_take share: a log, and showing a part of one to another. */
#ifndef MLSH_TESTS_LOG_SHOW_H
#define MLSH_TESTS_LOG_SHOW_H

#include "log_kit.h"
#include "proto/signal.h"

/* Shows the records of `from` between two places to `l`. */
static inline struct mlog_take show(struct mlog *l, const struct mlog *from, uint64_t begin,
				    uint64_t end)
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

static inline void equal(const struct mlog *a, const struct mlog *b)
{
	struct head x = mlog_head(a), y = mlog_head(b);

	ck_assert_uint_eq(x.seq, y.seq);
	ck_assert_mem_eq(x.hash, y.hash, HASH_LEN);
}

#endif
