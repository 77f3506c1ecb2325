/* SPDX-License-Identifier: MIT */
/* The user's files of a cluster, on their way to the daemon. */
#ifndef MLSH_CLI_HAND_OVER_H
#define MLSH_CLI_HAND_OVER_H

#include "cli/cli.h"

/*
 * A rotation that was ordered, but interrupted before the new key was in place, is completed. What
 * stands against that is said, and is no failure: the files are whole with either key.
 */
void cli_settle_key(struct cli *c, const char *cluster);
/*
 * The server does not accept this node under the key in use: it is asked under the others, and what
 * its log shows is saved. Returns true if another key is in place then.
 */
bool cli_turn_key(struct cli *c, const char *cluster);
/*
 * Has the daemon connect the cluster with the user's files, or go on with it. *ret_absent (NULL:
 * not wanted): it failed because no daemon runs.
 */
int cli_hand_over(struct cli *c, const char *cluster, struct err *err, bool *ret_absent) MUST_CHECK;

#endif
