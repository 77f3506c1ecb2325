/* SPDX-License-Identifier: AGPL-3.0-only */
/* What the files of the registry share. */
#ifndef MLSH_SIGNAL_REGISTRY_INTERNAL_H
#define MLSH_SIGNAL_REGISTRY_INTERNAL_H

#include "signal/registry.h"

#define REPLAYS_BURST 8	 /* of a cluster's log, */
#define REPLAY_TOKENS 10 /* then one each so many seconds */

#define WRITE_FAILED "The server could not write to its database; try again later."

struct registry {
	struct host *host;
	struct db *db;
	const struct server_keys *keys;
	struct mark *mark;
	struct map *clusters;
	struct list changed; /* clusters with uncommitted changes */
	struct list noted;   /* clusters with notes that are not in the database yet */
	bool failed;	     /* a write of the open transaction: it will not be committed */
	uint8_t map_seed[16];
	struct log_limit failures;
};

/*
 * Logs the error of the database for the operator, once a second, since all waiting requests fail
 * for the same reason. The refusal only says that the server could not write.
 */
int registry_fail(struct registry *r, int code, struct err *err);
/* The same. Nothing of the open transaction will be committed. */
int registry_write_fail(struct registry *r, int code, struct err *err);
/*
 * Makes a cluster without a log, which is not among the others yet. Returns NULL if there is no
 * memory.
 */
struct cluster *registry_cluster_new(struct registry *r, const struct db_cluster *d);
void registry_cluster_free(struct cluster *c); /* NULL allowed */
/* Puts the cluster among the others; frees it if that fails. */
int registry_cluster_add(struct registry *r, struct cluster *c, struct err *err) MUST_CHECK;
/* Takes the cluster out again and frees it. */
void registry_cluster_drop(struct registry *r, struct cluster *c);
/* registry_notes.c: writes all notes, in the open transaction. Returns false if none is written. */
bool registry_notes_write(struct registry *r) MUST_CHECK;
/* The transaction is committed: forgets the notes that it wrote. */
void registry_notes_written(struct registry *r);
/* Notes that the open transaction has changed the log from record `first` on. */
void registry_note_change(struct registry *r, struct cluster *c, uint64_t first);

#endif
