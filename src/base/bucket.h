/* SPDX-License-Identifier: MIT */
/* Token bucket: the one way rates are limited. Time comes in as a parameter. */
#ifndef MLSH_BASE_BUCKET_H
#define MLSH_BASE_BUCKET_H

#include "base/bytes.h"

struct bucket {
	uint64_t rate_per_s; /* tokens gained a second */
	uint64_t burst;	     /* most tokens held */
	uint64_t level_x1e9; /* tokens held, times 10^9 */
	uint64_t updated;    /* ns */
};

/* Starts full. `burst` is at most 2^33. */
void bucket_init(struct bucket *b, uint64_t rate_per_s, uint64_t burst, uint64_t now);
/* Are n tokens there? */
bool bucket_has(struct bucket *b, uint64_t n, uint64_t now);
/* Takes n tokens if they are there. */
bool bucket_take(struct bucket *b, uint64_t n, uint64_t now);

#endif
