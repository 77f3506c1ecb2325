/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * Decides whether the server may put entries into a cluster's log now.
 *
 * A restored database lacks what came after the backup. If the server went on from there, it would
 * order other entries in places that nodes know already: a fork. So a restored cluster waits until
 * the server has all of the log that an admin has shown at the beginning of its session, and then a
 * moment longer, in which nodes show the beacons that they hold. While a beacon names a record that
 * this server has signed and lacks, the cluster waits on, whatever the dates are. Such a beacon
 * makes a cluster wait that did not wait, too: the whole machine was put back. The operator can say
 * to go on without those records (`mlsh-signal accept`). The state of each cluster is in the
 * database. Entries that members bring are always taken.
 */
#ifndef MLSH_SIGNAL_MAY_ORDER_H
#define MLSH_SIGNAL_MAY_ORDER_H

#include "signal/caller.h"

/*
 * Called at the start, after mark_open: finds out whether any cluster waits, and logs it.
 * `restored`: the mark has just shown that the database is older.
 */
int may_order_open(struct signal_server *s, bool restored, struct err *err) MUST_CHECK;
/* Returns 0, or -EBUSY with REFUSAL_RESTORED and the sentence for joiners and admins. */
int may_order(struct signal_server *s, struct cluster *c, struct err *err) MUST_CHECK;
/* A member begins a session and shows the head of its log, which the session keeps. */
void may_order_shown(struct caller *session, const struct wire_head *head);
/* The log has new records: perhaps what an admin has shown is there now. */
void may_order_grew(struct signal_server *s, struct cluster *c);
/* A member shows a beacon, of which the receipt is valid. */
void may_order_beacon(struct signal_server *s, struct cluster *c, const struct beacon *b);
/* A member brings a record that is dated too far ahead to be taken. */
void may_order_ahead(struct signal_server *s, struct cluster *c, struct span record);
/* Called each second: ends the waits that are over. */
void may_order_tick(struct signal_server *s);

#endif
