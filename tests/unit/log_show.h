/* SPDX-License-Identifier: MIT */
/* What the tests of mlog_take share: a log, and showing a part of one to another. */
#ifndef MLSH_TESTS_LOG_SHOW_H
#define MLSH_TESTS_LOG_SHOW_H

#include "log_kit.h"
#include "proto/signal.h"

/* Shows the records of `from` between two places to `l`. */
struct mlog_take log_show(struct mlog *l, const struct mlog *from, uint64_t begin, uint64_t end);

void log_equal(const struct mlog *a, const struct mlog *b);

#endif
