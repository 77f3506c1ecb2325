/* SPDX-License-Identifier: MIT */
/*
 * Commands of `mlsh`, run whole in a simulated world: with what is typed, and what they print.
 *
 *	command_run(&r, nas, &remove_command, UINT_MAX, "", "remove phone --yes");
 */
#ifndef MLSH_TESTS_COMMAND_KIT_H
#define MLSH_TESTS_COMMAND_KIT_H

#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mesh.h"

#define COMMAND_WORDS 16
#define COMMAND_TEXT 4096

struct command_run {
	struct host *host; /* of the command's process */
	int code;	   /* what it exited with, unless it was killed */
	bool killed;
	char out[COMMAND_TEXT], complaint[COMMAND_TEXT]; /* standard output and error */
};

/*
 * Runs the command on the node as its user, in a process that dies at its next step but `steps`
 * (UINT_MAX: lives). `typed` is on its standard input, `line` are its words from its name on. What
 * a killed one prints after its end is in the texts all the same.
 */
void command_run(struct command_run *r, struct mesh_node *n, const struct command *c,
		 unsigned steps, const char *typed, const char *line);

#endif
