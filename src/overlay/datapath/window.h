/* SPDX-License-Identifier: MIT */
/* Which counters of a sender have been seen, so that nothing is taken twice. */
#ifndef MLSH_OVERLAY_WINDOW_H
#define MLSH_OVERLAY_WINDOW_H

#include "base/bytes.h"

#define WINDOW_LEN 8192 /* counters behind the highest that may still come */

/* All zero before the first one. */
struct window {
	uint64_t next; /* highest counter seen, plus one; or 0 */
	uint64_t seen[WINDOW_LEN / 64];
};

/* Neither seen nor too old. */
bool window_allows(const struct window *w, uint64_t counter);
/* Only for counters that are allowed. */
void window_take(struct window *w, uint64_t counter);

#endif
