/* SPDX-License-Identifier: MIT */
/*
 * Clusters that root has connected on this machine, for those who may look at them: members of the
 * group mlsh. The daemon tells nobody else, so for others these functions find nothing.
 */
#ifndef MLSH_CLI_ROOTS_H
#define MLSH_CLI_ROOTS_H

#include "cli/copy.h"
#include "cli/names.h"

struct json_object;

/* Lists them; none for root, whose own they are, and without a daemon. */
void roots_list(struct cli *c, struct cluster_names *ret);
bool roots_has(struct cli *c, const char *cluster);
/* Is this one of the daemon's status root's, and the caller not root? */
bool roots_is(struct json_object *cluster);
/* "... is root's on this machine: sudo mlsh invite homelab". -EPERM. */
int roots_refuse(struct cli *c, const char *cluster, struct err *err) MUST_CHECK;
/* Before a cluster is made or joined: its name is free on this machine, or -EEXIST. */
int roots_check_free(struct cli *c, const char *cluster, struct err *err) MUST_CHECK;

/* As copy_name, for commands that only look: also what root has connected. */
int roots_name(struct cli *c, const char *named, char ret[LABEL_MAX + 1], struct err *err)
	MUST_CHECK;

#endif
