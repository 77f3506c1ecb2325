/* SPDX-License-Identifier: MIT */
/* The command line of mlshtund as a table. */
#include "cli/daemon_options.h"

#include "base/log.h"
#include "os/paths.h"
#include "proto/control.h"

const struct options daemon_options = {
	.program = "mlshtund",
	.usage = "[options]",
	.about = "The tunnel daemon of mlsh: keeps the clusters of this machine connected. "
		 "Started by systemd, or by root; it runs in the foreground, as the user "
		 CONTROL_USER " if there is one, and keeps only the privileges it needs.",
	.row = {
		[DAEMON_SOCKET] = { "socket", 0, "PATH",
				    "local socket for mlsh (default " CONTROL_SOCKET
				    ", or MLSH_SOCKET)" },
		[DAEMON_STATE] = { "state-dir", 0, "PATH",
				   "where it keeps its clusters (default " DAEMON_STATE_DIR
				   ", or MLSH_STATE_DIR)" },
		[DAEMON_PORT] = { "port", 0, "N",
				  "a fixed UDP port, 1 to 65535, for firewalls that name it; "
				  "a second cluster gets N + 1, and so on (default: any, kept "
				  "over restarts; or MLSH_PORT)" },
		[DAEMON_PORT_MAPPING] = { "port-mapping", 0, "on|off",
					  "ask the gateway to map a port (default on, or "
					  "MLSH_PORT_MAPPING)" },
		[DAEMON_LOG] = { "log", 0, "LEVEL",
				 "how much it logs: " LOG_LEVELS " (default info, or MLSH_LOG)" },
		[DAEMON_VERSION] = { "version", 'V', NULL, "print the version" },
	},
};
