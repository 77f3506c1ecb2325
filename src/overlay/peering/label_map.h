/* SPDX-License-Identifier: MIT */
/*
 * Labels of paths, which are never used again, and the paths of handshakes that others began: they
 * stay here until the connection belongs to a peer. Pure.
 */
#ifndef MLSH_OVERLAY_LABEL_MAP_H
#define MLSH_OVERLAY_LABEL_MAP_H

#include "base/addr.h"
#include "quic/quic.h"

#define PENDING_PATHS 128 /* more than there are handshakes of others at once */

struct pending_path {
	path_label label; /* 0: the place was never used */
	struct addr from, local;
	unsigned users; /* connections on this path that belong to nobody yet */
};

struct label_map {
	path_label last;
	struct pending_path pending[PENDING_PATHS];
	size_t next; /* place to look at first */
};

/* Returns a label that was never used before. */
path_label label_new(struct label_map *m);
/*
 * Returns the label of the path from `from` to our address `local`, for one connection more. The
 * place of a path that is in use is not taken for another one. Returns 0 if all are in use.
 */
path_label label_pending_take(struct label_map *m, const struct addr *from,
			      const struct addr *local);
/* One connection less needs the path. Does nothing for labels of other paths. */
void label_pending_release(struct label_map *m, path_label label);
/* Returns NULL if no such path is, or lately was, pending. */
const struct pending_path *label_pending(const struct label_map *m, path_label label);

#endif
