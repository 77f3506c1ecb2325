/* SPDX-License-Identifier: MIT */
/* mlsh move --follow: a node that nobody told goes to the server that its cluster has moved to. */
#ifndef MLSH_CLI_FOLLOW_H
#define MLSH_CLI_FOLLOW_H

#include "cli/cli.h"

/* `where` is "host[:port]@fingerprint"; `cluster` NULL: the only one. Returns an exit code. */
int follow_run(struct cli *c, const char *cluster, const char *where, bool json);

#endif
