/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Who of a cluster is online, and where; in memory only. Every change has a number (the cursor),
 * and members are kept in the order of their last change, so that telling what changed since a
 * cursor costs as much as there is to tell. Cursors count within an epoch: the life of this object.
 */
#ifndef MLSH_SIGNAL_PRESENCE_H
#define MLSH_SIGNAL_PRESENCE_H

#include "base/ids.h"
#include "base/list.h"
#include "proto/signal.h"

struct presence;

struct presence_item {
	struct list by_change;
	struct node_id id;
	uint64_t changed;    /* cursor of its last change */
	uint64_t session_id; /* of the session that it is online with */
	void *session;	     /* that session; NULL: offline */
	struct wire_candidates candidates;
};

struct presence *presence_new(const uint8_t map_seed[16], const uint8_t epoch[EPOCH_LEN]);
void presence_free(struct presence *p); /* NULL allowed */
const uint8_t *presence_epoch(const struct presence *p);
uint64_t presence_cursor(const struct presence *p); /* of the latest change; 0: none yet */
bool presence_online(const struct presence_item *item);
/* NULL: never seen in this epoch. */
struct presence_item *presence_get(const struct presence *p, const struct node_id *id);

/*
 * The node is online with this session and these candidates, in place of any session before.
 * Returns the session that was replaced in *ret_old (or NULL). -ENOMEM.
 */
int presence_set(struct presence *p, const struct node_id *id, uint64_t session_id, void *session,
		 const struct wire_candidates *c, void **ret_old) MUST_CHECK;
/* The session has ended. Nothing happens when a newer one has taken its place. */
void presence_clear(struct presence *p, const struct node_id *id, uint64_t session_id);

/* The node is not a member any more: nothing is told of it, not even that it is offline. */
void presence_forget(struct presence *p, const struct node_id *id);

/* The first item that changed after `cursor`, oldest change first; NULL: none. */
struct presence_item *presence_after(const struct presence *p, uint64_t cursor);
struct presence_item *presence_next(const struct presence *p, const struct presence_item *item);

#endif
