/* SPDX-License-Identifier: MIT */
/*
 * A new key for this node, step by step: its seed is in `identity/<cluster>/next.seed` before the
 * entry that names it leaves the machine, and becomes the key only when the log says so. Whatever
 * ends the process in between, the node can go on with one of the two.
 */
#ifndef MLSH_CLIENT_ROTATION_H
#define MLSH_CLIENT_ROTATION_H

#include "client/store.h"

bool rotation_begun(struct host *h, const struct store *s, const char *cluster);
/* The next key: that of a rotation which was begun, or a new one, which is saved first. */
int rotation_next(struct host *h, const struct store *s, const char *cluster, struct identity **ret,
		  struct err *err) MUST_CHECK;
/*
 * Puts the next key in place of the one before, if it is the key in force of a member by `l`.
 * Returns 1 if it is in place now, 0 if nothing was begun or the log lacks its entry.
 */
int rotation_settle(struct host *h, const struct store *s, const char *cluster,
		    const struct mlog *l, struct err *err) MUST_CHECK;

#endif
