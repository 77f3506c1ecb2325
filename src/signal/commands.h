/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * The commands of mlsh-signal for its operator: the user that each works as, and its exit status.
 */
#ifndef MLSH_SIGNAL_COMMANDS_H
#define MLSH_SIGNAL_COMMANDS_H

#include "os/privs.h"
#include "signal/config.h"
#include "signal/usage.h"

/* Runs the command and returns the exit status. `cfg` may be NULL for `restore --check`. */
int commands_run(struct host *h, const struct signal_config *cfg, const struct usage *u);

/* The database with its companions, and their owner. */
struct privs_file commands_database(const struct signal_config *cfg);
/* Prints the error in lines of a terminal. Returns `status`. */
int commands_fail(const struct err *err, int status);
/* Returns the exit status of a command whose output may have been lost. */
int commands_end(void);
/* Prints on standard error what to do with a setup token. */
void commands_token_hint(const struct signal_config *cfg);

#endif
