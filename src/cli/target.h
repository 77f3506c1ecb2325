/* SPDX-License-Identifier: MIT */
/* What a command line names: a node of a connected cluster. */
#ifndef MLSH_CLI_TARGET_H
#define MLSH_CLI_TARGET_H

#include "cli/cli.h"

struct json_object;

struct target {
	char cluster[LABEL_MAX + 1];
	char node[LABEL_MAX + 1];
};

/* Reads what was typed: `cluster` is "" unless it is named; `node` may be an address. -EINVAL. */
int target_split(const char *typed, struct target *ret, struct err *err) MUST_CHECK;
/* "node.cluster", a node's name (both as DNS has them: in any case, with a final dot or without),
 * or its overlay address. */
int target_find(struct cli *c, const char *typed, struct target *ret, struct err *err) MUST_CHECK;
/* The connected clusters: how many were filled in. -ESRCH with a message: no cluster is. */
int target_clusters(struct cli *c, char (*out)[LABEL_MAX + 1], size_t max, struct err *err)
	MUST_CHECK;
/* Says that no cluster is connected and which command connects one; `list`: status's clusters, may
 * be NULL. -ESRCH. */
int target_none_connected(struct cli *c, struct json_object *list, struct err *err) MUST_CHECK;
/*
 * Replaces the daemon's refusal (`err`) if no cluster has that name, in the files here either: says
 * so and names the clusters that exist.
 */
void target_no_cluster(struct cli *c, const char *cluster, struct err *err);

#endif
