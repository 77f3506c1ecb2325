/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Which members of a cluster are online, and where; in memory only. Every change has a number (the
 * cursor), and members are kept in the order of their last change. So the cost of telling what
 * changed since a cursor grows with the number of changes only. Cursors count within an epoch: the
 * life of this object.
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
	uint64_t session_id; /* id of its session */
	void *session;	     /* its session; NULL: offline */
	struct wire_candidates candidates;
};

struct presence *presence_new(const uint8_t map_seed[16], const uint8_t epoch[EPOCH_LEN]);
void presence_free(struct presence *p); /* NULL allowed */
const uint8_t *presence_epoch(const struct presence *p);
uint64_t presence_cursor(const struct presence *p); /* of the latest change; 0 before the first */
bool presence_online(const struct presence_item *item);
/* Returns NULL if the node was not seen in this epoch. */
struct presence_item *presence_get(const struct presence *p, const struct node_id *id);

/*
 * The node is online with this session and these candidates, in place of any session before.
 * Returns the session that was replaced in *ret_old (or NULL). -ENOMEM.
 */
int presence_set(struct presence *p, const struct node_id *id, uint64_t session_id, void *session,
		 const struct wire_candidates *c, void **ret_old) MUST_CHECK;
/* The session has ended. Does nothing if a newer one has taken its place. */
void presence_clear(struct presence *p, const struct node_id *id, uint64_t session_id);

/* The node is not a member any more: others are told nothing of it, not even that it is offline. */
void presence_forget(struct presence *p, const struct node_id *id);

/* Returns the first item that changed after `cursor`, oldest change first, or NULL. */
struct presence_item *presence_after(const struct presence *p, uint64_t cursor);
struct presence_item *presence_next(const struct presence *p, const struct presence_item *item);

#endif
