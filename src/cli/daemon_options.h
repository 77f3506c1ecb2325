/* SPDX-License-Identifier: MIT */
/* The command line of mlshtund. */
#ifndef MLSH_CLI_DAEMON_OPTIONS_H
#define MLSH_CLI_DAEMON_OPTIONS_H

#include "base/options.h"

/* Rows of its table. */
enum daemon_option {
	DAEMON_SOCKET,
	DAEMON_STATE,
	DAEMON_PORT,
	DAEMON_PORT_MAPPING,
	DAEMON_LOG,
	DAEMON_VERSION
};

extern const struct options daemon_options;

#endif
