/* SPDX-License-Identifier: AGPL-3.0-only */
/* The command line of mlsh-signal. */
#ifndef MLSH_SIGNAL_USAGE_H
#define MLSH_SIGNAL_USAGE_H

#include "base/options.h"

enum usage_verb {
	COMMAND_SERVE,
	COMMAND_CLUSTERS,
	COMMAND_NODES,
	COMMAND_LOG,
	COMMAND_TOKEN,
	COMMAND_BACKUP,
	COMMAND_RESTORE,
	COMMAND_ACCEPT,
	COMMAND_COMPLETE,
	COMMAND_TAKE_OVER,
	COMMAND_HELP,
	COMMAND_VERSION
};

struct usage {
	enum usage_verb command;
	const struct options *help; /* COMMAND_HELP: of the program, or of one of its commands */
	const char *arg;	    /* cluster, file or kind; NULL if the command takes none */
	bool json, all, force, check, accept;
	uint64_t ttl_s; /* token: 0 if not given */
};

#define USAGE_COMMANDS 8

struct usage_command {
	const char *name; /* first, for options_near */
	const char *summary;
	enum usage_verb command;
	const struct options *options;
};

extern const struct options usage_options; /* of the program, without a command */
extern const struct usage_command usage_commands[USAGE_COMMANDS];

/* The strings of `ret` point into argv. -EINVAL with a message that says where help is. */
int usage_parse(int argc, char **argv, struct usage *ret, struct err *err) MUST_CHECK;

#endif
