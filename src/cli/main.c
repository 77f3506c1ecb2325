/* SPDX-License-Identifier: MIT */
/* mlsh: the first argument selects the command. */
#include <stdio.h>
#include <stdlib.h>

#include "base/version.h"
#include "cli/cli.h"
#include "cli/whose.h"
#include "identity/identity.h"

static const struct command *const commands[] = {
	&setup_command,	 &invite_command,  &adopt_command,  &connect_command, &disconnect_command,
	&status_command, &nodes_command,   &ping_command,   &why_command,     &netcheck_command,
	&forget_command, &invites_command, &log_command,    &recover_command, &remove_command,
	&leave_command,	 &promote_command, &demote_command, &rename_command,  &renew_command,
	&cancel_command, &rotate_command,  &move_command,
};

static void print_help(FILE *f)
{
	fputs("mlsh connects your machines into one encrypted network.\n\n"
	      "Usage: mlsh <command> [options]\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(f, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n`mlsh <command> --help` tells more of each; `mlsh --version` prints the version.\n"
	      "Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not connected yet\n"
	      "(still trying), 4 mlshtund is not running, 5 signal server not reachable.\n",
	      f);
}

static int run_command(const struct command *cmd, const struct options_given *g)
{
	struct cli c = { 0 };
	struct err err = { 0 };
	const char *socket_path = getenv("MLSH_SOCKET");
	int rc = crypto_init(&err);

	if (rc == 0)
		rc = host_new(&err, &c.host);
	if (rc == 0)
		rc = whose_store(&c, &err);
	if (rc < 0) {
		host_free(c.host);
		return cli_fail(&err);
	}
	c.socket_path = socket_path && *socket_path ? socket_path : CONTROL_SOCKET;
	host_log(c.host)->level = LOG_LEVEL_WARN;
	rc = cmd->run(&c, g);
	progress_clear();
	host_free(c.host);
	return rc;
}

static const struct command *command_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[ARRAY_LEN(commands)], *meant;
	char hint[48] = "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i]->name;
	meant = options_near(name, names, ARRAY_LEN(names), sizeof(names[0]));
	if (meant)
		snprintf(hint, sizeof(hint), ": did you mean '%s'?", meant);
	cli_complain("unknown %s '%.40s'%s", *name == '-' ? "option" : "command", name, hint);
	fputs("`mlsh --help` lists the commands\n", stderr);
	return EXIT_USAGE;
}

static int run_named(int argc, char **argv)
{
	const struct command *cmd = command_named(argv[0]);
	struct options_given g;
	struct err err;

	if (!cmd)
		return unknown_command(argv[0]);
	if (options_parse(&cmd->options, argc, argv, &g, &err) < 0)
		return cli_usage(cmd->name, "%s", err.text);
	if (!g.help)
		return run_command(cmd, &g);
	options_help(&cmd->options, stdout);
	return EXIT_OK;
}

/* `mlsh help <command>` */
static int help_on(const char *name)
{
	const struct command *cmd = command_named(name);

	if (!cmd)
		return unknown_command(name);
	options_help(&cmd->options, stdout);
	return EXIT_OK;
}

static int run_program(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2)
		return help_on(argv[2]);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("mlsh %s\n", version_text());
		return EXIT_OK;
	}
	return run_named(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	return cli_main(run_program, argc, argv);
}
