/* SPDX-License-Identifier: MIT */
/*
 * The token bucket. Levels are kept in billionths of a token, so that no nanosecond is lost to
 * rounding.
 */
#include "base/bucket.h"

#define SCALE NS_PER_S /* units in a token; n tokens a second are n units a nanosecond */
#define BURST_MAX (UINT64_C(1) << 33) /* times SCALE it still fits into 64 bits */

void bucket_init(struct bucket *b, uint64_t rate_per_s, uint64_t burst, uint64_t now)
{
	b->rate_per_s = rate_per_s;
	b->burst = MIN(burst, BURST_MAX);
	b->level_x1e9 = b->burst * SCALE;
	b->updated = now;
}

static void bucket_refill(struct bucket *b, uint64_t now)
{
	uint64_t missing = b->burst * SCALE - b->level_x1e9;
	uint64_t elapsed_ns;

	if (now <= b->updated)
		return;
	elapsed_ns = now - b->updated;
	b->updated = now;
	if (b->rate_per_s == 0)
		return;
	/*
	 * divided rather than multiplied: the product of a long pause and a high rate does not fit
	 */
	if (elapsed_ns > missing / b->rate_per_s)
		b->level_x1e9 += missing;
	else
		b->level_x1e9 += elapsed_ns * b->rate_per_s;
}

bool bucket_has(struct bucket *b, uint64_t n, uint64_t now)
{
	bucket_refill(b, now);
	return n <= b->burst && n * SCALE <= b->level_x1e9;
}

bool bucket_take(struct bucket *b, uint64_t n, uint64_t now)
{
	if (!bucket_has(b, n, now))
		return false;
	b->level_x1e9 -= n * SCALE;
	return true;
}
