/* SPDX-License-Identifier: AGPL-3.0-only */
/* `mlsh-signal accept`: the operator lets a restored cluster go on without an admin. */
#ifndef MLSH_SIGNAL_ACCEPT_H
#define MLSH_SIGNAL_ACCEPT_H

#include "signal/view.h"

/*
 * Works on the database file alone; a running server notices it at its next request. *ret_waited is
 * false if the cluster did not wait, which is no error. Errors of db_open and of a write.
 */
int accept_cluster(struct host *h, const struct signal_config *cfg, const struct view_cluster *c,
		   bool *ret_waited, struct err *err) MUST_CHECK;

#endif
