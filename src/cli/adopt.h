/* SPDX-License-Identifier: MIT */
/* Joining with an invite. */
#ifndef MLSH_CLI_ADOPT_H
#define MLSH_CLI_ADOPT_H

#include "cli/join_run.h"

struct invite_url;

/* Joins as `name` (NULL: the invite's, or made from the host name). Returns an exit code. */
int adopt_invite(struct cli *c, const struct invite_url *url, const char *name,
		 enum join_output output);

#endif
