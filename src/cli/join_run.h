/* SPDX-License-Identifier: MIT */
/* Running a setup or an adopt to its end, and telling the person what came of it. Returns an exit
 * code. */
#ifndef MLSH_CLI_JOIN_RUN_H
#define MLSH_CLI_JOIN_RUN_H

#include "cli/cli.h"
#include "client/join.h"

struct invite_url;

enum join_output {
	JOIN_TEXT,
	JOIN_JSON,
	JOIN_BRIEF /* what comes next is done by itself */
};

int join_run_setup(struct cli *c, const struct setup_params *p, bool json);
int join_run_adopt(struct cli *c, const struct invite_url *url, const char *node_name,
		   enum join_output output);

#endif
