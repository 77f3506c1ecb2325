/* SPDX-License-Identifier: MIT */
/* Which path a connection should use (docs/protocol/06-paths.md, "Which path"). Pure. */
#ifndef MLSH_OVERLAY_CHOOSE_H
#define MLSH_OVERLAY_CHOOSE_H

#include "overlay/reach/pathset.h"

/* Would `a` be used rather than `b` if neither were in use? */
bool choose_before(const struct path *a, const struct path *b);
/* Where to move to by choice: a path proven on both sides; NULL: stay. Client role only. */
struct path *choose_better(struct pathset *ps, uint64_t now);
/* Where to flee to when the path in use is dead: the best that answers, the relay at last. */
struct path *choose_fallback(struct pathset *ps, uint64_t now);

#endif
