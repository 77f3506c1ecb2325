/* SPDX-License-Identifier: MIT */
/* Which nodes of which cluster a command that governs is about: "nas", "nas.homelab", or an
 * overlay address. Needs no daemon. */
#ifndef MLSH_CLI_WHOM_H
#define MLSH_CLI_WHOM_H

#include "cli/governing.h"
#include "cli/target.h"

/*
 * Opens the cluster that the nodes are of. Those without a cluster's name are of the one that
 * another one names, of the only one, or of the only one that has such a node. governing_close in
 * any case.
 */
int whom_open(struct cli *c, const char *const *typed, size_t n, struct governing *ret,
	      struct err *err) MUST_CHECK;
/* The node that was typed, present or former. -ENOENT with a message. */
int whom_find(const struct governing *g, const char *typed, const struct member **ret,
	      struct err *err) MUST_CHECK;

#endif
