/* SPDX-License-Identifier: MIT */
/* mlsh and mlshtund: one binary; the name it is invoked by selects the program, the first argument
 * the command. */
#include <stdio.h>
#include <stdlib.h>
#include <signal.h>

#include "base/version.h"
#include "cli/cli.h"
#include "identity/identity.h"

static const struct command commands[] = {
	{ "setup", cmd_setup, "create a cluster and make this machine its first node" },
	{ "invite", cmd_invite, "make an invite for another machine" },
	{ "adopt", cmd_adopt, "join a cluster with an invite" },
	{ "connect", cmd_connect, "bring a cluster's network up on this machine" },
	{ "disconnect", cmd_disconnect, "take it down" },
	{ "status", cmd_status, "show connected clusters, peers and paths" },
	{ "nodes", cmd_nodes, "list the members of a cluster" },
	{ "ping", cmd_ping, "does a node answer, by which path, and how soon" },
	{ "why", cmd_why, "why a node is reached the way it is, and what could be changed" },
	{ "netcheck", cmd_netcheck, "what this machine's network lets through" },
};

static void print_help(FILE *f)
{
	fputs("mlsh connects your machines into one encrypted network.\n\nUsage: mlsh <command> "
	      "[options]\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(f, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`mlsh <command> --help` tells more of each; `mlsh --version` prints the version.\n"
	      "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not connected yet (still "
	      "trying),\n"
	      "4 mlshtund is not running, 5 signal server not reachable.\n",
	      f);
}

static int run_command(const struct command *cmd, int argc, char **argv)
{
	struct cli c = { 0 };
	struct err err = { 0 };
	const char *socket_path = getenv("MLSH_SOCKET");
	int rc = crypto_init(&err);

	if (rc == 0)
		rc = host_new(&err, &c.host);
	if (rc == 0)
		rc = store_open(getenv("XDG_CONFIG_HOME"), getenv("HOME"), &err, &c.store);
	if (rc < 0) {
		host_free(c.host);
		return cli_fail(&err);
	}
	c.socket_path = socket_path && *socket_path ? socket_path : CONTROL_SOCKET;
	host_log(c.host)->level = LOG_LEVEL_WARN;
	rc = cmd->run(&c, argc, argv);
	progress_clear();
	host_free(c.host);
	if (fflush(stdout) != 0 && rc == EXIT_OK) {
		fputs("mlsh: writing the output failed\n", stderr);
		rc = EXIT_FAILED;
	}
	return rc;
}

/* getopt begins its complaints with argv[0]. */
static int run_named(const struct command *cmd, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "mlsh %s", cmd->name);
	argv[0] = name;
	return run_command(cmd, argc, argv);
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 && argv[0] ? argv[0] : "mlsh";
	const char *slash = strrchr(name, '/');

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(slash ? slash + 1 : name, "mlshtund") == 0)
		return daemon_main(argc, argv);
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("mlsh %s\n", MLSH_VERSION);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run_named(&commands[i], argc - 1, argv + 1);
	fprintf(stderr, "mlsh: there is no command '%s'; `mlsh --help` lists them\n", argv[1]);
	return EXIT_USAGE;
}
