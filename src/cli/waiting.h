/* SPDX-License-Identifier: MIT */
/* The removals that wait for the server, as the daemon holds them. */
#ifndef MLSH_CLI_WAITING_H
#define MLSH_CLI_WAITING_H

#include "cli/copy.h"

/* `removed` is a current member; `by` is the author, or NULL if it is not a member any more. */
typedef void (*waiting_fn)(void *ctx, const struct member *removed, const struct member *by);

/* Calls fn for each. Without a daemon that has the cluster it sees none. */
void waiting_each(struct cli *c, const struct copy *p, waiting_fn fn, void *ctx);

#endif
