/* SPDX-License-Identifier: MIT */
/*
 * A new key for this node, step by step: its seed is in `identity/<cluster>/next.seed` before the
 * entry that names it leaves the machine, and becomes the key only when the log says so. Whatever
 * ends the process in between, the node can go on with one of the two. The earlier keys are kept
 * in `before.seeds`, since a recovery may go back behind a rotation: one of them is then in force.
 */
#ifndef MLSH_CLIENT_ROTATION_H
#define MLSH_CLIENT_ROTATION_H

#include "client/store.h"

struct identity;

bool rotation_begun(struct host *h, const struct store *s, const char *cluster);
/* The next key: that of a rotation which was begun, or a new one, which is saved first. */
int rotation_next(struct host *h, const struct store *s, const char *cluster, struct identity **ret,
		  struct err *err) MUST_CHECK;
/* Is there a key that the log might say is in force in place of the one that this node uses? */
bool rotation_has_others(struct host *h, const struct store *s, const char *cluster);
/*
 * Puts the key in place that is in force of a member by `l`: the next one, or, if a recovery
 * dropped the rotation, an earlier one. Returns 1 if another key is in place now, else 0.
 */
int rotation_settle(struct host *h, const struct store *s, const char *cluster,
		    const struct mlog *l, struct err *err) MUST_CHECK;

/*
 * The keys that this node might have in force besides `own`, one after the other: `n` is 0 for the
 * next one of a rotation that was begun, or else the newest of those before. A server knows a node
 * by its key, and may know more of the log than this node. -ENOENT without a message: there are no
 * more.
 */
int rotation_other(struct host *h, const struct store *s, const char *cluster,
		   const struct identity *own, size_t n, struct identity **ret, struct err *err)
	MUST_CHECK;

#endif
