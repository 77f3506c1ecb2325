/* SPDX-License-Identifier: MIT */
/* The names of the caller's clusters. */
#ifndef MLSH_CLI_NAMES_H
#define MLSH_CLI_NAMES_H

#include "cli/cli.h"

#define NAMES_MAX 64
#define NAMES_TEXT_MAX 300

struct cluster_names {
	char name[NAMES_MAX][LABEL_MAX + 1]; /* sorted */
	size_t n;
	char all[NAMES_TEXT_MAX]; /* "attic, homelab", as many as have room */
};

/* Lists the clusters that this user joined, the first NAMES_MAX; empty if they cannot be listed. */
void names_list(struct cli *c, struct cluster_names *ret);
/*
 * The cluster that was named, or the caller's only one if `named` is NULL; "" if the caller has no
 * cluster. A named one may be missing. -EINVAL: there are several, or the name is invalid; `which`
 * begins the message: "which cluster is meant".
 */
int names_choose(struct cli *c, const char *named, const char *which, char ret[LABEL_MAX + 1],
		 struct err *err) MUST_CHECK;

#endif
