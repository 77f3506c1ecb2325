/* SPDX-License-Identifier: MIT */
/* Names for the completions of shells. */
#ifndef MLSH_CLI_COMPLETE_H
#define MLSH_CLI_COMPLETE_H

#include "cli/cli.h"

/*
 * `mlsh __complete KIND WORD`, which is in no help: prints the clusters, nodes or invites that this
 * user may name, a line each. `word` is what is typed so far; with a dot in it, nodes are printed
 * with their clusters. Says nothing else, whatever fails, and has ended after COMPLETE_TIME.
 */
void complete_print(struct cli *c, const char *kind, const char *word);

#endif
