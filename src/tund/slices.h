/* SPDX-License-Identifier: MIT */
/*
 * Work that takes long, such as verifying a membership log, in slices of a few milliseconds. Of all
 * such work together one slice is done at a time, with a pause before the next one, in which the
 * loop serves everything else: packets, sessions, other callers.
 */
#ifndef MLSH_TUND_SLICES_H
#define MLSH_TUND_SLICES_H

#include "base/list.h"
#include "os/loop.h"

/* One piece of work. It belongs to its owner, who takes it out when it is done. */
struct slice_job {
	struct list link;
	loop_fn fn; /* does a slice; may take its job out and free anything */
	void *ctx;
};

struct slices {
	struct timer *timer;
	struct list jobs; /* whose turn it is comes first */
};

int slices_init(struct slices *s, struct host *h) MUST_CHECK; /* -ENOMEM */
void slices_end(struct slices *s);			      /* zeroed allowed */
/* The job gets its first slice after a pause. Does nothing if it is there already. */
void slices_add(struct slices *s, struct slice_job *job);
void slices_remove(struct slice_job *job); /* allowed when it is not there */

#endif
