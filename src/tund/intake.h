/* SPDX-License-Identifier: MIT */
/*
 * What a user hands over of a cluster, read in steps, with the help of what the daemon has of that
 * cluster already. Of the log only that is verified which the daemon's own lacks.
 */
#ifndef MLSH_TUND_INTAKE_H
#define MLSH_TUND_INTAKE_H

#include "tund/daemon.h"

struct intake;

/* `file` must stay as it is meanwhile. -ENOMEM. */
int intake_new(struct daemon *d, const char *cluster, const struct buf file[CONTROL_FILES],
	       struct err *err, struct intake **ret) MUST_CHECK;
/*
 * Returns 1 when all is read: then daemon_connect is to be called in the same turn. 0 if more steps
 * are needed; negative: what was handed over is not valid, and it is over.
 */
int intake_step(struct intake *in, struct err *err) MUST_CHECK;
struct tunnel_parts *intake_given(struct intake *in);
struct own_log *intake_own(struct intake *in);	 /* NULL: the daemon has none */
size_t intake_verified(const struct intake *in); /* records, so far */
void intake_free(struct intake *in);		 /* NULL allowed */

#endif
