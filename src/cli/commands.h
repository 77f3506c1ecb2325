/* SPDX-License-Identifier: MIT */
/* The commands of mlsh, in groups by what they are for. */
#ifndef MLSH_CLI_COMMANDS_H
#define MLSH_CLI_COMMANDS_H

#include "cli/cli.h"

#define COMMAND_GROUPS 6
#define COMMANDS_OF_GROUP_MAX 8
#define COMMANDS_MAX (COMMAND_GROUPS * COMMANDS_OF_GROUP_MAX)

struct command_group {
	const char *title;					  /* of a list of these commands */
	const struct command *command[COMMANDS_OF_GROUP_MAX + 1]; /* ends with NULL */
};

extern const struct command_group command_groups[COMMAND_GROUPS];

/* Returns NULL if there is no such command. */
const struct command *command_named(const char *name);
/* Lists the names of all commands. Returns how many. */
size_t command_names(const char *ret[COMMANDS_MAX]);

#endif
