/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * May the server put entries into a cluster's log now? A database that was restored lacks what came
 * after the backup. A server that went on from there would order other entries in places that nodes
 * know already: a fork. So a restored cluster waits until an admin has shown, at the beginning of a
 * session, a log that the server then holds whole, and then for a moment longer, in which nodes
 * show the beacons that they hold. While a beacon names a record that this server has signed and
 * lacks it waits on. Such a beacon makes a cluster wait that did not, too: the whole machine was
 * put back. The operator can say to go on without (`mlsh-signal accept`). The state of each cluster
 * is in the database. Entries that members bring are taken all the time.
 */
#ifndef MLSH_SIGNAL_MAY_ORDER_H
#define MLSH_SIGNAL_MAY_ORDER_H

#include "signal/caller.h"

/*
 * At the start, after mark_open: finds out whether any cluster waits, and says so in the log.
 * `restored`: it has just been noticed.
 */
int may_order_open(struct signal_server *s, bool restored, struct err *err) MUST_CHECK;
/* 0; -EBUSY with REFUSAL_RESTORED and the sentence for joiners and admins. */
int may_order(struct signal_server *s, struct cluster *c, struct err *err) MUST_CHECK;
/* A member begins a session and shows the head of its log. */
void may_order_shown(struct signal_server *s, struct cluster *c, const struct mlog *log,
		     const struct member *member, const struct wire_head *head);
/* A member shows a beacon, which is held now. */
void may_order_beacon(struct signal_server *s, struct cluster *c);
/* Each second: ends the waits of which the time has come. */
void may_order_tick(struct signal_server *s);

#endif
