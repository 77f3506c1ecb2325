/* SPDX-License-Identifier: MIT */
/* The commands of mlsh as a table. */
#include "cli/commands.h"

#include <string.h>

const struct command_group command_groups[COMMAND_GROUPS] = {
	{ "Every day",
	  { &connect_command, &disconnect_command, &status_command, &nodes_command,
	    &ping_command } },
	{ "A new cluster, a new machine",
	  { &setup_command, &invite_command, &adopt_command, &invites_command, &cancel_command } },
	{ "Who is a member",
	  { &log_command, &remove_command, &leave_command, &forget_command, &promote_command,
	    &demote_command, &rename_command, &rotate_command } },
	{ "When something is wrong", { &why_command, &netcheck_command } },
	{ "Another server, lost admins, the recovery code",
	  { &move_command, &recover_command, &renew_command } },
	{ "In a container", { &container_command } },
};

const struct command *command_named(const char *name)
{
	for (size_t g = 0; g < COMMAND_GROUPS; g++)
		for (size_t i = 0; command_groups[g].command[i]; i++)
			if (strcmp(name, command_groups[g].command[i]->name) == 0)
				return command_groups[g].command[i];
	return NULL;
}

size_t command_names(const char *ret[COMMANDS_MAX])
{
	size_t n = 0;

	for (size_t g = 0; g < COMMAND_GROUPS; g++)
		for (size_t i = 0; command_groups[g].command[i]; i++)
			ret[n++] = command_groups[g].command[i]->name;
	return n;
}
