/* SPDX-License-Identifier: MIT */
/* What a tunnel is made of, read and checked in steps: a long log takes seconds. */
#ifndef MLSH_TUND_PARTS_READING_H
#define MLSH_TUND_PARTS_READING_H

#include "tund/state.h"

struct parts_reading;

/* Of a cluster that the daemon keeps. As state_open_parts. */
int parts_reading_kept(struct host *h, const char *state_dir, const char *cluster, struct err *err,
		       struct parts_reading **ret) MUST_CHECK;
/*
 * Of what a user hands over. What the log `known` (verified, or NULL) has, too, is not verified
 * again. Both must stay as they are meanwhile.
 */
int parts_reading_given(struct host *h, const struct buf file[CONTROL_FILES],
			const struct mlog *known, struct err *err, struct parts_reading **ret)
	MUST_CHECK;
/* Returns 1 with the parts, 0 if more steps are needed, or a negative errno; then it is over. */
int parts_reading_step(struct parts_reading *r, struct tunnel_parts *ret, struct err *err)
	MUST_CHECK;
size_t parts_reading_verified(const struct parts_reading *r); /* records, of those handed over */
void parts_reading_free(struct parts_reading *r);	      /* wipes; NULL allowed */

#endif
