/* SPDX-License-Identifier: MIT */
/*
 * Finds the record in which somebody's log parts from ours: by halves, from what each page that
 * they show turns out to be. The page that begins behind a record of ours and goes on otherwise is
 * what mlog_take judges.
 */
#ifndef MLSH_MEMBERSHIP_SEARCH_H
#define MLSH_MEMBERSHIP_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

struct log_search {
	bool on;
	uint64_t ours;	 /* the last seq that is known to be the same */
	uint64_t theirs; /* the first that is known to be another one */
};

/* Their record `seq` does not follow ours. Begins a search, or narrows the one that is on. Returns
 * false if they contradict themselves. */
bool log_search_parted(struct log_search *s, uint64_t seq);
/* All of their records up to `seq` are ours. Returns false as above. */
bool log_search_same(struct log_search *s, uint64_t seq);
/* From where to ask next. */
uint64_t log_search_next(const struct log_search *s);

#endif
